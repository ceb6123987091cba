"""Examples a second of our trainer against PyTorch's float32, on the same batches, in one run.

Input: the binary, a Python with torch, a recipe. Output: one line a trainer and round, and the ratio.
Invariant: both read the rows that the first one wrote, take turns, and have the same threads; the
first steps of each run, which warm caches up, do not count.
Ignorance: knows nothing of how either computes.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WARM = 3


def pace(out, is_running_sum):
    """Examples a second after the first steps. The reference writes the time since its start."""
    lines = map(json.loads, (out / "metrics.jsonl").read_text().splitlines())
    steps = [line for line in lines if "loss" in line]
    rows = sum(step["rows"] for step in steps[WARM:])
    seconds = [step["seconds"] for step in steps]
    return rows / (seconds[-1] - seconds[WARM - 1] if is_running_sum else sum(seconds[WARM:]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gliznet", type=Path, default=ROOT / "target/release/gliznet")
    parser.add_argument("--python", default="python3", help="one that imports torch")
    parser.add_argument("--recipe", type=Path, default=ROOT / "benches/train_step.toml")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    args = parser.parse_args()
    names = ("RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    environment = os.environ | {name: str(args.threads) for name in names}
    paces = {"ours": [], "torch": []}
    with tempfile.TemporaryDirectory() as folder:
        batches = Path(folder) / "batches.jsonl"
        for number in range(args.rounds):
            commands = {
                "ours": [args.gliznet, "train", "--device", "cpu", "--write-batches", batches],
                "torch": [
                    args.python,
                    ROOT / "train/reference/trainer.py",
                    "--device",
                    "cpu",
                    "--batches",
                    batches,
                ],
            }
            for name, command in commands.items():
                out = Path(folder) / f"{name}-{number}"
                command += ["--recipe", args.recipe, "--out", out]
                done = subprocess.run(command, env=environment, capture_output=True, text=True)
                if done.returncode:
                    raise SystemExit(f"{name}: {done.stderr[-2000:]}")
                paces[name].append(pace(out, name == "torch"))
                print(f"{name:6} {paces[name][-1]:7.2f} examples/s", flush=True)
    ratio = statistics.median(paces["ours"]) / statistics.median(paces["torch"])
    print(f"ours over torch: {ratio:.2f}")


if __name__ == "__main__":
    main()
