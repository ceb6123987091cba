"""The views of one encoder on one batch: the joint cosine, plain embeddings, token by token.

Input: weights by their checkpoint names, a packed batch.
Output: unit vectors of texts, of labels that read a text, the embeddings of both alone, and how
near each token of a label alone comes to each text's.
Invariant: float32 out; what `reference_model.Model` computes, without its padding.
Ignorance: knows nothing of losses and of calibration.
"""

from dataclasses import dataclass

import packed
import torch
import torch.nn.functional as F

BACKBONE = "backbone."
AGGREGATOR = "aggregator."
# As in `src/model/encoder/late.rs`.
NEAR, TEMPERATURE = 32, 0.1


@dataclass
class Views:
    """`joint[row, k]` compares a text with its label k; `labels[row, k]` are the vectors.

    `text` and `alone` are the plain embeddings, unit length; `tokens[row, label]` compares a text
    with a label alone token by token, where that was asked for.
    """

    joint: torch.Tensor
    labels: torch.Tensor
    text: torch.Tensor
    alone: torch.Tensor
    tokens: torch.Tensor | None = None


def project(weights, which, x):
    name = f"{AGGREGATOR}{which}_projector"
    x = F.linear(x, weights[f"{name}.0.weight"], weights[f"{name}.0.bias"])
    scale, shift = weights[f"{name}.1.weight"], weights[f"{name}.1.bias"]
    return F.layer_norm(x.float(), (x.shape[-1],), scale, shift)


def late(states, batch, special):
    """The soft MaxSim of `src/model/encoder/late.rs`: `[texts, labels alone]`.

    `special` are the ids that are not compared (`[CLS]`, `[SEP]`).
    """
    pad = states.shape[0] - 1
    unit = F.normalize(states.float(), dim=-1)
    ids = torch.cat([batch.ids, batch.ids.new_tensor([special[0]])])

    def tokens(index):
        barred = torch.isin(ids[index], ids.new_tensor(special))
        return index.masked_fill(barred, pad)

    texts, labels = tokens(batch.texts), tokens(batch.alone)
    (rows, length), (count, width) = texts.shape, labels.shape
    text, label = (F.embedding(x, unit, padding_idx=pad).flatten(0, 1) for x in (texts, labels))
    cosines = (label @ text.T).float().view(count * width, rows, length)
    absent = (texts == pad)[None]
    near = cosines.masked_fill(absent, -torch.inf)
    if length > NEAR:
        near = near.topk(NEAR, -1).values
    number = (~absent).sum(-1).clamp(1, NEAR)
    soft = TEMPERATURE * ((near / TEMPERATURE).logsumexp(-1) - number.log())
    # A text without a token is near to nothing.
    soft = soft.masked_fill(absent.all(-1), 0).view(count, width, rows)
    real = (labels != pad)[..., None]
    return (soft.masked_fill(~real, 0).sum(1) / real.sum(1).clamp(min=1)).T


def look(weights, config, batch, train_from=0, special=None):
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
        late(states, batch, special) if special else None,
    )
