//! Why a pull failed, in sentences for the person who asked for it.
//!
//! Invariant: every message names the place, the fact and the cure; none shows a token.

use std::io;
use std::path::{Path, PathBuf};

use crate::model::checkpoint::CheckpointError;
use crate::model::store::StoreError;

/// Why a checkpoint could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The argument names no repository.
    #[error("`{given}` names no repository of the Hub; write OWNER/NAME or OWNER/NAME@REVISION")]
    BadRepository {
        /// What was given.
        given: String,
    },
    /// The name would not do for a folder.
    #[error(
        "`{name}` cannot be a model's name; use letters, digits, `-`, `_` and `.`, and begin with a letter or digit"
    )]
    BadName {
        /// The name.
        name: String,
    },
    /// The name means something else already.
    #[error(
        "the name `{name}` is taken by {by}; choose another with `gliznet model pull {repository} --name NAME`"
    )]
    NameTaken {
        /// The name.
        name: String,
        /// What has it.
        by: String,
        /// What was to be pulled.
        repository: String,
    },
    /// Another process pulls under this name.
    #[error("another `gliznet model pull` is fetching `{name}`; wait until it is done")]
    Busy {
        /// The name.
        name: String,
    },
    /// The user forbids requests.
    #[error(
        "HF_HUB_OFFLINE is set, so {repository} was not asked for; unset it to pull, or use a model that is here (`gliznet model list`)"
    )]
    Offline {
        /// What was to be pulled.
        repository: String,
    },
    /// No such repository, or one that the Hub hides from this user.
    #[error("{endpoint} has no model `{repository}`, or hides it; check the spelling{}", if_private(*.with_token))]
    NoRepository {
        /// Where.
        endpoint: String,
        /// What.
        repository: String,
        /// Whether a token was sent.
        with_token: bool,
    },
    /// The repository has no such revision.
    #[error(
        "`{repository}` has no revision `{revision}`; see {endpoint}/{repository}/commits/main"
    )]
    NoRevision {
        /// Where.
        endpoint: String,
        /// What.
        repository: String,
        /// The branch, tag or commit.
        revision: String,
    },
    /// The authors want their terms accepted.
    #[error("`{repository}` is gated: accept its terms at {endpoint}/{repository}{}, then pull again", how_to_accept(*.with_token))]
    Gated {
        /// Where.
        endpoint: String,
        /// What.
        repository: String,
        /// Whether a token was sent.
        with_token: bool,
    },
    /// The token cannot be sent.
    #[error(
        "the token of {origin} holds a blank, a line break or another character that no token has; copy it anew from {endpoint}/settings/tokens, or unset it for a public model"
    )]
    BadToken {
        /// Where tokens are made.
        endpoint: String,
        /// Where the token was found.
        origin: String,
    },
    /// The token means nothing to the Hub.
    #[error(
        "{endpoint} does not accept the token of {origin}; make a new one at {endpoint}/settings/tokens, or unset it for a public model"
    )]
    TokenRefused {
        /// Where.
        endpoint: String,
        /// Where the token was found.
        origin: String,
    },
    /// The Hub says no, and not why.
    #[error("{endpoint} forbids reading `{repository}`{}; ask its owner, or set HF_TOKEN to a token that may read it", said(.message))]
    Forbidden {
        /// Where.
        endpoint: String,
        /// What.
        repository: String,
        /// What the Hub says.
        message: String,
    },
    /// A listed file is not there.
    #[error("{url}: not found, though the repository lists it; pull again later")]
    NoFile {
        /// The address.
        url: String,
    },
    /// No connection at all.
    #[error(
        "cannot reach {endpoint}: {why}; check the network, the proxy (HTTPS_PROXY) and HF_ENDPOINT, then pull again: what has been fetched is kept"
    )]
    Unreachable {
        /// Where.
        endpoint: String,
        /// What the network says.
        why: String,
    },
    /// The Hub is reached and does not do its work.
    #[error("{endpoint} is not working: {why}; pull again later")]
    Ailing {
        /// Where.
        endpoint: String,
        /// What it answers.
        why: String,
    },
    /// The connection failed too often.
    #[error("{name}: stopped after {have} of {} bytes: {why}; pull again to go on from there", or_unknown(.bytes))]
    Interrupted {
        /// The file.
        name: String,
        /// How much is here.
        have: u64,
        /// How much there is.
        bytes: Option<u64>,
        /// The last failure.
        why: String,
    },
    /// The answer is not one that the Hub gives.
    #[error("{url}: {fact}; check HF_ENDPOINT, then pull again")]
    Strange {
        /// The address.
        url: String,
        /// What is strange.
        fact: String,
    },
    /// The bytes are not those that the Hub has.
    #[error(
        "{name}: the checksum is {found}, it should be {expected}; the damaged file was deleted, pull again"
    )]
    Mismatch {
        /// The file.
        name: String,
        /// What it is.
        found: String,
        /// What it should be.
        expected: String,
    },
    /// There is nothing to verify with.
    #[error(
        "{url}: the server gives no checksum, so the file cannot be verified; pull from the Hub itself, or copy the files by hand and `gliznet model use FOLDER`"
    )]
    NoChecksum {
        /// The address.
        url: String,
    },
    /// A file that every model has is not in the repository.
    #[error("`{repository}` has no {file}, so it is not a checkpoint that can be used here{}", instead(.file))]
    Lacks {
        /// The repository.
        repository: String,
        /// The file.
        file: &'static str,
    },
    /// The weights would run code when read.
    #[error(
        "`{repository}` has its weights only as {file}, a pickle, which can run any code when it is read; only safetensors are loaded, so ask its authors for model.safetensors"
    )]
    Pickle {
        /// The repository.
        repository: String,
        /// The file.
        file: String,
    },
    /// The list of the weights' parts is wrong.
    #[error("{path}: {fact}; ask the repository's authors to repair it")]
    BadIndex {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        fact: String,
    },
    /// What was fetched is no GliZNet model.
    #[error("`{repository}` is not a model for this program")]
    NotAModel {
        /// The repository.
        repository: String,
        /// Why.
        source: Box<StoreError>,
    },
    /// It is a GliZNet model that cannot be loaded.
    #[error("`{repository}` was fetched whole and cannot be used; tell its authors")]
    Unsound {
        /// The repository.
        repository: String,
        /// Why.
        source: Box<CheckpointError>,
    },
    /// There is no more room.
    #[error(
        "{path}: the disk is full ({cause}); make room and pull again: what has been fetched is kept"
    )]
    DiskFull {
        /// Where it was written.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// The file may not grow so large.
    #[error(
        "{path}: the file may not grow so large here ({cause}); raise the limit (`ulimit -f`, the file system's) and pull again: what has been fetched is kept"
    )]
    FileTooLarge {
        /// Where it was written.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// The disk failed otherwise.
    #[error("{path}: cannot be written ({cause}); check the folder and its permissions")]
    Disk {
        /// Where it was written.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

impl HubError {
    /// Whether pulling again may work while the repository stays as it is.
    pub(super) fn may_pass(&self) -> bool {
        let is_of_the_repository = matches!(
            self,
            HubError::NotAModel { .. }
                | HubError::Unsound { .. }
                | HubError::BadIndex { .. }
                | HubError::NoChecksum { .. }
        );
        !is_of_the_repository
    }
}

/// Turns a failure of the disk at `path` into the sentence for it.
pub(super) fn at(path: &Path) -> impl Fn(io::Error) -> HubError + '_ {
    move |cause| {
        let path = path.to_path_buf();
        match cause.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                HubError::DiskFull { path, cause }
            }
            io::ErrorKind::FileTooLarge => HubError::FileTooLarge { path, cause },
            _ => HubError::Disk { path, cause },
        }
    }
}

fn if_private(with_token: bool) -> &'static str {
    if with_token {
        "; if it is private, the token must be one that may read it"
    } else {
        "; if it is private, set HF_TOKEN to a token that may read it"
    }
}

fn how_to_accept(with_token: bool) -> &'static str {
    if with_token {
        " with the account that the token belongs to"
    } else {
        " and set HF_TOKEN to a token of that account"
    }
}

fn said(message: &str) -> String {
    if message.is_empty() {
        String::new()
    } else {
        format!(" (\"{message}\")")
    }
}

fn or_unknown(bytes: &Option<u64>) -> String {
    bytes.map_or_else(|| "an unknown number of".to_owned(), |n| n.to_string())
}

fn instead(file: &str) -> &'static str {
    match file {
        "tokenizer.json" => "; its authors can write one with transformers' fast tokenizers",
        _ => "; a checkpoint has config.json, tokenizer.json and model.safetensors",
    }
}
