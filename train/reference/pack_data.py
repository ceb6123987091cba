"""Copies the rows of recipes, shortened, so that they fit into what a device machine takes along.

Input: recipes. Output: DIR/data/*.jsonl, and DIR/NAME.toml for each recipe, naming them.
Invariant: no file has more than `--cap` rows or texts of more than `--characters`.
Ignorance: knows nothing of the machine.
"""

import argparse
import json
import re
from pathlib import Path

from recipe import read_recipe
from rows import read_rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("recipes", type=Path, nargs="+")
    parser.add_argument("--cap", type=int, default=20000)
    parser.add_argument("--characters", type=int, default=1800)
    arguments = parser.parse_args()
    (arguments.out / "data").mkdir(parents=True, exist_ok=True)
    for path in arguments.recipes:
        recipe = read_recipe(path)
        for source in (source for entry in recipe["data"] for source in entry["files"]):
            out = arguments.out / "data" / source.name.removesuffix(".gz")
            copy(source, out, arguments, recipe["seed"])
        named = re.sub(r'files = ".*/(.*?)(\.gz)?"', r'files = "data/\1"', path.read_text())
        (arguments.out / path.name).write_text(named)


def copy(source, out, arguments, seed):
    if out.exists():
        return
    with open(out, "w", encoding="utf-8") as file:
        for row in read_rows(source, arguments.cap, seed).rows:
            text = row.text[: arguments.characters]
            line = {"text": text, "labels": row.labels, "not_labels": row.not_labels}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
