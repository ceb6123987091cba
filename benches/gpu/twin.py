"""The model alone in PyTorch, on the GPU, in the shapes that our own program ran.

Input: `minilm/` and `shapes.json` in the work folder. Output: a table of notes per second.
Invariant: what is computed is the encoder with the isolated mask, padded, by PyTorch's fused
attention, and the projected cosine of `[CLS]` and of every label; ids are random.
Ignorance: knows no texts. `train/reference` has the twin whose numbers are compared.
"""

import json
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

device = "cuda" if torch.cuda.is_available() else "cpu"


class Model:
    def __init__(self, folder, dtype):
        self.config = json.loads((folder / "config.json").read_text())["backbone_config"]
        self.dtype = dtype
        weights = load_file(folder / "model.safetensors", device=device)
        narrow = lambda name: "dense" in name or "attention.self" in name
        self.weights = {k: v.to(dtype if narrow(k) else torch.float32) for k, v in weights.items()}

    def linear(self, name, x):
        return F.linear(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def norm(self, name, x, eps):
        scale, shift = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return F.layer_norm(x.float(), (x.shape[-1],), scale, shift, eps).to(x.dtype)

    def heads(self, name, x):
        count = self.config["num_attention_heads"]
        return self.linear(name, x).view(*x.shape[:2], count, -1).transpose(1, 2)

    @torch.no_grad()
    def forward(self, ids, positions, mask, labels):
        get, eps = self.weights.__getitem__, self.config["layer_norm_eps"]
        root = "backbone.embeddings"
        x = F.embedding(ids, get(f"{root}.word_embeddings.weight"))
        x = x + F.embedding(positions, get(f"{root}.position_embeddings.weight"))
        x = x + get(f"{root}.token_type_embeddings.weight")[0]
        x = self.norm(f"{root}.LayerNorm", x, eps).to(self.dtype)
        for number in range(self.config["num_hidden_layers"]):
            at = f"backbone.encoder.layer.{number}"
            q, k, v = (self.heads(f"{at}.attention.self.{n}", x) for n in ("query", "key", "value"))
            seen = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
            seen = seen.transpose(1, 2).reshape(x.shape)
            x = self.norm(f"{at}.attention.output.LayerNorm", x + self.linear(f"{at}.attention.output.dense", seen), eps)
            inner = F.gelu(self.linear(f"{at}.intermediate.dense", x))
            x = self.norm(f"{at}.output.LayerNorm", x + self.linear(f"{at}.output.dense", inner), eps)
        x = x.float()
        project = lambda part, y: self.norm(f"aggregator.{part}_projector.1", self.linear(f"aggregator.{part}_projector.0", y), 1e-5)
        text = project("text", x[:, 0])
        label = torch.einsum("lt,bth->blh", labels, project("label", x))
        return F.cosine_similarity(text[:, None], label, dim=-1)


def inputs(config, shape, count, dtype):
    rows, tokens, text = shape
    segments = torch.zeros(tokens, dtype=torch.long)
    segments[text:] = 1 + torch.arange(tokens - text) * count // max(tokens - text, 1)
    positions = torch.arange(tokens).clamp(max=config["max_position_embeddings"] - 1)
    open_ = (segments[None] == 0) | (segments[None] == segments[:, None])
    mask = torch.zeros(tokens, tokens).masked_fill(~open_, -1e9).to(device, dtype)
    labels = (segments[None] == torch.arange(1, count + 1)[:, None]).float()
    labels = (labels / labels.sum(1, keepdim=True).clamp(min=1)).to(device)
    ids = torch.randint(1000, config["vocab_size"] - 1, (rows, tokens)).to(device)
    return ids, positions.expand(rows, -1).to(device), mask.expand(rows, 1, -1, -1), labels


def seconds(model, batches):
    def once():
        begin = time.perf_counter()
        for batch in batches:
            model.forward(*batch).cpu()
        return time.perf_counter() - begin

    once()
    times, begin = [], time.perf_counter()
    while len(times) < 3 or time.perf_counter() - begin < 1.0:
        times.append(once())
    return sorted(times)[len(times) // 2]


def main():
    work = Path(sys.argv[1])
    shapes = json.loads((work / "shapes.json").read_text())
    print(f"PyTorch {torch.__version__} on {torch.cuda.get_device_name() if device == 'cuda' else 'the processor'}")
    print("| precision | words | model alone |\n| --- | --- | --- |")
    for name, dtype in (("f32", torch.float32), ("tf32", torch.float32), ("bf16", torch.bfloat16)):
        torch.backends.cuda.matmul.allow_tf32 = name == "tf32"
        model = Model(work / "minilm", dtype)
        for load in shapes:
            batches = [inputs(model.config, shape, load["labels"], dtype) for shape in load["batches"]]
            print(f"| {name} | {load['words']} | {load['notes'] / seconds(model, batches):.0f} |", flush=True)


main()
