"""GliZNet in PyTorch, for reading side by side with the Rust code.

Input: checkpoint folders of either dialect; a text with its labels.
Output: token ids, hidden states, logits, losses, gradients.
Invariant: float32, no dropout; `library_encoder` is transformers' own module, `bert` and
`modernbert` are written here and take any positions and any mask.
Ignorance: knows nothing of golden cases; `export_fixtures` compares and writes.
"""

import json
import math
import sys
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModel

# ---------------------------------------------------------------------------
# Text to tokens


@dataclass
class Sequence:
    """One text with its labels, as ids. `lmask`: 0, or k at the tokens of label k (not its [LAB]).

    `segments`: 0 for the text, k for label k with its [LAB]; `positions`: where the encoder puts
    each token. Both are None in the reference dialect, which has ordinary positions.
    """

    ids: list
    lmask: list
    positions: list | None = None
    segments: list | None = None


class Vocabulary:
    """tokenizer.json with the four special ids that a sequence needs."""

    def __init__(self, folder, lab_id=None):
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        # A saved tokenizer may carry the padding and truncation of its training.
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        settings = json.loads((folder / "tokenizer_config.json").read_text())
        self.max_length = settings["model_max_length"]
        self.cls = self.tokenizer.token_to_id(settings["cls_token"])
        self.sep = self.tokenizer.token_to_id(settings["sep_token"])
        self.pad = self.tokenizer.token_to_id(settings["pad_token"])
        self.lab = self.tokenizer.token_to_id("[LAB]") if lab_id is None else lab_id

    def encode(self, text):
        return self.tokenizer.encode(text, add_special_tokens=False).ids


def reference_sequence(vocabulary, text, labels):
    """`[CLS] text [SEP] label1 [LAB] label2 [LAB] …`, cut as the reference cuts it.

    On overflow the text gets half of the window, and the labels that do not fit in the other half
    are left out, even when the text is short.
    """
    text_ids = vocabulary.encode(text)
    label_ids = [vocabulary.encode(label) for label in labels]
    room = vocabulary.max_length - 2
    if len(text_ids) + sum(len(ids) + 1 for ids in label_ids) > room:
        text_ids = text_ids[: room // 2]
        kept, used = [], 0
        for ids in label_ids:
            if used + len(ids) + 1 > room - room // 2:
                break
            kept.append(ids)
            used += len(ids) + 1
        label_ids = kept
    ids = [vocabulary.cls, *text_ids, vocabulary.sep]
    lmask = [0] * len(ids)
    for number, label in enumerate(label_ids, 1):
        ids += [*label, vocabulary.lab]
        lmask += [number] * len(label) + [0]
    return Sequence(ids, lmask)


def prefix_sequence(vocabulary, text, labels, isolated, last_position=10**9):
    """`[CLS] text [LAB] label1 [LAB] label2 … [SEP]`; the last [SEP] belongs to the text.

    Isolated: every label starts at the position after that [SEP]. Otherwise positions count on.
    """
    ids = [vocabulary.cls, *vocabulary.encode(text)]
    lmask, segments, positions = [0] * len(ids), [0] * len(ids), list(range(len(ids)))
    sep_position = len(ids)
    for number, label in enumerate(labels, 1):
        tokens = vocabulary.encode(label)
        start = sep_position + 1 if isolated else len(ids)
        ids += [vocabulary.lab, *tokens]
        lmask += [0] + [number] * len(tokens)
        segments += [number] * (len(tokens) + 1)
        positions += range(start, start + len(tokens) + 1)
    positions.append(sep_position if isolated else len(ids))
    ids.append(vocabulary.sep)
    lmask.append(0)
    segments.append(0)
    return Sequence(ids, lmask, [min(position, last_position) for position in positions], segments)


@dataclass
class Batch:
    """Padded sequences. `allowed[b, q, k]`: may query q see key k."""

    ids: torch.Tensor
    mask: torch.Tensor
    lmask: torch.Tensor
    positions: torch.Tensor
    segments: torch.Tensor
    allowed: torch.Tensor


def pad(sequences, pad_id, isolated=False):
    length = max(len(sequence.ids) for sequence in sequences)

    def rows(of, fill):
        return torch.tensor([row + [fill] * (length - len(row)) for row in map(of, sequences)])

    ids = rows(lambda s: s.ids, pad_id)
    mask = rows(lambda s: [1] * len(s.ids), 0)
    lmask = rows(lambda s: s.lmask, 0)
    positions = rows(lambda s: s.positions or list(range(len(s.ids))), 0)
    segments = rows(lambda s: s.segments or [0] * len(s.ids), 0)
    allowed = mask[:, None, :].bool().expand(-1, length, -1)
    if isolated:
        query, key = segments[:, :, None], segments[:, None, :]
        allowed = allowed & ((key == 0) | (key == query))
    # A padded query sees at least itself, or its softmax has nothing to normalise.
    allowed = allowed | torch.eye(length, dtype=torch.bool)
    return Batch(ids, mask, lmask, positions, segments, allowed)


# ---------------------------------------------------------------------------
# Encoders: our own, which take any positions and any mask, and transformers' own


def heads(x, count):
    """[batch, length, hidden] -> [batch, head, length, hidden / head]"""
    return x.view(*x.shape[:2], count, -1).transpose(1, 2)


def attend(query, key, value, allowed):
    scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
    scores = scores.masked_fill(~allowed[:, None], -torch.inf)
    return (scores.softmax(-1) @ value).transpose(1, 2).flatten(2)


def bert(weights, config, batch):
    def linear(name, x):
        return F.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def norm(name, x):
        scale, shift = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return F.layer_norm(x, (x.shape[-1],), scale, shift, config["layer_norm_eps"])

    x = weights["embeddings.word_embeddings.weight"][batch.ids]
    x = x + weights["embeddings.position_embeddings.weight"][batch.positions]
    x = norm("embeddings.LayerNorm", x + weights["embeddings.token_type_embeddings.weight"][0])
    for layer in range(config["num_hidden_layers"]):
        name = f"encoder.layer.{layer}"
        query, key, value = (
            heads(linear(f"{name}.attention.self.{part}", x), config["num_attention_heads"])
            for part in ("query", "key", "value")
        )
        attended = attend(query, key, value, batch.allowed)
        x = norm(
            f"{name}.attention.output.LayerNorm",
            x + linear(f"{name}.attention.output.dense", attended),
        )
        inner = F.gelu(linear(f"{name}.intermediate.dense", x))
        x = norm(f"{name}.output.LayerNorm", x + linear(f"{name}.output.dense", inner))
    return x


def rotate(x, positions, theta):
    """Rotary positions on [batch, head, length, dim], halves paired."""
    half = x.shape[-1] // 2
    frequencies = theta ** (-torch.arange(half, dtype=torch.float32) / half)
    angles = positions[:, None, :, None].float() * frequencies
    first, second = x[..., :half], x[..., half:]
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


def modernbert(weights, config, batch):
    def linear(name, x):
        return F.linear(x, weights[f"{name}.weight"])

    def norm(name, x):
        return F.layer_norm(x, (x.shape[-1],), weights[f"{name}.weight"], eps=config["norm_eps"])

    distance = (batch.positions[:, :, None] - batch.positions[:, None, :]).abs()
    near = distance <= config["local_attention"] // 2
    x = norm("embeddings.norm", weights["embeddings.tok_embeddings.weight"][batch.ids])
    for layer, kind in enumerate(config["layer_types"]):
        name = f"layers.{layer}"
        # The embeddings are normalised already, so the first layer has no norm of its own.
        normed = norm(f"{name}.attn_norm", x) if layer > 0 else x
        query, key, value = linear(f"{name}.attn.Wqkv", normed).chunk(3, -1)
        query, key, value = (
            heads(part, config["num_attention_heads"]) for part in (query, key, value)
        )
        theta = config["rope_parameters"][kind]["rope_theta"]
        query, key = (rotate(part, batch.positions, theta) for part in (query, key))
        allowed = batch.allowed & near if kind == "sliding_attention" else batch.allowed
        x = x + linear(f"{name}.attn.Wo", attend(query, key, value, allowed))
        value, gate = linear(f"{name}.mlp.Wi", norm(f"{name}.mlp_norm", x)).chunk(2, -1)
        x = x + linear(f"{name}.mlp.Wo", F.gelu(value) * gate)
    return norm("final_norm", x)


def library_encoder(weights, config, batch):
    """transformers' own module, given ids and a padding mask and nothing else."""
    model = AutoModel.from_config(AutoConfig.for_model(**config)).eval()
    if set(model.state_dict()) != set(weights):
        sys.exit(f"tensors differ: {sorted(set(model.state_dict()) ^ set(weights))}")
    inputs = {"input_ids": batch.ids, "attention_mask": batch.mask}
    return torch.func.functional_call(model, weights, (), inputs).last_hidden_state


# ---------------------------------------------------------------------------
# Head and losses


@dataclass
class Output:
    hidden: torch.Tensor
    text: torch.Tensor
    labels: torch.Tensor
    logits: torch.Tensor
    cosines: torch.Tensor
    batch_indices: list
    label_ids: list


@dataclass
class Model:
    """Weights and config of one checkpoint; `encoder` is one of the three above."""

    config: dict
    weights: dict
    encoder: object = field(default=library_encoder)

    @classmethod
    def load(cls, folder, encoder=library_encoder):
        weights = {}
        for file in sorted(folder.glob("*.safetensors")):
            weights |= {name: tensor.float() for name, tensor in load_file(file).items()}
        return cls(json.loads((folder / "config.json").read_text()), weights, encoder)

    @property
    def isolated(self):
        return self.config.get("label_attention") == "isolated"

    @property
    def backbone(self):
        prefix = "backbone."
        return {k.removeprefix(prefix): v for k, v in self.weights.items() if k.startswith(prefix)}

    def __call__(self, batch):
        hidden = self.encoder(self.backbone, self.config["backbone_config"], batch)
        text = self.project("text", hidden[:, 0])
        labels, batch_indices, label_ids = [], [], []
        for row in range(hidden.shape[0]):
            if self.config["use_lab_token_for_labels"]:
                marked = batch.ids[row] == self.config["lab_token_id"]
                groups = [index[None] for index in marked.nonzero()[:, 0]]
            else:
                numbers = range(1, int(batch.lmask[row].max()) + 1)
                groups = [(batch.lmask[row] == number).nonzero()[:, 0] for number in numbers]
            for number, group in enumerate(groups, 1):
                labels.append(self.project("label", hidden[row, group]).mean(0))
                batch_indices.append(row)
                label_ids.append(number)
        labels = torch.stack(labels)
        texts = text[batch_indices]
        cosines = F.cosine_similarity(texts, labels, dim=-1, eps=1e-12)
        logits = self.similarity(texts, labels, cosines)
        return Output(hidden, text, labels, logits, cosines, batch_indices, label_ids)

    def project(self, which, x):
        if not self.config["use_projection_layernorm"]:
            return x
        name = f"aggregator.{which}_projector"
        x = F.linear(x, self.weights[f"{name}.0.weight"], self.weights[f"{name}.0.bias"])
        scale, shift = self.weights[f"{name}.1.weight"], self.weights[f"{name}.1.bias"]
        return F.layer_norm(x, (x.shape[-1],), scale, shift)

    @property
    def scale(self):
        return self.weights["aggregator.similarity_head.logit_scale"].clamp(-10, 10).exp()

    def similarity(self, texts, labels, cosines):
        metric = self.config["similarity_metric"]
        if metric == "cosine":
            return cosines * self.scale
        weight = self.weights["aggregator.similarity_head.classifier.weight"]
        bias = self.weights["aggregator.similarity_head.classifier.bias"]
        if metric == "dot":
            return ((texts * labels) @ weight.T + bias)[:, 0]
        return F.bilinear(texts, labels, weight, bias)[:, 0]

    def losses(self, output, targets):
        """SupCon over the labels that are there, repulsion within a sample, decoupled BCE."""
        dense = torch.full(targets.shape, -torch.inf)
        rows, columns = torch.tensor(output.batch_indices), torch.tensor(output.label_ids) - 1
        dense = dense.index_put((rows, columns), output.logits)
        known, positive = targets != -100, targets == 1

        supcon = []
        for row in range(targets.shape[0]):
            if positive[row].any():
                logs = dense[row, known[row]].log_softmax(0)
                supcon.append(-logs[positive[row, known[row]]].mean())
        supcon = torch.stack(supcon).mean()

        unit = F.normalize(output.labels, dim=-1)
        other = (rows[:, None] == rows[None]) & (columns[:, None] != columns[None])
        repulsion = F.relu((unit @ unit.T)[other] - self.config["repulsion_threshold"]).mean()

        bce_scale = self.weights["loss_fn.bce_scale"].abs().clamp(0.1, 10)
        raw = dense[known] / self.scale
        bce = F.binary_cross_entropy_with_logits(raw * bce_scale, targets[known])

        total = (
            self.config["supcon_loss_weight"] * supcon
            + self.config["label_repulsion_weight"] * repulsion
            + self.config["bce_loss_weight"] * bce
        )
        return {"loss": total, "supcon": supcon, "repulsion": repulsion, "bce": bce}

    def gradients(self, batch, targets):
        leaves = {name: tensor.clone().requires_grad_() for name, tensor in self.weights.items()}
        model = Model(self.config, leaves, self.encoder)
        output = model(batch)
        losses = model.losses(output, targets)
        losses["loss"].backward()
        gradients = {name: leaf.grad for name, leaf in leaves.items() if leaf.grad is not None}
        return output, losses, gradients
