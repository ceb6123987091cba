"""The bundled model in PyTorch, in a form that ONNX can hold: padded batches, isolated labels.

Input: the checkpoint's folder; ids, positions and segments as the Rust side lays them out, and
which tokens stand for each label. Output: cosines, `[row, label]`.
Invariant: weights of query, key and value are one matrix, as in the fastest engines.
Ignorance: knows no texts and no tokenizer.
"""

import json
from pathlib import Path

import numpy
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

PADDING = 2**31 - 1


class Twin(nn.Module):
    """`fused`: attention by PyTorch's own operation, which ONNX cannot hold as such."""

    def __init__(self, folder, fused):
        super().__init__()
        config = json.loads((Path(folder) / "config.json").read_text())["backbone_config"]
        weights = {k: v.float() for k, v in load_file(Path(folder) / "model.safetensors").items()}
        self.fused = fused
        self.hidden, self.heads = config["hidden_size"], config["num_attention_heads"]
        self.layers, self.eps = config["num_hidden_layers"], config["layer_norm_eps"]
        self.kept = nn.ParameterDict()
        root = "backbone.embeddings"
        types = weights[f"{root}.token_type_embeddings.weight"][0]
        self.keep("word", weights[f"{root}.word_embeddings.weight"])
        self.keep("position", weights[f"{root}.position_embeddings.weight"] + types)
        self.keep_norm("start", weights, f"{root}.LayerNorm")
        for number in range(self.layers):
            at = f"backbone.encoder.layer.{number}"
            parts = [f"{at}.attention.self.{part}" for part in ("query", "key", "value")]
            self.keep_linear(f"qkv{number}", weights, parts)
            self.keep_linear(f"attended{number}", weights, [f"{at}.attention.output.dense"])
            self.keep_linear(f"inner{number}", weights, [f"{at}.intermediate.dense"])
            self.keep_linear(f"outer{number}", weights, [f"{at}.output.dense"])
            self.keep_norm(f"middle{number}", weights, f"{at}.attention.output.LayerNorm")
            self.keep_norm(f"end{number}", weights, f"{at}.output.LayerNorm")
        for part in ("text", "label"):
            at = f"aggregator.{part}_projector"
            self.keep_linear(part, weights, [f"{at}.0"])
            self.keep_norm(f"{part}_norm", weights, f"{at}.1")

    def keep(self, name, tensor):
        self.kept[name] = nn.Parameter(tensor.contiguous(), requires_grad=False)

    def keep_linear(self, name, weights, parts):
        self.keep(f"{name}_weight", torch.cat([weights[f"{part}.weight"] for part in parts]).T)
        self.keep(f"{name}_bias", torch.cat([weights[f"{part}.bias"] for part in parts]))

    def keep_norm(self, name, weights, part):
        self.keep(f"{name}_scale", weights[f"{part}.weight"])
        self.keep(f"{name}_shift", weights[f"{part}.bias"])

    def linear(self, name, x):
        return x @ self.kept[f"{name}_weight"] + self.kept[f"{name}_bias"]

    def norm(self, name, x, eps):
        scale, shift = self.kept[f"{name}_scale"], self.kept[f"{name}_shift"]
        return F.layer_norm(x, (self.hidden,), scale, shift, eps)

    def attend(self, query, key, value, closed):
        if self.fused:
            return F.scaled_dot_product_attention(query, key, value, attn_mask=closed)
        scale = (self.hidden // self.heads) ** -0.5
        scores = (query * scale) @ key.transpose(-1, -2) + closed
        return scores.softmax(-1) @ value

    def forward(self, ids, positions, segments, shares):
        """`shares`, `[row, label, token]`: one over the number of a label's tokens, at each of them."""
        x = self.kept["word"][ids] + self.kept["position"][positions]
        x = self.norm("start", x, self.eps)
        query, key = segments[:, :, None], segments[:, None, :]
        closed = torch.where((key == 0) | (key == query), 0.0, -1e9)[:, None]
        rows, tokens, _ = x.shape
        for n in range(self.layers):
            parts = self.linear(f"qkv{n}", x)
            parts = parts.view(rows, tokens, 3, self.heads, self.hidden // self.heads)
            parts = parts.permute(2, 0, 3, 1, 4)
            seen = self.attend(parts[0], parts[1], parts[2], closed)
            seen = seen.transpose(1, 2).reshape(rows, tokens, self.hidden)
            x = self.norm(f"middle{n}", x + self.linear(f"attended{n}", seen), self.eps)
            inner = F.gelu(self.linear(f"inner{n}", x))
            x = self.norm(f"end{n}", x + self.linear(f"outer{n}", inner), self.eps)
        text = self.norm("text_norm", self.linear("text", x[:, 0]), 1e-5)
        labels = shares @ self.norm("label_norm", self.linear("label", x), 1e-5)
        return F.cosine_similarity(text[:, None], labels, dim=-1, eps=1e-12)


def batch(sequences):
    """Sequences of the Rust side as padded arrays; padding is a segment of its own.

    Later windows of a long text have no labels; one column of nothing stands there.
    """
    rows, tokens = len(sequences), max(len(s["ids"]) for s in sequences)
    labels = max(1, *(len(s["label_tokens"]) for s in sequences))
    ids, positions = (numpy.zeros((rows, tokens), numpy.int64) for _ in range(2))
    segments = numpy.full((rows, tokens), PADDING, numpy.int64)
    shares = numpy.zeros((rows, labels, tokens), numpy.float32)
    for row, sequence in enumerate(sequences):
        n = len(sequence["ids"])
        ids[row, :n] = sequence["ids"]
        positions[row, :n] = sequence["positions"]
        segments[row, :n] = sequence["segments"]
        for label, own in enumerate(sequence["label_tokens"]):
            shares[row, label, own] = 1 / len(own)
    return {"ids": ids, "positions": positions, "segments": segments, "shares": shares}


def export(folder, to):
    """Writes `float.onnx` and `int8.onnx` (ONNX Runtime's dynamic quantisation, a scale a column)."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    example = [
        {"ids": [1] * n, "positions": list(range(n)), "segments": [0] * n, "label_tokens": [[2], [3, 4]]}
        for n in (9, 7)
    ]
    inputs = batch(example)
    axes = {name: {0: "row", 1: "token"} for name in inputs}
    axes |= {"shares": {0: "row", 1: "label", 2: "token"}, "cosines": {0: "row", 1: "label"}}
    torch.onnx.export(
        Twin(folder, fused=False).eval(),
        tuple(torch.from_numpy(x) for x in inputs.values()),
        str(to / "float.onnx"),
        input_names=list(inputs),
        output_names=["cosines"],
        dynamic_axes=axes,
        opset_version=20,
        dynamo=False,
    )
    prepared = str(to / "prepared.onnx")
    quant_pre_process(str(to / "float.onnx"), prepared, skip_symbolic_shape=True)
    quantize_dynamic(prepared, str(to / "int8.onnx"), weight_type=QuantType.QInt8, per_channel=True)
