"""Checks reference_model.py against the given golden cases, then exports cases of our own.

Input: the folders of tests/fixtures/parity that the reference implementation saved, and a trained
checkpoint with tests/fixtures/bundled-model/cases.json.
Output: the folders named in EXPORTS, written next to them.
Invariant: nothing is written unless every given case is met within the tolerances, and the same
seed writes the same bytes.
Ignorance: knows nothing of the Rust code; the two meet only in the files.

    python train/reference/export_fixtures.py check
    python train/reference/export_fixtures.py export
"""

import argparse
import copy
import json
import math
import shutil
import sys
from pathlib import Path

import torch
import transformers
from fixture_tokenizers import (
    BERT_TOKENS,
    PARITY,
    ROBERTA_TOKENS,
    VOCABULARY,
    byte_level_bpe,
    given_tokenizer,
    unigram,
    wordpiece,
)
from reference_model import (
    Model,
    Sequence,
    Vocabulary,
    bert,
    library_encoder,
    modernbert,
    pad,
    prefix_sequence,
    reference_sequence,
)
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModel

ROOT = Path(__file__).resolve().parents[2]
BUNDLED_CASES = ROOT / "tests/fixtures/bundled-model/cases.json"

# The encoders that take any positions and any mask.
OWN_ENCODERS = {"bert": bert, "modernbert": modernbert}

# What float32 should meet, from the golden cases' own README.
TOLERANCE = {"ids": 0, "hidden": 1e-4, "logits": 1e-3, "losses": 1e-4, "gradients": 1e-3}


# ---------------------------------------------------------------------------
# Check against what is given


class Deviations:
    """The largest deviation of each stage, and whether all were within tolerance."""

    def __init__(self, name):
        self.name, self.worst = name, {}

    def ids(self, ours, given):
        self.note("ids", 0 if list(ours) == list(given) else 1)

    def close(self, stage, ours, given):
        ours, given = (
            torch.as_tensor(ours).detach().flatten().double(),
            torch.as_tensor(given).flatten(),
        )
        self.note(
            stage, (ours - given).abs().max().item() if ours.shape == given.shape else math.inf
        )

    def note(self, stage, deviation):
        self.worst[stage] = max(self.worst.get(stage, 0), deviation)

    def report(self):
        failed = [stage for stage, worst in self.worst.items() if not worst <= TOLERANCE[stage]]
        stages = "  ".join(f"{stage} {worst:.1e}" for stage, worst in self.worst.items())
        print(f"{'FAIL' if failed else 'ok  '} {self.name:<44} {stages}")
        return not failed


def check_given(folder, encoder, kind):
    model, vocabulary = Model.load(folder, encoder), Vocabulary(folder)
    given = json.loads((folder / "cases.json").read_text())
    deviations = Deviations(f"{folder.name} ({kind})")
    with torch.no_grad():
        for case in given["cases"]:
            sequence = reference_sequence(vocabulary, case["text"], case["labels"])
            output = model(pad([sequence], vocabulary.pad))
            deviations.ids(sequence.ids, case["input_ids"])
            deviations.ids(sequence.lmask, case["lmask"])
            deviations.ids(output.label_ids, case["label_ids"])
            deviations.close("hidden", output.hidden[0, 0], case["hidden_cls"])
            deviations.close("hidden", output.hidden[0, -1], case["hidden_last"])
            deviations.close("logits", output.logits, case["logits"])
            deviations.close("logits", output.text[0], case["text_embedding"])
    for given_batch in given["batches"].values():
        sequences = [
            reference_sequence(vocabulary, text, labels) for text, labels in given_batch["examples"]
        ]
        batch = pad(sequences, vocabulary.pad)
        deviations.ids(batch.ids.tolist(), given_batch["input_ids"])
        output, losses, gradients = model.gradients(batch, torch.tensor(given_batch["targets"]))
        deviations.close("logits", output.logits, given_batch["logits"])
        for part, value in losses.items():
            deviations.close("losses", value, given_batch[part])
        for parameter, expected in given_batch["gradients"].items():
            norm = gradients[parameter].norm().item()
            # A key's bias has no gradient but rounding: nothing to compare relatively.
            if expected["norm"] > 1e-6:
                deviations.note("gradients", abs(norm - expected["norm"]) / expected["norm"])
    return deviations.report()


def check_bundled(folder):
    model, vocabulary = Model.load(folder, bert), Vocabulary(folder)
    last = model.config["backbone_config"]["max_position_embeddings"] - 1
    deviations = Deviations("bundled model (isolated, own encoder)")
    with torch.no_grad():
        for case in json.loads(BUNDLED_CASES.read_text())["cases"]:
            sequence = prefix_sequence(vocabulary, case["text"], case["labels"], True, last)
            output = model(pad([sequence], vocabulary.pad, isolated=True))
            for part in ("positions", "segments"):
                deviations.ids(getattr(sequence, part), case[part])
            deviations.ids(sequence.ids, case["input_ids"])
            deviations.close("logits", output.cosines, case["cosines"])
            deviations.close("logits", output.logits, case["logits"])
    return deviations.report()


def check(bundled_model):
    good = []
    for folder in sorted(PARITY.iterdir()):
        if folder.name in EXPORTS:
            continue
        kind = json.loads((folder / "config.json").read_text())["backbone_config"]["model_type"]
        good.append(check_given(folder, library_encoder, "transformers"))
        if kind in OWN_ENCODERS:
            good.append(check_given(folder, OWN_ENCODERS[kind], "own encoder"))
    if bundled_model.is_dir():
        good.append(check_bundled(bundled_model))
    else:
        print(f"skip bundled model: no folder {bundled_model}")
    return all(good)


def check_isolation(name, model, vocabulary, text, labels):
    """Alone, or among all others in any order, a label gets the same logit; and the text's states
    are those of the text alone, which transformers' own module can compute."""
    deviations = Deviations(f"{name} (isolation)")
    with torch.no_grad():
        together = run(model, vocabulary, text, labels)[1].logits
        backwards = run(model, vocabulary, text, labels[::-1])[1].logits
        deviations.close("logits", backwards.flip(0), together)
        for number, label in enumerate(labels):
            deviations.close(
                "logits", run(model, vocabulary, text, [label])[1].logits, together[number, None]
            )
        library = Model(model.config, model.weights)
        alone = pad(
            [Sequence([vocabulary.cls, *vocabulary.encode(text), vocabulary.sep], [])],
            vocabulary.pad,
        )
        backbone, config = library.backbone, model.config["backbone_config"]
        hidden = library_encoder(backbone, config, alone)
        deviations.close(
            "hidden", run(model, vocabulary, text, labels)[1].hidden[0, 0], hidden[0, 0]
        )
    return deviations.report()


# ---------------------------------------------------------------------------
# Export


def run(model, vocabulary, text, labels):
    """One text with its labels in the checkpoint's own dialect -> (sequence, output)."""
    if "input_layout" in model.config:
        sequence = prefix_sequence(vocabulary, text, labels, model.isolated)
    else:
        sequence = reference_sequence(vocabulary, text, labels)
    return sequence, model(pad([sequence], vocabulary.pad, model.isolated))


def numbers(tensor):
    return [round(value, 7) for value in tensor.detach().flatten().tolist()]


def case(model, vocabulary, text, labels):
    sequence, output = run(model, vocabulary, text, labels)
    golden = {"text": text, "labels": labels, "input_ids": sequence.ids, "lmask": sequence.lmask}
    if sequence.positions:
        golden |= {"positions": sequence.positions, "segments": sequence.segments}
    golden |= {
        "hidden_cls": numbers(output.hidden[0, 0]),
        "hidden_last": numbers(output.hidden[0, -1]),
        "label_ids": output.label_ids,
        "logits": numbers(output.logits),
        "text_embedding": numbers(output.text[0]),
        "scores_multi_label": numbers(output.logits.sigmoid()),
        "scores_multi_class": numbers(output.logits.softmax(0)),
    }
    if sequence.positions:
        golden["cosines"] = numbers(output.cosines)
    return golden


RAGGED_TARGETS = [[1, 0, 1, 0, 0], [0, 0, 0, -100, -100], [0, 1, 1, -100, -100]]


def ragged(model, vocabulary, examples):
    sequences = [run(model, vocabulary, text, labels)[0] for text, labels in examples]
    batch = pad(sequences, vocabulary.pad, model.isolated)
    targets = torch.tensor(RAGGED_TARGETS, dtype=torch.float32)
    output, losses, gradients = model.gradients(batch, targets)
    golden = {
        "examples": examples,
        "input_ids": batch.ids.tolist(),
        "attention_mask": batch.mask.tolist(),
        "lmask": batch.lmask.tolist(),
    }
    if "input_layout" in model.config:
        golden |= {"positions": batch.positions.tolist(), "segments": batch.segments.tolist()}
    golden |= {
        "targets": targets.tolist(),
        "logits": numbers(output.logits),
        "batch_indices": output.batch_indices,
        "label_ids": output.label_ids,
        **{name: value.item() for name, value in losses.items()},
        "gradients": {
            name: {"norm": gradient.norm().item(), "head": numbers(gradient)[:8]}
            for name, gradient in sorted(gradients.items())
        },
    }
    return golden


def given_texts():
    cases = json.loads((PARITY / "bert-cosine-proj/cases.json").read_text())["cases"]
    return [(golden["text"], golden["labels"]) for golden in cases]


def ragged_examples():
    return json.loads((PARITY / "bert-cosine-proj/cases.json").read_text())["batches"]["ragged"][
        "examples"
    ]


def prefix_texts(isolated):
    """The given texts, cut to what fits into one window: our dialect is never truncated."""
    texts = [(" ".join(text.split()[:200]), labels) for text, labels in given_texts()]
    *texts, (crowded, labels) = texts
    # 40 of these labels are more tokens than the window has positions; isolated, they fit.
    return [*texts, (crowded, labels[: 40 if isolated else 12])]


def write_json(path, value, indent=None):
    separators = (",", ":") if indent is None else None
    path.write_text(
        json.dumps(value, ensure_ascii=False, indent=indent, separators=separators) + "\n"
    )


def random_weights(shapes, seed):
    """Of the size that makes a tiny random model react to its input, in the order of the names."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in sorted(shapes.items()):
        noise = torch.randn(shape, generator=generator)
        if name.endswith("logit_scale"):
            weights[name] = torch.tensor(1.9)
        elif name.endswith("bce_scale"):
            weights[name] = torch.tensor(1.3)
        elif len(shape) == 2:
            weights[name] = noise * 0.08
        elif name.endswith("bias"):
            weights[name] = noise * 0.06
        else:  # the scale of a LayerNorm
            weights[name] = 1 + noise * 0.16
    return weights


def config_with(backbone, **changes):
    config = json.loads((PARITY / "bert-cosine-proj/config.json").read_text())
    kind = backbone["model_type"]
    config |= {"backbone_config": backbone, "backbone_model": f"tiny-random/{kind}"}
    return config | {"lab_token_id": VOCABULARY} | changes


def small(kind, **settings):
    """A backbone's config as transformers writes it."""
    config = AutoConfig.for_model(kind, vocab_size=VOCABULARY + 1, **settings).to_dict()
    config.pop("transformers_version", None)
    return dict(sorted(config.items()))


def roberta_like(kind):
    return small(
        kind,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=514,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
    )


def distilbert_like():
    return small(
        "distilbert", dim=32, n_layers=3, n_heads=4, hidden_dim=64, max_position_embeddings=512
    )


def given_backbone(folder, rows=VOCABULARY + 1):
    config = json.loads((PARITY / folder / "config.json").read_text())["backbone_config"]
    return config | {"vocab_size": rows}


def write_checkpoint(folder, config, tokenizer, tokens, seed):
    """Random weights under the names that transformers' own modules have; returns the model."""
    backbone = AutoModel.from_config(AutoConfig.for_model(**config["backbone_config"]))
    shapes = {f"backbone.{name}": tensor.shape for name, tensor in backbone.state_dict().items()}
    hidden, projected = 32, config["projected_dim"]
    for which in ("text", "label"):
        name = f"aggregator.{which}_projector"
        shapes |= {f"{name}.0.weight": (projected, hidden), f"{name}.0.bias": (projected,)}
        shapes |= {f"{name}.1.weight": (projected,), f"{name}.1.bias": (projected,)}
    shapes |= {"aggregator.similarity_head.logit_scale": (), "loss_fn.bce_scale": ()}
    weights = random_weights(shapes, seed)
    write_json(folder / "config.json", config, indent=2)
    write_json(folder / "tokenizer.json", tokenizer)
    write_json(folder / "tokenizer_config.json", tokens, indent=2)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return weights


def write_cases(folder, model, vocabulary, texts, with_batch=False):
    golden = {
        "reference": {"torch": torch.__version__, "transformers": transformers.__version__},
        "head": "cosine-proj",
    }
    with torch.no_grad():
        golden["cases"] = [case(model, vocabulary, *text) for text in texts]
    if with_batch:
        golden["batches"] = {"ragged": ragged(model, vocabulary, ragged_examples())}
    write_json(folder / "cases.json", golden)


def export_reference(backbone, tokenizer, tokens, seed, with_batch):
    def export(folder):
        write_checkpoint(folder, config_with(backbone()), tokenizer(), tokens, seed)
        model = Model.load(folder)
        write_cases(folder, model, Vocabulary(folder), given_texts(), with_batch)
        return True

    return export


def export_prefix(backbone, tokenizer, tokens, seed, attention, encoder):
    def export(folder):
        layout = {"input_layout": "lab_prefix", "label_attention": attention}
        config = config_with(backbone, **layout)
        write_checkpoint(folder, config, tokenizer(), tokens, seed)
        model, vocabulary = Model.load(folder, encoder), Vocabulary(folder)
        isolated = model.isolated
        write_cases(folder, model, vocabulary, prefix_texts(isolated), with_batch=isolated)
        if isolated:
            return check_isolation(folder.name, model, vocabulary, *given_texts()[2])
        return check_own(folder.name, model, vocabulary)

    return export


def check_own(name, model, vocabulary):
    """With ordinary positions and full attention, transformers' module must agree."""
    deviations = Deviations(f"{name} (transformers)")
    with torch.no_grad():
        for text, labels in prefix_texts(False):
            library = run(Model(model.config, model.weights), vocabulary, text, labels)[1]
            own = run(model, vocabulary, text, labels)[1]
            deviations.close("hidden", own.hidden, library.hidden)
            deviations.close("logits", own.logits, library.logits)
    return deviations.report()


def export_tf4(folder):
    """The given ModernBERT checkpoint, its configs as transformers 4 wrote them."""
    given = PARITY / "modernbert-cosine-proj"
    for name in ("model.safetensors", "tokenizer.json"):
        shutil.copyfile(given / name, folder / name)
    config = json.loads((given / "config.json").read_text())
    backbone = config["backbone_config"]
    rope = backbone.pop("rope_parameters")
    for key in ("layer_types", "dtype", "output_attentions"):
        backbone.pop(key, None)
    backbone |= {
        "global_rope_theta": rope["full_attention"]["rope_theta"],
        "local_rope_theta": rope["sliding_attention"]["rope_theta"],
        "position_embedding_type": "absolute",
        "reference_compile": None,
        "repad_logits_with_grad": False,
        "output_attentions": False,
        "torch_dtype": "float32",
        "use_bfloat16": False,
    }
    del config["dtype"]
    config |= {"backbone_config": dict(sorted(backbone.items())), "torch_dtype": "float32"}
    write_json(folder / "config.json", config | {"transformers_version": "4.53.1"}, indent=2)
    tokens = json.loads((given / "tokenizer_config.json").read_text())
    for key in ("backend", "is_local", "local_files_only"):
        tokens.pop(key, None)
    tokens["additional_special_tokens"] = tokens.pop("extra_special_tokens")
    added = given_tokenizer(given.name)["added_tokens"]
    tokens["added_tokens_decoder"] = {
        str(entry["id"]): {key: value for key, value in entry.items() if key != "id"}
        for entry in added
    }
    tokens |= {"clean_up_tokenization_spaces": False, "tokenizer_class": "PreTrainedTokenizerFast"}
    write_json(folder / "tokenizer_config.json", dict(sorted(tokens.items())), indent=2)
    copy_cases(given, folder)
    return True


def copy_cases(given, folder):
    golden = json.loads((given / "cases.json").read_text())
    write_json(folder / "cases.json", {key: golden[key] for key in ("reference", "head", "cases")})


def export_sharded(folder):
    """The given BERT checkpoint in two files and an index."""
    given = PARITY / "bert-cosine-proj"
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(given / name, folder / name)
    weights = load_file(given / "model.safetensors")
    names = sorted(weights)
    # Cut within the encoder, so that no part of the model comes from one file only.
    middle = names.index("backbone.encoder.layer.1.output.dense.weight")
    parts = {"model-00001-of-00002.safetensors": names[:middle]}
    parts["model-00002-of-00002.safetensors"] = names[middle:]
    for file, part in parts.items():
        save_file({name: weights[name] for name in part}, folder / file, {"format": "pt"})
    size = sum(tensor.numel() * tensor.element_size() for tensor in weights.values())
    where = {name: file for file, part in parts.items() for name in part}
    index = {"metadata": {"total_size": size}, "weight_map": where}
    write_json(folder / "model.safetensors.index.json", index, indent=2)
    copy_cases(given, folder)
    return True


def export_lab_added(folder):
    """A checkpoint without [LAB]: the token and the mean of the old rows come when it is loaded."""
    backbone = given_backbone("bert-cosine-proj", rows=VOCABULARY)
    tokens = {key: value for key, value in BERT_TOKENS.items() if key != "extra_special_tokens"}
    config = config_with(backbone, lab_token_id=None)
    write_checkpoint(folder, config, wordpiece(lab=False), tokens, seed=17)
    model = Model.load(folder)
    name = "backbone.embeddings.word_embeddings.weight"
    table = model.weights[name]
    model.weights[name] = torch.cat([table, table.mean(0, keepdim=True)])
    model.config = copy.deepcopy(config) | {"lab_token_id": VOCABULARY}
    model.config["backbone_config"]["vocab_size"] = VOCABULARY + 1
    write_cases(folder, model, Vocabulary(folder, lab_id=VOCABULARY), given_texts())
    return True


BERT = given_backbone("bert-cosine-proj")
MODERNBERT = given_backbone("modernbert-cosine-proj", rows=VOCABULARY + 7) | {
    # The byte-level vocabulary below has RoBERTa's ids.
    "bos_token_id": 0,
    "cls_token_id": 0,
    "eos_token_id": 2,
    "sep_token_id": 2,
    "pad_token_id": 1,
}

EXPORTS = {
    "roberta-cosine-proj": export_reference(
        lambda: roberta_like("roberta"), byte_level_bpe, ROBERTA_TOKENS, 11, with_batch=True
    ),
    "xlm-roberta-cosine-proj": export_reference(
        lambda: roberta_like("xlm-roberta"), unigram, ROBERTA_TOKENS, 12, with_batch=False
    ),
    "distilbert-cosine-proj": export_reference(
        distilbert_like, wordpiece, BERT_TOKENS, 13, with_batch=True
    ),
    "bert-isolated-proj": export_prefix(BERT, wordpiece, BERT_TOKENS, 14, "isolated", bert),
    "bert-prefix-full": export_prefix(BERT, wordpiece, BERT_TOKENS, 15, "full", bert),
    "modernbert-isolated-proj": export_prefix(
        MODERNBERT, byte_level_bpe, ROBERTA_TOKENS, 16, "isolated", modernbert
    ),
    "modernbert-tf4-config": export_tf4,
    "bert-sharded": export_sharded,
    "bert-lab-added": export_lab_added,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["check", "export"])
    bundled = ROOT / "train/checkpoints/gliznet-minilm-l6"
    parser.add_argument(
        "--bundled", type=Path, default=bundled, help="folder of the bundled checkpoint"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    good = check(arguments.bundled)
    if good and arguments.what == "export":
        for name, export in EXPORTS.items():
            folder = PARITY / name
            folder.mkdir(exist_ok=True)
            good = export(folder) and good
            size = sum(file.stat().st_size for file in folder.iterdir())
            print(f"wrote {name}: {size / 1024:.0f} KiB")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
