"""The tables of `benches/gpu.sh run`, from what its parts wrote.

    report.py parity FOLDER    every golden checkpoint and precision: the stages that came closest
    report.py table WORK       ours beside PyTorch

Input: reports of `gliznet model verify --json`; `speed.txt` and `twin.txt`.
"""

import json
import sys
from pathlib import Path


def parity(folder):
    failed, totals, places = 0, {}, set()
    for path in sorted(folder.glob("*.json")):
        name, precision = path.stem.rsplit(".", 1)
        said = Path(f"{path}.err").read_text().strip().splitlines()
        places.update(line for line in said if "the model runs on" in line)
        try:
            report = json.loads(path.read_text())
        except ValueError:
            failed += 1
            print(f"{name} {precision}: no report: {said[-1] if said else 'timed out'}")
            continue
        good, all_, worst = totals.get(precision, (0, 0, {}))
        for stage in report["stages"]:
            if stage["deviation"] is not None:
                worst[stage["name"]] = max(worst.get(stage["name"], 0.0), stage["deviation"])
        totals[precision] = (good + report["passed"], all_ + 1, worst)
        if not report["passed"]:
            failed += 1
            for stage in report["stages"]:
                if not stage["passed"]:
                    print(f"{name} {precision}: {stage['name']} {stage['deviation']} > {stage['tolerance']} at {stage['worst']}")
    for precision, (good, all_, worst) in totals.items():
        print(f"{precision}: {good} of {all_} checkpoints within tolerance; largest deviations:")
        print("   ", ", ".join(f"{name} {value:.1e}" for name, value in worst.items() if value))
    print(*sorted(places), sep="\n")
    print("parity:", "FAILED" if failed else "ok")


def cells(path):
    lines = path.read_text().splitlines() if path.exists() else []
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines if line.startswith("|")]
    return [row for row in rows if row[0] in ("f32", "tf32", "bf16")]


def table(work):
    twin = {(row[0], row[1]): row[2] for row in cells(work / "twin.txt")}
    print("| precision | words | notes/s | model alone | PyTorch alone | ours / PyTorch | one note, p50 | off by |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for precision, words, whole, alone, one, off in cells(work / "speed.txt"):
        theirs = twin.get((precision, words), "")
        ratio = f"{float(alone) / float(theirs):.2f}" if theirs else ""
        print(f"| {precision} | {words} | {whole} | {alone} | {theirs} | {ratio} | {one} | {off} |")


{"parity": parity, "table": table}[sys.argv[1]](Path(sys.argv[2]))
