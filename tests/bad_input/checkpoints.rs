//! Checkpoints that are damaged, mixed up, or of another kind: refused before anything is tagged.

use std::path::{Path, PathBuf};

use expect_test::{Expect, expect};

use super::gliznet::{Gliznet, Ran, tiny};
use super::text_form::headings;

/// Tags with a copy of the tiny checkpoint that `damage` has been at.
fn run(damage: impl FnOnce(&Path)) -> Ran {
    let user = Gliznet::with(&[("a.md", "Bread.")]);
    std::fs::create_dir(user.path("model")).unwrap();
    for file in [
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "model.safetensors",
    ] {
        std::fs::copy(tiny().join(file), user.path("model").join(file)).unwrap();
    }
    damage(&user.path("model"));
    user.run(&[
        "tag",
        "a.md",
        "--model",
        "./model",
        "--labels",
        "bread,milk",
    ])
}

fn refused(damage: impl FnOnce(&Path), said: Expect) {
    let ran = run(damage);
    said.assert_eq(&ran.err);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
}

fn sibling(name: &str) -> PathBuf {
    tiny().parent().unwrap().join(name)
}

fn weights() -> Vec<u8> {
    std::fs::read(tiny().join("model.safetensors")).unwrap()
}

fn put(model: &Path, file: &str, bytes: impl AsRef<[u8]>) {
    std::fs::write(model.join(file), bytes).unwrap();
}

#[test]
fn the_undamaged_copy_tags() {
    let ran = run(|_| ());
    assert_eq!((ran.code, headings(&ran)), (0, vec!["a.md"]), "{ran:#?}");
}

#[test]
fn truncated_and_corrupt_weights_are_refused() {
    refused(
        |model| put(model, "model.safetensors", &weights()[..300_000]),
        expect![[r#"
            gliznet: ./model: model.safetensors: not a whole safetensors file (incomplete metadata, file not fully covered); fetch it again
        "#]],
    );
    refused(
        |model| put(model, "model.safetensors", b""),
        expect![[r#"
            gliznet: ./model: model.safetensors: not a whole safetensors file (header too small); fetch it again
        "#]],
    );
    refused(
        |model| {
            let mut bytes = weights();
            bytes[8..40].fill(b'x');
            put(model, "model.safetensors", bytes);
        },
        expect![[r#"
            gliznet: ./model: model.safetensors: not a whole safetensors file (invalid JSON in header: expected value at line 1 column 1); fetch it again
        "#]],
    );
}

#[test]
fn weights_that_are_not_numbers_are_refused_with_their_place() {
    refused(
        |model| {
            // The last value of the file is the last one of the last tensor.
            let mut bytes = weights();
            let at = bytes.len() - 4;
            bytes[at..].copy_from_slice(&f32::NAN.to_le_bytes());
            put(model, "model.safetensors", bytes);
        },
        expect![[r#"
            gliznet: ./model: model.safetensors: tensor `loss_fn.bce_scale` holds NaN at index 0; the training of this checkpoint broke, use another one
        "#]],
    );
}

#[test]
fn missing_files_and_pickles_are_refused_by_name() {
    let remove = |model: &Path, file: &str| std::fs::remove_file(model.join(file)).unwrap();
    refused(
        |model| remove(model, "tokenizer.json"),
        expect![[r#"
            gliznet: ./model/tokenizer.json: no such file; a checkpoint folder needs config.json, tokenizer.json and model.safetensors
        "#]],
    );
    refused(
        |model| {
            remove(model, "model.safetensors");
            put(model, "pytorch_model.bin", b"\x80\x02");
        },
        expect![[r#"
            gliznet: ./model/pytorch_model.bin: a pickle file can run any code when it is loaded and is refused; save the model as safetensors
        "#]],
    );
}

#[test]
fn the_tokenizer_of_another_model_is_refused() {
    let from = |name: &'static str| {
        move |model: &Path| {
            let file = "tokenizer.json";
            put(
                model,
                file,
                std::fs::read(sibling(name).join(file)).unwrap(),
            );
        }
    };
    refused(
        from("bert-prefix-full"),
        expect![[r#"
            gliznet: ./model: config.json says that [LAB] is token 2000, tokenizer.json says 1000; the files are of different checkpoints
        "#]],
    );
    refused(
        from("modernbert-cosine-proj"),
        expect![[r#"
            gliznet: ./model: tokenizer.json pads with token 3, config.json with 0; it is the tokenizer of another model
        "#]],
    );
    refused(
        |model| put(model, "tokenizer.json", "{"),
        expect![[r#"
            gliznet: ./model: tokenizer.json: EOF while parsing an object at line 1 column 1; fetch the checkpoint again
        "#]],
    );
}

#[test]
fn the_config_of_another_model_is_refused() {
    refused(
        |model| {
            put(
                model,
                "config.json",
                r#"{"model_type": "bert", "hidden_size": 32}"#,
            )
        },
        expect![[r#"
            gliznet: ./model/config.json: `model_type` is `bert`, not `gliznet`: this is the config of another kind of model; give the folder of a GliZNet checkpoint
        "#]],
    );
    refused(
        |model| put(model, "config.json", "{"),
        expect![[r#"
            gliznet: ./model/config.json: not a readable config: EOF while parsing an object at line 1 column 1; is it the config.json of a GliZNet checkpoint?
        "#]],
    );
    let ran = run(|model| {
        let config = std::fs::read(sibling("deberta-v2-cosine-proj").join("config.json"));
        put(model, "config.json", config.unwrap());
    });
    assert_eq!(ran.code, 1);
    for fault in [
        "`backbone.encoder.rel_embeddings.weight` is missing",
        "`backbone.embeddings.token_type_embeddings.weight` is not a tensor of this model",
    ] {
        assert!(ran.err.contains(fault), "{fault}: {}", ran.err);
    }
}

#[test]
fn an_unknown_model_or_device_is_a_usage_error() {
    let user = Gliznet::with(&[("a.md", "Bread.")]);
    let said = |args: &[&str]| {
        let ran = user.run(&[&["tag", "a.md", "--labels", "bread"], args].concat());
        assert_eq!(ran.code, 2, "{ran:#?}");
        ran.err
    };
    expect![[r#"
        gliznet: no model `nope` on this machine; `gliznet model list` shows all
    "#]]
    .assert_eq(&said(&["--model", "nope"]));
    expect![[r#"
        gliznet: ./nope: no such folder; give the folder that holds the model's config.json, or fetch a model from the Hub with `gliznet model pull OWNER/NAME`
    "#]]
    .assert_eq(&said(&["--model", "./nope"]));
    if cfg!(not(feature = "cuda")) {
        expect![[r#"
            gliznet: --device cuda: this build has no CUDA; build with `--features cuda`; use --device cpu
        "#]]
        .assert_eq(&said(&["--device", "cuda"]));
    }
}
