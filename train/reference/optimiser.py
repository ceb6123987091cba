"""AdamW over the trained tensors, and its learning rate, as the recipe says.

Input: weights by name, the recipe. Output: an optimiser with one group a rate and decay.
Invariant: frozen parts are in no group; matrices decay, biases, norms and scales do not.
Ignorance: knows nothing of losses.
"""

import math

import torch

WORDS = "backbone.embeddings."


def frozen_layers(recipe):
    return recipe["freeze"]["layers"]


def trained_names(weights, recipe):
    freeze = recipe["freeze"]
    prefixes = [f"backbone.encoder.layer.{n}." for n in range(freeze["layers"])]
    if freeze["embeddings"] or freeze["layers"]:
        prefixes.append(WORDS)
    # The pooler and the token type that no token has get no gradient in any layout.
    prefixes.append("backbone.pooler.")
    return [name for name in sorted(weights) if not name.startswith(tuple(prefixes))]


def make(weights, recipe):
    settings, groups = recipe["optimizer"], {}
    for name in trained_names(weights, recipe):
        rate, decay = settings["learning_rate"], settings["weight_decay"]
        for group in settings["groups"]:
            if name.startswith(group["prefix"]):
                rate = group.get("learning_rate", rate)
                decay = group.get("weight_decay", decay)
                break
        decay = decay if weights[name].ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(weights[name].requires_grad_())
    return torch.optim.AdamW(
        [
            {"params": tensors, "lr": rate, "top": rate, "weight_decay": decay}
            for (rate, decay), tensors in groups.items()
        ],
        betas=(settings["beta1"], settings["beta2"]),
        eps=settings["epsilon"],
    )


def share(step, schedule):
    """The learning rate of step 1, 2, … as a share of its top."""
    warm, steps, final = schedule["warmup"], schedule["steps"], schedule["final"]
    if step < warm:
        return step / warm
    progress = min(1.0, (step - warm) / max(1, steps - warm))
    if schedule["decay"] == "constant":
        return 1.0
    if schedule["decay"] == "linear":
        return final + (1 - final) * (1 - progress)
    return final + (1 - final) * (1 + math.cos(math.pi * progress)) / 2
