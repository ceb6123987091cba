"""Ranks the labels of evaluation sets by a checkpoint: joint, embedding, and both in one score.

Input: a checkpoint folder, `NAME.jsonl.gz` with `NAME.labels.json`.
Output: a table of top-1 / LRAP / best-threshold micro-F1 a set and a view, and JSON.
Invariant: the text is cut to `--length` tokens; all labels in one pass; nothing is fitted on the set.
Ignorance: knows nothing of training. `gliznet eval` is the judge; this is for the workbench.
"""

import argparse
import gzip
import json
from pathlib import Path

import checkpoint
import numpy as np
import packed
import torch
import views
from mix import mixed


def read_set(folder, name, limit):
    with gzip.open(folder / f"{name}.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file][:limit]
    labels = json.loads((folder / f"{name}.labels.json").read_text())
    sites = folder / f"{name}.sites.json"
    return rows, labels, json.loads(sites.read_text()) if sites.exists() else None


@torch.no_grad()
def cosines(model, texts, labels, length):
    """`(joint, embed)`, each `[texts, labels]`."""
    vocabulary, weights, config = model
    on_gpu = weights["backbone.embeddings.word_embeddings.weight"].is_cuda
    tokens_a_batch = 60_000 if on_gpu else 4096
    ids = [vocabulary.encode(text)[:length] for text in texts]
    label_ids = [vocabulary.encode(label)[:24] for label in labels]
    joint = np.zeros((len(ids), len(labels)), dtype=np.float32)
    embed = np.zeros_like(joint)
    cost = sum(len(label) + 1 for label in label_ids)
    order = sorted(range(len(ids)), key=lambda n: len(ids[n]))
    alone = None
    while order:
        take, used = [], 0
        while order and (not take or used + len(ids[order[0]]) + cost < tokens_a_batch):
            used += len(ids[order[0]]) + cost
            take.append(order.pop(0))
        batch = packed.pack(
            vocabulary,
            [ids[n] for n in take],
            [label_ids] * len(take),
            label_ids if alone is None else [],
            config["label_attention"] == "full",
        ).to(weights["backbone.embeddings.word_embeddings.weight"].device)
        seen = views.look(weights, config, batch)
        alone = seen.alone if alone is None else alone
        embed[take] = (seen.text @ alone.T).float().cpu().numpy()
        joint[take] = seen.joint.float().cpu().numpy()
    return joint, embed


def measures(scores, truth):
    """Top-1 hits, label ranking average precision, best-threshold micro-F1."""
    order = np.argsort(-scores, axis=1, kind="stable")
    hits = np.take_along_axis(truth, order, 1)
    top = hits[:, 0].mean()
    ranks = np.arange(1, truth.shape[1] + 1)
    precision = np.cumsum(hits, 1) / ranks
    lrap = ((precision * hits).sum(1) / hits.sum(1)).mean()
    flat = np.argsort(-scores, axis=None, kind="stable")
    good = np.cumsum(truth.flatten()[flat])
    best = (2 * good / (np.arange(1, good.size + 1) + truth.sum())).max()
    return float(top), float(lrap), float(best)


def truth_of(rows, labels):
    place = {label: n for n, label in enumerate(labels)}
    truth = np.zeros((len(rows), len(labels)), dtype=np.int64)
    for n, row in enumerate(rows):
        truth[n, [place[label] for label in row["labels"] if label in place]] = 1
    return truth


def score_set(model, rows, labels, sites, length, mix):
    joint, embed = cosines(model, [row["text"] for row in rows], labels, length)
    truth = truth_of(rows, labels)
    keep = truth.sum(1) > 0
    joint, embed, truth = joint[keep], embed[keep], truth[keep]
    seen = {
        "joint": joint,
        "embed": embed,
        "both": mix * joint / spread(joint) + embed / spread(embed),
    }
    result = {name: measures(scores, truth) for name, scores in seen.items()}
    if sites:
        allowed = np.array(
            [[label in sites[row.get("site", row.get("source"))] for label in labels] for row in rows], dtype=bool
        )[keep]
        for name, scores in seen.items():
            result[f"{name}/site"] = measures(np.where(allowed, scores, -1e9), truth)
    return result


def spread(scores):
    return max(float(scores.std(1).mean()), 1e-6)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--suite", type=Path, required=True)
    parser.add_argument("--sets", nargs="*")
    parser.add_argument("--rows", type=int, default=250)
    parser.add_argument("--length", type=int, default=160)
    parser.add_argument("--mix", type=float, default=1.0, help="weight of joint against embedding")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--bfloat16", action="store_true")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--towards", type=Path, help="a checkpoint to mix the encoder with")
    parser.add_argument("--share", type=float, default=0.0, help="of that one's encoder")
    arguments = parser.parse_args()
    vocabulary, weights, config = checkpoint.load_model(arguments.checkpoint)
    if arguments.share:
        weights = mixed(weights, checkpoint.load_model(arguments.towards)[1], arguments.share)
    weights = {name: tensor.to(arguments.device) for name, tensor in weights.items()}
    model = vocabulary, weights, config
    names = arguments.sets or sorted(
        p.name[: -len(".labels.json")] for p in arguments.suite.glob("*.labels.json")
    )
    results = {}
    for name in names:
        rows, labels, sites = read_set(arguments.suite, name, arguments.rows)
        kind = arguments.device.split(":")[0]
        with torch.autocast(kind, torch.bfloat16, enabled=arguments.bfloat16):
            results[name] = score_set(model, rows, labels, sites, arguments.length, arguments.mix)
        cells = "  ".join(
            f"{view} " + "/".join(f"{v:.3f}"[1:] for v in m) for view, m in results[name].items()
        )
        print(f"{name:22} {cells}", flush=True)
    for view in ("joint", "embed", "both"):
        mean = np.mean([results[name][view] for name in names], 0)
        print(f"mean {view:6} " + " / ".join(f"{v:.4f}"[1:] for v in mean), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
