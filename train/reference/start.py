"""Makes a checkpoint to start training from out of a plain sentence-transformers BERT.

Input: the plain model's folder, a folder with the project's config and tokenizer, sample texts.
Output: a checkpoint whose two projectors are fitted so that the joint cosine starts near the
cosine of the embeddings: the text's from its `[CLS]` state, a label's from its state in context.
Invariant: the encoder's tensors are those of the plain model; `[LAB]` is the mean of the table.
Ignorance: knows nothing of tags; labels are only names here.
"""

import argparse
import json
import random
from pathlib import Path

import checkpoint
import packed
import torch
from reference_model import Vocabulary
from rows import read_rows
from safetensors.torch import load_file

RIDGE = 1e-2


def backbone(plain, rows):
    weights = {}
    for name, tensor in load_file(plain / "model.safetensors").items():
        if not name.startswith("pooler") and not name.endswith("position_ids"):
            weights[f"backbone.{name}"] = tensor.float()
    table = weights["backbone.embeddings.word_embeddings.weight"]
    if rows > table.shape[0]:
        mean = table.mean(0, keepdim=True).expand(rows - table.shape[0], -1)
        weights["backbone.embeddings.word_embeddings.weight"] = torch.cat([table, mean])
    return weights


def linear_map(inputs, outputs):
    """The ridge regression of `outputs` on `inputs`: weight and bias of a linear layer."""
    shift, target = inputs.mean(0), outputs.mean(0)
    x, y = (inputs - shift).double(), (outputs - target).double()
    scale = x.square().sum(0).mean()
    gram = x.T @ x + RIDGE * scale * torch.eye(x.shape[1], dtype=torch.float64)
    weight = torch.linalg.solve(gram, x.T @ y).T.float()
    return weight, target - weight @ shift


@torch.no_grad()
def fit(weights, config, vocabulary, rows, count):
    """States and embeddings of `count` texts with two labels each."""
    random.Random(1).shuffle(rows)
    texts, labels, kinds = [], [], {"cls": [], "text": [], "label": [], "alone": []}
    for row in rows[:count]:
        texts.append(vocabulary.encode(row.text)[:96])
        names = [*row.labels[:1], *row.not_labels[:1]]
        labels.append([vocabulary.encode(name)[:16] for name in names])
    order = sorted(range(len(texts)), key=lambda n: len(texts[n]))
    plain = {k.removeprefix("backbone."): v for k, v in weights.items()}
    for begin in range(0, len(order), 32):
        part = order[begin : begin + 32]
        flat = [label for n in part for label in labels[n]]
        batch = packed.pack(vocabulary, [texts[n] for n in part], [labels[n] for n in part], flat)
        states = packed.encode(plain, config["backbone_config"], batch)
        there = (batch.labels != states.shape[0] - 1).any(-1)
        kinds["cls"].append(states[batch.first()])
        kinds["text"].append(packed.pooled(states, batch.texts))
        kinds["label"].append(packed.pooled(states, batch.labels[..., 1:])[there])
        kinds["alone"].append(packed.pooled(states, batch.alone))
    return {name: torch.cat(parts) for name, parts in kinds.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("plain", type=Path)
    parser.add_argument(
        "pattern", type=Path, help="a checkpoint whose config and tokenizer to take"
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--rows", type=int, default=3000)
    arguments = parser.parse_args()
    config = json.loads((arguments.pattern / "config.json").read_text())
    vocabulary = Vocabulary(arguments.pattern)
    weights = backbone(arguments.plain, config["backbone_config"]["vocab_size"])
    rows = [row for path in arguments.data for row in read_rows(path).rows]
    seen = fit(weights, config, vocabulary, rows, arguments.rows)
    size = config["projected_dim"]
    for which, source, goal in (("text", "cls", "text"), ("label", "label", "alone")):
        name = f"aggregator.{which}_projector"
        weight, bias = linear_map(seen[source], seen[goal])
        # The norm after it makes unit variance of every vector, so its scale gives nothing away.
        weights[f"{name}.0.weight"], weights[f"{name}.0.bias"] = weight, bias
        weights[f"{name}.1.weight"], weights[f"{name}.1.bias"] = torch.ones(size), torch.zeros(size)
        close = torch.nn.functional.cosine_similarity(seen[source] @ weight.T + bias, seen[goal])
        print(f"{which}: mean cosine of the fit {close.mean():.3f}")
    weights["aggregator.similarity_head.logit_scale"] = torch.tensor(config["logit_scale_init"])
    weights["loss_fn.bce_scale"] = torch.tensor(5.0)
    checkpoint.write_model(arguments.out, weights, arguments.pattern)


if __name__ == "__main__":
    main()
