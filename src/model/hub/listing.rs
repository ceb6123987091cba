//! What a repository holds: the Hub's answer in, file names with sizes and checksums out.
//!
//! Invariant: a listing is of one commit, and every address it gives names that commit, so that a
//! push during the download cannot mix two versions. Only plain file names come out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hf_hub::api::sync::{ApiBuilder, ApiRepo};
use hf_hub::{Cache, Repo, RepoType};
use serde::Deserialize;

use super::transfer::Client;
use super::{Checksum, Event, HubError, INDEX, Pull, REQUIRED, WEIGHTS};
use crate::config::json_fault;

/// The files of a repository at one commit.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) commit: String,
    files: BTreeMap<String, Listed>,
}

/// A file of the repository; a mirror may leave out size and checksum.
#[derive(Clone, Debug, Default)]
pub(super) struct Listed {
    pub(super) bytes: Option<u64>,
    pub(super) checksum: Option<Checksum>,
}

/// The Hub's answer. It has many more fields.
#[derive(Deserialize)]
struct Answer {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    blob_id: Option<String>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: Option<String>,
    size: Option<u64>,
}

impl Listing {
    /// Asks the Hub, and refuses a repository that cannot be a checkpoint.
    pub(super) fn fetch(
        pull: &Pull,
        client: &Client,
        report: &mut dyn FnMut(Event<'_>),
    ) -> Result<Listing, HubError> {
        let repo = api(pull, pull.repository.revision())?;
        let body = client.listing(|| repo.info_request().query("blobs", "true"), report)?;
        let listing = Listing::read(&body).map_err(|fact| HubError::Strange {
            url: pull.endpoint.clone(),
            fact,
        })?;
        listing.check(pull)?;
        Ok(listing)
    }

    fn read(body: &[u8]) -> Result<Listing, String> {
        let answer: Answer = serde_json::from_slice(body)
            .map_err(|e| format!("the answer is not a listing of the Hub ({e})"))?;
        let is_commit = answer.sha.bytes().all(|b| b.is_ascii_alphanumeric());
        if answer.sha.is_empty() || !is_commit {
            return Err("the answer names no commit".to_owned());
        }
        let files = answer.siblings.into_iter().map(|file| {
            let checksum = match &file.lfs {
                Some(lfs) => lfs.sha256.as_deref(),
                None => file.blob_id.as_deref(),
            };
            let listed = Listed {
                bytes: file.lfs.as_ref().and_then(|lfs| lfs.size).or(file.size),
                checksum: checksum.and_then(Checksum::from_etag),
            };
            (file.rfilename, listed)
        });
        Ok(Listing {
            commit: answer.sha,
            files: files.collect(),
        })
    }

    fn check(&self, pull: &Pull) -> Result<(), HubError> {
        let repository = pull.repository.to_string();
        if !self.has(WEIGHTS) && !self.has(INDEX) {
            return Err(match self.pickle() {
                Some(file) => HubError::Pickle { repository, file },
                None => HubError::Lacks {
                    repository,
                    file: WEIGHTS,
                },
            });
        }
        match REQUIRED.iter().find(|file| !self.has(file)) {
            Some(file) => Err(HubError::Lacks { repository, file }),
            None => Ok(()),
        }
    }

    /// A pickle that looks like the weights: trainers leave smaller ones beside them.
    fn pickle(&self) -> Option<String> {
        let endings = [".bin", ".pt", ".pth", ".ckpt", ".pkl"];
        let leftovers = ["training_args", "optimizer", "scheduler", "rng_state"];
        let is_weights = |name: &&String| {
            endings.iter().any(|ending| name.ends_with(ending))
                && !leftovers
                    .iter()
                    .any(|beginning| name.starts_with(beginning))
        };
        self.files.keys().find(is_weights).cloned()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    pub(super) fn file(&self, name: &str) -> Listed {
        self.files.get(name).cloned().unwrap_or_default()
    }

    /// Where the file is, at this very commit.
    pub(super) fn url(&self, pull: &Pull, name: &str) -> Result<String, HubError> {
        Ok(api(pull, &self.commit)?.url(name))
    }
}

/// hf-hub's view of the repository: it knows the Hub's addresses and headers. Its cache is not
/// used; the path only keeps it from looking for one.
fn api(pull: &Pull, revision: &str) -> Result<ApiRepo, HubError> {
    let repo = Repo::with_revision(
        pull.repository.id().to_owned(),
        RepoType::Model,
        revision.to_owned(),
    );
    let api = ApiBuilder::from_cache(Cache::new(std::path::PathBuf::new()))
        .with_endpoint(pull.endpoint.clone())
        .with_token(pull.token.as_ref().map(|token| token.secret.clone()))
        .with_user_agent("gliznet", env!("CARGO_PKG_VERSION"))
        .build()
        .map_err(|error| HubError::Strange {
            url: pull.endpoint.clone(),
            fact: error.to_string(),
        })?;
    Ok(api.repo(repo))
}

/// The names of the weights' parts, as the index at `path` lists them.
pub(super) fn parts(path: &Path, listing: &Listing) -> Result<Vec<String>, HubError> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let bad = |fact: String| HubError::BadIndex {
        path: path.to_path_buf(),
        fact,
    };
    let bytes = std::fs::read(path).map_err(super::at(path))?;
    let index: Index = serde_json::from_slice(&bytes).map_err(|e| bad(json_fault(&e)))?;
    let parts: BTreeSet<String> = index.weight_map.into_values().collect();
    for part in &parts {
        // A name with a slash could lead out of the folder; one of another kind is not weights.
        if part.contains(['/', '\\']) || !part.ends_with(".safetensors") || part.starts_with('.') {
            return Err(bad(format!("`{part}` cannot be a part of the weights")));
        }
        if !listing.has(part) {
            return Err(bad(format!("the part `{part}` is not in the repository")));
        }
    }
    if parts.is_empty() {
        return Err(bad("it lists no parts".to_owned()));
    }
    Ok(parts.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = br#"{"id": "o/m", "sha": "abc123", "gated": false, "siblings": [
        {"rfilename": "config.json", "size": 10, "blobId": "d670460b4b4aece5915caf5c68d12f560a9fe3e4"},
        {"rfilename": "a.safetensors", "size": 7, "blobId": "0000000000000000000000000000000000000000",
         "lfs": {"sha256": "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c", "size": 7, "pointerSize": 100}},
        {"rfilename": "old.json"}]}"#;

    #[test]
    fn a_large_file_is_verified_by_its_content_and_a_small_one_by_its_git_id() {
        let listing = Listing::read(ANSWER).unwrap();
        assert_eq!(listing.commit, "abc123");
        let small = listing.file("config.json");
        assert!(matches!(small.checksum, Some(Checksum::GitBlob(_))));
        let large = listing.file("a.safetensors");
        assert!(matches!(large.checksum, Some(Checksum::Sha256(_))));
        assert_eq!(large.bytes, Some(7));
        assert!(listing.file("old.json").checksum.is_none());
    }

    #[test]
    fn an_index_cannot_name_a_file_elsewhere() {
        let listing = Listing::read(ANSWER).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index.json");
        let parts = |json: &str| {
            std::fs::write(&path, json).unwrap();
            parts(&path, &listing).map_err(|e| e.to_string())
        };
        let good = parts(r#"{"weight_map": {"x": "a.safetensors", "y": "a.safetensors"}}"#);
        assert_eq!(good.unwrap(), ["a.safetensors"]);
        for bad in [
            r#"{"weight_map": {"x": "../a.safetensors"}}"#,
            r#"{"weight_map": {"x": "config.json"}}"#,
            r#"{"weight_map": {"x": "b.safetensors"}}"#,
            r#"{"weight_map": {}}"#,
            "{}",
        ] {
            assert!(parts(bad).is_err(), "{bad}");
        }
    }
}
