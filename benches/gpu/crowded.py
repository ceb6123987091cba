"""Tagging while another program holds nearly all of the GPU's memory.

Input: the work folder of `benches/gpu.sh`. Output: a line for each amount of memory left: how often
a batch was halved, and how far scores are from those of the empty GPU.
"""

import json
import subprocess
import sys
from pathlib import Path

import torch

LEFT = (3000, 1600, 1200, 900)


def tag(work, notes):
    command = [work / "gliznet", "-v", "tag", notes, "--model", work / "minilm", "--device", "cuda"]
    command += ["--labelset", "personal-notes", "--all", "--format", "jsonl"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def scores(text):
    rows = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return {(row["path"], tag["label"]): tag["score"] for row in rows for tag in row["tags"]}


def furthest(some, others):
    if not some or some.keys() != others.keys():
        return "other answers"
    return f"scores differ by at most {max(abs(some[key] - others[key]) for key in some):.1e}"


def main():
    if not torch.cuda.is_available():
        print("no GPU")
        return
    work = Path(sys.argv[1])
    notes = work / "notes"
    notes.mkdir(exist_ok=True)
    source = Path("examples/notes/a-year-of-repairing-things.md").read_text().split()
    for number in range(32):
        (notes / f"{number}.md").write_text(" ".join((source * 2)[number * 37 :][:330]) + "\n")
    alone = tag(work, notes)
    print(f"alone: {len(scores(alone.stdout))} scores, {alone.stderr.count('is halved')} halvings")
    for left in LEFT:
        free = torch.cuda.mem_get_info()[0]
        held = torch.empty(max(free - (left << 20), 0), dtype=torch.uint8, device="cuda")
        crowded = tag(work, notes)
        halvings = crowded.stderr.count("is halved")
        same = furthest(scores(alone.stdout), scores(crowded.stdout))
        print(f"{left} MiB left: rc {crowded.returncode}, {halvings} halvings, {same}")
        if crowded.returncode:
            print("   ", *crowded.stderr.strip().splitlines()[-1:])
        del held
        torch.cuda.empty_cache()


main()
