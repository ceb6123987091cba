"""Makes sets to choose settings with out of training sets that the chosen-with recipe leaves out.

Input: the folder of training sets. Output: DIR/NAME.jsonl.gz and DIR/NAME.labels.json.
Invariant: the same files give the same sets; each has at most `ROWS` rows and the commonest labels.
Ignorance: knows nothing of the evaluation suite.
"""

import argparse
import gzip
import json
import random
from collections import Counter
from pathlib import Path

from rows import read_rows

ROWS = 250
# Labels kept a set: few enough that a row's missing tags are mostly real.
SETS = {
    "hint3_curekart": 99,
    "hint3_powerplay11": 99,
    "hint3_sofmattress": 99,
    "open_trivia": 99,
    "movie_genres": 99,
    "selfhosted_software": 99,
    "cooking_stackexchange": 100,
    "notes_tidyverse": 80,
    "notes_news_o_o": 80,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, most in SETS.items():
        rows = read_rows(arguments.data / f"{name}.jsonl.gz").rows
        counts = Counter(label for row in rows for label in row.labels)
        labels = sorted(label for label, _ in counts.most_common(most))
        kept = [(row.text, [label for label in row.labels if label in labels]) for row in rows]
        kept = [one for one in kept if one[1]]
        random.Random(3).shuffle(kept)
        with gzip.open(arguments.out / f"{name}.jsonl.gz", "wt", encoding="utf-8") as file:
            for text, own in kept[:ROWS]:
                file.write(json.dumps({"text": text[:4000], "labels": own}) + "\n")
        (arguments.out / f"{name}.labels.json").write_text(json.dumps(labels))


if __name__ == "__main__":
    main()
