"""A checkpoint of the bundled model's shape, with the bundled weights where they are there.

Input: the bundled model's folder, and a folder to make. Output: a checkpoint there; where
`model.safetensors` is missing (it is large to carry), its weights are random, always the same.
Ignorance: speed and rounding are those of the shape; nothing can be said of the quality.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file


def shapes(config):
    backbone = config["backbone_config"]
    hidden, inner = backbone["hidden_size"], backbone["intermediate_size"]
    pair = {"weight": (hidden,), "bias": (hidden,)}
    found = {
        "backbone.embeddings.word_embeddings.weight": (backbone["vocab_size"], hidden),
        "backbone.embeddings.position_embeddings.weight": (backbone["max_position_embeddings"], hidden),
        "backbone.embeddings.token_type_embeddings.weight": (backbone["type_vocab_size"], hidden),
        "aggregator.similarity_head.logit_scale": (),
        "loss_fn.bce_scale": (),
    }
    parts = {"backbone.embeddings.LayerNorm": pair}
    square = {"weight": (hidden, hidden), "bias": (hidden,)}
    for number in range(backbone["num_hidden_layers"]):
        layer = f"backbone.encoder.layer.{number}"
        for name in ("query", "key", "value"):
            parts[f"{layer}.attention.self.{name}"] = square
        parts[f"{layer}.attention.output.dense"] = square
        parts[f"{layer}.attention.output.LayerNorm"] = pair
        parts[f"{layer}.intermediate.dense"] = {"weight": (inner, hidden), "bias": (inner,)}
        parts[f"{layer}.output.dense"] = {"weight": (hidden, inner), "bias": (hidden,)}
        parts[f"{layer}.output.LayerNorm"] = pair
    for projector in ("text_projector", "label_projector"):
        parts[f"aggregator.{projector}.0"] = square
        parts[f"aggregator.{projector}.1"] = pair
    for part, own in parts.items():
        found |= {f"{part}.{name}": shape for name, shape in own.items()}
    return found


def random_weights(config):
    torch.manual_seed(7)
    weights = {}
    for name, shape in shapes(config).items():
        if "LayerNorm.weight" in name or name.endswith("_projector.1.weight"):
            weights[name] = torch.ones(shape)
        elif name.endswith("bias"):
            weights[name] = torch.zeros(shape)
        else:
            weights[name] = torch.randn(shape) * 0.06 if shape else torch.tensor(2.0)
    return weights


def main():
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    target.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "calibration.json"):
        shutil.copy(source / name, target / name)
    trained = source / "model.safetensors"
    if trained.exists():
        shutil.copy(trained, target / trained.name)
    else:
        config = json.loads((source / "config.json").read_text())
        save_file(random_weights(config), target / trained.name)
    print(f"weights of {target.name}:", "as bundled" if trained.exists() else "random, of the bundled shape")


main()
