"""Makes large label sets out of evaluation sets: their own labels, and others that fit no row.

Input: the folder of evaluation sets, the folder of training sets. Output: DIR/NAME.jsonl.gz and
DIR/NAME.labels.json, each with as many labels as are asked for.
Invariant: the same files give the same sets; a distractor is no label of the set, in any spelling.
A distractor may still fit a text: `fitting.json` says which of those that the model puts first do,
for the first rows of each set. `--judged` writes these rows alone, with a `NAME.sites.json` that
leaves out of a row's labels what fits it and is not among its tags.
"""

import argparse
import gzip
import json
import random
import shutil
from pathlib import Path

from rows import read_rows

FITTING = Path(__file__).with_name("fitting.json")


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


def judged(file, fitting, labels):
    """The rows that were judged, each a site of its own, and what each site's labels are."""
    rows, sites = [], {}
    with gzip.open(file, "rt") as lines:
        for number, line in enumerate(lines):
            if str(number) in fitting:
                rows.append({**json.loads(line), "site": f"row {number}"})
                also = set(fitting[str(number)])
                sites[f"row {number}"] = [label for label in labels if label not in also]
    return rows, sites


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("suite", type=Path)
    parser.add_argument("train", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--labels", type=int, default=1000)
    parser.add_argument("--judged", action="store_true", help="without labels that fit a row")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    others = distractors(arguments.train)
    fitting = json.loads(FITTING.read_text()) if arguments.judged else None
    for file in sorted(arguments.suite.glob("*.labels.json")):
        name = file.name.removesuffix(".labels.json")
        own = json.loads(file.read_text())
        taken = {plain(label) for label in own}
        more = [label for label in others if plain(label) not in taken]
        labels = own + more[: arguments.labels - len(own)]
        random.Random(12).shuffle(labels)
        (arguments.out / file.name).write_text(json.dumps(labels))
        rows = arguments.suite / f"{name}.jsonl.gz"
        if fitting:
            kept, sites = judged(rows, fitting[name], labels)
            (arguments.out / f"{name}.sites.json").write_text(json.dumps(sites))
            with gzip.open(arguments.out / rows.name, "wt") as file:
                file.writelines(json.dumps(row) + "\n" for row in kept)
        else:
            shutil.copy(rows, arguments.out)
        print(f"{name}: {len(own)} of {len(labels)} labels")


if __name__ == "__main__":
    main()
