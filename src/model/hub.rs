//! Fetches a checkpoint from the Hugging Face Hub.
//!
//! Input: a repository, a store, the endpoint and token. Output: a folder `models/NAME` whose every
//! file has the checksum that the Hub gives it, or an error and no such folder.
//! Invariant: files are gathered in `models/.incoming/NAME` and appear by one rename; what an
//! interrupted download has fetched stays there, and the next one asks only for the rest.
//! Knows nothing of tensors; the loader says whether the folder is a model.

use std::fs;
use std::path::{Path, PathBuf};

use crate::config::Token;

mod error;
mod install;
mod listing;
mod own;
mod repository;
mod transfer;

pub use error::HubError;
pub use repository::Repository;
pub use transfer::Patience;

use super::store::{BUNDLED_NAME, Checksum, Record, Store, Summary};
use super::{LoadOptions, Model};
use error::at;
use install::Incoming;
use listing::Listing;
use transfer::{Client, Remote};

/// What to fetch, from where, under which name.
#[derive(Clone, Debug)]
pub struct Pull {
    /// The repository and its revision.
    pub repository: Repository,
    /// The name here; the repository's own where `None`.
    pub name: Option<String>,
    /// The Hub's address, as `config::hub_endpoint` gives it.
    pub endpoint: String,
    /// The user's token.
    pub token: Option<Token>,
    /// No request may be made.
    pub offline: bool,
    /// How long to wait and how often to try again.
    pub patience: Patience,
}

/// What happens during a pull, for whoever shows it.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// The repository was read: so many files, and so many bytes in all where the Hub says.
    Listed {
        /// How many files will be here.
        files: usize,
        /// Their size together.
        bytes: Option<u64>,
    },
    /// A file goes on at byte `from`.
    Started {
        /// The file.
        name: &'a str,
        /// Its size, where known.
        bytes: Option<u64>,
        /// How much of it is here.
        from: u64,
    },
    /// So many more bytes came.
    Received(u64),
    /// The connection failed and will be tried again.
    Retrying {
        /// The file.
        name: &'a str,
        /// What happened.
        why: &'a str,
    },
    /// A file is complete and has the checksum it must have.
    Verified {
        /// The file.
        name: &'a str,
    },
}

/// How a pull ended well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// The model's name here.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// The commit it is.
    pub commit: String,
    /// What had to be done.
    pub change: Change,
    /// Files that the user had changed or added there, and that stayed as they are.
    pub kept: Vec<&'static str>,
}

/// What a pull had to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The model is new here.
    Installed,
    /// An older commit of the same repository was replaced.
    Updated,
    /// This commit was here, complete and unchanged.
    AlreadyHere,
}

/// The weights, where they are one file.
const WEIGHTS: &str = "model.safetensors";
/// The list of the weights' parts, where they are several.
const INDEX: &str = "model.safetensors.index.json";
/// Without these there is no model. They come before the weights, so that a model of another kind
/// is refused before a long download.
const REQUIRED: [&str; 2] = ["config.json", "tokenizer.json"];
/// These are taken along where they are.
const OPTIONAL: [&str; 5] = [
    "tokenizer_config.json",
    "calibration.json",
    "glossary.tsv",
    "cases.json",
    "README.md",
];

impl Pull {
    /// Fetches the model into `store`; `report` hears what happens.
    pub fn run(
        &self,
        store: &Store,
        report: &mut dyn FnMut(Event<'_>),
    ) -> Result<Pulled, HubError> {
        let name = self.local_name()?;
        if self.offline {
            return Err(HubError::Offline {
                repository: self.repository.to_string(),
            });
        }
        if let Some(token) = &self.token
            && !token.secret.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(HubError::BadToken {
                endpoint: self.endpoint.clone(),
                origin: token.origin.clone(),
            });
        }
        let incoming = Incoming::open(store, &name)?;
        let installed = store.folder().join(&name);
        let here = Record::read(&installed);
        self.check_name_is_free(&name, &installed, here.as_ref())?;

        let client = Client::new(self);
        let listing = Listing::fetch(self, &client, report)?;
        let record = Record {
            repository: self.repository.id().to_owned(),
            revision: self.repository.revision().to_owned(),
            commit: listing.commit.clone(),
            endpoint: self.endpoint.clone(),
            files: Default::default(),
        };
        let pulled = |change, kept| Pulled {
            name: name.clone(),
            folder: installed.clone(),
            commit: listing.commit.clone(),
            change,
            kept,
        };
        let own = || here.as_ref().map(|here| own::files(here, &installed));
        let kept = own().unwrap_or_default();
        if here
            .as_ref()
            .is_some_and(|here| is_intact(here, &record.commit, &installed, &kept))
        {
            incoming.discard()?;
            return Ok(pulled(Change::AlreadyHere, kept));
        }
        incoming.begin(&record)?;
        let gathering = Gathering {
            pull: self,
            client: &client,
            listing: &listing,
            incoming: &incoming,
            installed: &installed,
            record,
        };
        let record = gathering.run(report).inspect_err(|error| {
            if !error.may_pass() {
                // The same commit would be refused again; the first error is the one to tell.
                let _ = incoming.discard();
            }
        })?;
        let kept = own().unwrap_or_default(); // Asked again: a download takes its time.
        incoming.finish(&record, &installed, &kept)?;
        let change = match here {
            Some(_) => Change::Updated,
            None => Change::Installed,
        };
        Ok(pulled(change, kept))
    }

    fn local_name(&self) -> Result<String, HubError> {
        let name = self.name.as_deref().unwrap_or(self.repository.name());
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let begins_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !begins_well || name.len() > 96 || !name.chars().all(allowed) {
            return Err(HubError::BadName {
                name: name.to_owned(),
            });
        }
        Ok(name.to_owned())
    }

    fn check_name_is_free(
        &self,
        name: &str,
        installed: &Path,
        here: Option<&Record>,
    ) -> Result<(), HubError> {
        let by = if name == BUNDLED_NAME {
            "the bundled model".to_owned()
        } else {
            match here {
                Some(record) if record.repository == self.repository.id() => return Ok(()),
                Some(record) => format!("`{}`", record.repository),
                None if installed.exists() => installed.display().to_string(),
                None => return Ok(()),
            }
        };
        Err(HubError::NameTaken {
            name: name.to_owned(),
            by,
            repository: self.repository.to_string(),
        })
    }
}

/// Whether `folder` holds `commit` with every byte that was verified when it came, but for what is
/// the user's `own`.
fn is_intact(here: &Record, commit: &str, folder: &Path, own: &[&str]) -> bool {
    here.commit == commit
        && !here.files.is_empty()
        && here.files.iter().all(|(name, checksum)| {
            own.contains(&name.as_str())
                || Checksum::parse(checksum).is_some_and(|expected| {
                    expected.of_same_kind(&folder.join(name)).ok().as_ref() == Some(&expected)
                })
        })
}

/// One pull's files on their way into the incoming folder.
struct Gathering<'a> {
    pull: &'a Pull,
    client: &'a Client,
    listing: &'a Listing,
    incoming: &'a Incoming,
    installed: &'a Path,
    record: Record,
}

impl Gathering<'_> {
    fn run(mut self, report: &mut dyn FnMut(Event<'_>)) -> Result<Record, HubError> {
        let mut names: Vec<&str> = REQUIRED.to_vec();
        names.extend(OPTIONAL.iter().filter(|name| self.listing.has(name)));
        let sharded = !self.listing.has(WEIGHTS);
        names.push(if sharded { INDEX } else { WEIGHTS });
        if !sharded {
            self.tell_size(&names, report);
        }
        for name in names {
            self.fetch(name, report)?;
            if name == "config.json" {
                self.check_kind()?;
            }
        }
        if sharded {
            let parts = listing::parts(&self.incoming.folder().join(INDEX), self.listing)?;
            let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
            self.tell_size(&parts, report);
            for part in parts {
                self.fetch(part, report)?;
            }
        }
        self.check_loads()?;
        Ok(self.record)
    }

    fn tell_size(&self, names: &[&str], report: &mut dyn FnMut(Event<'_>)) {
        let bytes = names.iter().map(|name| self.listing.file(name).bytes).sum();
        let files = names.len();
        report(Event::Listed { files, bytes });
    }

    fn fetch(&mut self, name: &str, report: &mut dyn FnMut(Event<'_>)) -> Result<(), HubError> {
        let listed = self.listing.file(name);
        let target = self.incoming.folder().join(name);
        if let Some(checksum) = &listed.checksum
            && !target.exists()
        {
            self.take_along(name, checksum)?;
        }
        let remote = Remote {
            name,
            url: self.listing.url(self.pull, name)?,
            bytes: listed.bytes,
            checksum: listed.checksum,
        };
        let checksum = self.client.download(&remote, &target, report)?;
        self.record
            .files
            .insert(name.to_owned(), checksum.to_string());
        report(Event::Verified { name });
        Ok(())
    }

    /// An update copies the files that did not change.
    fn take_along(&self, name: &str, checksum: &Checksum) -> Result<(), HubError> {
        let old = self.installed.join(name);
        if checksum.of_same_kind(&old).ok().as_ref() == Some(checksum) {
            let new = self.incoming.folder().join(name);
            fs::copy(&old, &new).map_err(at(&new))?;
        }
        Ok(())
    }

    fn check_kind(&self) -> Result<(), HubError> {
        match Summary::read(self.incoming.folder()) {
            Ok(_) => Ok(()),
            Err(source) => Err(HubError::NotAModel {
                repository: self.pull.repository.to_string(),
                source: Box::new(source),
            }),
        }
    }

    /// The loader is strict, and must be so before the model is here rather than when it is to tag.
    fn check_loads(&self) -> Result<(), HubError> {
        match Model::load(self.incoming.folder(), &LoadOptions::default()) {
            Ok(_) => Ok(()),
            Err(source) => Err(HubError::Unsound {
                repository: self.pull.repository.to_string(),
                source: Box::new(source),
            }),
        }
    }
}
