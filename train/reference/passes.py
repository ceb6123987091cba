"""Turns examples, or another trainer's batches, into what a pass computes and aims at.

Input: drawn examples; or a file of `gliznet train --write-batches`.
Output: packed batches with their aims.
Invariant: a label alone is encoded once a batch; to the embedding view it is a wrong label of
another row of the same source only if the two never go together.
Ignorance: knows nothing of losses and of the optimiser.
"""

import itertools
import json

import packed
import torch
from losses import NONE, UNKNOWN, Aim


def of_examples(examples, vocabulary, full=False):
    place, owned = {}, {}
    for example in examples:
        for label in example.labels:
            column = place.setdefault(tuple(label), len(place))
            owned.setdefault(example.source.name, set()).add(column)
    targets, alone_of = dense(examples, place)
    everyone = torch.full((len(examples), len(place)), UNKNOWN, dtype=torch.float)
    columns = {name: torch.tensor(sorted(found)) for name, found in owned.items()}
    for row, example in enumerate(examples):
        everyone[row, columns[example.source.name]] = 0
        barred = (place.get(label) for label in example.barred)
        everyone[row, [column for column in barred if column is not None]] = UNKNOWN
        own = [place[tuple(label)] for label in example.labels]
        everyone[row, own] = torch.tensor(example.targets, dtype=torch.float)
    return whole(vocabulary, examples, place, targets, alone_of, everyone, full)


def dense(examples, place):
    count = max(len(example.labels) for example in examples)
    targets = torch.full((len(examples), count), NONE, dtype=torch.float)
    alone_of = torch.zeros((len(examples), count), dtype=torch.long)
    for row, example in enumerate(examples):
        own = [place[tuple(label)] for label in example.labels]
        targets[row, : len(own)] = torch.tensor(example.targets, dtype=torch.float)
        alone_of[row, : len(own)] = torch.tensor(own, dtype=torch.long)
    return targets, alone_of


def whole(vocabulary, examples, place, targets, alone_of, everyone, full):
    texts = [example.text for example in examples]
    labels = [example.labels for example in examples]
    batch = packed.pack(vocabulary, texts, labels, list(place), full)
    return batch, Aim(targets, alone_of=alone_of, everyone=everyone)


class Given:
    """One row of another trainer's batch, as an example."""

    def __init__(self, row):
        parts = {}
        # The closing [SEP] belongs to the text, [CLS] and the [LAB]s are added by `packed`.
        for token, segment, mask in zip(
            row["ids"], row["segments"], row["label_mask"], strict=True
        ):
            if segment == 0 or mask > 0:
                parts.setdefault(segment, []).append(token)
        self.text = parts[0][1:-1]
        self.labels = [parts.get(number, []) for number in range(1, len(row["targets"]) + 1)]
        self.targets = row["targets"]


def of_file(path, vocabulary, full=False):
    """For each step the passes in their order: `(step, [(batch, aim), …])`."""
    with open(path, encoding="utf-8") as file:
        lines = (json.loads(line) for line in file)
        for step, parts in itertools.groupby(lines, key=lambda line: line["step"]):
            passes = []
            for part in sorted(parts, key=lambda line: line["part"]):
                rows = [Given(row) for row in part["rows"]]
                # In the order of the rows, so that a mean over labels is the same mean.
                place = {}
                for label in (tuple(label) for row in rows for label in row.labels):
                    place.setdefault(label, len(place))
                targets, alone_of = dense(rows, place)
                passes.append(whole(vocabulary, rows, place, targets, alone_of, None, full))
            yield step, passes
