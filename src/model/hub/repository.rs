//! The name of a repository: `OWNER/NAME@REVISION` in, its parts out.
//!
//! Invariant: no part can leave the place in an address or a path that is meant for it.

use std::fmt;

use super::HubError;

/// A model repository of the Hub at a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    id: String,
    revision: String,
}

impl Repository {
    /// Reads `OWNER/NAME`, `OWNER/NAME@REVISION`, or the address of a model's page.
    pub fn parse(text: &str) -> Result<Repository, HubError> {
        let bad = || HubError::BadRepository {
            given: text.to_owned(),
        };
        let page = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"))
            .or_else(|| text.strip_prefix("hf://"));
        let (id, revision) = match page {
            // The page's host is not believed: requests go to the endpoint of the settings.
            Some(page) if !text.starts_with("hf://") => {
                let (_, path) = page.split_once('/').ok_or_else(bad)?;
                path.split_once("/tree/").unwrap_or((path, "main"))
            }
            Some(page) => page.split_once('@').unwrap_or((page, "main")),
            None => text.split_once('@').unwrap_or((text, "main")),
        };
        let id = id.trim_end_matches('/');
        let parts: Vec<&str> = id.split('/').collect();
        let id_is_good = parts.len() <= 2 && parts.iter().all(|part| is_word(part));
        let revision_is_good = revision.split('/').all(is_word);
        if !id_is_good || !revision_is_good {
            return Err(bad());
        }
        Ok(Repository {
            id: id.to_owned(),
            revision: revision.to_owned(),
        })
    }

    /// `OWNER/NAME`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// `NAME`.
    pub fn name(&self) -> &str {
        self.id.rsplit('/').next().unwrap_or(&self.id)
    }

    /// The branch, tag or commit; `main` where none was given.
    pub fn revision(&self) -> &str {
        &self.revision
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.revision.as_str() {
            "main" => f.write_str(&self.id),
            revision => write!(f, "{}@{revision}", self.id),
        }
    }
}

/// What the Hub allows in a part of a name, less what would mean something in a path.
fn is_word(part: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=96).contains(&part.len())
        && part.chars().all(allowed)
        && !part.starts_with(['.', '-'])
        && !part.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_may_be_given_in_four_ways() {
        for (text, id, revision) in [
            ("gliznet/minilm", "gliznet/minilm", "main"),
            ("gliznet/minilm@v1.0", "gliznet/minilm", "v1.0"),
            ("minilm@refs/pr/3", "minilm", "refs/pr/3"),
            (
                "https://hub.example/gliznet/minilm/",
                "gliznet/minilm",
                "main",
            ),
            (
                "https://hub.example/gliznet/minilm/tree/dev",
                "gliznet/minilm",
                "dev",
            ),
            ("hf://gliznet/minilm@dev", "gliznet/minilm", "dev"),
        ] {
            let repository = Repository::parse(text).unwrap();
            assert_eq!((repository.id(), repository.revision()), (id, revision));
            assert_eq!(repository.name(), "minilm");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_accepted_stays_in_its_place(text in "[a-z@/.:%?#-]{0,24}") {
            if let Ok(repository) = Repository::parse(&text) {
                for part in repository.id().split('/').chain(repository.revision().split('/')) {
                    proptest::prop_assert!(!part.is_empty() && !part.starts_with('.'));
                    proptest::prop_assert!(!part.contains(['%', '?', '#', ':', '@']));
                }
                let again = Repository::parse(&repository.to_string()).unwrap();
                proptest::prop_assert_eq!(again, repository);
            }
        }
    }

    #[test]
    fn what_could_leave_its_place_is_refused() {
        for text in [
            "",
            "/",
            "a/b/c",
            "../x",
            "a/..",
            "a/b@",
            "a/b@../../x",
            "a b/c",
            "a/b?x=1",
            "a/b#c",
            "-x/y",
            "a/b@c%2F",
            "https://hub.example",
            "a//b",
            "a/b@c@d",
        ] {
            assert!(Repository::parse(text).is_err(), "{text}");
        }
    }
}
