//! The closed vocabulary: labels and the sets they live in.
//!
//! Invariant: names are unique in their set (as `lower` has them, aliases included) and not empty;
//! every parent is a label of the set and no label is its own ancestor; a set is not empty.
//! Pure: parses from `&str`, reads no files; knows nothing of scores' origin.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use sha2::{Digest, Sha256};

use crate::score::Score;

mod bundled;
mod check;
pub mod derive;
mod edit;
mod fault;
mod glossary;
mod names;
mod parse;
mod read;
mod spelling;
mod write;

pub use bundled::bundled;
pub use edit::{Change, ChangeError, changed};
pub(crate) use fault::shown;
pub use fault::{LabelSetFault, LabelSetProblem, NameFault};
pub use glossary::{Glossary, GlossaryFault, meanings};
pub use read::MAX_NAME_CHARS;
pub(crate) use spelling::{fold, is_same, lower, nearest};

/// Index of a label in its set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabelId(pub u32);

/// One class that a document may have.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// What is written as the tag.
    pub name: String,
    /// What it means, in a sentence; sharpens the label for the reader.
    pub description: Option<String>,
    /// Other spellings of the same tag.
    pub aliases: Vec<String>,
    /// The name of a broader label of the same set.
    pub parent: Option<String>,
    /// The lowest score that gives the tag; the set's or the model's default where absent.
    pub threshold: Option<Score>,
    /// Only a person gives this tag; it is scored but never suggested.
    pub manual: bool,
}

/// What labels mean, by their names.
pub type Descriptions = BTreeMap<String, String>;

impl Label {
    /// A label with nothing but a name.
    fn named(name: String) -> Label {
        Label {
            name,
            description: None,
            aliases: Vec::new(),
            parent: None,
            threshold: None,
            manual: false,
        }
    }

    /// `name: description`, or the name alone where there is no description.
    pub fn described(&self) -> Cow<'_, str> {
        match &self.description {
            Some(description) => Cow::Owned(format!("{}: {description}", self.name)),
            None => Cow::Borrowed(&self.name),
        }
    }
}

/// A closed vocabulary, in the order its author gave it.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelSet {
    /// Short name, as in `--labelset NAME`; empty where nobody gave one.
    pub name: String,
    /// What the set is for.
    pub description: Option<String>,
    /// The language of the labels, as a tag such as `en` or `fr`.
    pub language: Option<String>,
    /// Default threshold of the set.
    pub threshold: Option<Score>,
    labels: Vec<Label>,
    index: Index,
}

impl LabelSet {
    /// Reads a set from TOML. On failure the faults are all that the source has, in line order.
    pub fn parse(source: &str) -> Result<LabelSet, Vec<LabelSetFault>> {
        parse::parse(source)
    }

    /// A set of bare names, as in `--labels a,b,c`.
    ///
    /// Names are trimmed; they may be of any length. Fails where a name is empty, has a control
    /// character or repeats an earlier one, and where there is none at all.
    pub fn from_names<S: AsRef<str>>(
        names: impl IntoIterator<Item = S>,
    ) -> Result<LabelSet, Vec<NameFault>> {
        match LabelSet::from_names_lenient(names) {
            (Some(set), faults) if faults.is_empty() => Ok(set),
            (_, faults) => Err(faults),
        }
    }

    /// Like [`LabelSet::from_names`], but leaves faulty names out and says which those were.
    ///
    /// `None` where no name is left.
    pub fn from_names_lenient<S: AsRef<str>>(
        names: impl IntoIterator<Item = S>,
    ) -> (Option<LabelSet>, Vec<NameFault>) {
        names::from_names(names)
    }

    /// The one door: `labels` must keep the invariants of this module.
    fn new(labels: Vec<Label>) -> LabelSet {
        LabelSet {
            name: String::new(),
            description: None,
            language: None,
            threshold: None,
            index: Index::new(&labels),
            labels,
        }
    }

    /// The same set, in which these labels mean this; the others keep what they have.
    #[must_use]
    pub fn with_descriptions(mut self, descriptions: &Descriptions) -> LabelSet {
        for label in &mut self.labels {
            if let Some(description) = descriptions.get(&label.name) {
                label.description = Some(description.clone());
            }
        }
        self
    }

    /// What its labels mean, of those that are described.
    pub fn descriptions(&self) -> Descriptions {
        let described = self.labels.iter();
        described
            .filter_map(|label| Some((label.name.clone(), label.description.clone()?)))
            .collect()
    }

    /// Whether nobody said that its labels are in another language than English.
    pub fn may_be_english(&self) -> bool {
        let language = self.language.as_ref();
        language.is_none_or(|language| language.to_lowercase().starts_with("en"))
    }

    /// The labels, in order; `LabelId(i)` is the `i`-th.
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// The label with this index. Panics where `id` is of another set.
    pub fn label(&self, id: LabelId) -> &Label {
        &self.labels[id.0 as usize]
    }

    /// The broader label that `id` names as its parent.
    pub fn parent(&self, id: LabelId) -> Option<LabelId> {
        self.find(self.label(id).parent.as_deref()?)
    }

    /// The label that somebody means who writes `spelling`: by name or alias, whatever the case
    /// and however accents are stored, and with `_`, `-` and blanks taken for the same. An exact
    /// match goes before a loose one.
    pub fn find(&self, spelling: &str) -> Option<LabelId> {
        let lower = spelling::lower(spelling.trim());
        let exact = self.index.by_lower.get(&lower);
        exact
            .or_else(|| self.index.by_fold.get(&spelling::fold(&lower)))
            .copied()
    }

    /// The label whose name or alias is most like `spelling`, for "did you mean"; `None` where
    /// nothing is like it.
    pub fn nearest(&self, spelling: &str) -> Option<LabelId> {
        self.find(spelling).or_else(|| {
            let names = self.labels.iter().map(|label| label.name.as_str());
            let aliases = self.labels.iter().flat_map(|label| &label.aliases);
            let found = nearest(spelling, names.chain(aliases.map(String::as_str)))?;
            self.find(found)
        })
    }

    /// Sixteen bytes in hexadecimal that change whenever the meaning of the set does: names,
    /// descriptions, aliases, parents, thresholds, `manual` and the order of the labels.
    ///
    /// Comments, layout, the order of aliases and the set's own name do not count.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        // The version changes with the fields below, and with what the model reads of them, so that
        // old fingerprints match nothing.
        hash.update(b"gliznet label set 2");
        add_threshold(&mut hash, self.threshold);
        for label in &self.labels {
            add_text(&mut hash, Some(&label.name));
            add_text(&mut hash, label.description.as_deref());
            add_text(&mut hash, label.parent.as_deref());
            add_threshold(&mut hash, label.threshold);
            hash.update([u8::from(label.manual)]);
            let mut aliases: Vec<String> =
                label.aliases.iter().map(|a| spelling::lower(a)).collect();
            aliases.sort_unstable();
            hash.update((aliases.len() as u64).to_le_bytes());
            for alias in &aliases {
                add_text(&mut hash, Some(alias));
            }
        }
        let digest = hash.finalize();
        digest[..16].iter().map(|b| format!("{b:02x}")).collect()
    }

    /// The set as TOML that [`LabelSet::parse`] reads back as the same set.
    pub fn to_toml(&self) -> String {
        write::to_toml(self)
    }
}

/// Lengths go in first: `ab` + `c` must differ from `a` + `bc`, and nothing from an empty text.
fn add_text(hash: &mut Sha256, text: Option<&str>) {
    match text {
        Some(text) => {
            hash.update([1]);
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        None => hash.update([0]),
    }
}

fn add_threshold(hash: &mut Sha256, threshold: Option<Score>) {
    match threshold {
        Some(score) => {
            hash.update([1]);
            hash.update(score.value().to_bits().to_le_bytes());
        }
        None => hash.update([0]),
    }
}

/// Where each spelling leads; names were entered before aliases and win.
#[derive(Clone, Debug, PartialEq)]
struct Index {
    by_lower: HashMap<String, LabelId>,
    by_fold: HashMap<String, LabelId>,
}

impl Index {
    fn new(labels: &[Label]) -> Index {
        let mut index = Index {
            by_lower: HashMap::with_capacity(labels.len()),
            by_fold: HashMap::with_capacity(labels.len()),
        };
        let ids = || (0..).map(LabelId);
        for (id, label) in ids().zip(labels) {
            index.add(&label.name, id);
        }
        for (id, label) in ids().zip(labels) {
            for alias in &label.aliases {
                index.add(alias, id);
            }
        }
        index
    }

    fn add(&mut self, spelling: &str, id: LabelId) {
        let lower = spelling::lower(spelling);
        self.by_fold.entry(spelling::fold(&lower)).or_insert(id);
        self.by_lower.entry(lower).or_insert(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(source: &str) -> LabelSet {
        LabelSet::parse(source).unwrap()
    }

    #[test]
    fn a_label_is_found_whatever_its_case_and_separators() {
        let set = parsed(
            "[[label]]\nname = 'machine-learning'\naliases = ['ML', 'Deep Learning']\n\
             [[label]]\nname = 'À faire'\n",
        );
        for spelling in [
            "machine-learning",
            "Machine_Learning",
            " machine  LEARNING ",
            "ml",
        ] {
            assert_eq!(set.find(spelling), Some(LabelId(0)), "{spelling}");
        }
        assert_eq!(set.find("deep_learning"), Some(LabelId(0)));
        assert_eq!(set.find("à-faire"), Some(LabelId(1)));
        assert_eq!(set.find("machinelearning"), None);
        assert_eq!(set.find(""), None);
    }

    #[test]
    fn an_exact_spelling_wins_over_a_loose_one() {
        let set = LabelSet::from_names(["well being", "well-being", "C", "C++"]).unwrap();
        assert_eq!(set.find("well-being"), Some(LabelId(1)));
        assert_eq!(set.find("well_being"), Some(LabelId(0)));
        assert_eq!(set.find("c++"), Some(LabelId(3)));
    }

    #[test]
    fn the_sign_of_a_tag_is_refused_in_a_name_with_the_name_that_is_meant() {
        let fault = |name: &str| {
            let source = format!("[[label]]\nname = 'a'\n[[label]]\nname = '{name}'\n");
            LabelSet::parse(&source)
                .err()
                .map(|faults| faults[0].problem.to_string())
        };
        let said = fault("#soil").unwrap();
        assert!(said.contains("`#soil` begins with `#`"), "{said}");
        assert!(said.ends_with("write `soil`"), "{said}");
        assert_eq!((fault("c#"), fault("#")), (None, None));
    }

    #[test]
    fn the_nearest_label_forgives_a_slip_but_not_another_word() {
        let set = LabelSet::from_names(["gardening", "programming", "tax"]).unwrap();
        assert_eq!(set.nearest("gardning"), Some(LabelId(0)));
        assert_eq!(set.nearest("program"), Some(LabelId(1)));
        assert_eq!(set.nearest("TAX"), Some(LabelId(2)));
        assert_eq!(set.nearest("weather"), None);
    }

    #[test]
    fn the_fingerprint_follows_meaning_not_layout() {
        let set = parsed(
            "threshold = 0.5\n[[label]]\nname = 'a'\naliases = ['x', 'y']\n[[label]]\nname = 'b'\n",
        );
        let same = parsed(
            "# A comment.\nname = 'other'\nthreshold = 0.50\nlabel = [{ name = \"a\", aliases = ['y', 'x'] }, { name = 'b' }]\n",
        );
        assert_eq!(set.fingerprint(), same.fingerprint());
        assert_eq!(set.fingerprint().len(), 32);
    }

    #[test]
    fn the_fingerprint_changes_with_every_part_of_the_meaning() {
        let variants = [
            "[[label]]\nname = 'a'\n[[label]]\nname = 'b'\n",
            "[[label]]\nname = 'b'\n[[label]]\nname = 'a'\n",
            "[[label]]\nname = 'A'\n[[label]]\nname = 'b'\n",
            "threshold = 0.4\n[[label]]\nname = 'a'\n[[label]]\nname = 'b'\n",
            "[[label]]\nname = 'a'\ndescription = 'b'\n[[label]]\nname = 'b'\n",
            "[[label]]\nname = 'a'\naliases = ['c']\n[[label]]\nname = 'b'\n",
            "[[label]]\nname = 'a'\nparent = 'b'\n[[label]]\nname = 'b'\n",
            "[[label]]\nname = 'a'\nthreshold = 0.4\n[[label]]\nname = 'b'\n",
            "[[label]]\nname = 'a'\nmanual = true\n[[label]]\nname = 'b'\n",
        ];
        let mut prints: Vec<String> = variants.iter().map(|v| parsed(v).fingerprint()).collect();
        prints.sort();
        prints.dedup();
        assert_eq!(prints.len(), variants.len());
    }

    #[test]
    fn a_label_is_its_name_with_what_it_means() {
        let set = parsed("[[label]]\nname = 'a'\ndescription = 'First.'\n[[label]]\nname = 'b'\n");
        let texts = |set: &LabelSet| -> Vec<String> {
            let labels = set.labels().iter();
            labels.map(|label| label.described().into_owned()).collect()
        };
        assert_eq!(texts(&set), ["a: First.", "b"]);
        let names = LabelSet::from_names(["b", "a", "c"]).unwrap();
        let described = names.with_descriptions(&set.descriptions());
        assert_eq!(texts(&described), ["b", "a: First.", "c"]);
    }
}
