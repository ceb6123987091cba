"""Golden cases for random configs: what transformers computes of tiny random checkpoints.

Input: the tokenizers of tests/fixtures/parity, a range of seeds, the program.
Output: a line a seed, with the stages that `gliznet model verify` says are out of tolerance; the
folders of those stay.
Invariant: a seed makes the same checkpoint; isolated labels and their positions are given to
transformers' modules, row by row, without padding.
Ignorance: writes nothing into the repository.

    python train/reference/odd_configs.py target/release/gliznet OUT 0 200
"""

import argparse
import json
import random
import shutil
import subprocess
from pathlib import Path

import torch
import torch.nn.functional as F
import transformers
from export_fixtures import PARITY, case, numbers, run
from reference_model import Model, Vocabulary, pad
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModel
from transformers.models.deberta_v2.modeling_deberta_v2 import make_log_bucket_position

GIVEN = {
    "bert": "bert-cosine-proj",
    "modernbert": "modernbert-cosine-proj",
    "deberta-v2": "deberta-v2-cosine-proj",
}
ACTIVATIONS = ["gelu", "gelu", "gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "silu"]
WORDS = "the late train to 東京 was cancelled because rain flooded tracks 🚀 Straße don't 3.14".split()
LABELS = ["travel", "weather report", "Überraschung", "🚀 space", "C++", "climate change and policy"]


class Library:
    """transformers' module for any positions and any mask."""

    def __init__(self, config):
        config = AutoConfig.for_model(**config)
        self.module = AutoModel.from_config(config, attn_implementation="eager").eval()

    def __call__(self, weights, config, batch):
        rows, length = [], batch.ids.shape[1]
        for row, count in enumerate(batch.mask.sum(1).tolist()):
            ids, positions = batch.ids[row, None, :count], batch.positions[row, None, :count]
            states = self.row(weights, ids, positions, batch.allowed[row, None, :count, :count])
            rows.append(F.pad(states, (0, 0, 0, length - count)))
        return torch.cat(rows)

    def row(self, weights, ids, positions, allowed):
        def added(allowed):
            closed = torch.finfo(torch.float32).min
            return torch.zeros(allowed.shape).masked_fill(~allowed, closed)[:, None]

        config, inputs = self.module.config, {"input_ids": ids, "position_ids": positions}
        distances = positions[:, :, None] - positions[:, None]
        if config.model_type == "deberta-v2":
            return self.deberta(weights, inputs, distances, allowed)
        mask = added(allowed)
        if config.model_type == "modernbert":
            near = distances.abs() <= config.local_attention // 2
            mask = {"full_attention": mask, "sliding_attention": added(allowed & near)}
        inputs |= {"attention_mask": mask}
        return torch.func.functional_call(self.module, weights, (), inputs).last_hidden_state

    def deberta(self, weights, inputs, distances, allowed):
        def call(part, *arguments, **named):
            own = {k.removeprefix(f"{part}."): v for k, v in weights.items() if k.startswith(part)}
            return torch.func.functional_call(getattr(self.module, part), own, arguments, named)

        encoder = self.module.encoder
        if encoder.relative_attention and encoder.position_buckets > 0:
            sizes = encoder.position_buckets, encoder.max_relative_positions
            distances = make_log_bucket_position(distances, *sizes).long()
        states = call("embeddings", **inputs)
        return call("encoder", states, allowed.long(), relative_pos=distances).last_hidden_state


def backbone(rng, kind):
    heads, dim, layers = rng.choice([1, 2, 4]), rng.choice([8, 10, 16]), rng.choice([1, 2, 4])
    config = {
        "model_type": kind,
        "vocab_size": 2001 + rng.choice([0, 6]),
        "hidden_size": heads * dim,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": rng.choice([17, 48, 64]),
        "max_position_embeddings": rng.choice([512, 640]),
    }
    activation, epsilon = rng.choice(ACTIVATIONS), rng.choice([1e-12, 1e-7, 1e-5, 1e-2])
    if kind == "modernbert":
        config |= {"hidden_activation": activation, "norm_eps": epsilon, "pad_token_id": 3}
        biases = ("norm_bias", "attention_bias", "mlp_bias")
        config |= {bias: rng.random() < 0.4 for bias in biases}
        config |= {"local_attention": rng.choice([1, 7, 16, 128])}
        config |= {"global_attn_every_n_layers": rng.choice([1, 2, 3])}
        for key in ("global_rope_theta", "local_rope_theta"):
            config |= {key: rng.choice([1e4, 3e3, 1.6e5])} if rng.random() < 0.5 else {}
        return config
    config |= {"hidden_act": activation, "layer_norm_eps": epsilon, "pad_token_id": 0}
    if kind == "bert":
        return config | {"type_vocab_size": rng.choice([1, 2, 3])}
    kinds = [["p2c", "c2p"], ["c2p"], ["p2c"], "c2p|p2c", None]
    return config | {
        "type_vocab_size": rng.choice([0, 2]),
        "relative_attention": rng.random() < 0.8,
        "max_relative_positions": rng.choice([-1, 512]),
        "position_buckets": rng.choice([-1, 7, 32, 256]),
        "norm_rel_ebd": rng.choice(["none", "layer_norm"]),
        "share_att_key": rng.random() < 0.6,
        "position_biased_input": rng.random() < 0.4,
        "pos_att_type": rng.choice(kinds),
        "embedding_size": rng.choice([config["hidden_size"], 24]),
    }


def checkpoint(rng, kind):
    config = json.loads((PARITY / GIVEN[kind] / "config.json").read_text())
    layout = rng.choice([{}, {"label_attention": "full"}, {"label_attention": "isolated"}])
    return config | {
        **({"input_layout": "lab_prefix"} | layout if layout else {}),
        "backbone_config": backbone(rng, kind),
        "similarity_metric": rng.choice(["cosine", "cosine", "dot", "bilinear"]),
        "use_projection_layernorm": rng.random() < 0.6,
        "use_lab_token_for_labels": rng.random() < 0.4,
        "projected_dim": rng.choice([None, 13, 24]),
        "supcon_loss_weight": rng.choice([1.0, 0.3, 0.0]),
        "label_repulsion_weight": rng.choice([0.1, 1.0, 0.0]),
        "bce_loss_weight": rng.choice([1.0, 2.5, 0.0]),
        "repulsion_threshold": rng.choice([0.3, 0.0, 0.9]),
    }


def random_weights(rng, config, library, seed):
    shapes = {f"backbone.{k}": v.shape for k, v in library.module.state_dict().items()}
    hidden = size = config["backbone_config"]["hidden_size"]
    if config["use_projection_layernorm"]:
        size = config["projected_dim"] or hidden
        for which in ("text", "label"):
            name = f"aggregator.{which}_projector"
            shapes |= {f"{name}.0.weight": (size, hidden), f"{name}.0.bias": (size,)}
            shapes |= {f"{name}.1.weight": (size,), f"{name}.1.bias": (size,)}
    name = "aggregator.similarity_head"
    if config["similarity_metric"] != "cosine":
        between = (1, size) if config["similarity_metric"] == "dot" else (1, size, size)
        shapes |= {f"{name}.classifier.weight": between, f"{name}.classifier.bias": (1,)}
    generator, spread = torch.Generator().manual_seed(seed), rng.choice([0.05, 0.1, 0.2])
    weights = {}
    for key, shape in sorted(shapes.items()):
        noise = torch.randn(shape, generator=generator)
        is_scale = len(shape) == 1 and not key.endswith("bias")
        weights[key] = 1 + noise * 0.16 if is_scale else noise * spread
    weights[f"{name}.logit_scale"] = torch.tensor(rng.choice([1.9, 0.3, 4.0, -1.0]))
    weights["loss_fn.bce_scale"] = torch.tensor(rng.choice([1.3, -1.3, 0.05, 12.0]))
    return weights


def batch(rng, model, vocabulary):
    # Repulsion is a mean over pairs: without one PyTorch says NaN.
    counts = [4, rng.choice([1, 2, 4]), rng.choice([1, 2])]
    examples = [(some(rng, WORDS, rng.choice([2, 9, 30])), some_labels(rng, n)) for n in counts]
    rows = [run(model, vocabulary, text, labels)[0] for text, labels in examples]
    targets = [[float(i == 0 or rng.random() < 0.3) for i in range(n)] for n in counts]
    targets = [row + [-100.0] * (max(counts) - len(row)) for row in targets]
    padded = pad(rows, vocabulary.pad, model.isolated)
    output, losses, gradients = model.gradients(padded, torch.tensor(targets))
    return {
        "examples": examples,
        "targets": targets,
        "logits": numbers(output.logits),
        **{name: value.item() for name, value in losses.items()},
        "gradients": {
            name: {"norm": gradient.norm().item(), "head": gradient.flatten()[:8].tolist()}
            for name, gradient in gradients.items()
        },
    }


def some(rng, words, count):
    return " ".join(rng.choice(words) for _ in range(count))


def some_labels(rng, count):
    return [rng.choice(LABELS) for _ in range(count)]


def write(folder, seed):
    rng = random.Random(seed)
    kind = rng.choice(list(GIVEN))
    config = checkpoint(rng, kind)
    library = Library(config["backbone_config"])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(PARITY / GIVEN[kind] / name, folder / name)
    dtype = rng.choice([torch.float32, torch.float32, torch.float16, torch.bfloat16])
    weights = random_weights(rng, config, library, seed)
    save_file({k: v.to(dtype) for k, v in weights.items()}, folder / "model.safetensors")
    model, vocabulary = Model.load(folder, library), Vocabulary(folder)
    long = 120 if "input_layout" in config else 700
    sizes = ((12, 4), (0, 2), (long, 3), (3, 20))
    texts = [(some(rng, WORDS, n), some_labels(rng, k)) for n, k in sizes]
    with torch.no_grad():
        cases = [case(model, vocabulary, *text) for text in texts]
    golden = {"cases": cases, "batches": {"ragged": batch(rng, model, vocabulary)}}
    (folder / "cases.json").write_text(json.dumps(golden, ensure_ascii=False))
    return f"{kind}, {config.get('label_attention', 'reference')}, {config['similarity_metric']}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("first", type=int)
    parser.add_argument("end", type=int)
    arguments = parser.parse_args()
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    for seed in range(arguments.first, arguments.end):
        folder = arguments.out / str(seed)
        what = write(folder, seed)
        command = [arguments.program.resolve(), "model", "verify", folder]
        said = subprocess.run(command, capture_output=True, text=True)
        if said.returncode == 0:
            shutil.rmtree(folder)
            continue
        lines = [line for line in said.stdout.splitlines() if line.startswith("FAILED")]
        print(f"{seed} ({what})", *(lines or [said.stderr]), sep="\n  ", flush=True)


if __name__ == "__main__":
    main()
