//! Which keys of the settings hold tags: the usual ones, and what the user of this process says.

use std::sync::OnceLock;

use crate::label::is_same;

/// Which keys hold tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagKeys {
    /// Names of the keys, compared without case.
    pub keys: Vec<String>,
    /// A string without a comma holds several tags separated by spaces, as Jekyll has it.
    pub split_spaces: bool,
}

impl Default for TagKeys {
    /// `tags` and `tag`, and what Org, Hugo and ox-hugo call them there.
    fn default() -> TagKeys {
        TagKeys {
            keys: ["tags", "tag", "filetags", "tags[]", "hugo_tags"]
                .map(str::to_owned)
                .to_vec(),
            split_spaces: false,
        }
    }
}

/// What the user of this process wants.
static IN_FORCE: OnceLock<TagKeys> = OnceLock::new();

/// Lets `more` keys hold tags in this process besides the usual ones, and spaces separate tags.
/// Only the first call counts, so that a text is read alike from beginning to end.
pub fn choose_tag_keys(more: Vec<String>, split_spaces: bool) {
    let mut keys = TagKeys::default();
    keys.keys.extend(more);
    keys.split_spaces = split_spaces;
    let _ = IN_FORCE.set(keys); // Somebody was first.
}

impl TagKeys {
    /// What `choose_tag_keys` chose, or the usual ones.
    pub fn in_force() -> TagKeys {
        IN_FORCE.get().cloned().unwrap_or_default()
    }

    pub(super) fn contains(&self, key: &str) -> bool {
        self.keys.iter().any(|k| is_same(k, key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_whatever_its_case_and_however_its_accents_are_stored() {
        let keys = TagKeys {
            keys: vec!["Mots-clés".to_owned()],
            split_spaces: false,
        };
        assert!(keys.contains("mots-cle\u{301}s") && keys.contains("MOTS-CLÉS"));
        assert!(!keys.contains("mots-cles"));
    }
}
