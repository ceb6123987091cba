"""Both views of one encoder on one batch: the joint cosine, and the cosine of plain embeddings.

Input: weights by their checkpoint names, a packed batch.
Output: unit vectors of texts, of labels that read a text, and the embeddings of both alone.
Invariant: float32 out; what `reference_model.Model` computes, without its padding.
Ignorance: knows nothing of losses and of calibration.
"""

from dataclasses import dataclass

import packed
import torch
import torch.nn.functional as F

BACKBONE = "backbone."
AGGREGATOR = "aggregator."


@dataclass
class Views:
    """`joint[row, k]` compares a text with its label k; `labels[row, k]` are the vectors.

    `text` and `alone` are the plain embeddings, unit length.
    """

    joint: torch.Tensor
    labels: torch.Tensor
    text: torch.Tensor
    alone: torch.Tensor


def project(weights, which, x):
    name = f"{AGGREGATOR}{which}_projector"
    x = F.linear(x, weights[f"{name}.0.weight"], weights[f"{name}.0.bias"])
    scale, shift = weights[f"{name}.1.weight"], weights[f"{name}.1.bias"]
    return F.layer_norm(x.float(), (x.shape[-1],), scale, shift)


def look(weights, config, batch, train_from=0):
    backbone = {k.removeprefix(BACKBONE): v for k, v in weights.items() if k.startswith(BACKBONE)}
    states = packed.encode(backbone, config["backbone_config"], batch, train_from)
    pad = states.shape[0] - 1
    text = F.normalize(project(weights, "text", states[batch.first()]), dim=-1)
    tokens = batch.labels[..., 1:]
    labels = batch.labels
    if labels.shape[1]:
        vectors = project(weights, "label", F.embedding(tokens, states, padding_idx=pad))
        real = (tokens != pad).unsqueeze(-1)
        vectors = (vectors * real).sum(-2) / real.sum(-2).clamp(min=1)
        labels = F.normalize(vectors, dim=-1)
    else:
        labels = text.new_zeros(text.shape[0], 0, text.shape[1])
    joint = (text[:, None] * labels).sum(-1)
    return Views(
        joint,
        labels,
        F.normalize(packed.pooled(states, batch.texts).float(), dim=-1),
        F.normalize(packed.pooled(states, batch.alone).float(), dim=-1),
    )
