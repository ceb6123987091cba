"""Draws training examples: a window of a text, some of its labels, and wrong labels beside them.

Input: prepared rows by source (`prepare`), the recipe's `text`, `labels` and `batch`, the extras.
Output: batches of examples of like length, the same for the same seed.
Invariant: a wrong label of a row never stands beside one of its labels in any row of its source.
Ignorance: knows nothing of losses and weights. The rows it draws are not those that
`gliznet train` draws from the same seed; `passes.of_file` trains on those.
"""

import random
from dataclasses import dataclass, field

from losses import UNKNOWN

# A label's words in a description: at least and at most so many, of those that tell it apart.
DESCRIBED = (2, 5)


@dataclass
class Source:
    """The rows of one file. `near[a]`: the labels that some row has together with label `a`.

    `words[a]`: words that tell texts of label `a` apart; `rows_of[a]`: the rows that have it.
    """

    name: str
    rows: list
    weight: float = 1.0
    exhaustive: bool = False
    labels: list = field(default_factory=list)
    near: list = field(default_factory=list)
    words: list = field(default_factory=list)
    rows_of: list = field(default_factory=list)
    waiting: list = field(default_factory=list)

    def __post_init__(self):
        self.place = {}
        for row in self.rows:
            for label in [*row.labels, *row.not_labels]:
                self.place.setdefault(label, len(self.place))
        self.labels = list(self.place)
        self.near = [set() for _ in self.labels]
        self.rows_of = [[] for _ in self.labels]
        self.real = sorted({self.place[label] for row in self.rows for label in row.labels})
        for number, row in enumerate(self.rows):
            own = [self.place[label] for label in row.labels]
            for label in own:
                self.near[label].update(own)
                self.rows_of[label].append(number)

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
    barred: list

    def cost(self):
        return len(self.text) + 2 + sum(len(label) + 1 for label in self.labels)


class Sampler:
    def __init__(self, sources, vocabulary, recipe, seed=None):
        self.sources = sources
        self.vocabulary = vocabulary
        self.text, self.labels, self.batch = recipe["text"], recipe["labels"], recipe["batch"]
        self.extras = recipe["extras"]
        self.random = random.Random(recipe["seed"] if seed is None else seed)
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
        return share > 0 and self.random.random() < share

    def ids(self, label):
        if label not in self.known:
            self.known[label] = self.vocabulary.encode(label)[: self.text["label_tokens"]]
        return self.known[label]

    def window(self, ids):
        long = self.chance(self.text["long_share"])
        limit = self.text["long_tokens" if long else "tokens"]
        if len(ids) <= limit:
            return ids
        begin = 0
        if self.chance(self.text["random_window"]):
            begin = self.random.randrange(len(ids) - limit + 1)
        return ids[begin : begin + limit]

    def pool(self):
        """Enough examples for `batch.pool` passes."""
        self.mark()
        shares = [source.share() for source in self.sources]
        count = self.batch["pool"] * self.batch["rows"]
        drawn = self.random.choices(self.sources, shares, k=count)
        return [self.example(source, source.next_row(self.random)) for source in drawn]

    def example(self, source, row):
        own = [source.place[label] for label in row.labels]
        barred = set(own).union(*(source.near[label] for label in own))
        count = self.random.randint(self.labels["min"], self.labels["max"])
        own = self.random.sample(own, min(len(own), self.labels["max_true"], count))
        if self.chance(self.labels["none_apply"]):
            own = []
        denied = {source.place[label] for label in row.not_labels}
        wrong = self.wrong(source, row, barred, denied, count - len(own))
        assumed = 0 if self.labels["assumed"] == "wrong" else UNKNOWN
        marked = [(source.labels[n], 1) for n in own]
        marked += [(source.labels[n], 0 if n in denied else assumed) for n in wrong]
        if self.labels["foreign"] and not row.closed:
            marked = self.with_foreign(marked, len(own), set(row.labels))
        read = self.readings(source, row)
        shown = [(ids, target) for name, target in marked if (ids := read(name))]
        text = row.ids
        if row.title and self.chance(self.extras["titles"]):
            shown += self.titles(source, row)
            text = row.ids[row.title :]
        if self.labels["shuffle"]:
            self.random.shuffle(shown)
        # The same tokens twice would be one label with two targets.
        shown = list({tuple(ids): (ids, target) for ids, target in shown}.values())
        labels, targets = [ids for ids, _ in shown], [target for _, target in shown]
        known = [tuple(self.ids(source.labels[n])) for n in barred]
        return Example(source, self.window(text), labels, targets, known)

    def wrong(self, source, row, barred, denied, count):
        """Places of wrong labels: near misses, those that the row denies, others of its source."""
        count, chosen = max(count, 0), []
        hard = round(count * self.labels["hard"])
        near = row.near[: max(3 * hard, 1)] if self.extras["mine"] else sorted(denied)
        chosen += self.random.sample(near, min(hard, len(near)))
        rest = [n for n in sorted(denied) if n not in chosen]
        # Tags are incomplete: where that is so, most wrong labels are those the row denies.
        if rest and not source.exhaustive:
            chosen += self.random.sample(rest, min(count - len(chosen), len(rest)))
        if row.closed:
            return chosen
        seen = barred | set(chosen)
        for _ in range(4 * (count - len(chosen))):
            if len(chosen) == count:
                break
            n = self.random.choice(source.real)
            if n not in seen:
                seen.add(n)
                chosen.append(n)
        return chosen

    def with_foreign(self, marked, right, own):
        for n in range(right, len(marked)):
            if self.chance(self.labels["foreign"]):
                label = self.random.choice(self.foreign)
                if label not in own:
                    marked[n] = (label, 0)
        return list(dict(reversed(marked)).items())

    def readings(self, source, row):
        """How this row's labels are told: by name, by name and words, or by another text."""
        spell = self.spelling()
        if self.chance(self.extras["examples"]):
            return lambda name: self.another(source, row, source.place.get(name))
        if not self.chance(self.extras["described"]):
            return lambda name: self.ids(spell(name))
        return lambda name: self.ids(self.described(source, name, spell(name)))

    def another(self, source, row, place):
        """The beginning of another text that has the label; without one, its name."""
        texts = source.rows_of[place] if place is not None else []
        for number in self.random.sample(texts, min(2, len(texts))):
            if source.rows[number] is not row:
                return source.rows[number].ids[: self.text["label_tokens"]]
        return self.ids(source.labels[place]) if place is not None else []

    def described(self, source, name, spelled):
        words = source.words[source.place[name]] if name in source.place and source.words else []
        if len(words) < DESCRIBED[1] or self.chance(0.2):
            return spelled
        chosen = self.random.sample(words, self.random.randint(*DESCRIBED))
        return f"{spelled}: {', '.join(chosen)}"

    def titles(self, source, row):
        """The row's own title as a right label, those of others as wrong ones."""
        most = self.text["label_tokens"]
        shown = [(row.ids[: row.title][:most], 1)]
        for other in self.random.sample(source.rows, min(4, len(source.rows))):
            if other.title and other is not row:
                shown.append((other.ids[: other.title][:most], 0))
        return shown

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
