//! `gliznet model` as a user meets it: the real binary, and a Hub on loopback.
//!
//! Each test has its own folders and its own server. What is checked is what a user sees: the
//! sentence, the exit code, and the files that are there afterwards.

use std::collections::BTreeMap;

use expect_test::expect;

#[cfg(test)] // Clippy then knows that helpers may unwrap.
#[path = "support/hub_server.rs"]
mod hub_server;
#[cfg(test)]
#[path = "support/hub_user.rs"]
mod hub_user;
#[path = "hub/refusals.rs"]
mod refusals;
#[path = "hub/transfers.rs"]
mod transfers;

use hub_server::{COMMIT, Trouble};
use hub_user::{REPO, User, WEIGHTS, tiny};

const NEWER: &str = "3333333333333333333333333333333333333333";

#[test]
fn a_model_is_pulled_listed_shown_and_chosen() {
    let user = User::new();
    let pulled = user.run(&["pull", REPO]);
    expect![[r#"
        tiny is here now (commit 111111111111, HOME/data/models/tiny)
        `gliznet model use tiny` lets it tag
    "#]]
    .assert_eq(&pulled.out);
    expect![[r#"
        5 files, 486.9 kB
        config.json: verified, 1.6 kB
        tokenizer.json: verified, 42.2 kB
        tokenizer_config.json: verified, 315 B
        README.md: verified, 7 B
        model.safetensors: verified, 442.8 kB
    "#]]
    .assert_eq(&pulled.err);
    assert_eq!(pulled.code, 0);
    user.check_installed("tiny", &tiny());
    expect!["tiny pulled 487.5 kB bert 3×32 cosine full labels uncalibrated gliznet/tiny"]
        .assert_eq(&user.run(&["list"]).line_about("tiny"));
    expect![[r#"
        tiny
          origin           pulled
          folder           HOME/data/models/tiny
          repository       gliznet/tiny
          commit           1111111111111111111111111111111111111111
          endpoint         HUB
          encoder          bert 3×32
          began as         tiny-random/bert
          dialect          reference
          similarity       cosine
          label attention  full
          calibration      no
          model card       yes
          size             487.5 kB

          files
            README.md                    7 B
            config.json               1.6 kB
            model.safetensors       442.8 kB
            source.json                569 B
            tokenizer.json           42.2 kB
            tokenizer_config.json      315 B

          sha256 of model.safetensors
            ff0e0082d8b1353639dbff7f4e522c8b8a4e5be09538f8e4c38a2616a3f490d4
    "#]]
    .assert_eq(&user.run(&["show", "tiny"]).out);
    std::fs::create_dir_all(user.home.path().join("config")).unwrap();
    let settings = user.home.path().join("config/gliznet.toml");
    std::fs::write(&settings, "threads = 1 # a small laptop\n").unwrap();
    let chosen = user.run(&["use", "tiny"]);
    assert_eq!((chosen.code, chosen.err.as_str()), (0, ""));
    expect![[r#"
        threads = 1 # a small laptop
        model = "tiny"
    "#]]
    .assert_eq(&std::fs::read_to_string(&settings).unwrap());
    let list: serde_json::Value = serde_json::from_str(&user.run(&["list", "--json"]).out).unwrap();
    let tiny = list.as_array().unwrap().last().unwrap();
    assert_eq!(tiny["name"], "tiny");
    assert_eq!(tiny["current"], true);
    assert_eq!(tiny["commit"], COMMIT);
    let shown: serde_json::Value =
        serde_json::from_str(&user.run(&["show", "--json"]).out).unwrap();
    assert_eq!(shown["layers"], 3);
    let record = std::fs::read_to_string(user.models().join("tiny/source.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    let files = shown["files"].as_array().unwrap();
    let weights = files.iter().find(|file| file["name"] == WEIGHTS).unwrap();
    let sha256 = weights["sha256"].as_str().unwrap();
    assert_eq!(record["files"][WEIGHTS], format!("sha256:{sha256}"));
}

#[test]
fn weights_in_several_parts_come_together() {
    let mut files = tiny();
    let whole = files.remove(WEIGHTS).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&whole).unwrap();
    let mut map = serde_json::Map::new();
    let mut parts: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for (n, (name, view)) in tensors.tensors().into_iter().enumerate() {
        let part = format!("model-0000{}-of-00002.safetensors", n % 2 + 1);
        map.insert(name.clone(), part.clone().into());
        parts.entry(part).or_default().push((name, view));
    }
    for (part, views) in parts {
        files.insert(part, safetensors::serialize(views, None).unwrap());
    }
    let index = serde_json::json!({"metadata": {}, "weight_map": map}).to_string();
    files.insert(
        "model.safetensors.index.json".to_owned(),
        index.into_bytes(),
    );
    let user = User::with(files.clone());
    let ran = user.run(&["pull", REPO]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    user.check_installed("tiny", &files);
}

#[test]
fn an_update_fetches_what_changed_and_a_repeated_pull_fetches_nothing() {
    let user = User::new();
    assert_eq!(user.run(&["pull", REPO]).code, 0);
    user.hub.take_seen();
    let again = user.run(&["pull", REPO]);
    expect![[r#"
        tiny was here already, complete and unchanged (commit 111111111111, HOME/data/models/tiny)
    "#]]
    .assert_eq(&again.out);
    assert_eq!(user.hub.take_seen().len(), 1, "the listing");

    let card = b"# Tiny, better\n".to_vec();
    user.hub.change(REPO, |repo| {
        repo.commit = NEWER.to_owned();
        repo.files.insert("README.md".to_owned(), card.clone());
    });
    let update = user.run(&["pull", REPO]);
    expect![[r#"
        tiny was updated (commit 333333333333, HOME/data/models/tiny)
    "#]]
    .assert_eq(&update.out);
    let paths: Vec<String> = user.hub.take_seen().into_iter().map(|s| s.path).collect();
    assert_eq!(paths.len(), 2, "the listing and the card: {paths:?}");
    let mut files = tiny();
    files.insert("README.md".to_owned(), card);
    user.check_installed("tiny", &files);

    std::fs::write(user.models().join("tiny").join(WEIGHTS), "damaged").unwrap();
    let repaired = user.run(&["pull", REPO]);
    assert_eq!(repaired.code, 0, "{}", repaired.err);
    user.check_installed("tiny", &files);
}

#[test]
fn a_calibration_of_ones_own_outlives_every_pull() {
    const SHIPPED: &str = include_str!("../train/checkpoints/gliznet-minilm-l6/calibration.json");
    let own = SHIPPED.replace("0.11020032", "0.25");
    let words = "bread\tflour, oven\n";
    let mut files = tiny();
    files.insert("calibration.json".to_owned(), SHIPPED.into());
    let user = User::with(files.clone());
    assert_eq!(user.run(&["pull", REPO]).code, 0);
    let there = |name: &str| user.models().join("tiny").join(name);
    std::fs::write(there("calibration.json"), &own).unwrap();
    std::fs::write(there("glossary.tsv"), words).unwrap();
    let kept = |said: &str| {
        assert_eq!(
            std::fs::read_to_string(there("calibration.json")).unwrap(),
            own
        );
        assert_eq!(
            std::fs::read_to_string(there("glossary.tsv")).unwrap(),
            words
        );
        for name in ["calibration.json", "glossary.tsv"] {
            let told = format!("{name} there is your own and stays");
            assert!(said.contains(&told), "{said}");
        }
    };
    let again = user.run(&["pull", REPO]).out;
    assert!(again.contains("was here already"), "{again}");
    kept(&again);
    user.hub.change(REPO, |repo| repo.commit = NEWER.to_owned());
    let update = user.run(&["pull", REPO]).out;
    assert!(update.contains("was updated"), "{update}");
    kept(&update);
    std::fs::write(there(WEIGHTS), "damaged").unwrap();
    kept(&user.run(&["pull", REPO]).out);

    // What nobody could use is damage.
    std::fs::write(there("calibration.json"), "{").unwrap();
    std::fs::remove_file(there("glossary.tsv")).unwrap();
    assert_eq!(user.run(&["pull", REPO]).code, 0);
    user.check_installed("tiny", &files);
}

#[test]
fn a_model_that_does_not_load_is_not_chosen() {
    let user = User::new();
    assert_eq!(user.run(&["pull", REPO]).code, 0);
    std::fs::write(user.models().join("tiny").join(WEIGHTS), "damaged").unwrap();
    let ran = user.run(&["use", "tiny"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("HOME/data/models/tiny"), "{}", ran.err);
    assert!(!user.home.path().join("config").exists());
}

#[test]
fn a_renamed_repository_is_followed() {
    let user = User::new();
    user.hub.trouble(Trouble::Renamed {
        from: "old/small",
        to: REPO,
    });
    let ran = user.run(&["pull", "old/small"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    user.check_installed("small", &tiny());
}

#[test]
fn a_name_means_one_model() {
    let user = User::new();
    let bundled = user.run(&["pull", REPO, "--name", "gliznet-minilm-l6"]);
    expect![[r#"
        gliznet: the name `gliznet-minilm-l6` is taken by the bundled model; choose another with `gliznet model pull gliznet/tiny --name NAME`
    "#]].assert_eq(&bundled.err);
    assert_eq!(bundled.code, 1);
    std::fs::create_dir_all(user.models().join("mine")).unwrap();
    let mine = user.run(&["pull", REPO, "--name", "mine"]);
    expect![[r#"
        gliznet: the name `mine` is taken by HOME/data/models/mine; choose another with `gliznet model pull gliznet/tiny --name NAME`
    "#]].assert_eq(&mine.err);
    assert_eq!(mine.code, 1);
    assert_eq!(user.run(&["pull", REPO, "--name", "../up"]).code, 2);
    assert_eq!(user.run(&["pull", "not a repo"]).code, 2);
    assert!(
        user.hub.take_seen().is_empty(),
        "all of it is known without the Hub"
    );
}

#[test]
fn what_is_not_here_is_named_with_the_cure() {
    let user = User::new();
    assert_eq!(user.run(&["pull", REPO]).code, 0);
    for (args, said) in [
        (
            ["use", "tinny"],
            expect![[r#"
                gliznet: no model `tinny` on this machine (did you mean `tiny`?); `gliznet model list` shows all
            "#]],
        ),
        (
            ["show", "some/folder"],
            expect![[r#"
            gliznet: some/folder: no such folder; give the folder that holds the model's config.json, or fetch a model from the Hub with `gliznet model pull OWNER/NAME`
        "#]],
        ),
        (
            ["use", "."],
            expect![[r#"
            gliznet: .: no config.json; a model's folder holds config.json, tokenizer.json and model.safetensors
        "#]],
        ),
    ] {
        let ran = user.run(&args);
        said.assert_eq(&ran.err);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    }
    assert!(
        !user.home.path().join("config").exists(),
        "nothing was chosen"
    );
    std::fs::write(user.models().join("tiny/config.json"), "{").unwrap();
    let list = user.run(&["list"]);
    expect!["tiny pulled broken"].assert_eq(&list.line_about("tiny"));
    expect!["gliznet: HOME/data/models/tiny/config.json: EOF while parsing an object at line 1 column 1; fetch the model again, or repair the file"].assert_eq(list.err.lines().last().unwrap());
    assert_eq!(list.code, 1);
}
