//! Words that texts about a label are likely to hold, for labels that nobody described.
//!
//! In: lines of `name<TAB>words`, with `;` between different meanings. Out: the words of a name, in
//! whatever case or number it is written, with `_`, `-` and blanks taken for the same; of a name of
//! several (*science and technology*) those of each.
//! Invariant: a name's own entry goes before that of its singular or plural, and both before its parts'.
//! Pure: parses from `&str`. Knows nothing of tokens, and of sets but their language.

use std::borrow::Cow;
use std::collections::HashMap;

use super::spelling::fold;
use super::{LabelId, LabelSet};

/// Names with fewer letters have no other number: *new* is no singular of *news*.
const SHORTEST_COUNTED: usize = 4;

/// A dictionary of labels, in English.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Glossary {
    words: HashMap<Box<str>, Box<str>>,
}

/// A line of a glossary that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fact}")]
pub struct GlossaryFault {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong, and the cure.
    pub fact: &'static str,
}

impl Glossary {
    /// Reads `name<TAB>words` lines; empty ones count for nothing.
    ///
    /// # Errors
    /// The first line without a name or without words, or whose name was there before.
    pub fn parse(source: &str) -> Result<Glossary, GlossaryFault> {
        let mut words = HashMap::new();
        for (i, line) in source.lines().enumerate() {
            let fault = |fact| GlossaryFault { line: i + 1, fact };
            if line.trim().is_empty() {
                continue;
            }
            let (name, told) = line
                .split_once('\t')
                .ok_or(fault("no tab; write `name`, a tab, and words"))?;
            let (name, told) = (fold(name), told.trim());
            if name.is_empty() || meanings(told).next().is_none() {
                return Err(fault(
                    "a name and words are needed, on both sides of the tab",
                ));
            }
            if words.insert(name.into(), told.into()).is_some() {
                return Err(fault("this name has an entry already; keep one of them"));
            }
        }
        Ok(Glossary { words })
    }

    /// The words of `name`; none where neither it nor its singular or plural has an entry, nor all
    /// the names that it is made of.
    pub fn words(&self, name: &str) -> Option<Cow<'_, str>> {
        let name = fold(name);
        if let Some(words) = self.entry(&name) {
            return Some(Cow::Borrowed(words));
        }
        let parts: Vec<&str> = parts(&name).collect();
        if parts.len() < 2 {
            return None;
        }
        // Half of what a name says would pull it to one side.
        let usual = |part| self.entry(part).and_then(|words| meanings(words).next());
        let words: Option<Vec<&str>> = parts.into_iter().map(usual).collect();
        words.map(|words| Cow::Owned(words.join(", ")))
    }

    fn entry(&self, name: &str) -> Option<&str> {
        let own = self.words.get(name);
        let found = own.or_else(|| other_numbers(name).find_map(|n| self.words.get(n.as_str())));
        found.map(AsRef::as_ref)
    }

    /// What to read with a label of `set`: nothing where its author described it, or where the set is
    /// in another language.
    pub fn words_of(&self, set: &LabelSet, id: LabelId) -> Option<Cow<'_, str>> {
        let label = set.label(id);
        let may_tell = label.description.is_none() && set.may_be_english();
        may_tell.then(|| self.words(&label.name)).flatten()
    }

    /// How many names it knows.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether it knows none.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }
}

/// The words of each meaning, the most usual first.
pub fn meanings(words: &str) -> impl Iterator<Item = &str> {
    let meanings = words.split(';').map(str::trim);
    meanings.filter(|words| !words.is_empty())
}

/// The plurals of an English name, and what it may be the plural of.
fn other_numbers(name: &str) -> impl Iterator<Item = String> {
    let counted = name.chars().count() >= SHORTEST_COUNTED;
    let stem = |end: &str| name.strip_suffix(end);
    let numbers = [
        Some(format!("{name}s")),
        stem("y").map(|stem| format!("{stem}ies")),
        stem("s").map(str::to_owned),
        stem("ies").map(|stem| format!("{stem}y")),
    ];
    numbers.into_iter().flatten().filter(move |_| counted)
}

/// The names that a folded name is made of: *health and safety*, *css/html*, *food, drink & cooking*.
fn parts(name: &str) -> impl Iterator<Item = &str> {
    let listed = name.split(['/', ',']);
    let joined = listed.flat_map(|part| part.split(" and "));
    let joined = joined.flat_map(|part| part.split(" & "));
    joined.map(str::trim).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "food\teat, dish, meal\n\nnews\theadlines\nself-care\tbath, rest\n\
                          hobby\tpastime\ncustoms\tborder, duties\ncustom\thabit\nstars\tsky\n";

    #[test]
    fn a_name_is_found_in_any_case_spelling_and_number() {
        let glossary = Glossary::parse(SOURCE).unwrap();
        for (name, words) in [
            ("food", "eat, dish, meal"),
            ("Food", "eat, dish, meal"),
            ("foods", "eat, dish, meal"),
            ("self_care", "bath, rest"),
            ("Self  Care", "bath, rest"),
            ("hobbies", "pastime"),
            ("star", "sky"),
        ] {
            assert_eq!(glossary.words(name).as_deref(), Some(words), "{name}");
        }
        assert_eq!(glossary.len(), 7);
    }

    #[test]
    fn a_name_is_not_taken_for_another_word() {
        let glossary = Glossary::parse(SOURCE).unwrap();
        assert_eq!(glossary.words("custom").as_deref(), Some("habit"));
        let customs = glossary.words("customs");
        assert_eq!(customs.as_deref(), Some("border, duties"));
        for name in ["new", "foo", "fooding", "", "-", "s", "ies"] {
            assert_eq!(glossary.words(name), None, "{name}");
        }
    }

    #[test]
    fn a_name_of_several_has_the_words_of_each_where_all_are_known() {
        let source = "food\teat, dish\nhealth\tdoctor\nstars\tsky\nblack and white\tphoto, film\nbank\tmoney; river\n";
        let glossary = Glossary::parse(source).unwrap();
        for (name, words) in [
            ("Health and Food", Some("doctor, eat, dish")),
            ("health_and_food", Some("doctor, eat, dish")),
            ("star/health", Some("sky, doctor")),
            ("food, health, & stars", Some("eat, dish, doctor, sky")),
            ("food and health and stars", Some("eat, dish, doctor, sky")),
            ("black and white", Some("photo, film")),
            ("bank and food", Some("money, eat, dish")),
            ("food and drink", None),
            ("food/", None),
            ("and", None),
            ("health food", None),
        ] {
            assert_eq!(glossary.words(name).as_deref(), words, "{name}");
        }
    }

    #[test]
    fn meanings_are_apart_by_a_semicolon() {
        let of = |words| meanings(words).collect::<Vec<_>>();
        assert_eq!(
            of("money, loan; river, shore;"),
            ["money, loan", "river, shore"]
        );
        assert_eq!(of("money"), ["money"]);
        assert!(of(" ;; ").is_empty());
    }

    #[test]
    fn what_an_author_says_and_other_languages_go_before_it() {
        let glossary = Glossary::parse(SOURCE).unwrap();
        let labels =
            "[[label]]\nname = 'food'\ndescription = 'For cats.'\n[[label]]\nname = 'Stars'\n";
        let set = LabelSet::parse(labels).unwrap();
        assert_eq!(glossary.words_of(&set, LabelId(0)), None);
        assert_eq!(glossary.words_of(&set, LabelId(1)).as_deref(), Some("sky"));
        for (language, words) in [("en-GB", Some("sky")), ("EN", Some("sky")), ("fr", None)] {
            let set = LabelSet::parse(&format!("language = '{language}'\n{labels}")).unwrap();
            assert_eq!(
                glossary.words_of(&set, LabelId(1)).as_deref(),
                words,
                "{language}"
            );
        }
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        for (source, line) in [
            ("a\tb\nno tab\n", 2),
            ("\twords\n", 1),
            ("name\t \n", 1),
            ("name\t ; ;\n", 1),
            ("a\tb\n\nA\tc\n", 3),
        ] {
            assert_eq!(
                Glossary::parse(source).unwrap_err().line,
                line,
                "{source:?}"
            );
        }
        assert!(Glossary::parse("").unwrap().is_empty());
    }
}
