"""Reads and writes checkpoint folders.

Input: a folder of the project's format, one file of weights.
Output: weights in float32 by their names; on writing, float16 safetensors with config and tokenizer.
Invariant: what is written replaces what was there in one rename.
Ignorance: knows nothing of the training's state.
"""

import json
import os
import shutil
from pathlib import Path

from reference_model import Vocabulary
from safetensors.torch import load_file, save_file


def load_model(folder):
    """`(vocabulary, weights, config)`"""
    folder = Path(folder)
    weights = load_file(folder / "model.safetensors")
    weights = {name: tensor.float() for name, tensor in weights.items()}
    return Vocabulary(folder), weights, read_config(folder)


def read_config(folder):
    return json.loads((Path(folder) / "config.json").read_text())


def write_model(folder, weights, pattern, config=None):
    """Writes the weights in float16; the tokenizer, and the config where none is given, are copied
    from the folder `pattern`."""
    folder = Path(folder)
    fresh = folder.with_name(folder.name + ".incoming")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(pattern / name, fresh / name)
    if config:
        (fresh / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    save_file(
        {name: tensor.detach().cpu().half().contiguous() for name, tensor in weights.items()},
        fresh / "model.safetensors",
        metadata={"format": "pt"},
    )
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(fresh, folder)
