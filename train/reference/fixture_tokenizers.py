"""Tokenizers for golden cases of our own, cut from the given ones.

Input: the `tokenizer.json` and `tokenizer_config.json` of the given parity folders.
Output: the same as JSON, with `VOCABULARY` entries and `[LAB]` behind them.
Invariant: the same folders give the same bytes.
Ignorance: knows nothing of models.
"""

import json
from pathlib import Path

PARITY = Path(__file__).resolve().parents[2] / "tests/fixtures/parity"

SPECIAL = {
    "single_word": False,
    "lstrip": False,
    "rstrip": False,
    "normalized": False,
    "special": True,
}
VOCABULARY = 1000


def given_tokenizer(folder):
    return json.loads((PARITY / folder / "tokenizer.json").read_text())


def with_special(tokenizer, tokens):
    """`tokens`: text -> id"""
    tokenizer["added_tokens"] = [
        {"id": i, "content": token, **SPECIAL} for token, i in tokens.items()
    ]
    return tokenizer


def wordpiece(lab=True):
    """The given WordPiece vocabulary's first tokens, and [LAB] after them."""
    tokenizer = given_tokenizer("bert-cosine-proj")
    vocabulary = tokenizer["model"]["vocab"]
    tokenizer["model"]["vocab"] = {token: i for token, i in vocabulary.items() if i < VOCABULARY}
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokens = {name: i for i, name in enumerate(names)} | ({"[LAB]": VOCABULARY} if lab else {})
    return with_special(tokenizer, tokens)


# The ids of RoBERTa and XLM-R: the padding is 1, so the first position is 2; the mask comes last.
ROBERTA_FIRST = ["<s>", "<pad>", "</s>", "<unk>"]
ROBERTA_SPECIAL = {
    **{name: i for i, name in enumerate(ROBERTA_FIRST)},
    "<mask>": VOCABULARY - 1,
    "[LAB]": VOCABULARY,
}


def byte_level_bpe():
    """The given byte-level BPE in RoBERTa's order: specials, 256 bytes, merges, mask."""
    tokenizer = given_tokenizer("modernbert-cosine-proj")
    ordered = sorted(tokenizer["model"]["vocab"].items(), key=lambda entry: entry[1])
    plain = [token for token, i in ordered if i > 4][: VOCABULARY - 5]
    vocabulary = {token: i for i, token in enumerate([*ROBERTA_FIRST, *plain, "<mask>"])}
    tokenizer["model"]["vocab"] = vocabulary
    merges = tokenizer["model"]["merges"]
    tokenizer["model"]["merges"] = [pair for pair in merges if "".join(pair) in vocabulary]
    tokenizer["post_processor"] = {
        "type": "RobertaProcessing",
        "sep": ["</s>", 2],
        "cls": ["<s>", 0],
        "trim_offsets": True,
        "add_prefix_space": False,
    }
    return with_special(tokenizer, ROBERTA_SPECIAL)


def unigram():
    """The given Unigram in XLM-R's order, normalised and split as SentencePiece models are."""
    tokenizer = given_tokenizer("deberta-v2-cosine-proj")
    pieces = tokenizer["model"]["vocab"][5:VOCABULARY]
    first = [[name, 0.0] for name in ROBERTA_FIRST]
    tokenizer["model"] |= {"vocab": [*first, *pieces, ["<mask>", 0.0]], "unk_id": 3}
    squeeze = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}
    tokenizer["normalizer"] = {
        "type": "Sequence",
        "normalizers": [{"type": "Nmt"}, {"type": "NFKC"}, squeeze],
    }
    tokenizer["pre_tokenizer"] = {
        "type": "Sequence",
        "pretokenizers": [{"type": "WhitespaceSplit"}, tokenizer["pre_tokenizer"]],
    }
    return with_special(tokenizer, ROBERTA_SPECIAL)


def tokenizer_config(folder, cls, sep, pad_token, mask, unk):
    config = json.loads((PARITY / folder / "tokenizer_config.json").read_text())
    tokens = {"cls_token": cls, "sep_token": sep, "pad_token": pad_token}
    return config | tokens | {"mask_token": mask, "unk_token": unk}


BERT_TOKENS = tokenizer_config("bert-cosine-proj", "[CLS]", "[SEP]", "[PAD]", "[MASK]", "[UNK]")
ROBERTA_TOKENS = tokenizer_config("bert-cosine-proj", "<s>", "</s>", "<pad>", "<mask>", "<unk>")
