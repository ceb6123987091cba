"""Runs our engine and its peers on the same sequences, by turns, and tells medians.

Input: the Rust side's program and command, a checkpoint, evaluation notes. Output: figures as JSON.
Invariant: no figure is taken before all float32 contestants agree on every cosine; contestants
take turns on every piece of work; all have the same number of threads.
Ours starts from text and ends with calibrated scores; the peers get padded arrays that were made
before the clock started, and end with cosines: what is not the model is in our time alone.
"""

import argparse
import gzip
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy
import onnxruntime
import torch

import twin

NOTE_WORDS = (60, 250, 900)
LABEL_COUNTS = (20, 100, 1000)
BATCHES = (1, 4, 8)
AGREEMENT = 1e-3


class Ours:
    """The Rust side, asked line by line."""

    def __init__(self, program, threads):
        environment = os.environ | {"RAYON_NUM_THREADS": str(threads)}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([program], stdin=pipe, stdout=pipe, env=environment, text=True)

    def ask(self, **question):
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit("our side ended; its error is above")
        return json.loads(line)


class Onnx:
    def __init__(self, path, threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self.session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])

    def run(self, inputs):
        return self.session.run(None, inputs)[0]


class Torch:
    def __init__(self, folder):
        self.model = twin.Twin(folder, fused=True).eval()

    @torch.inference_mode()
    def run(self, inputs):
        return self.model(*(torch.from_numpy(x) for x in inputs.values())).numpy()


def batches(sequences, size):
    order = sorted(range(len(sequences)), key=lambda i: -len(sequences[i]["ids"]))
    chosen = [order[i : i + size] for i in range(0, len(order), size)]
    return [[sequences[i] for i in rows] for rows in chosen]


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def distance(peer, sequences):
    worst = 0.0
    for group in batches(sequences, 4):
        for got, sequence in zip(peer.run(twin.batch(group)), group):
            want = numpy.array(sequence["cosines"])
            if not len(want):
                continue
            worst = max(worst, float(abs(got[: len(want)] - want).max()))
    return worst


def best_batch(peer, sequences):
    """The batch size at which a peer is fastest, on a few of the sequences."""
    times = {}
    for size in BATCHES:
        ready = [twin.batch(group) for group in batches(sequences, size)]
        peer.run(ready[-1])  # The first run of a shape is slow.
        times[size] = seconds(lambda: [peer.run(inputs) for inputs in ready])
    return min(times, key=times.get)


def percentile(times, share):
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def latencies(ours, peers, rounds):
    """(a): one note at a time."""
    table = {}
    for words in NOTE_WORDS:
        name = f"note of {words} words"
        ready = [twin.batch([s]) for s in ours.ask(sequences=name)]
        times = {who: [] for who in ("ours f32", "ours int8", *peers)}
        for number in range(rounds + 2):
            for who in times:
                if who.startswith("ours"):
                    precision = who.split()[1]
                    answer = ours.ask(score=name, precision=precision, **{"from": 0, "to": 1})
                    taken = answer["seconds"]
                else:
                    taken = seconds(lambda: [peers[who].run(inputs) for inputs in ready])
                if number >= 2:
                    times[who].append(taken)
        table[words] = {
            who: {"p50": statistics.median(own), "p99": percentile(own, 0.99)}
            for who, own in times.items()
        }
    return table


def throughput(ours, peers, sizes, notes, piece, torch_every):
    """(b): many notes; each contestant does a piece before the next piece begins."""
    sequences = ours.ask(sequences="notes")
    times, work, flops, peaks = {}, {}, 0.0, []
    for number, start in enumerate(range(0, notes, piece)):
        end = min(notes, start + piece)
        own = [s for s in sequences if start <= s["text"] < end]
        own_flops = sum(map(floating, own))
        flops += own_flops
        for precision in ("f32", "int8"):
            who = f"ours {precision}"
            answer = ours.ask(score="notes", precision=precision, **{"from": start, "to": end})
            times[who] = times.get(who, 0.0) + answer["seconds"]
            work[who] = work.get(who, 0) + end - start
        for who, peer in peers.items():
            if who == "PyTorch f32" and number % torch_every:
                continue
            ready = [twin.batch(group) for group in batches(own, sizes[who])]
            taken = seconds(lambda: [peer.run(inputs) for inputs in ready])
            times[who] = times.get(who, 0.0) + taken
            work[who] = work.get(who, 0) + end - start
        peaks.append(product_peak(ours))
    rates = {who: work[who] / times[who] for who in times}
    peak = statistics.median(peaks)
    return {
        "notes": notes,
        "sequences": len(sequences),
        "tokens": sum(len(s["ids"]) for s in sequences),
        "rates": rates,
        "batches": sizes,
        "peak": peak,
        "share": flops / times["ours f32"] / peak,
    }


def product_peak(ours):
    """Floating-point operations a second of a large product: the better of two libraries."""
    n = 1536
    a, b = torch.rand(n, n), torch.rand(n, n)
    best = max(2 * n**3 / seconds(lambda: a @ b) for _ in range(4))
    return max(best, *(ours.ask(product=n)["flops"] for _ in range(2)))


def floating(sequence, hidden=384, inner=1536, layers=6):
    """Operations of the products of one sequence: nothing that a mask closes is counted."""
    tokens = len(sequence["ids"])
    shared = sequence["segments"].count(0)
    own = {}
    for segment in sequence["segments"]:
        own[segment] = own.get(segment, 0) + 1
    scores = tokens * shared + sum(n * n for segment, n in own.items() if segment)
    linear = tokens * hidden * (4 * hidden + 2 * inner)
    return 2 * layers * (linear + 2 * scores * hidden)


def label_counts(ours, peers, rounds):
    """(c): more and more labels on one note; a cross-encoder with 20."""
    times = {}
    ready = {n: [twin.batch([s]) for s in ours.ask(sequences=f"{n} labels")] for n in LABEL_COUNTS}
    for number in range(rounds + 1):
        for n in LABEL_COUNTS:
            for precision in ("f32", "int8"):
                name = f"{n} labels"
                answer = ours.ask(score=name, precision=precision, **{"from": 0, "to": 1})
                times.setdefault((f"ours {precision}", n), []).append(answer["seconds"])
            for who in ("ONNX Runtime f32", "ONNX Runtime int8"):
                if n == 1000 and number > 1:
                    continue
                taken = seconds(lambda: [peers[who].run(inputs) for inputs in ready[n]])
                times.setdefault((who, n), []).append(taken)
        answer = ours.ask(cross="20 labels", text=0)
        times.setdefault(("one pass a label", 20), []).append(answer["seconds"])
    table = {}
    for (who, n), own in times.items():
        table.setdefault(who, {})[n] = statistics.median(own[1:] or own)
    return table


LAUNCHER = """
import resource, subprocess, sys, time
start = time.perf_counter()
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def whole_command(program, notes, threads, precision):
    """(d): `gliznet tag` on a folder, from a cold start: seconds, and bytes at the peak."""
    with tempfile.TemporaryDirectory() as folder:
        for number, note in enumerate(notes):
            (Path(folder) / f"{number:04}.md").write_text(note)
        command = [program, "tag", folder, "--labelset", "personal-notes"]
        command += ["--threads", str(threads), "--precision", precision]
        kinds = ("CONFIG", "DATA", "CACHE")
        environment = os.environ | {f"GLIZNET_{kind}_DIR": f"{folder}/.{kind}" for kind in kinds}
        # A process begins with the peak of the one that starts it, which is gigabytes here.
        launched = subprocess.run(
            [sys.executable, "-c", LAUNCHER, *command], env=environment, capture_output=True, text=True
        )
        if launched.returncode:
            sys.exit(f"{command}: {launched.stderr[-2000:]}")
        seconds, kilobytes = launched.stdout.split()
        return {"seconds": float(seconds), "bytes": int(kilobytes) * 1024}


def texts(path):
    rows = [json.loads(line) for line in gzip.open(path)]
    return [row["text"] for row in rows]


def make_workloads(ours, notes, labels, n_notes):
    for words in NOTE_WORDS:
        together = " ".join(notes).split()
        name, text = f"note of {words} words", " ".join(together[1000 : 1000 + words])
        ours.ask(workload=name, texts=[text], labels=labels[:30])
    ours.ask(workload="notes", texts=notes[:n_notes], labels=labels[:30])
    # A large vocabulary: the labels themselves, then words of the notes, alone and in pairs.
    words = sorted({w.lower() for note in notes for w in note.split() if w.isalpha() and len(w) > 4})
    random.Random(2).shuffle(words)
    pairs = [" ".join(pair) for pair in zip(words[700::2], words[701::2])]
    many = list(dict.fromkeys(labels + words[:700] + pairs))
    text = " ".join(" ".join(notes).split()[1000:1250])
    for n in LABEL_COUNTS:
        ours.ask(workload=f"{n} labels", texts=[text], labels=many[:n])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--compare", required=True, help="the benchmark's program")
    parser.add_argument("--gliznet", required=True, help="the command")
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--notes", type=Path, required=True, help="rows of texts, gzipped JSON Lines")
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--n-notes", type=int, default=500)
    parser.add_argument("--n-folder", type=int, default=1000, help="notes of the whole command")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--parts", default="abcd", help="which workloads")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    args.work.mkdir(parents=True, exist_ok=True)
    if not (args.work / "int8.onnx").exists():
        twin.export(args.checkpoint, args.work)
    notes, labels = texts(args.notes), json.loads(args.labels.read_text())
    random.Random(1).shuffle(notes)
    ours = Ours(args.compare, args.threads)
    make_workloads(ours, notes, labels, args.n_notes)
    peers = {
        "ONNX Runtime f32": Onnx(args.work / "float.onnx", args.threads),
        "ONNX Runtime int8": Onnx(args.work / "int8.onnx", args.threads),
        "PyTorch f32": Torch(args.checkpoint),
    }

    compared = [s for n in NOTE_WORDS for s in ours.ask(sequences=f"note of {n} words")]
    compared += ours.ask(sequences="100 labels")
    far = {who: distance(peer, compared) for who, peer in peers.items()}
    print("largest distance of a cosine to our float32:", far, flush=True)
    for who in ("ONNX Runtime f32", "PyTorch f32"):
        if far[who] > AGREEMENT:
            sys.exit(f"{who} is {far[who]:.1e} off, more than {AGREEMENT}: no race")

    # What was measured before and is not measured now stays.
    figures = json.loads(args.out.read_text()) if args.out.exists() else {}
    figures |= {
        "threads": args.threads,
        "processor": processor(),
        "versions": {
            "ONNX Runtime": onnxruntime.__version__,
            "PyTorch": torch.__version__,
            "Python": platform.python_version(),
        },
        "distance": far,
    }
    def keep(part, value):
        figures[part] = value
        args.out.write_text(json.dumps(figures, indent=1))

    if "b" in args.parts:
        few = ours.ask(sequences="notes")[:: max(1, args.n_notes // 6)][:8]  # Of all lengths.
        sizes = {who: best_batch(peer, few) for who, peer in peers.items()}
        keep("b", throughput(ours, peers, sizes, args.n_notes, 20, 4))
    if "a" in args.parts:
        keep("a", latencies(ours, peers, args.rounds))
    if "c" in args.parts:
        keep("c", label_counts(ours, peers, max(2, args.rounds // 4)))
    if "d" in args.parts:
        many = (notes * 2)[: args.n_folder]
        of = {}
        for precision in ("f32", "int8"):
            of[precision] = {
                "one": whole_command(args.gliznet, [notes[0][:200]], args.threads, precision),
                "thousand": whole_command(args.gliznet, many, args.threads, precision),
            }
            keep("d", of)


def processor():
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    return names[0].split(":")[1].strip() if names else platform.processor()


if __name__ == "__main__":
    main()
