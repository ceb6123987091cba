"""Makes a checkpoint of the start and of what trainings moved from there.

Input: the folder that they started from, one or more files NAME.moved.safetensors of `trials.py`.
Output: a checkpoint folder: the mean of the trainings, where one has moved a tensor, else the start.
Invariant: means are taken in float32 and written in float16.
Ignorance: knows nothing of training. Trainings of one start and one recipe may be averaged; others
are noise.
"""

import argparse
from pathlib import Path

import checkpoint
import torch
from safetensors.torch import load_file


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("start", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("moved", type=Path, nargs="+")
    arguments = parser.parse_args()
    _, weights, _ = checkpoint.load_model(arguments.start)
    files = [load_file(path) for path in arguments.moved]
    for name in files[0]:
        if name in weights:
            weights[name] = torch.stack([file[name].float() for file in files]).mean(0)
    checkpoint.write_model(arguments.out, weights, arguments.start)


if __name__ == "__main__":
    main()
