"""Trains GliZNet in PyTorch from a recipe, on a CPU or a GPU, and can be stopped at any time.

Input: a recipe of `train/recipes`, a checkpoint with isolated labels on BERT, an output folder.
Output: OUT/state.pt (to go on from), OUT/model (float16), OUT/metrics.jsonl.
Invariant: what is written replaces what was there in one rename; `--resume` goes on from there.
Ignorance: knows nothing of how rows are drawn or losses are made up.
"""

import argparse
import json
import math
import time
from pathlib import Path

import checkpoint
import losses
import optimiser as adam
import passes
import state
import torch
import views
from plain import Plain
from recipe import read_recipe, with_config
from rows import read_rows
from sampling import Sampler, Source

# Where the log-odds of both views together start, as logarithms.
SCALARS = {"joint_slope": math.log(6.0), "embed_slope": math.log(6.0), "offset": math.log(3.5)}
LOGIT_SCALE, BCE_SCALE = "aggregator.similarity_head.logit_scale", "loss_fn.bce_scale"
REPORT = 10


class Training:
    def __init__(self, recipe, init, device, teacher=None):
        self.recipe, self.init, self.device = recipe, init, torch.device(device)
        torch.manual_seed(recipe["seed"])
        self.vocabulary, weights, self.config = checkpoint.load_model(init)
        if self.config.get("label_attention") != "isolated":
            raise SystemExit(f"{init}: this trainer takes isolated labels only")
        with_config(recipe, self.config)
        self.weights = {name: tensor.to(self.device) for name, tensor in weights.items()}
        near = recipe["loss"]["embedding"] or recipe["loss"]["label_embedding"]
        extras = recipe["extras"]
        self.two_views = extras["embed"] or extras["both"] or extras["both_bce"]
        needed = near or extras["mine"] or self.two_views
        kept = checkpoint.load_model(teacher)[1] if teacher else weights
        where = (self.vocabulary, kept, self.config, self.device, self.autocast)
        if self.two_views:
            for name, value in SCALARS.items():
                self.weights[name] = torch.tensor(value, device=self.device)
        self.plain = Plain(*where) if needed else None
        if self.plain:
            self.plain.weights = {n: t.to(self.device) for n, t in self.plain.weights.items()}
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
        with self.autocast():
            seen = views.look(self.weights, self.config, batch.to(self.device), layers)
        scalars = {name: self.weights.get(name) for name in SCALARS}
        scalars |= {"logit_scale": self.weights[LOGIT_SCALE], "bce_scale": self.weights[BCE_SCALE]}
        aim = aim.to(self.device)
        return losses.total(seen, aim, scalars, self.recipe["loss"], self.recipe["extras"])

    def update(self, given):
        """One optimiser step over its passes; gives the mean of the losses."""
        self.step += 1
        for group in self.optimiser.param_groups:
            group["lr"] = group["top"] * adam.share(self.step, self.recipe["schedule"])
        self.optimiser.zero_grad(set_to_none=True)
        sums = {}
        for batch, aim in given:
            loss, parts = self.forward(batch, aim)
            if not torch.isfinite(loss):
                raise SystemExit(f"step {self.step}: the loss is not a number; the state is kept")
            (loss / len(given)).backward()
            for name, part in {"loss": float(loss.detach()), **parts}.items():
                sums[name] = sums.get(name, 0.0) + part / len(given)
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
        checkpoint.write_model(out / "model", final, self.init)


def read_sources(recipe):
    sources = []
    for entry in recipe["data"]:
        for path in entry["files"]:
            read = read_rows(path, entry["cap"], recipe["seed"])
            for line in read.named:
                print(f"bad row: {line}", flush=True)
            name = path.name.split(".")[0]
            exhaustive = name in recipe["extras"]["exhaustive"]
            if read.rows:
                sources.append(Source(name, read.rows, entry["weight"], exhaustive))
    if not sources:
        raise SystemExit("no usable row in any file of the recipe")
    return sources


def drawn(training, sampler):
    """The passes of one step after another, for as long as they are wanted."""
    group = []
    while True:
        pool = sampler.batches(sampler.pool(training.plain))
        known, sampler.skip = sampler.skip, 0
        for number, examples in enumerate(pool, 1):
            if number <= known:
                continue
            group.append(passes.of_examples(examples, training.vocabulary, sampler, training.plain))
            if len(group) == training.recipe["batch"]["accumulation"]:
                sampler.taken = number
                yield training.step + 1, group
                group = []
        # A step never reaches over two pools, so that a state can name its place.
        if group:
            sampler.taken = len(pool)
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
    parser.add_argument("--save-minutes", type=float, default=3.0)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=JSON")
    arguments = parser.parse_args()
    recipe = read_recipe(arguments.recipe, arguments.set, arguments.extras)
    init = arguments.init or (recipe["init"] and Path(recipe["init"]))
    if not init:
        raise SystemExit("no checkpoint to start from: give --init, or init in the recipe")
    training = Training(recipe, init, arguments.device, arguments.teacher)
    sampler = None
    if arguments.batches:
        steps = passes.of_file(arguments.batches, training.vocabulary, training.plain)
    else:
        sampler = Sampler(read_sources(recipe), training.vocabulary, recipe)
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
            line = {"step": step, **training.update(given)}
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
