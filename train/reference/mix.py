"""Mixes the encoders of two checkpoints: weights between them, the projectors of the first.

Input: two checkpoint folders of one architecture, the share of the second.
Output: a checkpoint folder.
Invariant: embeddings and layers are `(1 − share) · first + share · second`, all else the first's.
Ignorance: knows nothing of training. Both must come from the same model, or the mean is noise.
"""

import argparse
from pathlib import Path

import checkpoint


def mixed(first, second, share):
    return {
        name: tensor.lerp(second[name], share) if name.startswith("backbone.") else tensor
        for name, tensor in first.items()
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--share", type=float, default=0.5)
    arguments = parser.parse_args()
    _, weights, _ = checkpoint.load_model(arguments.first)
    _, other, _ = checkpoint.load_model(arguments.second)
    checkpoint.write_model(
        arguments.out, mixed(weights, other, arguments.share), arguments.first
    )


if __name__ == "__main__":
    main()
