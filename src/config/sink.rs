//! Where tags are put: a word in the settings, on the command line and in the ledger.
//!
//! Knows nothing of how they are put there; `sink` does.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where the tags of a file are put.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Sink {
    /// Nowhere: they are suggested where they are asked for.
    #[default]
    Suggest,
    /// Into the settings at the head of the file.
    Frontmatter,
    /// Into the file's extended attribute `user.xdg.tags`; on macOS also into the Finder's tags.
    Xattr,
    /// Into a file `.gliznet-tags.jsonl` beside it.
    Sidecar,
    /// To standard output, as JSON Lines.
    Stdout,
}

impl Sink {
    /// All of them, in the order they are told to people.
    pub const ALL: [Sink; 5] = [
        Sink::Suggest,
        Sink::Frontmatter,
        Sink::Xattr,
        Sink::Sidecar,
        Sink::Stdout,
    ];

    /// The word for it, which `FromStr` reads back.
    pub fn name(self) -> &'static str {
        match self {
            Sink::Suggest => "suggest",
            Sink::Frontmatter => "frontmatter",
            Sink::Xattr => "xattr",
            Sink::Sidecar => "sidecar",
            Sink::Stdout => "stdout",
        }
    }

    /// Whether it puts tags into files.
    pub fn writes(self) -> bool {
        matches!(self, Sink::Frontmatter | Sink::Xattr | Sink::Sidecar)
    }
}

impl fmt::Display for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A word that names no sink.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no sink is called `{0}`; use one of suggest, frontmatter, xattr, sidecar, stdout")]
pub struct UnknownSink(String);

impl FromStr for Sink {
    type Err = UnknownSink;

    fn from_str(word: &str) -> Result<Sink, UnknownSink> {
        let mut all = Sink::ALL.into_iter();
        all.find(|sink| sink.name() == word)
            .ok_or_else(|| UnknownSink(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_is_read_from_its_word() {
        for sink in Sink::ALL {
            assert_eq!(sink.to_string().parse(), Ok(sink));
            let json = serde_json::to_string(&sink).unwrap();
            assert_eq!(json, format!("\"{sink}\""));
        }
        let error = "Frontmatter".parse::<Sink>().unwrap_err();
        assert!(
            error
                .to_string()
                .contains("use one of suggest, frontmatter")
        );
        assert!(!Sink::default().writes());
    }
}
