"""The encoder without padding: texts, labels that read a text, and labels alone, in one pass.

Input: token ids of texts, of each text's labels, and of labels that stand alone.
Output: the hidden states of every token, end to end, with the index that finds each one.
Invariant: the isolated layout of `reference_model`: a text token sees its text, a label's token its
text and itself; a label alone is a text of its own. Linear layers see no padding.
Ignorance: knows nothing of losses, rows or files.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F

LAST_POSITION = 511


@dataclass
class Batch:
    """Token ids and positions end to end, and padded tables of indices into them.

    `texts[row, t]`, `labels[row, k, t]` (first the `[LAB]`) and `alone[label, t]` index the tokens;
    the index `len(ids)` is padding. Under full attention `whole[row, t]` are text and labels
    together, and `texts` the same text a second time, without labels; else `whole` has no row.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    texts: torch.Tensor
    labels: torch.Tensor
    alone: torch.Tensor
    whole: torch.Tensor

    def first(self):
        """Where each row's `[CLS]` is that the labels are compared with."""
        return (self.whole if self.whole.shape[0] else self.texts)[:, 0]

    def plain(self):
        """The same tokens, with nothing but texts and labels alone to see each other."""
        return Batch(
            self.ids, self.positions, self.texts, self.labels[:, :0], self.alone, self.whole[:0]
        )

    def to(self, device):
        return Batch(*(part.to(device, non_blocking=True) for part in vars(self).values()))


def pack(vocabulary, texts, labels, alone, full=False):
    """`texts`: lists of ids; `labels[row]`: lists of ids a label; `alone`: lists of ids.

    Special tokens are added here. `full`: `[CLS] text [LAB] label1 [LAB] label2 … [SEP]`, in which
    every token sees every other.
    """
    ids, positions = [], []

    def add(tokens, start):
        begin = len(ids)
        ids.extend(tokens)
        positions.extend(min(start + n, LAST_POSITION) for n in range(len(tokens)))
        return list(range(begin, len(ids)))

    def whole(tokens):
        return add([vocabulary.cls, *tokens, vocabulary.sep], 0)

    def together(text, row):
        """The labels' places in one sequence with the text, and all of its places."""
        places, parts = add([vocabulary.cls, *text], 0), []
        for label in row:
            parts.append(add([vocabulary.lab, *label], len(places)))
            places = places + parts[-1]
        return parts, places + add([vocabulary.sep], len(places))

    text_rows = [whole(text) for text in texts]
    whole_rows = []
    if full:
        joined = [together(text, row) for text, row in zip(texts, labels, strict=True)]
        label_rows, whole_rows = [parts for parts, _ in joined], [places for _, places in joined]
    else:
        label_rows = [
            [add([vocabulary.lab, *label], len(text)) for label in row]
            for text, row in zip(text_rows, labels, strict=True)
        ]
    alone_rows = [whole(label) for label in alone]
    pad = len(ids)
    count = max((len(row) for row in label_rows), default=0)
    width = max((len(label) for row in label_rows for label in row), default=1)
    return Batch(
        torch.tensor(ids),
        torch.tensor(positions),
        table(text_rows, pad),
        torch.stack([table([*row, *[[]] * (count - len(row))], pad, width) for row in label_rows])
        if label_rows and count
        else torch.full((len(texts), 0, 1), pad),
        table(alone_rows, pad),
        table(whole_rows, pad),
    )


def table(rows, pad, width=None):
    width = width or max((len(row) for row in rows), default=1)
    cells = [row + [pad] * (width - len(row)) for row in rows]
    return torch.tensor(cells, dtype=torch.long).view(len(rows), width)


def encode(weights, config, batch, train_from=0):
    """Hidden states `[tokens + 1, hidden]`, the last row 0 (padding).

    Layers before `train_from` are computed without a graph; embeddings that are not trained have
    none by themselves.
    """
    count = config["num_attention_heads"]
    x = embed(weights, config, batch)
    for number in range(config["num_hidden_layers"]):
        with torch.set_grad_enabled(torch.is_grad_enabled() and number >= train_from):
            x = layer(weights, config, f"encoder.layer.{number}", x, batch, count)
    return with_padding(x)


def embed(weights, config, batch):
    x = F.embedding(batch.ids, weights["embeddings.word_embeddings.weight"])
    x = x + F.embedding(batch.positions, weights["embeddings.position_embeddings.weight"])
    x = x + weights["embeddings.token_type_embeddings.weight"][0]
    return norm(weights, config, "embeddings.LayerNorm", x)


def norm(weights, config, name, x):
    scale, shift = weights[f"{name}.weight"], weights[f"{name}.bias"]
    return F.layer_norm(x.float(), (x.shape[-1],), scale, shift, config["layer_norm_eps"])


def with_padding(x):
    return torch.cat([x, x.new_zeros(1, x.shape[1])])


def layer(weights, config, name, x, batch, count):
    def linear(part, x):
        return F.linear(x, weights[f"{name}.{part}.weight"], weights[f"{name}.{part}.bias"])

    seen = narrow(x)
    query, key, value = (
        with_padding(linear(f"attention.self.{part}", seen)) for part in ("query", "key", "value")
    )
    attended = torch.zeros_like(query)
    for group in (batch.texts, batch.alone, batch.whole):
        if group.shape[0]:
            attended = put(attended, group, among_themselves(query, key, value, group, count))
    if batch.labels.shape[1] and not batch.whole.shape[0]:
        attended = put(attended, batch.labels, reading(query, key, value, batch, count))
    x = norm(
        weights,
        config,
        f"{name}.attention.output.LayerNorm",
        x + linear("attention.output.dense", attended[:-1]),
    )
    inner = F.gelu(linear("intermediate.dense", x))
    return norm(weights, config, f"{name}.output.LayerNorm", x + linear("output.dense", inner))


def narrow(x):
    """What autocast would do for each of three products, once."""
    kind = x.device.type
    return x.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else x


def put(into, index, what):
    """Padding lands in the last row, which nobody reads."""
    return into.index_copy(0, index.flatten(), what.reshape(-1, into.shape[1]).to(into.dtype))


def heads(x, index, count):
    """`[…]` indices -> `[rows, heads, tokens, size]`, the tokens of a row in one axis."""
    rows = index.shape[0]
    # As an embedding: its gradient skips the padding and does not add element by element.
    found = F.embedding(index.reshape(rows, -1), x, padding_idx=x.shape[0] - 1)
    return found.view(rows, -1, count, x.shape[1] // count).transpose(1, 2)


def among_themselves(query, key, value, index, count):
    q, k, v = (heads(x, index, count) for x in (query, key, value))
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    padding = (index == query.shape[0] - 1)[:, None, None, :]
    share = scores.masked_fill(padding, -torch.inf).softmax(-1)
    return (share.to(v.dtype) @ v).transpose(1, 2)


def reading(query, key, value, batch, count):
    """Labels read their text and themselves, never another label."""
    rows, number, width = batch.labels.shape
    size = query.shape[1] // count
    pad = query.shape[0] - 1
    q = heads(query, batch.labels, count) / math.sqrt(size)
    text_key, text_value = (heads(x, batch.texts, count) for x in (key, value))
    own_key, own_value = (
        heads(x, batch.labels, count).reshape(rows, count, number, width, size)
        for x in (key, value)
    )
    on_text = q @ text_key.transpose(-1, -2)
    on_text = on_text.masked_fill((batch.texts == pad)[:, None, None, :], -torch.inf)
    own = q.reshape(rows, count, number, width, size) @ own_key.transpose(-1, -2)
    own = own.masked_fill((batch.labels == pad)[:, None, :, None, :], -torch.inf)
    scores = torch.cat([on_text, own.reshape(rows, count, number * width, width)], -1)
    share = scores.softmax(-1).to(value.dtype)
    from_text = share[..., : text_key.shape[2]] @ text_value
    share_own = share[..., text_key.shape[2] :].reshape(rows, count, number, width, width)
    from_own = (share_own @ own_value).reshape(rows, count, number * width, size)
    return (from_text + from_own).transpose(1, 2)


def pooled(states, index):
    """The mean over the tokens of each row: `[…, tokens]` -> `[…, hidden]`."""
    real = (index != states.shape[0] - 1).unsqueeze(-1)
    found = F.embedding(index, states, padding_idx=states.shape[0] - 1)
    return found.sum(-2) / real.sum(-2).clamp(min=1)
