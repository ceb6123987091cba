//! What labels are also called: the label sets in force in; the label that a tag is, out.
//!
//! Invariant: a tag is another one only where no set says that it is something else; what no set
//! knows stays as it is. Pure.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use crate::label::LabelSet;
use crate::sink::tag_key;

/// Other names of labels.
#[derive(Debug, Default)]
pub(super) struct Aliases {
    /// By the key of the alias; none where two sets disagree on it.
    known: HashMap<String, Option<Arc<str>>>,
}

impl Aliases {
    /// What these sets say.
    pub(super) fn of<'a>(sets: impl IntoIterator<Item = &'a LabelSet>) -> Aliases {
        let mut known: HashMap<String, Option<Arc<str>>> = HashMap::new();
        for label in sets.into_iter().flat_map(LabelSet::labels) {
            let name: Arc<str> = label.name.as_str().into();
            for spelling in std::iter::once(&label.name).chain(&label.aliases) {
                let meant = known
                    .entry(tag_key(spelling))
                    .or_insert_with(|| Some(Arc::clone(&name)));
                if meant
                    .as_ref()
                    .is_some_and(|other| tag_key(other) != tag_key(&name))
                {
                    *meant = None;
                }
            }
        }
        // A label's own name leads nowhere: its spellings are told apart.
        known.retain(|spelling, meant| meant.as_ref().is_some_and(|m| tag_key(m) != *spelling));
        Aliases { known }
    }

    /// The label that a tag is; of a nested one, what it is nested in may be an alias.
    pub(super) fn label<'a>(&self, tag: &'a str) -> Cow<'a, str> {
        if self.known.is_empty() {
            return Cow::Borrowed(tag);
        }
        let ends = std::iter::once(tag.len()).chain(tag.rmatch_indices('/').map(|(at, _)| at));
        for end in ends {
            if let Some(Some(label)) = self.known.get(&tag_key(&tag[..end])) {
                return Cow::Owned(format!("{label}{}", &tag[end..]));
            }
        }
        Cow::Borrowed(tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_leads_to_its_label_unless_another_set_says_otherwise() {
        let set = |source| LabelSet::parse(source).unwrap();
        let garden = set("[[label]]\nname = 'earth'\naliases = ['soil', 'Good Ground']\n");
        let one = Aliases::of([&garden]);
        let labels = ["soil", "good-ground", "Soil/clay", "Earth", "tax", "soils"];
        let labels = labels.map(|tag| one.label(tag).into_owned());
        assert_eq!(
            labels,
            ["earth", "earth", "earth/clay", "Earth", "tax", "soils"]
        );
        let other = set("[[label]]\nname = 'soil'\n");
        let both = Aliases::of([&garden, &other]);
        assert_eq!(both.label("soil"), "soil");
        assert_eq!(both.label("good ground"), "earth");
    }
}
