"""Gets rows ready to be drawn from: tokens, titles, near misses, and words that tell labels apart.

Input: a recipe's sources, a vocabulary, the starting model where near misses are mined.
Output: `Source`s whose rows have `ids`, `title`, `near`, and whose labels have `words`.
Invariant: a near miss never stands beside one of the row's labels in any row of its source.
Ignorance: knows nothing of batches and losses.
"""

import math
import re
from collections import Counter
from fnmatch import fnmatch

import torch
from reference_model import Vocabulary
from rows import read_rows
from sampling import Source

NEAR = 64  # near misses kept a row
TITLE = (3, 120, 300)  # characters of a title, at least and at most, and of what follows, at least
WORDS = 12  # words kept a label
ROWS_FOR_WORDS = (4, 200)  # a label with fewer rows has no words of its own; of more, the first
CHARACTERS = 400  # of a text, looked at for words
COMMON = 0.1  # a word in a larger share of the texts tells nothing apart


def read_sources(recipe, vocabulary, plain=None):
    sources = read_rows_of(recipe)
    for source in sources:
        tokenise(source, vocabulary)
        if recipe["extras"]["described"]:
            source.words = words(source)
        if plain and recipe["extras"]["mine"]:
            mine(source, vocabulary, plain, recipe["text"])
    return sources


def read_rows_of(recipe):
    sources = []
    for entry in recipe["data"]:
        for path in entry["files"]:
            read = read_rows(path, entry["cap"], recipe["seed"])
            for line in read.named:
                print(f"bad row: {line}", flush=True)
            name = path.name.split(".")[0]
            exhaustive = any(fnmatch(name, one) for one in recipe["extras"]["exhaustive"])
            if read.rows:
                sources.append(Source(name, read.rows, entry["weight"], exhaustive))
    if not sources:
        raise SystemExit("no usable row in any file of the recipe")
    return sources


def of_recipe(sources, recipe):
    """Those of prepared sources that a recipe names, with its weights."""
    weights = {
        path.name.split(".")[0]: entry["weight"]
        for entry in recipe["data"]
        for path in entry["files"]
    }
    found = [source for source in sources if source.name in weights]
    for source in found:
        source.weight = weights[source.name]
    if len(found) < len(weights):
        missing = weights.keys() - {source.name for source in found}
        raise SystemExit(f"not prepared: {', '.join(sorted(missing))}")
    return found


def tokenise(source, vocabulary):
    encoded = vocabulary.tokenizer.encode_batch_fast(
        [row.text for row in source.rows], add_special_tokens=False
    )
    for row, one in zip(source.rows, encoded, strict=True):
        row.ids = one.ids
        head, _, body = row.text.partition("\n\n")
        if TITLE[0] <= len(head) <= TITLE[1] and len(body) >= TITLE[2]:
            row.title = len(vocabulary.encode(head))


def words(source):
    """For each label the words whose presence says most of it, by frequency and rarity."""
    seen = [set(re.findall(r"[a-z]{4,}", row.text[:CHARACTERS].lower())) for row in source.rows]
    everywhere = Counter(word for found in seen for word in found)
    common = COMMON * len(source.rows)
    result = []
    for label, rows in zip(source.labels, source.rows_of, strict=True):
        rows = rows[: ROWS_FOR_WORDS[1]]
        if len(rows) < ROWS_FOR_WORDS[0]:
            result.append([])
            continue
        here = Counter(word for number in rows for word in seen[number])
        share = len(rows) / len(source.rows)
        weighed = {
            word: count * math.log(count / (share * everywhere[word]))
            for word, count in here.items()
            if count > 1 and word not in label.lower() and everywhere[word] < common
        }
        result.append(sorted(weighed, key=lambda word: (-weighed[word], word))[:WORDS])
    return result


@torch.no_grad()
def mine(source, vocabulary, plain, text):
    """Wrong labels by likeness to the text; what is nearer than the row's own may be true."""
    labels = plain.embed([vocabulary.encode(x)[: text["label_tokens"]] for x in source.labels])
    texts = plain.embed([row.ids[: text["tokens"]] for row in source.rows])
    most = min(NEAR, len(source.labels))
    real = torch.full((len(source.labels),), -torch.inf)
    real[source.real] = 0.0
    for begin in range(0, len(source.rows), 2048):
        likeness = texts[begin : begin + 2048] @ labels.T + real
        for row, like in zip(source.rows[begin : begin + 2048], likeness, strict=True):
            own = [source.place[label] for label in row.labels]
            limit = max((float(like[n]) for n in own), default=1.0)
            barred = set(own).union(*(source.near[n] for n in own))
            found = like.topk(min(most + len(barred), len(like)))
            row.near = [
                n
                for value, n in zip(found.values.tolist(), found.indices.tolist(), strict=True)
                if n not in barred
                and value > -torch.inf
                and (source.exhaustive or value < limit)
            ][:NEAR]
