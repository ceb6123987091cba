"""Reads a training recipe: the same files, keys and defaults as `gliznet train`.

Input: a TOML file; changes `section.key=value`; optionally the extras of this trainer.
Output: nested dictionaries with every key set.
Invariant: a key that `train/recipes/README.md` does not list stops everything; all wrong keys are
told at once. Paths come out absolute.
Ignorance: knows nothing of what the keys do.
"""

import difflib
import glob
import json
import tomllib
from pathlib import Path

DEFAULTS = {
    "seed": 0,
    "init": None,
    "precision": "f32",
    "text": {
        "tokens": 128,
        "long_tokens": None,
        "long_share": 0.0,
        "random_window": 0.0,
        "label_tokens": 16,
    },
    "labels": {
        "min": 2,
        "max": 16,
        "max_true": 8,
        "hard": 0.5,
        "foreign": 0.0,
        "none_apply": 0.05,
        "assumed": "wrong",
        "smoothing": 0.0,
        "shuffle": True,
        "case": 0.1,
        "separator": 0.1,
    },
    "model": {"label_attention": "keep", "hidden_dropout": 0.0, "head_dropout": 0.0},
    "freeze": {"embeddings": True, "layers": 0},
    "loss": {
        "supcon": None,
        "supcon_temperature": None,
        "repulsion": None,
        "repulsion_threshold": None,
        "bce": None,
        "bce_bias": 0.0,
        "embedding": 0.0,
        "label_embedding": 0.0,
    },
    "optimizer": {
        "learning_rate": 1e-4,
        "beta1": 0.9,
        "beta2": 0.999,
        "epsilon": 1e-8,
        "weight_decay": 0.01,
        "clip": 1.0,
        "groups": [],
    },
    "schedule": {"steps": 1000, "warmup": 0, "decay": "cosine", "final": 0.0},
    "batch": {"rows": 16, "accumulation": 1, "pool": 32},
    "evaluation": {
        "every": 0,
        "holdout": 0.0,
        "files": [],
        "rows": 500,
        "metric": "lrap",
        "patience": 0,
    },
    "checkpoint": {"every": 200, "keep": 2},
}
DATA = {"files": None, "exclude": [], "format": "auto", "weight": 1.0, "cap": None}
# What the checkpoint's own config says where the recipe is silent.
FROM_CONFIG = {
    "supcon": "supcon_loss_weight",
    "repulsion": "label_repulsion_weight",
    "repulsion_threshold": "repulsion_threshold",
    "bce": "bce_loss_weight",
}
# Of this trainer alone, in a file of their own: the second view takes part in the ranking, wrong
# labels are mined with the plain embeddings, and the result is an average of the last weights.
EXTRAS = {
    "embed": 0.0,
    "both": 0.0,
    "both_bce": 0.0,
    "mix_joint": 8.0,
    "mix_embed": 12.0,
    "mix_late": 12.0,
    "embed_scale": 20.0,
    "late": 0.0,
    "late_scale": 20.0,
    "mine": False,
    "average": 0.0,
    "exhaustive": [],
    "batch_tokens": 0,
    "described": 0.0,
    "examples": 0.0,
    "titles": 0.0,
}


def read_recipe(path, changes=(), extras=None):
    path = Path(path)
    given = tomllib.loads(path.read_text())
    given["extras"] = tomllib.loads(Path(extras).read_text()) if extras else {}
    for change in changes:
        set_key(given, *change.split("=", 1))
    raw = given.pop("extras")
    faults = []
    data = given.pop("data", [])
    recipe = filled(DEFAULTS, given, "", faults)
    recipe["data"] = [filled(DATA, entry, f"data[{n}].", faults) for n, entry in enumerate(data)]
    recipe["extras"] = filled(EXTRAS, raw, "extras.", faults)
    if not data:
        faults.append("[[data]] is missing: a recipe needs at least one source")
    if faults:
        raise SystemExit(f"{path}: " + "; ".join(faults))
    for entry in recipe["data"]:
        entry["files"] = matches(path.parent, entry["files"], entry["exclude"])
    recipe["text"]["long_tokens"] = recipe["text"]["long_tokens"] or recipe["text"]["tokens"]
    if recipe["init"]:
        recipe["init"] = str(path.parent / recipe["init"])
    return recipe


def filled(defaults, given, where, faults):
    result = {}
    for key in given.keys() - defaults.keys():
        near = difflib.get_close_matches(key, defaults, 1)
        faults.append(f"unknown key {where}{key}" + (f", did you mean {near[0]}" if near else ""))
    for key, default in defaults.items():
        if isinstance(default, dict):
            result[key] = filled(default, given.get(key, {}), f"{where}{key}.", faults)
        else:
            result[key] = given.get(key, default)
    return result


def set_key(recipe, key, value):
    *sections, last = key.split(".")
    for section in sections:
        recipe = recipe.setdefault(section, {})
    recipe[last] = json.loads(value)


def matches(folder, patterns, exclude):
    def found(pattern):
        return sorted(glob.glob(str(folder / pattern), recursive=True))

    listed = [patterns] if isinstance(patterns, str) else patterns
    files = []
    for pattern in listed:
        if not found(pattern):
            raise SystemExit(f"{pattern}: no file of {folder} matches")
        files += found(pattern)
    listed = [exclude] if isinstance(exclude, str) else exclude
    out = {file for pattern in listed for file in found(pattern)}
    return [Path(file) for file in dict.fromkeys(files) if file not in out]


def with_config(recipe, config):
    """Fills the loss weights that the recipe leaves to the checkpoint."""
    loss = recipe["loss"]
    for key, name in FROM_CONFIG.items():
        if loss[key] is None:
            loss[key] = config[name]
    return recipe
