"""The losses: those of GliZNet, closeness to the starting model, and the extras of two views.

Input: the views of a batch, what it is trained towards, the learned scales, the recipe.
Output: one number with its named parts.
Invariant: SupCon, repulsion and BCE are those of `reference_model`, on dense `[row, label]` scores;
a target below 0 is unknown (`UNKNOWN`) or no label at all (`NONE`), and no loss counts it.
Ignorance: knows nothing of weights but the learned scalars.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

UNKNOWN, NONE = -100, -200
# The parts that are made of more than the joint view; each is a weight among the extras.
TOGETHER = ("embed", "late", "both", "both_bce")


@dataclass
class Aim:
    """`targets[row, k]`; the starting model's embeddings of the texts and of the labels alone.

    `alone_of[row, k]` finds label k among those alone; `everyone[row, label]` are the targets
    against all labels of the batch.
    """

    targets: torch.Tensor
    text: torch.Tensor | None = None
    alone: torch.Tensor | None = None
    alone_of: torch.Tensor | None = None
    everyone: torch.Tensor | None = None

    def to(self, device):
        move = {
            k: v if v is None else v.to(device, non_blocking=True) for k, v in vars(self).items()
        }
        return Aim(**move)


def supcon(scores, targets):
    """The mean over rows with a right label of −log softmax, averaged over the right ones."""
    unknown = targets < 0
    # A row of −∞ alone would have no gradient but NaN; it counts nothing, so it may keep its scores.
    unknown = unknown & ~unknown.all(-1, keepdim=True)
    logs = scores.masked_fill(unknown, -torch.inf).log_softmax(-1)
    right = targets == 1
    each = -logs.masked_fill(~right, 0).sum(-1) / right.sum(-1).clamp(min=1)
    return each.sum() / right.any(-1).sum().clamp(min=1)


def repulsion(labels, targets, threshold):
    """The mean of what the cosines of a row's different labels exceed the threshold by."""
    cosines = labels @ labels.transpose(-1, -2)
    there = targets != NONE
    pairs = there[:, :, None] & there[:, None, :]
    pairs = pairs & ~torch.eye(targets.shape[1], dtype=torch.bool, device=targets.device)
    over = F.relu(cosines - threshold).masked_fill(~pairs, 0)
    return over.sum() / pairs.sum().clamp(min=1)


def probability(logits, targets):
    known = (targets >= 0).float()
    each = F.binary_cross_entropy_with_logits(
        logits, targets.clamp(min=0), known, reduction="none"
    )
    return each.sum() / known.sum().clamp(min=1)


def distance(ours, theirs):
    return (1 - (ours * theirs).sum(-1)).mean()


def total(views, aim, scalars, loss, extras):
    """The weighted sum and its parts; a part with weight 0 is not computed."""
    scale = scalars["logit_scale"].clamp(-10, 10).exp()
    if loss["supcon_temperature"]:
        scale = 1 / loss["supcon_temperature"]
    bce_scale = scalars["bce_scale"].abs().clamp(0.1, 10)
    threshold = loss["repulsion_threshold"]
    logits = views.joint * bce_scale + loss["bce_bias"]
    # Label smoothing moves the targets of the BCE only: to SupCon a label is right or not.
    parts = {
        "supcon": (loss["supcon"], lambda: supcon(views.joint * scale, aim.targets)),
        "repulsion": (loss["repulsion"], lambda: repulsion(views.labels, aim.targets, threshold)),
        "bce": (loss["bce"], lambda: probability(logits, aim.targets)),
        "embedding": (loss["embedding"], lambda: distance(views.text, aim.text)),
        "label_embedding": (loss["label_embedding"], lambda: distance(views.alone, aim.alone)),
    }
    if any(extras[name] for name in TOGETHER):
        parts |= views_together(views, aim, scalars, extras)
    values = {name: part() for name, (weight, part) in parts.items() if weight}
    sum_of = sum(parts[name][0] * value for name, value in values.items())
    return sum_of, {name: value.detach() for name, value in values.items()}


def views_together(views, aim, scalars, extras):
    """The views of texts and labels alone rank all labels of the batch; the sum, the row's own."""
    every = views.text @ views.alone.T
    embed = every.gather(1, aim.alone_of)
    mixed = extras["mix_joint"] * views.joint + extras["mix_embed"] * embed
    joint_slope, embed_slope = scalars["joint_slope"].exp(), scalars["embed_slope"].exp()
    logits = joint_slope * views.joint + embed_slope * embed - scalars["offset"].exp()
    if extras["late"]:
        late = views.tokens.gather(1, aim.alone_of)
        mixed = mixed + extras["mix_late"] * late
        logits = logits + scalars["late_slope"].exp() * late
    return {
        "embed": (extras["embed"], lambda: supcon(every * extras["embed_scale"], aim.everyone)),
        "late": (
            extras["late"],
            lambda: supcon(views.tokens * extras["late_scale"], aim.everyone),
        ),
        "both": (extras["both"], lambda: supcon(mixed, aim.targets)),
        "both_bce": (extras["both_bce"], lambda: probability(logits, aim.targets)),
    }
