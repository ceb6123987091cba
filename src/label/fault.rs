//! What can be wrong with a label set, in words that say where, what and how to mend it.
//!
//! Invariant: every message is one line, shows no control character of the input, and stays short
//! whatever the input. Knows nothing of files: who has a path puts it in front.

use super::read::MAX_NAME_CHARS;

/// One fault of a label set's TOML source.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct LabelSetFault {
    /// The line it stands on, from 1.
    pub line: usize,
    /// What is wrong there, and the cure.
    pub problem: LabelSetProblem,
}

/// What is wrong with a label set; the message holds the fact and the cure.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LabelSetProblem {
    /// The source is not TOML.
    #[error("this is not TOML: {message}; {cure}")]
    Syntax {
        /// What the TOML parser says.
        message: String,
        /// What to do about it.
        cure: &'static str,
    },
    /// A key that means nothing here.
    #[error("unknown key `{}`; {cure}", shown(.key))]
    UnknownKey {
        /// The key as written.
        key: String,
        /// The key that was probably meant, or those there are.
        cure: String,
    },
    /// A value of a type that its key does not take.
    #[error("`{key}` is {found}; {cure}")]
    WrongType {
        /// The key.
        key: &'static str,
        /// What its value is.
        found: &'static str,
        /// What to write instead.
        cure: &'static str,
    },
    /// A `[[label]]` without a `name`.
    #[error("a label without a name; add `name = \"…\"` below this `[[label]]`")]
    MissingName,
    /// Nothing, or only blanks, where a text is needed.
    #[error("`{key}` is empty; {cure}")]
    EmptyText {
        /// The key.
        key: &'static str,
        /// What to do about it.
        cure: &'static str,
    },
    /// A control character, or an invisible one that only misleads.
    #[error("`{key}` holds the invisible character U+{:04X}; remove it from `{}`", *.character as u32, shown(.text))]
    Invisible {
        /// The key.
        key: &'static str,
        /// The whole text.
        text: String,
        /// The first such character.
        character: char,
    },
    /// A name with the sign that notes put before a tag.
    #[error("`{}` begins with `#`, which marks a tag in a note and is no part of its name; write `{}`", shown(.name), shown(.bare))]
    Marked {
        /// The name.
        name: String,
        /// The same without the sign.
        bare: String,
    },
    /// A name or alias that nobody would write as a tag.
    #[error("`{}` has {n_chars} characters; shorten it to at most {MAX_NAME_CHARS} and put the rest into `description`", shown(.name))]
    TooLong {
        /// The name.
        name: String,
        /// Its length.
        n_chars: usize,
    },
    /// Two labels of one name.
    #[error("label `{}` is defined twice (first on line {first}); rename or remove one", shown(.name))]
    Duplicate {
        /// The name, as written here.
        name: String,
        /// Line of the first one.
        first: usize,
    },
    /// Two labels whose names differ in nothing but `_`, `-` and blanks.
    #[error("`{}` is spelled like `{}` on line {first}; they would be taken for the same, so remove or rename one", shown(.name), shown(.other))]
    LooksAlike {
        /// The name or alias, as written here.
        name: String,
        /// The one it is like.
        other: String,
        /// Line of that one.
        first: usize,
    },
    /// An alias that another label already has as its name or alias.
    #[error("alias `{}` already belongs to label `{}` (line {first}); keep it in one place", shown(.alias), shown(.owner))]
    AliasTaken {
        /// The alias, as written here.
        alias: String,
        /// The label that has it.
        owner: String,
        /// Line where that one has it.
        first: usize,
    },
    /// An alias that its own label already has as its name or alias.
    #[error("alias `{}` repeats what its label already has; remove it", shown(.alias))]
    AliasRepeated {
        /// The alias.
        alias: String,
    },
    /// A parent that is no label of the set.
    #[error("parent `{}` is not a label of this set; {cure}", shown(.parent))]
    UnknownParent {
        /// The parent, as written.
        parent: String,
        /// The label that was probably meant, or what to do.
        cure: String,
    },
    /// Labels that are each other's ancestors.
    #[error("parents run in a circle: {}; remove one of these `parent` keys", circle(.labels))]
    Cycle {
        /// The labels of the circle, each followed by its parent.
        labels: Vec<String>,
    },
    /// A threshold that is no probability.
    #[error("threshold {found} is outside 0 to 1; write a probability such as 0.5")]
    Threshold {
        /// The number, as written.
        found: String,
    },
    /// A language that is not written as a code.
    #[error("`{}` is not a language code; write one such as \"en\", \"fr\" or \"pt-BR\"", shown(.found))]
    Language {
        /// The text, as written.
        found: String,
    },
    /// A set without labels.
    #[error("no labels; a label set needs at least one `[[label]]` with a `name`")]
    NoLabels,
}

/// One fault of a list of bare names; positions count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// A list without a usable name.
    #[error("no labels; name at least one")]
    NoLabels,
    /// Nothing, or only blanks.
    #[error("label {position} is empty; remove it or give it a name")]
    Empty {
        /// Which of the list.
        position: usize,
    },
    /// A name that stands in the list already.
    #[error("label {position} `{}` repeats label {first}; remove one", shown(.name))]
    Duplicate {
        /// Which of the list.
        position: usize,
        /// The name, as written here.
        name: String,
        /// Which one it repeats.
        first: usize,
    },
    /// A control character, or an invisible one that only misleads.
    #[error("label {position} `{}` holds the invisible character U+{:04X}; remove it", shown(.name), *.character as u32)]
    Invisible {
        /// Which of the list.
        position: usize,
        /// The name.
        name: String,
        /// The first such character.
        character: char,
    },
}

impl NameFault {
    /// Which of the list, counted from 1; `None` where the list as a whole is meant.
    pub fn position(&self) -> Option<usize> {
        match self {
            NameFault::NoLabels => None,
            NameFault::Empty { position }
            | NameFault::Duplicate { position, .. }
            | NameFault::Invisible { position, .. } => Some(*position),
        }
    }

    /// Whether the label has its score all the same, under its first mention.
    pub fn is_duplicate(&self) -> bool {
        matches!(self, NameFault::Duplicate { .. })
    }

    /// Whether nothing is lost by leaving it out.
    pub fn is_harmless(&self) -> bool {
        matches!(self, NameFault::Duplicate { .. } | NameFault::Empty { .. })
    }
}

/// Labels of a circle that are named before the rest is only counted.
const MOST_NAMED: usize = 6;

fn circle(labels: &[String]) -> String {
    let mut shown_labels: Vec<String> = labels
        .iter()
        .take(MOST_NAMED)
        .map(|label| format!("`{}`", shown(label)))
        .collect();
    if labels.len() > MOST_NAMED {
        shown_labels.push(format!("{} more", labels.len() - MOST_NAMED));
    }
    if let Some(first) = labels.first() {
        shown_labels.push(format!("`{}`", shown(first)));
    }
    shown_labels.join(" → ")
}

/// Characters of a name that a message repeats.
const MOST_SHOWN: usize = 60;

/// A text of the user's as a message may repeat it: short, and nothing in it moves the cursor.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::new();
    for (n, c) in text.chars().enumerate() {
        if n == MOST_SHOWN {
            shown.push('…');
            break;
        }
        if is_misleading(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Characters that may not stand in a name: it would not look like what it is.
///
/// Joiners (U+200C, U+200D) are needed by several scripts and by emoji, marks of direction
/// (U+200E, U+200F, U+061C) by names of two directions; they stay allowed. The soft hyphen comes
/// along with words that are copied from a page.
pub(super) fn is_misleading(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{AD}' | '\u{180E}' | '\u{200B}' | '\u{FEFF}')
        || matches!(c, '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_shows_no_control_character_and_stays_short() {
        let fault = NameFault::Duplicate {
            position: 2,
            name: format!("\u{1b}[31m{}", "x".repeat(10_000)),
            first: 1,
        };
        let message = fault.to_string();
        assert!(
            !message.contains('\u{1b}') && message.contains("\\u{1b}"),
            "{message}"
        );
        assert!(message.chars().count() < 120, "{message}");
    }

    #[test]
    fn what_nobody_sees_is_no_part_of_a_name_but_where_a_script_needs_it() {
        for c in [
            '\u{ad}', '\u{200b}', '\u{202e}', '\u{2060}', '\u{2069}', '\u{feff}',
        ] {
            assert!(is_misleading(c), "{c:?}");
        }
        for c in "é\u{301}\u{200c}\u{200d}\u{200f}\u{fe0f}\u{a0}‐".chars() {
            assert!(!is_misleading(c), "{c:?}");
        }
    }

    #[test]
    fn a_circle_closes_with_the_label_it_began_with() {
        let labels = |n: usize| (0..n).map(|i| i.to_string()).collect::<Vec<_>>();
        assert_eq!(circle(&labels(1)), "`0` → `0`");
        assert_eq!(circle(&labels(2)), "`0` → `1` → `0`");
        assert!(circle(&labels(10)).ends_with("`5` → 4 more → `0`"));
    }
}
