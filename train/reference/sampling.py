"""Draws training examples: a window of a text, some of its labels, and wrong labels beside them.

Input: rows by source, the recipe's `text`, `labels` and `batch`, the extras, a seed.
Output: batches of examples of like length, the same for the same seed.
Invariant: a wrong label of a row never stands beside one of its labels in any row of its source.
Ignorance: knows nothing of losses and weights. The rows it draws are not those that
`gliznet train` draws from the same seed; `replay` trains on those.
"""

import random
from dataclasses import dataclass, field

from losses import UNKNOWN


@dataclass
class Source:
    """The rows of one file. `near[a]`: the labels that some row has together with label `a`."""

    name: str
    rows: list
    weight: float = 1.0
    exhaustive: bool = False
    labels: list = field(default_factory=list)
    near: list = field(default_factory=list)
    waiting: list = field(default_factory=list)

    def __post_init__(self):
        self.place = {}
        for row in self.rows:
            for label in [*row.labels, *row.not_labels]:
                self.place.setdefault(label, len(self.place))
        self.labels = list(self.place)
        self.near = [set() for _ in self.labels]
        self.real = sorted({self.place[label] for row in self.rows for label in row.labels})
        for row in self.rows:
            own = [self.place[label] for label in row.labels]
            for label in own:
                self.near[label].update(own)

    def share(self):
        return self.weight * len(self.rows)

    def next_row(self, state):
        if not self.waiting:
            self.waiting = list(range(len(self.rows)))
            state.shuffle(self.waiting)
        return self.rows[self.waiting.pop()]


@dataclass
class Example:
    """`labels` and `targets` go together; `barred`: labels of the source that may be right."""

    source: Source
    text: list
    labels: list
    targets: list
    barred: set
    embedding: object = None

    def cost(self):
        return len(self.text) + 2 + sum(len(label) + 1 for label in self.labels)


class Sampler:
    def __init__(self, sources, vocabulary, recipe):
        self.sources = sources
        self.vocabulary = vocabulary
        self.text, self.labels, self.batch = recipe["text"], recipe["labels"], recipe["batch"]
        self.extras = recipe["extras"]
        self.random = random.Random(recipe["seed"])
        self.foreign = [label for source in sources for label in source.labels]
        self.known = {}
        self.mark()

    def mark(self):
        """Where the pool now begun starts: what a resumed training draws again."""
        self.begun = self.random.getstate(), [list(source.waiting) for source in self.sources]
        self.taken = 0

    def return_to(self, begun, taken):
        """After this the next pool is the one of `begun`; its first `taken` passes are known."""
        self.random.setstate(begun[0])
        for source, waiting in zip(self.sources, begun[1], strict=True):
            source.waiting = list(waiting)
        self.mark()
        self.skip = taken

    skip = 0

    def chance(self, share):
        return self.random.random() < share

    def ids(self, label):
        if label not in self.known:
            self.known[label] = self.vocabulary.encode(label)[: self.text["label_tokens"]]
        return self.known[label]

    def window(self, text):
        ids = self.vocabulary.encode(text)
        long = self.chance(self.text["long_share"])
        limit = self.text["long_tokens" if long else "tokens"]
        if len(ids) <= limit:
            return ids
        begin = 0
        if self.chance(self.text["random_window"]):
            begin = self.random.randrange(len(ids) - limit + 1)
        return ids[begin : begin + limit]

    def pool(self, plain):
        """Enough examples for `batch.pool` passes, with the plain model's embeddings."""
        self.mark()
        count = self.batch["pool"] * self.batch["rows"]
        shares = [source.share() for source in self.sources]
        drawn = []
        for source in self.random.choices(self.sources, shares, k=count):
            row = source.next_row(self.random)
            drawn.append((source, row, self.window(row.text)))
        embeddings = plain.embed([text for _, _, text in drawn]) if plain else [None] * count
        return [
            self.example(source, row, text, embedding, plain)
            for (source, row, text), embedding in zip(drawn, embeddings, strict=True)
        ]

    def example(self, source, row, text, embedding, plain):
        own = [source.place[label] for label in row.labels]
        barred = set(own).union(*(source.near[label] for label in own))
        count = self.random.randint(self.labels["min"], self.labels["max"])
        own = self.random.sample(own, min(len(own), self.labels["max_true"], count))
        if self.chance(self.labels["none_apply"]):
            own = []
        wrong, denied = self.wrong(source, row, own, barred, count - len(own), embedding, plain)
        assumed = 0 if self.labels["assumed"] == "wrong" else UNKNOWN
        marked = [(source.labels[n], 1) for n in own]
        marked += [(source.labels[n], 0 if n in denied else assumed) for n in wrong]
        if self.labels["foreign"] and not row.closed:
            marked = self.with_foreign(marked, len(own), set(row.labels))
        if self.labels["shuffle"]:
            self.random.shuffle(marked)
        spell = self.spelling()
        labels = [self.ids(spell(label)) for label, _ in marked]
        targets = [target for _, target in marked]
        return Example(source, text, labels, targets, barred, embedding)

    def wrong(self, source, row, own, barred, count, embedding, plain):
        """Places of wrong labels, and which of them the row itself denies."""
        denied = {source.place[label] for label in row.not_labels}
        given = sorted(denied)
        allowed = [] if row.closed else [n for n in source.real if n not in barred]
        hard = round(max(count, 0) * self.labels["hard"])
        if self.extras["mine"] and allowed:
            near = self.near_misses(source, own, allowed, embedding, plain)[: max(3 * hard, 1)]
        else:
            near = given
        wrong = self.random.sample(near, min(hard, len(near)))
        rest = [n for n in dict.fromkeys([*given, *allowed]) if n not in wrong]
        # Tags are incomplete: where that is so, most wrong labels are those the row denies.
        rest = rest if source.exhaustive or not given else rest[: 4 * max(count, 1)]
        wrong += self.random.sample(rest, min(max(count - len(wrong), 0), len(rest)))
        return wrong, denied

    def near_misses(self, source, own, allowed, embedding, plain):
        """Wrong labels by likeness to the text; what is nearer than the row's own may be true."""
        likeness = plain.labels([tuple(self.ids(label)) for label in source.labels]) @ embedding
        limit = max((float(likeness[n]) for n in own), default=1.0)
        if not source.exhaustive:
            allowed = [n for n in allowed if likeness[n] < limit]
        return sorted(allowed, key=lambda n: -float(likeness[n]))

    def with_foreign(self, marked, right, own):
        for n in range(right, len(marked)):
            if self.chance(self.labels["foreign"]):
                label = self.random.choice(self.foreign)
                if label not in own:
                    marked[n] = (label, 0)
        return list(dict(reversed(marked)).items())

    def spelling(self):
        change = str
        if self.chance(self.labels["case"]):
            change = self.random.choice([str.lower, str.title, str.upper])
        if not self.chance(self.labels["separator"]):
            return change
        sign = self.random.choice("_-")

        def spelled(label):
            if " " in label:
                return change(label).replace(" ", sign)
            return change(label).replace("_", " ").replace("-", " ")

        return spelled

    def batches(self, pool):
        """Passes of `batch.rows` rows of like length, or of `batch_tokens` tokens; random order."""
        most = self.extras["batch_tokens"]
        ordered = sorted(pool, key=lambda one: len(one.text) * self.random.uniform(0.9, 1.1))
        batches, used = [[]], 0
        for one in ordered:
            full = used + one.cost() > most if most else len(batches[-1]) == self.batch["rows"]
            if batches[-1] and full:
                batches.append([])
                used = 0
            batches[-1].append(one)
            used += one.cost()
        self.random.shuffle(batches)
        return batches
