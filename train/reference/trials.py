"""Chooses settings on sets that are not trained on, then trains with those that helped; on a GPU.

Input: a folder of `gpu.sh pack` (recipes, data, dev sets, start), minutes.
Output: OUT/trials.json, and OUT/NAME for each final training with its metrics and weights.
Invariant: every trial reads the same rows in the same order for the same time and differs from
`base` in one thing; a thing is kept where it raises the mean LRAP of the dev sets by `GAIN`.
Ignorance: knows nothing of the evaluation suite.
"""

import argparse
import json
import os
import pickle
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import checkpoint
import numpy as np
import prepare
import torch
from plain import Plain
from recipe import read_recipe
from safetensors.torch import load_file, save_file

HERE = Path(__file__).parent
GAIN = 0.002
COMMON = [
    'precision="bf16"',
    "schedule.steps=1000000",
    "batch.rows=128",
    "batch.pool=24",
    "extras.batch_tokens=16000",
    "extras.average=0.995",
    "text.tokens=128",
    "text.long_tokens=320",
]
# What each trial changes. `full` and `joint` answer a question and are never kept.
TRIALS = {
    "base": [],
    "full": ['model.label_attention="full"'],
    "joint": ["extras.embed=0", "extras.both=0", "extras.both_bce=0"],
    "spoken": ["extras.titles=0.3", "extras.examples=0.1", "extras.described=0.15"],
    "loose": ["loss.embedding=0.6", "loss.label_embedding=0.4"],
    "deep": ["freeze.layers=0"],
    "fast": [
        "optimizer.learning_rate=4e-4",
        'optimizer.groups=[{"prefix":"aggregator.","learning_rate":1e-3}]',
    ],
    "wide": ["labels.max=48", "labels.hard=0.7"],
}
ASKED = ("base", "full", "joint")
SHARES = (0.0, 0.25, 0.5)


def prepared(folder, device):
    """Everything that any recipe names, with tokens, words and near misses."""
    recipe = read_recipe(folder / "everything.toml", COMMON, folder / "two-views.toml")
    vocabulary, weights, config = checkpoint.load_model(folder / "start")
    with ProcessPoolExecutor(min(os.cpu_count(), 12)) as pool:
        entries = [{**recipe, "data": [entry]} for entry in recipe["data"]]
        sources = list(pool.map(rows_of, entries, [folder / "start"] * len(entries)))
    precision = torch.autocast(device, torch.bfloat16, enabled=device != "cpu")
    plain = Plain(vocabulary, weights, config, torch.device(device), lambda: precision)
    for source in sources:
        prepare.mine(source, vocabulary, plain, recipe["text"])
    return sources


def rows_of(recipe, start):
    (source,) = prepare.read_rows_of(recipe)
    prepare.tokenise(source, prepare.Vocabulary(start))
    source.words = prepare.words(source)
    return source


def start_training(folder, out, recipe, changes, minutes, workers, device):
    out.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(HERE / "trainer.py"), "--recipe", str(folder / recipe)]
    command += ["--extras", str(folder / "two-views.toml"), "--init", str(folder / "start")]
    command += ["--out", str(out), "--device", device, "--by-time", "--minutes", str(minutes)]
    command += ["--save-minutes", "1000", "--workers", str(workers)]
    command += ["--prepared", str(folder / "prepared.pkl")]
    for change in [*COMMON, *changes]:
        command += ["--set", change]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    log = open(out / "log.txt", "w")  # noqa: SIM115: it lives as long as the process
    return subprocess.Popen(command, stdout=log, stderr=log, env=environment)


def scored(folder, out, share, device):
    result = out / f"score-{share}.json"
    command = [sys.executable, str(HERE / "score.py"), str(out / "model"), "--share", str(share)]
    command += ["--suite", str(folder / "dev"), "--json", str(result), "--device", device]
    command += ["--towards", str(folder / "start"), "--length", "128", "--bfloat16"]
    log = open(out / f"score-{share}.txt", "w")  # noqa: SIM115
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return result, subprocess.Popen(command, stdout=log, stderr=log, env=environment)


def table(folder, outs, shares, device):
    """`{name: {share: {view: [top-1, LRAP, F1]}}}`, means over the dev sets."""
    running = [(n, s, *scored(folder, out, s, device)) for n, out in outs.items() for s in shares]
    found = {}
    for name, share, path, process in running:
        if process.wait() or not path.exists():
            print(f"{name}: not scored, see its folder", flush=True)
            continue
        sets = json.loads(path.read_text())
        means = {
            view: np.mean([one[view] for one in sets.values()], 0).round(4).tolist()
            for view in ("joint", "embed", "both")
        }
        found.setdefault(name, {})[share] = means
        print(f"{name:10} {share:4} " + json.dumps(means), flush=True)
    return found


def kept(found):
    """The changes of all trials that raised the LRAP of both views together over `base`."""
    best = {name: max(one["both"][1] for one in by.values()) for name, by in found.items()}
    names = [n for n in found if n not in ASKED and best[n] > best["base"] + GAIN]
    return names, [change for name in names for change in TRIALS[name]]


def trials(folder, out, minutes, device):
    running = {
        name: start_training(folder, out / name, "attribution.toml", changes, minutes, 1, device)
        for name, changes in TRIALS.items()
    }
    for name, process in running.items():
        if process.wait():
            print(f"{name} failed: {(out / name / 'log.txt').read_text()[-600:]}", flush=True)
    for name in running:
        lines = (out / name / "metrics.jsonl").read_text().splitlines()
        print(f"{name}: {len(lines)} steps, last {lines[-1] if lines else ''}", flush=True)
    outs = {name: out / name for name in TRIALS if (out / name / "model").exists()}
    found = table(folder, outs, SHARES, device)
    return found, *kept(found)


def parted(out, name):
    """What training moved, in float16: embeddings are the start's and stay there."""
    weights = load_file(out / name / "model" / "model.safetensors")
    moved = {n: t for n, t in weights.items() if not n.startswith("backbone.embeddings.")}
    save_file(moved, out / f"{name}.moved.safetensors")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--trial-minutes", type=float, default=2.2)
    parser.add_argument("--until", type=float, default=9.3, help="minutes for everything")
    parser.add_argument("--workers", type=int, default=6, help="processes that draw, a final one")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    began, folder, out = time.time(), arguments.folder, arguments.out
    out.mkdir(parents=True, exist_ok=True)
    with open(folder / "prepared.pkl", "wb") as file:
        pickle.dump(prepared(folder, arguments.device), file, 5)
    print(f"prepared after {time.time() - began:.0f} s", flush=True)
    found, names, changes = {}, [], []
    if arguments.trial_minutes:
        found, names, changes = trials(folder, out, arguments.trial_minutes, arguments.device)
    print(f"kept: {names}, after {time.time() - began:.0f} s", flush=True)
    # A tail for loading, writing and scoring.
    minutes = arguments.until - (time.time() - began) / 60 - 0.6
    finals = {"attribution": [*changes, "seed=2"], "everything": changes}
    running = [
        start_training(
            folder, out / f"final-{n}", f"{n}.toml", c, minutes, arguments.workers, arguments.device
        )
        for n, c in finals.items()
    ]
    for process in running:
        process.wait()
    for name in finals:
        if (out / f"final-{name}" / "model").exists():
            parted(out, f"final-{name}")
        print((out / f"final-{name}" / "log.txt").read_text()[-300:], flush=True)
    (out / "trials.json").write_text(json.dumps({"trials": found, "kept": names, "minutes": minutes}))
    outs = {f"final-{n}": out / f"final-{n}" for n in finals}
    last = table(folder, outs, SHARES, arguments.device)
    report = {"trials": found, "kept": names, "minutes": minutes, "finals": last}
    (out / "trials.json").write_text(json.dumps(report, indent=1))
    print(f"done after {time.time() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
