"""Holds the trainer to the golden cases: losses and every gradient of the isolated BERT folder.

Input: tests/fixtures/parity/bert-isolated-proj. Output: the deviations; exit 1 if one is too large.
Invariant: nothing is written but in a folder that is thrown away; a stop and a resume are exact.
Ignorance: knows nothing of the real data.
"""

import json
import sys
import tempfile
from pathlib import Path

import passes
import recipe as recipes
import torch
import trainer

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests/fixtures/parity/bert-isolated-proj"
LOSS, GRADIENT, WEIGHT, SMALL = 1e-5, 1e-4, 1e-7, 1e-4


def recipe_for(folder, extra=""):
    data = [
        {"text": f"a note on {name}", "labels": [name], "not_labels": ["sport", "tax"]}
        for name in ("science", "travel", "baking", "dreams", "politics", "music")
    ]
    (folder / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in data))
    path = folder / "recipe.toml"
    path.write_text(
        '[[data]]\nfiles = "rows.jsonl"\n[freeze]\nembeddings = false\n[schedule]\nsteps = 8\n'
        f"[batch]\nrows = 3\npool = 2\n{extra}"
    )
    return path


def golden(folder):
    """The largest deviation of a loss and of a gradient's norm."""
    batch = json.loads((FOLDER / "cases.json").read_text())["batches"]["ragged"]
    rows = []
    for n, mask in enumerate(batch["attention_mask"]):
        size = sum(mask)
        row = {"targets": [t for t in batch["targets"][n] if t != -100]}
        row |= {"ids": batch["input_ids"][n][:size], "label_mask": batch["lmask"][n][:size]}
        row |= {"segments": batch["segments"][n][:size], "positions": batch["positions"][n][:size]}
        rows.append(row)
    file = folder / "batches.jsonl"
    file.write_text(json.dumps({"step": 1, "part": 0, "rows": rows}))
    training = trainer.Training(recipes.read_recipe(recipe_for(folder)), FOLDER, "cpu")
    ((_, given),) = passes.of_file(file, training.vocabulary)
    if given[0][0].positions.max() != max(max(p) for p in batch["positions"]):
        sys.exit("positions differ")
    loss, parts = training.forward(*given[0])
    loss.backward()
    off = max(abs(parts[name] - batch[name]) for name in ("supcon", "repulsion", "bce"))
    worst = 0.0
    for name, known in batch["gradients"].items():
        gradient = training.weights[name].grad
        norm = 0.0 if gradient is None else float(gradient.norm())
        # A key's bias moves all scores of a query alike: its gradient is rounding.
        worst = max(worst, abs(norm - known["norm"]) / max(known["norm"], SMALL))
    return off, worst


def resumed(folder):
    """The largest difference of weights after 8 steps at once, and after stops amid pools."""
    extras = folder / "extras.toml"
    extras.write_text("embed = 0.5\nboth = 1.0\nboth_bce = 0.5\nmine = true\naverage = 0.9\n")
    path = recipe_for(folder, "[loss]\nembedding = 1.0\nlabel_embedding = 1.0\n")
    for out, stops in (("whole", [8]), ("parts", [3, 6, 8])):
        for stop in stops:
            sys.argv = ["trainer", "--recipe", str(path), "--extras", str(extras)]
            sys.argv += ["--init", str(FOLDER), "--out", str(folder / out), "--device", "cpu"]
            sys.argv += ["--resume", "--stop-after", str(stop)]
            trainer.main()
    states = [
        torch.load(folder / out / "state.pt", weights_only=False) for out in ("whole", "parts")
    ]
    pairs = [(states[0][kind], states[1][kind]) for kind in ("trained", "average")]
    return max(float((a[n] - b[n]).abs().max()) for a, b in pairs for n in a)


def main():
    with tempfile.TemporaryDirectory() as folder:
        loss, gradient = golden(Path(folder))
        weight = resumed(Path(folder))
    print(
        f"losses {loss:.1e}, gradient norms {gradient:.1e} relative, resumed weights {weight:.1e}"
    )
    if loss > LOSS or gradient > GRADIENT or weight > WEIGHT:
        sys.exit(1)


if __name__ == "__main__":
    main()
