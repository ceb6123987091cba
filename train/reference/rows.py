"""Reads training rows: JSON Lines, plain or gz, in the project's own form, GLiClass's, corrections.

Input: a path, a format, a cap. Output: rows with their text, right and wrong labels, and bad lines.
Invariant: a bad line is counted and the first ten are named; it never stops the reading.
Ignorance: knows nothing of tokens and of sampling. Parquet needs `gliznet train`.
"""

import gzip
import json
import random
from dataclasses import dataclass, field

NAMED = 10


@dataclass
class Row:
    """`closed`: a person's correction, whose other labels are unknown and never taken for wrong.

    `ids` are the tokens of the text, `title` how many of them are its title, `near` the places of
    wrong labels that are like it, the most alike first.
    """

    text: str
    labels: list
    not_labels: list
    closed: bool = False
    ids: list = field(default_factory=list)
    title: int = 0
    near: list = field(default_factory=list)


@dataclass
class Read:
    rows: list = field(default_factory=list)
    bad: int = 0
    named: list = field(default_factory=list)


def read_rows(path, cap=None, seed=0):
    read = Read()
    with opened(path) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                read.rows.append(parse(json.loads(line)))
            except (ValueError, KeyError, TypeError, AttributeError) as fault:
                read.bad += 1
                if len(read.named) < NAMED:
                    read.named.append(f"{path}:{number}: {fault}")
    if cap is not None and len(read.rows) > cap:
        read.rows = random.Random(seed).sample(read.rows, cap)
    return read


def opened(path):
    with open(path, "rb") as file:
        start = file.read(4)
    if start == b"PAR1":
        raise SystemExit(f"{path}: Parquet is read by `gliznet train` only")
    if start[:2] == b"\x1f\x8b":
        return gzip.open(path, "rt", encoding="utf-8")
    return open(path, encoding="utf-8")


def parse(value):
    text = value["text"] if "text" in value else value["sentence"]
    closed = "accepted" in value
    if closed:
        labels, wrong = value["accepted"], value.get("rejected", [])
    elif "true_labels" in value:
        labels = value["true_labels"]
        wrong = [label for label in value["all_labels"] if label not in labels]
    else:
        labels, wrong = value["labels"], value.get("not_labels", [])
    if not isinstance(text, str) or not text.strip():
        raise ValueError("the text is empty")
    if not all(isinstance(label, str) and label.strip() for label in [*labels, *wrong]):
        raise ValueError("a label is empty or no text")
    if not labels and not wrong:
        raise ValueError("no label at all")
    return Row(text, list(dict.fromkeys(labels)), list(dict.fromkeys(wrong)), closed)
