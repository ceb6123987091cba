"""Trains GliZNet in PyTorch from a recipe, on a CPU or a GPU, and can be stopped at any time.

Input: a recipe of `train/recipes`, a checkpoint with isolated labels on BERT, an output folder.
Output: OUT/state.pt (to go on from), OUT/model (float16), OUT/metrics.jsonl.
Invariant: what is written replaces what was there in one rename; `--resume` goes on from there.
Ignorance: knows nothing of how rows are drawn or losses are made up.
"""

import argparse
import json
import math
import pickle
import time
from pathlib import Path

import checkpoint
import losses
import prepare
import optimiser as adam
import passes
import state
import torch
import views
from plain import Plain
from feed import Feed
from recipe import read_recipe, with_config
from reference_model import Vocabulary
from sampling import Sampler

# Where the log-odds of the views together start, as logarithms.
SCALARS = {
    "joint_slope": math.log(6.0),
    "embed_slope": math.log(6.0),
    "late_slope": math.log(6.0),
    "offset": math.log(3.5),
}
LOGIT_SCALE, BCE_SCALE = "aggregator.similarity_head.logit_scale", "loss_fn.bce_scale"
REPORT = 10


class Training:
    def __init__(self, recipe, init, device, teacher=None):
        self.recipe, self.init, self.device = recipe, init, torch.device(device)
        torch.manual_seed(recipe["seed"])
        self.vocabulary, weights, self.config = checkpoint.load_model(init)
        self.config["label_attention"] = attention(recipe, self.config)
        if self.config.get("input_layout") != "lab_prefix":
            raise SystemExit(f"{init}: this trainer takes the layout lab_prefix only")
        encoder = self.config.get("backbone_config", {}).get("model_type")
        if encoder != "bert":
            raise SystemExit(
                f"{init}: this trainer computes bert, not {encoder}; use `gliznet train`"
            )
        self.full = self.config["label_attention"] == "full"
        with_config(recipe, self.config)
        self.weights = {name: tensor.to(self.device) for name, tensor in weights.items()}
        near = recipe["loss"]["embedding"] or recipe["loss"]["label_embedding"]
        extras = recipe["extras"]
        self.together = any(extras[name] for name in losses.TOGETHER)
        self.near = near or extras["mine"] or self.together
        special = (self.vocabulary.cls, self.vocabulary.sep)
        self.special = special if extras["late"] else None
        kept = checkpoint.load_model(teacher)[1] if teacher else weights
        where = (self.vocabulary, kept, self.config, self.device, self.autocast)
        if self.together:
            for name, value in SCALARS.items():
                self.weights[name] = torch.tensor(value, device=self.device)
        self.plain = Plain(*where) if self.near else None
        names = adam.trained_names(self.weights, recipe)
        self.optimiser = adam.make(self.weights, recipe)
        self.trained = {name: self.weights[name] for name in names}
        self.average = {name: t.detach().clone() for name, t in self.trained.items()}
        self.step = 0

    def autocast(self):
        kind = {"f32": None, "bf16": torch.bfloat16, "f16": torch.float16}
        precision = kind[self.recipe["precision"]]
        if precision == torch.float16:
            raise SystemExit("precision f16: this trainer knows f32 and bf16")
        return torch.autocast(self.device.type, precision, enabled=precision is not None)

    def forward(self, batch, aim):
        layers = adam.frozen_layers(self.recipe)
        batch = batch.to(self.device)
        if self.plain:
            aim.text, aim.alone = self.plain.look(batch)
        with self.autocast():
            seen = views.look(self.weights, self.config, batch, layers, self.special)
        scalars = {name: self.weights.get(name) for name in SCALARS}
        scalars |= {"logit_scale": self.weights[LOGIT_SCALE], "bce_scale": self.weights[BCE_SCALE]}
        aim = aim.to(self.device)
        return losses.total(seen, aim, scalars, self.recipe["loss"], self.recipe["extras"])

    def update(self, given, progress=0.0):
        """One optimiser step over its passes; gives the mean of the losses.

        `progress` is the share of the training's time that is over, where time rules the rate.
        """
        self.step += 1
        along = max(self.step, progress * self.recipe["schedule"]["steps"])
        for group in self.optimiser.param_groups:
            group["lr"] = group["top"] * adam.share(along, self.recipe["schedule"])
        self.optimiser.zero_grad(set_to_none=True)
        sums = {}
        for batch, aim in given:
            loss, parts = self.forward(batch, aim)
            (loss / len(given)).backward()
            for name, part in {"loss": loss.detach(), **parts}.items():
                sums[name] = sums.get(name, 0.0) + part / len(given)
        # Read at once, and late: each reading waits for the GPU.
        sums = dict(zip(sums, torch.stack(list(sums.values())).tolist(), strict=True))
        if not math.isfinite(sums["loss"]):
            raise SystemExit(f"step {self.step}: the loss is not a number; the state is kept")
        clip = self.recipe["optimizer"]["clip"] or math.inf
        norm = torch.nn.utils.clip_grad_norm_(list(self.trained.values()), clip)
        self.optimiser.step()
        self.follow()
        return sums | {"gradient_norm": float(norm)}

    def follow(self):
        keep = min(self.recipe["extras"]["average"], self.step / (self.step + 10))
        with torch.no_grad():
            for name, tensor in self.trained.items():
                self.average[name].lerp_(tensor.detach(), 1 - keep)

    def save(self, out, sampler):
        state.write(
            out / "state.pt", self.step, self.trained, self.average, self.optimiser, sampler
        )
        final = {n: t for n, t in (self.weights | self.average).items() if n not in SCALARS}
        checkpoint.write_model(out / "model", final, self.init, self.config)


def attention(recipe, config):
    """What the recipe asks for, or what the checkpoint was made with."""
    wanted = recipe["model"]["label_attention"]
    return config.get("label_attention") if wanted == "keep" else wanted


def drawn(training, sampler):
    """The passes of one step after another, for as long as they are wanted."""
    group = []
    while True:
        pool = sampler.batches(sampler.pool())
        known, sampler.skip = sampler.skip, 0
        for number, examples in enumerate(pool, 1):
            if number <= known:
                continue
            group.append(passes.of_examples(examples, training.vocabulary, training.full))
            if len(group) == training.recipe["batch"]["accumulation"]:
                sampler.taken = number
                yield training.step + 1, group
                group = []
        # A step never reaches over two pools, so that a state can name its place.
        if group:
            sampler.taken = len(pool)
            yield training.step + 1, group
            group = []


def fed(training, feed):
    """The same from processes of their own; a resumed training draws other rows."""
    group = []
    for one in feed:
        group.append(one)
        if len(group) == training.recipe["batch"]["accumulation"]:
            yield training.step + 1, group
            group = []


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", type=Path, required=True)
    parser.add_argument("--extras", type=Path, help="TOML with the keys of this trainer alone")
    parser.add_argument("--init", type=Path)
    parser.add_argument("--teacher", type=Path, help="whose embeddings to keep near, not --init's")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--batches", type=Path, help="batches of `gliznet train --write-batches`")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop then, state kept")
    parser.add_argument("--stop-after", type=int, default=10**9, help="stop after this step")
    parser.add_argument("--by-time", action="store_true", help="--minutes is the whole schedule")
    parser.add_argument("--save-minutes", type=float, default=3.0)
    parser.add_argument("--prepared", type=Path, help="sources that trials.py has prepared")
    parser.add_argument("--workers", type=int, default=0, help="processes that draw, for a GPU")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=JSON")
    arguments = parser.parse_args()
    recipe = read_recipe(arguments.recipe, arguments.set, arguments.extras)
    init = arguments.init or (recipe["init"] and Path(recipe["init"]))
    if not init:
        raise SystemExit("no checkpoint to start from: give --init, or init in the recipe")
    sampler = feed = None
    if arguments.workers:
        # Before the GPU is first used: the processes are forked.
        with open(arguments.prepared, "rb") as file:
            sources = prepare.of_recipe(pickle.load(file), recipe)
        full = attention(recipe, checkpoint.read_config(init)) == "full"
        feed = Feed(sources, Vocabulary(init), recipe, arguments.workers, full)
    training = Training(recipe, init, arguments.device, arguments.teacher)
    if feed:
        steps = fed(training, feed)
    elif arguments.batches:
        steps = passes.of_file(arguments.batches, training.vocabulary, training.full)
    else:
        sources = prepare.read_sources(recipe, training.vocabulary, training.plain)
        sampler = Sampler(sources, training.vocabulary, recipe)
        steps = drawn(training, sampler)
    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    if arguments.resume and (out / "state.pt").exists():
        parts = (training.trained, training.average, training.optimiser, sampler)
        training.step = state.read(out / "state.pt", *parts)
        print(f"resumed after step {training.step}", flush=True)
    run(training, steps, sampler, out, arguments)


def run(training, steps, sampler, out, arguments):
    began = saved = time.time()
    last = training.recipe["schedule"]["steps"]
    with open(out / "metrics.jsonl", "a", encoding="utf-8") as metrics:
        for step, given in steps:
            if training.step >= last:
                break
            if step <= training.step:
                continue
            progress = (time.time() - began) / (60 * arguments.minutes) if arguments.by_time else 0
            line = {"step": step, **training.update(given, progress)}
            line |= {
                "rows": sum(len(aim.targets) for _, aim in given),
                "tokens": sum(len(batch.ids) for batch, _ in given),
                "seconds": round(time.time() - began, 1),
            }
            metrics.write(json.dumps(line) + "\n")
            metrics.flush()
            if training.step % REPORT == 0 or arguments.batches:
                print(json.dumps({k: round(v, 5) for k, v in line.items()}), flush=True)
            if time.time() - saved > 60 * arguments.save_minutes:
                training.save(out, sampler)
                saved = time.time()
            late = time.time() - began > 60 * arguments.minutes
            if late or training.step >= min(last, arguments.stop_after):
                break
    training.save(out, sampler)


if __name__ == "__main__":
    main()
