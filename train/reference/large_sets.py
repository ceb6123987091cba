"""Makes large label sets out of evaluation sets: their own labels, and others that fit no row.

Input: the folder of evaluation sets, the folder of training sets. Output: DIR/NAME.jsonl.gz and
DIR/NAME.labels.json, each with as many labels as are asked for.
Invariant: the same files give the same sets; a distractor is no label of the set, in any spelling.
Ignorance: a distractor may still fit a text; nobody has looked.
"""

import argparse
import gzip
import json
import random
import shutil
from pathlib import Path

from rows import read_rows


def plain(label):
    return "".join(c for c in label.lower() if c.isalnum())


def distractors(folder):
    """All labels of the training sets, each once, in an order of chance."""
    known = {}
    for file in sorted(folder.glob("*.jsonl.gz")):
        for row in read_rows(file).rows:
            for label in row.labels:
                known.setdefault(plain(label), label)
    labels = sorted(known.values())
    random.Random(11).shuffle(labels)
    return labels


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("suite", type=Path)
    parser.add_argument("train", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--labels", type=int, default=1000)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    others = distractors(arguments.train)
    for file in sorted(arguments.suite.glob("*.labels.json")):
        name = file.name.removesuffix(".labels.json")
        own = json.loads(file.read_text())
        taken = {plain(label) for label in own}
        more = [label for label in others if plain(label) not in taken]
        labels = own + more[: arguments.labels - len(own)]
        random.Random(12).shuffle(labels)
        (arguments.out / file.name).write_text(json.dumps(labels))
        shutil.copy(arguments.suite / f"{name}.jsonl.gz", arguments.out)
        print(f"{name}: {len(own)} of {len(labels)} labels")


if __name__ == "__main__":
    main()
