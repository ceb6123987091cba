"""The contest's figures as a section of `docs/performance.md`.

    report.py FIGURES.json PERFORMANCE.md

Input: what `contest.py` wrote. Output: the text between two marks of the page, anew; and on
standard output which targets are met.
"""

import datetime
import json
import sys
from pathlib import Path

BEGIN, END = "<!-- benches/compare -->", "<!-- /benches/compare -->"
WEIGHTS = 91  # MB of the bundled model in float32


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    return lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows]


def milliseconds(x):
    return f"{1e3 * x:,.1f}" if x < 0.1 else f"{1e3 * x:,.0f}"


def single_notes(a, goals):
    rows = []
    for words, times in a.items():
        ours = min(t["p50"] for who, t in times.items() if who.startswith("ours"))
        theirs = min(t["p50"] for who, t in times.items() if who.startswith("ONNX"))
        goals.append((f"single note of {words} words, ours / ONNX Runtime, best of each", ours / theirs, "≤ 1.0", "≤ 0.7"))
        cells = [f"{milliseconds(t['p50'])} / {milliseconds(t['p99'])}" for t in times.values()]
        rows.append([words, *cells, f"{ours / theirs:.2f}"])
    names = list(next(iter(a.values())))
    return ["", "A single note with 30 labels, milliseconds, p50 / p99:", ""] + table(
        ["words", *names, "ours / ONNX Runtime, best of each"], rows
    )


def many_notes(b, goals):
    rates = b["rates"]
    for precision in ("f32", "int8"):
        ratio = rates[f"ours {precision}"] / rates[f"ONNX Runtime {precision}"]
        goals.append((f"notes per second, ours {precision} / ONNX Runtime {precision}", ratio, "≥ 1.0", "≥ 1.5"))
    goals.append(("share of the product's peak in float32", b["share"], "≥ 0.5", "≥ 0.7"))
    best = {who: f"{b['batches'][who]} (best of 1, 4, 8)" for who in b["batches"]}
    rows = [
        [who, f"{rate:.2f}", f"{rate * b['tokens'] / b['notes']:,.0f}", f"{rates['ours f32'] / rate:.2f}", best.get(who, "2,048 tokens")]
        for who, rate in rates.items()
    ]
    return [
        "",
        f"{b['notes']} real notes with 30 labels, {b['sequences']} windows of {b['tokens'] / b['sequences']:.0f} tokens, the labels of each first one included:",
        "",
        *table(["", "notes/s", "tokens/s", "ours f32 is faster by", "batch"], rows),
        "",
        f"A large float32 product reached {b['peak'] / 1e9:.0f} Gflop/s beside it; our float32 engine used {100 * b['share']:.0f} % of that.",
    ]


def many_labels(c, goals):
    for who in ("ours f32", "ours int8"):
        goals.append((f"1,000 labels / 20 labels, {who}", c[who]["1000"] / c[who]["20"], "≤ 12", "≤ 6"))
    cross = c["one pass a label"]["20"] / min(c["ours f32"]["20"], c["ours int8"]["20"])
    goals.append(("20 labels, one pass a label / ours", cross, "≥ 10", "≥ 25"))
    rows = [[who, *(milliseconds(t[n]) if n in t else "" for n in ("20", "100", "1000"))] for who, t in c.items()]
    return ["", "A note of 250 words with more and more labels, milliseconds:", ""] + table(
        ["", "20 labels", "100", "1,000"], rows
    )


def whole_command(d, goals):
    rows = []
    for precision, of in d.items():
        peak = of["thousand"]["bytes"] / 1e6
        goals.append((f"peak memory beyond the weights, MB, {precision}", peak - WEIGHTS, "≤ 200", "≤ 100"))
        rows.append([precision, f"{of['thousand']['seconds']:.0f} s", f"{peak:.0f} MB", f"{of['one']['seconds']:.2f} s", f"{of['one']['bytes'] / 1e6:.0f} MB"])
    return ["", "`gliznet tag` on a folder, from a cold start:", ""] + table(
        ["precision", "1,000 notes", "peak", "one short note", "peak"], rows
    )


def met(ratio, bound):
    value = float(bound.split()[1])
    return ratio <= value if bound.startswith("≤") else ratio >= value


def main():
    figures, page = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    goals = []
    day = datetime.date.today()
    versions = ", ".join(f"{name} {version}" for name, version in figures["versions"].items())
    far = ", ".join(f"{who} {x:.1e}" for who, x in figures["distance"].items())
    lines = [
        f"Seen on {day}: {figures['processor']}, {figures['threads']} threads; {versions}.",
        "All run the same sequences by turns; ours starts from text, the peers from padded arrays.",
        f"Largest distance of a cosine to our float32: {far}.",
    ]
    parts = {"a": single_notes, "b": many_notes, "c": many_labels, "d": whole_command}
    for name, write in parts.items():
        if name in figures:
            lines += write(figures[name], goals)
    rows = [
        [what, f"{ratio:.2f}", must, "yes" if met(ratio, must) else "**no**", goal, "yes" if met(ratio, goal) else "no"]
        for what, ratio, must, goal in goals
    ]
    lines += ["", *table(["target", "seen", "must", "met", "goal", "met"], rows)]
    text = page.read_text()
    before, rest = text.split(BEGIN)
    page.write_text(f"{before}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{rest.split(END)[1]}")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
