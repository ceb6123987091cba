//! Reads the keys of a label set one by one.
//!
//! Input: a TOML table. Output: a draft of what is good in itself, and a fault, with its line, for
//! everything that is not. Invariant: whatever is not in the draft has a fault.
//! Does not compare labels with each other: `check` does.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::is_misleading;
use super::parse::Lines;
use super::{LabelSetFault, LabelSetProblem, spelling};
use crate::score::Score;

/// The longest name or alias that a file may define, in characters.
pub const MAX_NAME_CHARS: usize = 200;

const SET_KEYS: [&str; 5] = ["name", "description", "language", "threshold", "label"];
const LABEL_KEYS: [&str; 6] = [
    "name",
    "description",
    "aliases",
    "parent",
    "threshold",
    "manual",
];

const LABEL_CURE: &str = "write each label as a table of its own, headed `[[label]]`";

/// The keys of the source, each good in itself.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) language: Option<String>,
    pub(super) threshold: Option<Score>,
    pub(super) labels: Vec<DraftLabel>,
}

/// One `[[label]]` with a good name.
#[derive(Debug)]
pub(super) struct DraftLabel {
    pub(super) name: Lined<String>,
    pub(super) description: Option<String>,
    pub(super) aliases: Vec<Lined<String>>,
    pub(super) parent: Option<Lined<String>>,
    pub(super) threshold: Option<Score>,
    pub(super) manual: bool,
}

/// A value and its line.
#[derive(Clone, Debug)]
pub(super) struct Lined<T> {
    pub(super) line: usize,
    pub(super) value: T,
}

/// Reads values; writes down what is wrong with them.
pub(super) struct Reader {
    lines: Lines,
    faults: Vec<LabelSetFault>,
}

type Value<'i> = Spanned<DeValue<'i>>;

impl Reader {
    /// The draft holds what is good; each other thing has a fault.
    pub(super) fn read(lines: Lines, table: &DeTable<'_>) -> (Draft, Vec<LabelSetFault>) {
        let mut reader = Reader {
            lines,
            faults: Vec::new(),
        };
        let draft = reader.set(table);
        (draft, reader.faults)
    }

    fn fault(&mut self, line: usize, problem: LabelSetProblem) {
        self.faults.push(LabelSetFault { line, problem });
    }

    fn line_of(&self, value: &Value<'_>) -> usize {
        self.lines.at(value.span().start)
    }

    fn set(&mut self, table: &DeTable<'_>) -> Draft {
        self.unknown_keys(table, &SET_KEYS, &LABEL_KEYS);
        let mut draft = Draft::default();
        if let Some(value) = table.get("name") {
            draft.name = self.name("name", value).map(|name| name.value);
        }
        if let Some(value) = table.get("description") {
            draft.description = self.description(value);
        }
        if let Some(value) = table.get("language") {
            draft.language = self.language(value);
        }
        if let Some(value) = table.get("threshold") {
            draft.threshold = self.threshold(value);
        }
        match table.get("label") {
            Some(value) => draft.labels = self.labels(value),
            // Who wrote `labels` has labels, and is told about the key.
            None if table.get("labels").is_none() => self.fault(1, LabelSetProblem::NoLabels),
            None => {}
        }
        draft
    }

    fn labels(&mut self, value: &Value<'_>) -> Vec<DraftLabel> {
        let DeValue::Array(array) = value.get_ref() else {
            self.wrong_type("label", value, LABEL_CURE);
            return Vec::new();
        };
        if array.is_empty() {
            self.fault(self.line_of(value), LabelSetProblem::NoLabels);
        }
        let mut labels = Vec::with_capacity(array.len());
        for item in array.iter() {
            match item.get_ref() {
                DeValue::Table(table) => labels.extend(self.label(self.line_of(item), table)),
                _ => self.wrong_type("label", item, LABEL_CURE),
            }
        }
        labels
    }

    fn label(&mut self, line: usize, table: &DeTable<'_>) -> Option<DraftLabel> {
        self.unknown_keys(table, &LABEL_KEYS, &SET_KEYS);
        let name = match table.get("name") {
            Some(value) => self
                .name("name", value)
                .and_then(|name| self.unmarked(name)),
            None => {
                self.fault(line, LabelSetProblem::MissingName);
                None
            }
        };
        // The other keys are read even where the name is not good, for their faults.
        let description = table
            .get("description")
            .and_then(|value| self.description(value));
        let aliases = table
            .get("aliases")
            .map_or_else(Vec::new, |value| self.aliases(value));
        let parent = table
            .get("parent")
            .and_then(|value| self.name("parent", value));
        let threshold = table
            .get("threshold")
            .and_then(|value| self.threshold(value));
        let manual = table.get("manual").is_some_and(|value| self.manual(value));
        Some(DraftLabel {
            name: name?,
            description,
            aliases,
            parent,
            threshold,
            manual,
        })
    }

    fn unknown_keys(&mut self, table: &DeTable<'_>, known: &[&str], elsewhere: &[&str]) {
        for (key, _) in table.iter() {
            let name = key.get_ref().as_ref();
            if known.contains(&name) {
                continue;
            }
            let cure = if elsewhere.contains(&name) && known.contains(&"label") {
                "it belongs to a label, below its `[[label]]`".to_owned()
            } else if elsewhere.contains(&name) {
                "it belongs to the whole set, above the first `[[label]]`".to_owned()
            } else if let Some(nearest) = spelling::nearest(name, known.iter().copied()) {
                match nearest {
                    "label" => LABEL_CURE.to_owned(),
                    _ => format!("did you mean `{nearest}`?"),
                }
            } else {
                format!("the keys here are {}", known.join(", "))
            };
            let line = self.lines.at(key.span().start);
            self.fault(
                line,
                LabelSetProblem::UnknownKey {
                    key: name.to_owned(),
                    cure,
                },
            );
        }
    }

    /// A name, alias or parent: trimmed, visible, not too long.
    fn name(&mut self, key: &'static str, value: &Value<'_>) -> Option<Lined<String>> {
        let cure = match key {
            "aliases" => "write each alias in quotes, such as [\"todo\"]",
            _ => "write one text in quotes",
        };
        let line = self.line_of(value);
        let text = self.text(key, value, cure)?;
        if let Some(character) = text.chars().find(|&c| is_misleading(c)) {
            self.fault(
                line,
                LabelSetProblem::Invisible {
                    key,
                    text,
                    character,
                },
            );
            return None;
        }
        let n_chars = text.chars().count();
        if n_chars > MAX_NAME_CHARS {
            self.fault(
                line,
                LabelSetProblem::TooLong {
                    name: text,
                    n_chars,
                },
            );
            return None;
        }
        Some(Lined { line, value: text })
    }

    /// A text of one or more lines; how it is broken into lines does not matter.
    fn description(&mut self, value: &Value<'_>) -> Option<String> {
        let line = self.line_of(value);
        let text = self.text("description", value, "write one text in quotes")?;
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(character) = text.chars().find(|&c| is_misleading(c)) {
            let key = "description";
            self.fault(
                line,
                LabelSetProblem::Invisible {
                    key,
                    text,
                    character,
                },
            );
            return None;
        }
        Some(text)
    }

    /// The name of a label, which no `#` begins: in a note that stands before a tag.
    fn unmarked(&mut self, name: Lined<String>) -> Option<Lined<String>> {
        let bare = name.value.trim_start_matches('#');
        if bare.len() == name.value.len() || bare.trim().is_empty() {
            return Some(name);
        }
        let bare = bare.trim().to_owned();
        let problem = LabelSetProblem::Marked {
            name: name.value,
            bare,
        };
        self.fault(name.line, problem);
        None
    }

    /// A text that is not blank, trimmed.
    fn text(&mut self, key: &'static str, value: &Value<'_>, cure: &'static str) -> Option<String> {
        let DeValue::String(text) = value.get_ref() else {
            self.wrong_type(key, value, cure);
            return None;
        };
        let text = text.trim();
        if text.is_empty() {
            let cure = match key {
                "name" => "give it a name",
                "aliases" => "remove the empty alias",
                _ => "fill it in or remove the key",
            };
            self.fault(
                self.line_of(value),
                LabelSetProblem::EmptyText { key, cure },
            );
            return None;
        }
        Some(text.to_owned())
    }

    fn language(&mut self, value: &Value<'_>) -> Option<String> {
        let text = self.text("language", value, "write a code such as \"en\"")?;
        if !is_language_code(&text) {
            let line = self.line_of(value);
            self.fault(line, LabelSetProblem::Language { found: text });
            return None;
        }
        Some(text)
    }

    fn aliases(&mut self, value: &Value<'_>) -> Vec<Lined<String>> {
        let DeValue::Array(array) = value.get_ref() else {
            self.wrong_type(
                "aliases",
                value,
                "write a list such as [\"todo\", \"tasks\"]",
            );
            return Vec::new();
        };
        array
            .iter()
            .filter_map(|alias| self.name("aliases", alias))
            .collect()
    }

    fn threshold(&mut self, value: &Value<'_>) -> Option<Score> {
        let (number, found) = match value.get_ref() {
            DeValue::Float(float) => (float.as_str().parse::<f64>().ok(), float.to_string()),
            DeValue::Integer(integer) => {
                let number = i64::from_str_radix(integer.as_str(), integer.radix());
                (number.ok().map(|n| n as f64), integer.to_string())
            }
            _ => {
                let cure = "write a number from 0 to 1 without quotes";
                self.wrong_type("threshold", value, cure);
                return None;
            }
        };
        // The range is checked before the number is narrowed, which could round it into the range.
        let in_range = number.filter(|n| (0.0..=1.0).contains(n));
        let score = in_range.and_then(|n| Score::new(n as f32));
        if score.is_none() {
            self.fault(self.line_of(value), LabelSetProblem::Threshold { found });
        }
        score
    }

    fn manual(&mut self, value: &Value<'_>) -> bool {
        value.get_ref().as_bool().unwrap_or_else(|| {
            self.wrong_type("manual", value, "write true or false without quotes");
            false
        })
    }

    fn wrong_type(&mut self, key: &'static str, value: &Value<'_>, cure: &'static str) {
        let found = match value.get_ref() {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.fault(
            self.line_of(value),
            LabelSetProblem::WrongType { key, found, cure },
        );
    }
}

/// A primary language of two or three letters and subtags, as BCP 47 has them.
fn is_language_code(text: &str) -> bool {
    let mut subtags = text.split('-');
    let primary = subtags.next().unwrap_or_default();
    (2..=3).contains(&primary.len())
        && primary.bytes().all(|b| b.is_ascii_alphabetic())
        && subtags.all(|tag| {
            (1..=8).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric())
        })
}
