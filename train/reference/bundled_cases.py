"""Writes golden cases for the bundled checkpoint: what PyTorch computes of its exact bytes.

Input: a checkpoint folder with isolated labels, the texts and labels of an older `cases.json`.
Output: tests/fixtures/bundled-model/cases.json.
Invariant: weights are widened to float32; numbers have six digits.
Ignorance: knows nothing of how the checkpoint was trained.
"""

import argparse
import json
from pathlib import Path

import torch
from reference_model import Model, Vocabulary, bert, pad, prefix_sequence

ROOT = Path(__file__).resolve().parents[2]
CASES = ROOT / "tests/fixtures/bundled-model/cases.json"


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, default=ROOT / "train/checkpoints/gliznet-minilm-l6")
    arguments = parser.parse_args()
    model, vocabulary = Model.load(arguments.checkpoint, bert), Vocabulary(arguments.checkpoint)
    last = model.config["backbone_config"]["max_position_embeddings"] - 1
    given = json.loads(CASES.read_text())
    for case in given["cases"]:
        sequence = prefix_sequence(vocabulary, case["text"], case["labels"], True, last)
        output = model(pad([sequence], vocabulary.pad, isolated=True))
        case["input_ids"] = sequence.ids
        case["positions"], case["segments"] = sequence.positions, sequence.segments
        case["cosines"], case["logits"] = rounded(output.cosines), rounded(output.logits)
    CASES.write_text(json.dumps(given))


def rounded(numbers):
    return [round(number, 6) for number in numbers.flatten().tolist()]


if __name__ == "__main__":
    main()
