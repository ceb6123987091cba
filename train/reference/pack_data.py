"""Copies the rows of a recipe, shortened, so that they fit into what a device machine takes along.

Input: a recipe. Output: DIR/data/*.jsonl.gz, DIR/recipe.toml that names them.
Invariant: no file has more than `--cap` rows or texts of more than `--characters`.
Ignorance: knows nothing of the machine.
"""

import argparse
import gzip
import json
import re
from pathlib import Path

from recipe import read_recipe
from rows import read_rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--cap", type=int, default=8000)
    parser.add_argument("--characters", type=int, default=1500)
    arguments = parser.parse_args()
    (arguments.out / "data").mkdir(parents=True, exist_ok=True)
    recipe = read_recipe(arguments.recipe)
    for entry in recipe["data"]:
        for path in entry["files"]:
            rows = read_rows(path, arguments.cap, recipe["seed"]).rows
            with gzip.open(arguments.out / "data" / path.name, "wt", 9, encoding="utf-8") as file:
                for row in rows:
                    text = row.text[: arguments.characters]
                    line = {"text": text, "labels": row.labels, "not_labels": row.not_labels}
                    file.write(json.dumps(line, ensure_ascii=False) + "\n")
    named = re.sub(r'files = ".*/', 'files = "data/', arguments.recipe.read_text())
    (arguments.out / "recipe.toml").write_text(named)


if __name__ == "__main__":
    main()
