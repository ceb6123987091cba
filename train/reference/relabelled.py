"""Joins labels that were given anew to texts of training sets with those texts.

Input: the folder of training sets; `train/relabelled`, whose rows name a set, a row and labels.
Output: OUT/h-NAME.jsonl, rows as `gliznet train` reads them, and OUT/held-out/ likewise.
Invariant: a text is as whoever gave the labels saw it: its first `WORDS` words.
Ignorance: knows nothing of what the sets' own labels were.
"""

import argparse
import gzip
import json
from pathlib import Path

WORDS = 85
LABELS = Path(__file__).parent.parent / "relabelled"


def beginning(text):
    words = text.split()
    return " ".join(words[:WORDS]) if len(words) > WORDS else text.strip()


def texts(data, name, known):
    if name not in known:
        with gzip.open(data / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
            known[name] = [json.loads(line)["text"] for line in file]
    return known[name]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    known = {}
    for file in sorted(LABELS.rglob("*.jsonl")):
        folder = arguments.out / file.parent.relative_to(LABELS)
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / f"h-{file.name}", "w", encoding="utf-8") as out:
            for line in file.read_text(encoding="utf-8").splitlines():
                row = json.loads(line)
                text = beginning(texts(arguments.data, row["set"], known)[row["row"]])
                joined = {"text": text, "labels": row["labels"]}
                out.write(json.dumps(joined, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
