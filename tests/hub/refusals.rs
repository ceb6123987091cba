//! What is refused, in which words, and that nothing is installed by it.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};

use super::hub_server::{HubServer, Trouble};
use super::hub_user::{REPO, User, WEIGHTS, tiny};

#[test]
fn damaged_bytes_are_deleted_and_never_installed() {
    for (file, said) in [
        (
            WEIGHTS,
            expect![
                "gliznet: model.safetensors: the checksum is sha256:204c5cf8abf7a99c830d3ddbf32b90305fa17dc91b567edba0949b94b7d1cd04, it should be sha256:ff0e0082d8b1353639dbff7f4e522c8b8a4e5be09538f8e4c38a2616a3f490d4; the damaged file was deleted, pull again"
            ],
        ),
        (
            "tokenizer.json",
            expect![
                "gliznet: tokenizer.json: the checksum is git-blob:ac3174ec9f26578ed2ad9e91fdb8be580ef121af, it should be git-blob:2cf90fe9f741ee9adb87ae69a6eba7056aa30c81; the damaged file was deleted, pull again"
            ],
        ),
    ] {
        let user = User::new();
        user.hub.trouble(Trouble::Corrupt { file });
        user.fails(&["pull", REPO], said);
        let incoming = user.models().join(".incoming/tiny");
        assert!(!incoming.join(file).exists());
        assert!(!incoming.join(format!("{file}.part")).exists());
        user.hub.heal();
        assert_eq!(user.run(&["pull", REPO]).code, 0);
        user.check_installed("tiny", &tiny());
    }
}

#[test]
fn a_mirror_is_trusted_only_as_far_as_its_etags() {
    let user = User::new();
    user.hub.trouble(Trouble::NoBlobs);
    user.hub.trouble(Trouble::Corrupt { file: WEIGHTS });
    user.fails(&["pull", REPO], expect![
            "gliznet: model.safetensors: the checksum is sha256:204c5cf8abf7a99c830d3ddbf32b90305fa17dc91b567edba0949b94b7d1cd04, it should be sha256:ff0e0082d8b1353639dbff7f4e522c8b8a4e5be09538f8e4c38a2616a3f490d4; the damaged file was deleted, pull again"
        ],
    );
    user.hub.heal();
    user.hub.trouble(Trouble::NoBlobs);
    assert_eq!(user.run(&["pull", REPO]).code, 0);
    user.check_installed("tiny", &tiny());

    let user = User::new();
    user.hub.trouble(Trouble::NoBlobs);
    user.hub.trouble(Trouble::NoEtags);
    user.fails(&["pull", REPO], expect!["gliznet: HUB/gliznet/tiny/resolve/1111111111111111111111111111111111111111/config.json: the server gives no checksum, so the file cannot be verified; pull from the Hub itself, or copy the files by hand and `gliznet model use FOLDER`"]);
}

#[test]
fn what_the_hub_refuses_is_said_plainly() {
    let user = User::new();
    user.fails(&["pull", "gliznet/tinny", "--name", "tiny"], expect![
            "gliznet: HUB has no model `gliznet/tinny`, or hides it; check the spelling; if it is private, set HF_TOKEN to a token that may read it"
        ],
    );
    user.fails(
        &["pull", "gliznet/tiny@v9"],
        expect!["gliznet: `gliznet/tiny` has no revision `v9`; see HUB/gliznet/tiny/commits/main"],
    );
    user.hub.fail("/api/", 403, "", 1);
    user.fails_with(&["pull", REPO], &[("HF_TOKEN", "t")],
        expect![
            "gliznet: HUB forbids reading `gliznet/tiny`; ask its owner, or set HF_TOKEN to a token that may read it"
        ],
    );
    user.hub.fail("/api/", 404, "RepoNotFound", 1);
    user.fails_with(&["pull", REPO], &[("HF_TOKEN", "t")], expect![
            "gliznet: HUB has no model `gliznet/tiny`, or hides it; check the spelling; if it is private, the token must be one that may read it"
        ],
    );
    user.hub.change(REPO, |repo| repo.gated = true);
    user.fails(&["pull", REPO], expect![
            "gliznet: `gliznet/tiny` is gated: accept its terms at HUB/gliznet/tiny and set HF_TOKEN to a token of that account, then pull again"
        ],
    );
    user.fails_with(&["pull", REPO], &[("HF_TOKEN", "t")],
        expect![
            "gliznet: `gliznet/tiny` is gated: accept its terms at HUB/gliznet/tiny with the account that the token belongs to, then pull again"
        ],
    );
    user.hub.require_token("right");
    user.fails_with(&["pull", REPO], &[("HF_TOKEN", "wrong")], expect![
            "gliznet: HUB does not accept the token of HF_TOKEN; make a new one at HUB/settings/tokens, or unset it for a public model"
        ],
    );
    user.fails_with(&["pull", REPO], &[("HF_TOKEN", "two\nlines")], expect![
            "gliznet: the token of HF_TOKEN holds a blank, a line break or another character that no token has; copy it anew from HUB/settings/tokens, or unset it for a public model"
        ],
    );
    user.hub.fail("/api/", 502, "", 9);
    user.fails(
        &["pull", REPO],
        expect!["gliznet: HUB is not working: it answered 502; pull again later"],
    );
}

#[test]
fn a_token_goes_to_the_hub_and_not_to_the_store_it_redirects_to() {
    let user = User::new();
    user.hub.require_token("secret");
    user.fails(&["pull", REPO], expect![
            "gliznet: HUB has no model `gliznet/tiny`, or hides it; check the spelling; if it is private, set HF_TOKEN to a token that may read it"
        ],
    );
    user.hub.take_seen();
    assert_eq!(
        user.run_with(&["pull", REPO], &[("HF_TOKEN", "secret")])
            .code,
        0
    );
    for seen in user.hub.take_seen() {
        let is_store = seen.host.starts_with("localhost");
        assert_eq!(is_store, seen.path.starts_with("/cdn/"));
        assert_eq!(seen.authorization.is_none(), is_store, "{seen:?}");
    }
}

#[test]
fn a_token_goes_nowhere_else_with_the_list_of_files_either() {
    let user = User::new();
    user.hub.require_token("secret");
    let other = HubServer::start(REPO, tiny());
    let elsewhere = format!("{}/api/", other.endpoint());
    user.hub.trouble(Trouble::Renamed {
        from: "/api/",
        to: elsewhere.leak(),
    });
    let token = [("HF_TOKEN", "secret")];
    assert_eq!(user.run_with(&["pull", REPO], &token).code, 0);
    let seen = other.take_seen();
    assert!(!seen.is_empty() && seen.iter().all(|seen| seen.authorization.is_none()));
}

#[test]
fn offline_means_that_no_request_is_made() {
    let user = User::new();
    user.fails_with(&["pull", REPO], &[("HF_HUB_OFFLINE", "1")],
        expect![
            "gliznet: HF_HUB_OFFLINE is set, so gliznet/tiny was not asked for; unset it to pull, or use a model that is here (`gliznet model list`)"
        ],
    );
    assert!(user.hub.take_seen().is_empty());
}

#[test]
fn without_a_network_the_address_and_the_reason_are_named() {
    let user = User::new();
    // Port 9 of loopback: nobody listens there.
    let nowhere = [("HF_ENDPOINT", "http://127.0.0.1:9")];
    user.fails_with(&["pull", REPO], &nowhere, expect![
            "gliznet: cannot reach http://127.0.0.1:9: Connection refused (os error 111); check the network, the proxy (HTTPS_PROXY) and HF_ENDPOINT, then pull again: what has been fetched is kept"
        ],
    );
    user.fails_with(
        &["pull", REPO],
        &[("HF_ENDPOINT", "mirror")],
        expect![
            "gliznet: HF_ENDPOINT is `mirror`; it must be an address such as https://huggingface.co"
        ],
    );
}

#[test]
fn what_is_no_checkpoint_is_refused_before_its_weights_are_fetched() {
    let check = |edit: fn(&mut BTreeMap<String, Vec<u8>>), said: Expect| {
        let mut files = tiny();
        edit(&mut files);
        let user = User::with(files);
        user.fails(&["pull", REPO], said);
        assert!(user.ranges_of_weights().is_empty());
        assert_eq!(user.run(&["list"]).out.matches("unfinished").count(), 0);
    };
    check(
        |files| {
            let weights = files.remove(WEIGHTS).unwrap();
            files.insert("pytorch_model.bin".to_owned(), weights);
        },
        expect![
            "gliznet: `gliznet/tiny` has its weights only as pytorch_model.bin, a pickle, which can run any code when it is read; only safetensors are loaded, so ask its authors for model.safetensors"
        ],
    );
    check(
        |files| drop(files.remove(WEIGHTS)),
        expect![
            "gliznet: `gliznet/tiny` has no model.safetensors, so it is not a checkpoint that can be used here; a checkpoint has config.json, tokenizer.json and model.safetensors"
        ],
    );
    check(
        |files| drop(files.remove("tokenizer.json")),
        expect![
            "gliznet: `gliznet/tiny` has no tokenizer.json, so it is not a checkpoint that can be used here; its authors can write one with transformers' fast tokenizers"
        ],
    );
    check(
        |files| {
            drop(files.insert(
                "config.json".to_owned(),
                b"{\"model_type\": \"bert\"}".to_vec(),
            ))
        },
        expect![
            "gliznet: `gliznet/tiny` is not a model for this program: HOME/data/models/.incoming/tiny/config.json: model_type is `bert`, not `gliznet`; only GliZNet checkpoints can tag"
        ],
    );
}

#[test]
fn weights_that_cannot_be_loaded_are_not_installed() {
    let mut files = tiny();
    files.insert(WEIGHTS.to_owned(), vec![0; 5_000]);
    let user = User::with(files);
    user.fails(
        &["pull", REPO],
        expect![
            "gliznet: `gliznet/tiny` was fetched whole and cannot be used; tell its authors: HOME/data/models/.incoming/tiny: model.safetensors: not a whole safetensors file (invalid JSON in header: EOF while parsing a value at line 1 column 0); fetch it again"
        ],
    );
    assert!(!user.models().join(".incoming/tiny").exists());
}
