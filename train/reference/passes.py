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


def of_examples(examples, vocabulary, sampler, plain):
    place, owners = {}, {}
    for example in examples:
        for label in example.labels:
            place.setdefault(tuple(label), len(place))
            owners.setdefault(tuple(label), set()).add(example.source.name)
    targets, alone_of = dense(examples, place)
    everyone = torch.full((len(examples), len(place)), UNKNOWN, dtype=torch.float)
    for row, example in enumerate(examples):
        barred = {tuple(sampler.ids(example.source.labels[n])) for n in example.barred}
        for label, column in place.items():
            if example.source.name in owners[label] and label not in barred:
                everyone[row, column] = 0
        for label, target in zip(example.labels, example.targets, strict=True):
            everyone[row, place[tuple(label)]] = target
    return whole(vocabulary, examples, place, plain, targets, alone_of, everyone)


def dense(examples, place):
    count = max(len(example.labels) for example in examples)
    targets = torch.full((len(examples), count), NONE, dtype=torch.float)
    alone_of = torch.zeros((len(examples), count), dtype=torch.long)
    for row, example in enumerate(examples):
        for k, (label, target) in enumerate(zip(example.labels, example.targets, strict=True)):
            targets[row, k] = target
            alone_of[row, k] = place[tuple(label)]
    return targets, alone_of


def whole(vocabulary, examples, place, plain, targets, alone_of, everyone):
    texts = [example.text for example in examples]
    alone = list(place) if plain else []
    batch = packed.pack(vocabulary, texts, [example.labels for example in examples], alone)
    aim = Aim(targets, alone_of=alone_of, everyone=everyone)
    if plain:
        known = [example.embedding for example in examples]
        aim.text = torch.stack(known) if known[0] is not None else plain.embed(texts)
        aim.alone = plain.labels(alone)
    return batch, aim


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
        self.embedding = None
        self.check = row["positions"]


def of_file(path, vocabulary, plain):
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
                passes.append(whole(vocabulary, rows, place, plain, targets, alone_of, None))
            yield step, passes
