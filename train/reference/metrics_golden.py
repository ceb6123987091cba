#!/usr/bin/env python3
"""Writes the golden cases of `tests/evaluation.rs`: random predictions in, scikit-learn's metrics out.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install "scikit-learn>=1.5" numpy
    /tmp/venv/bin/python train/reference/metrics_golden.py tests/fixtures/evaluation

Every score is a float32 that JSON carries exactly. Where a row has its own candidate labels,
scikit-learn has no call for the whole; then micro metrics are taken over the flattened decisions,
macro metrics as means over the labels, and ranking metrics as means over the rows. For rectangular
cases the script asserts that this equals scikit-learn's own multi-label call.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
from sklearn import metrics
from sklearn.calibration import calibration_curve
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression

warnings.filterwarnings("ignore", category=UndefinedMetricWarning)
N_BINS = 15


def prf(truth, predicted):
    p, r, f, _ = metrics.precision_recall_fscore_support(
        truth, predicted, average="binary", zero_division=0
    )
    return [float(p), float(r), float(f)]


def decisions(rows, predicted):
    """`predicted`: one boolean list a row. Micro over decisions, macro over candidate labels."""
    truth = np.concatenate([r["truth"] for r in rows])
    flat = np.concatenate(predicted)
    label = np.concatenate([r["labels"] for r in rows])
    macro = [prf(truth[label == k], flat[label == k]) for k in np.unique(label)]
    counts = [int(np.sum(p)) for p in predicted]
    return {
        "micro": prf(truth, flat),
        "macro": np.mean(macro, axis=0).tolist(),
        "mcc": float(metrics.matthews_corrcoef(truth, flat)),
        "hamming_loss": float(metrics.hamming_loss(truth, flat)),
        "exact_match": float(np.mean([np.array_equal(r["truth"], p) for r, p in zip(rows, predicted)])),
        "mean_tags": float(np.mean(counts)),
        "share_untagged": float(np.mean([c == 0 for c in counts])),
    }


def at_threshold(rows, thresholds):
    return decisions(rows, [r["scores"] >= np.array([thresholds(k) for k in r["labels"]], np.float32) for r in rows])


def lrap(row):
    if len(row["labels"]) == 1:
        return 1.0  # scikit-learn takes one column for a binary problem and refuses it.
    return float(metrics.label_ranking_average_precision_score([row["truth"]], [row["scores"]]))


def equal_width_error(truth, score):
    true, pred = calibration_curve(truth, score, n_bins=N_BINS, strategy="uniform")
    edges = np.linspace(0, 1, N_BINS + 1)
    counts = np.bincount(np.searchsorted(edges[1:-1], score), minlength=N_BINS)
    counts = counts[counts > 0]
    return float(np.sum(counts * np.abs(true - pred)) / len(score))


def equal_mass_error(truth, score):
    """Only for scores without ties whose number is a multiple of the bins."""
    if len(np.unique(score)) < len(score) or len(score) % N_BINS:
        return None
    order = np.argsort(score)
    parts = zip(np.array_split(truth[order], N_BINS), np.array_split(score[order], N_BINS))
    return float(np.mean([abs(t.mean() - s.mean()) for t, s in parts]))


def multi_class(rows):
    """Accuracy, macro-F1 and R_k of the first of the best labels; rows without a label do not count."""
    rows = [r for r in rows if r["truth"].any()]
    gold = [int(r["labels"][np.argmax(r["truth"])]) for r in rows]
    best = [int(r["labels"][np.argmax(r["scores"])]) for r in rows]
    return {
        "accuracy": float(metrics.accuracy_score(gold, best)),
        "macro_f1": float(metrics.f1_score(gold, best, average="macro", zero_division=0)),
        "mcc": float(metrics.matthews_corrcoef(gold, best)),
        "top_label_error": equal_width_error(
            np.array([g == b for g, b in zip(gold, best)]),
            np.array([r["scores"].max() for r in rows], np.float64),
        ),
    }


def case(name, rows, threshold, label_thresholds=None, single=False):
    label_thresholds = label_thresholds or {}
    rows = [
        {
            "labels": np.asarray(r["labels"]),
            "scores": np.asarray(r["scores"], np.float32),
            "truth": np.asarray(r["truth"], bool),
        }
        for r in rows
    ]
    truth = np.concatenate([r["truth"] for r in rows])
    score = np.concatenate([r["scores"] for r in rows]).astype(np.float64)
    label = np.concatenate([r["labels"] for r in rows])
    expected = {"at_default": at_threshold(rows, lambda k: label_thresholds.get(int(k), threshold))}

    if truth.any():
        precision, recall, cuts = metrics.precision_recall_curve(truth, score)
        f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
        best = np.flatnonzero(f1[:-1] >= f1[:-1].max() - 1e-12)[-1]  # Of equals, the highest threshold.
        expected["best_threshold"] = float(cuts[best])
        expected["at_best"] = at_threshold(rows, lambda _: np.float32(cuts[best]))
        assert abs(expected["at_best"]["micro"][2] - f1[:-1].max()) < 1e-9

    expected["lrap"] = float(np.mean([lrap(r) for r in rows]))
    hits = [bool(r["truth"][np.argmax(r["scores"])]) for r in rows if r["truth"].any()]
    expected["top_1"] = float(np.mean(hits)) if hits else None

    def both(t):
        return t.any() and not t.all()

    auc = [metrics.roc_auc_score(truth[label == k], score[label == k]) for k in np.unique(label) if both(truth[label == k])]
    ap = [metrics.average_precision_score(truth[label == k], score[label == k]) for k in np.unique(label) if truth[label == k].any()]
    expected["roc_auc_macro"] = float(np.mean(auc)) if auc else None
    expected["roc_auc_micro"] = float(metrics.roc_auc_score(truth, score)) if both(truth) else None
    expected["average_precision_macro"] = float(np.mean(ap)) if ap else None
    expected["average_precision_micro"] = float(metrics.average_precision_score(truth, score)) if truth.any() else None
    expected["brier"] = float(np.mean((truth - score) ** 2))
    expected["log_loss"] = float(metrics.log_loss(truth, np.clip(score, 1e-15, 1 - 1e-15), labels=[False, True]))
    expected["ece"] = equal_width_error(truth, score)
    expected["ece_equal_mass"] = equal_mass_error(truth, score)
    if single:
        expected["multi_class"] = multi_class(rows)

    widths = {tuple(r["labels"]) for r in rows}
    if len(widths) == 1 and len(rows[0]["labels"]) > 1:
        t = np.stack([r["truth"] for r in rows])
        s = np.stack([r["scores"] for r in rows])
        p = s >= np.array([label_thresholds.get(int(k), threshold) for k in rows[0]["labels"]], np.float32)
        ours = expected["at_default"]
        for average in ["micro", "macro"]:
            theirs = metrics.precision_recall_fscore_support(t, p, average=average, zero_division=0)[:3]
            assert np.allclose(ours[average], theirs), (name, average)
        assert np.isclose(ours["hamming_loss"], metrics.hamming_loss(t, p))
        assert np.isclose(ours["exact_match"], metrics.accuracy_score(t, p))
        assert np.isclose(expected["lrap"], metrics.label_ranking_average_precision_score(t, s))
        if all(both(column) for column in t.T):
            assert np.isclose(expected["roc_auc_macro"], metrics.roc_auc_score(t, s, average="macro"))
            assert np.isclose(expected["average_precision_macro"], metrics.average_precision_score(t, s, average="macro"))

    return {
        "name": name,
        "threshold": threshold,
        "label_thresholds": {str(k): v for k, v in label_thresholds.items()},
        "rows": [{"labels": r["labels"].tolist(), "scores": [float(x) for x in r["scores"]], "truth": r["truth"].tolist()} for r in rows],
        "expected": expected,
    }


def rectangle(scores, truth):
    return [{"labels": list(range(len(s))), "scores": s, "truth": t} for s, t in zip(scores, truth)]


def cases(rng):
    def noisy(truth, spread):
        logit = 2.5 * truth - 1.5 + rng.normal(0, spread, truth.shape)
        return (1 / (1 + np.exp(-logit))).astype(np.float32)

    truth = rng.random((60, 12)) < 0.2
    yield case("no ties", rectangle(noisy(truth, 1.5), truth), 0.5)

    truth = rng.random((40, 7)) < 0.3
    yield case("many ties", rectangle(np.round(noisy(truth, 1.5) * 8) / 8, truth), 0.5)

    truth = rng.random((30, 6)) < 0.3
    truth[:8] = False
    truth[8:11] = True
    yield case("rows with no label and rows with all", rectangle(np.round(noisy(truth, 2) * 32) / 32, truth), 0.375)

    truth = rng.random((25, 6)) < 0.3
    truth[:, 0], truth[:, 1] = False, True
    yield case("labels never and always true", rectangle(noisy(truth, 1), truth), 0.5, {0: 0.9, 1: 0.0, 4: 0.25})

    truth = rng.random((20, 5)) < 0.3
    yield case("nothing is predicted", rectangle(noisy(truth, 1) * np.float32(0.25), truth), 0.5)

    truth = rng.random((12, 5)) < 0.4
    yield case("all scores are equal", rectangle(np.full(truth.shape, 0.5), truth), 0.5)

    yield case("no label is ever true", rectangle(noisy(np.zeros((9, 4), bool), 1), np.zeros((9, 4), bool)), 0.5)

    spaces = [[0, 1, 2, 3], [2, 3, 4, 5, 6, 7, 8], [9], [8, 1, 10]]
    rows = []
    for i in range(80):
        labels = spaces[rng.integers(len(spaces))]
        truth = rng.random(len(labels)) < 0.3
        scores = noisy(truth, 1.5)
        rows.append({"labels": labels, "scores": scores if i % 2 else np.round(scores * 16) / 16, "truth": truth})
    yield case("each site has its own labels", rows, 0.5)

    gold = rng.integers(0, 9, 90)
    gold[gold == 7] = 3  # A label that is never right, but may be predicted.
    truth = np.eye(9, dtype=bool)[gold]
    logit = 2.0 * truth + rng.normal(0, 1.2, truth.shape)
    scores = np.exp(logit) / np.exp(logit).sum(1, keepdims=True)
    yield case("labels exclude each other", rectangle(scores, truth), 0.5, single=True)


def logistic(rng):
    """Weighted, penalised logistic regression on three cosines, as the calibrator fits it."""
    n = 400
    joint = rng.uniform(-0.6, 0.9, n).astype(np.float32)
    embed = (0.5 * joint + rng.normal(0, 0.2, n)).astype(np.float32)
    tokens = (0.3 * joint + rng.normal(0.3, 0.1, n)).astype(np.float32)
    odds = 6 * joint.astype(float) + 3 * embed + 4 * tokens - 3
    positive = rng.random(n) < 1 / (1 + np.exp(-odds))
    weight = rng.choice([0.25, 0.5, 1.0], n).astype(np.float32)
    fits = []
    for ridge in [0.001, 1.0, 10.0]:
        model = LogisticRegression(C=1 / ridge, solver="newton-cholesky", tol=1e-12, max_iter=1000)
        x = np.stack([joint, embed, tokens], 1).astype(np.float64)
        model.fit(x, positive, sample_weight=weight)
        p = model.predict_proba(x)[:, 1]
        fits.append({
            "ridge": ridge,
            "joint": float(model.coef_[0, 0]),
            "embed": float(model.coef_[0, 1]),
            "tokens": float(model.coef_[0, 2]),
            "bias": float(model.intercept_[0]),
            "log_loss": float(metrics.log_loss(positive, p, sample_weight=weight)),
        })
    return {
        "joint": [float(x) for x in joint],
        "embed": [float(x) for x in embed],
        "tokens": [float(x) for x in tokens],
        "positive": positive.tolist(),
        "weight": [float(x) for x in weight],
        "fits": fits,
    }


def main():
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(20260801)
    with open(out / "metrics.json", "w") as file:
        lines = [json.dumps(c, separators=(",", ":")) for c in cases(rng)]
        file.write("[\n" + ",\n".join(lines) + "\n]\n")
    with open(out / "logistic.json", "w") as file:
        json.dump(logistic(rng), file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
