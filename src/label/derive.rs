//! Derives a label set from the tags that a folder of notes already uses.
//!
//! Input: the tags of each note. Output: labels with counts, spellings merged, nesting turned into
//! parents, and a hint where two labels may be one. Invariant: the order of the notes does not
//! change the outcome. Pure: knows nothing of files and front matter.
//! Length: half of it is tests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::fault::is_misleading;
use super::{MAX_NAME_CHARS, spelling};

mod similar;
mod toml;

/// What to leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeriveOptions {
    /// Labels that fewer notes have are left out, unless one that stays is nested in them.
    pub min_count: usize,
}

impl Default for DeriveOptions {
    fn default() -> DeriveOptions {
        DeriveOptions { min_count: 2 }
    }
}

/// The tags of a folder, as a label set in the making.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derived {
    /// The most frequent first; within the same count by name.
    pub labels: Vec<DerivedLabel>,
    /// Notes looked at.
    pub n_notes: usize,
    /// Notes with at least one tag.
    pub n_tagged: usize,
    /// Labels left out because too few notes have them.
    pub n_rare: usize,
    /// Tags that can be no label (empty, too long, invisible characters), in alphabetical order.
    pub unusable: Vec<String>,
}

/// One label of a [`Derived`] set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DerivedLabel {
    /// The most frequent spelling, without `#`.
    pub name: String,
    /// Notes that have it, or a tag nested in it.
    pub count: usize,
    /// Other spellings that mean the same, and how many notes have each.
    pub spellings: Vec<(String, usize)>,
    /// The label it is nested in: `area` for `area/garden`.
    pub parent: Option<String>,
    /// Labels that look like slips or other forms of this one; probably its aliases.
    pub similar: Vec<String>,
}

/// Derives labels from `(path, tags)` of every note.
pub fn from_tags<P, T>(notes: T, options: DeriveOptions) -> Derived
where
    P: AsRef<Path>,
    T: IntoIterator<Item = (P, Vec<String>)>,
{
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    let mut unusable = BTreeSet::new();
    let (mut n_notes, mut n_tagged) = (0, 0);
    for (_, tags) in notes {
        n_notes += 1;
        n_tagged += usize::from(!tags.is_empty());
        // A note counts once for a label, however often and however spelled it has it.
        let mut keys: BTreeSet<String> = BTreeSet::new();
        let mut spellings: BTreeSet<(String, String)> = BTreeSet::new();
        for tag in &tags {
            let Some(levels) = levels(tag) else {
                unusable.insert(tag.clone());
                continue;
            };
            for depth in 1..=levels.len() {
                let spelling = levels[..depth].join("/");
                let key = key(&levels[..depth]);
                if depth == levels.len() {
                    spellings.insert((key.clone(), spelling));
                } else {
                    groups
                        .entry(key.clone())
                        .or_default()
                        .implied
                        .insert(spelling);
                }
                keys.insert(key);
            }
        }
        for key in keys {
            groups.entry(key).or_default().count += 1;
        }
        for (key, spelling) in spellings {
            *groups
                .entry(key)
                .or_default()
                .spellings
                .entry(spelling)
                .or_default() += 1;
        }
    }
    Derived {
        n_notes,
        n_tagged,
        ..derived(groups, unusable, options)
    }
}

/// Derives labels from tags and how many notes have each, where it is not known which notes have
/// two of them: a label counts the notes of all its spellings.
pub fn from_counts<'a>(
    tags: impl IntoIterator<Item = (&'a str, usize)>,
    options: DeriveOptions,
) -> Derived {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    let mut unusable = BTreeSet::new();
    for (tag, count) in tags {
        let Some(levels) = levels(tag) else {
            unusable.insert(tag.to_owned());
            continue;
        };
        for depth in 1..=levels.len() {
            let spelling = levels[..depth].join("/");
            let group = groups.entry(key(&levels[..depth])).or_default();
            group.count += count;
            if depth == levels.len() {
                *group.spellings.entry(spelling).or_default() += count;
            } else {
                group.implied.insert(spelling);
            }
        }
    }
    derived(groups, unusable, options)
}

/// Of notes it says nothing.
fn derived(
    mut groups: BTreeMap<String, Group>,
    unusable: BTreeSet<String>,
    options: DeriveOptions,
) -> Derived {
    let n_all = groups.len();
    // Before the rare ones go: one that is another form of a label that stays is named beside it.
    let similar = similar(&groups);
    // A parent counts its children's notes, so it never is rarer than one of them.
    groups.retain(|_, group| group.count >= options.min_count.max(1));
    let n_rare = n_all - groups.len();
    Derived {
        labels: labels(&groups, &similar),
        n_notes: 0,
        n_tagged: 0,
        n_rare,
        unusable: unusable.into_iter().collect(),
    }
}

/// All that is one label.
#[derive(Debug, Default)]
struct Group {
    count: usize,
    spellings: BTreeMap<String, usize>,
    /// Spellings met only as the front part of a nested tag.
    implied: BTreeSet<String>,
}

impl Group {
    /// The spelling of most notes; the first in the alphabet of equals.
    fn name(&self) -> &str {
        let most = self
            .spellings
            .iter()
            .max_by(|a, b| a.1.cmp(b.1).then(b.0.cmp(a.0)));
        let implied = || self.implied.first().map_or("", String::as_str);
        most.map_or_else(implied, |(name, _)| name)
    }
}

/// The levels of a tag, `#area/garden` in two; `None` where it can be no label.
fn levels(tag: &str) -> Option<Vec<&str>> {
    let tag = tag.trim().trim_start_matches('#');
    let is_separator = |c: char| c == '-' || c == '_' || c.is_whitespace();
    let levels: Vec<&str> = tag
        .split('/')
        .map(str::trim)
        .filter(|level| !level.chars().all(is_separator))
        .collect();
    // `#` marks a tag and begins no name.
    let is_usable = levels.first().is_some_and(|first| !first.starts_with('#'))
        && tag.chars().count() <= MAX_NAME_CHARS
        && !tag.chars().any(is_misleading);
    is_usable.then_some(levels)
}

fn key(levels: &[&str]) -> String {
    levels
        .iter()
        .map(|level| spelling::fold(level))
        .collect::<Vec<_>>()
        .join("/")
}

/// For the key of a label the names of rarer ones that resemble it.
fn similar(groups: &BTreeMap<String, Group>) -> BTreeMap<String, Vec<String>> {
    let counts = groups
        .iter()
        .map(|(key, group)| (key.as_str(), group.count));
    let name = |key: &str| groups.get(key).map_or("", Group::name).to_owned();
    let pairs = similar::pairs(counts).into_iter();
    pairs
        .map(|(key, rarer)| (key.to_owned(), rarer.into_iter().map(name).collect()))
        .collect()
}

fn labels(
    groups: &BTreeMap<String, Group>,
    similar: &BTreeMap<String, Vec<String>>,
) -> Vec<DerivedLabel> {
    let name = |key: &str| groups.get(key).map_or("", Group::name).to_owned();
    let mut labels: Vec<DerivedLabel> = groups
        .iter()
        .map(|(key, group)| DerivedLabel {
            name: group.name().to_owned(),
            count: group.count,
            spellings: group
                .spellings
                .iter()
                .filter(|(spelling, _)| *spelling != group.name())
                .map(|(spelling, &count)| (spelling.clone(), count))
                .collect(),
            parent: key.rsplit_once('/').map(|(parent, _)| name(parent)),
            similar: similar.get(key).cloned().unwrap_or_default(),
        })
        .collect();
    labels.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
    labels
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::super::LabelSet;
    use super::*;

    fn derive(notes: &[&[&str]], min_count: usize) -> Derived {
        let notes = notes.iter().enumerate().map(|(i, tags)| {
            (
                format!("{i}.md"),
                tags.iter().map(|tag| (*tag).to_owned()).collect(),
            )
        });
        from_tags(notes, DeriveOptions { min_count })
    }

    fn check(notes: &[&[&str]], min_count: usize, expect: Expect) {
        let derived = derive(notes, min_count);
        let toml = derived.to_toml("mine");
        assert_eq!(
            LabelSet::parse(&toml).ok(),
            derived.label_set("mine"),
            "{toml}"
        );
        expect.assert_eq(&toml);
    }

    #[test]
    fn spellings_of_one_tag_are_merged_under_the_most_frequent() {
        check(
            &[
                &["To-Do", "to_do"],
                &["#to-do"],
                &["to-do", "to-do"],
                &["TO DO"],
                &["rust"],
            ],
            1,
            expect![[r##"
                # Derived from the tags of 5 of 5 notes.
                # A `description` of a few words makes a label sharper.

                name = "mine"

                # 4 notes; also written TO DO (1), To-Do (1), to_do (1)
                [[label]]
                name = "to-do"

                # 1 note
                [[label]]
                name = "rust"
            "##]],
        );
    }

    #[test]
    fn a_nested_tag_has_its_outer_level_as_parent() {
        check(
            &[
                &["area/garden"],
                &["Area/garden/roses", "area"],
                &["/other//"],
            ],
            1,
            expect![[r##"
                # Derived from the tags of 3 of 3 notes.
                # A `description` of a few words makes a label sharper.

                name = "mine"

                # 2 notes
                [[label]]
                name = "area"

                # 2 notes
                [[label]]
                name = "area/garden"
                parent = "area"

                # 1 note
                [[label]]
                name = "Area/garden/roses"
                parent = "area/garden"

                # 1 note
                [[label]]
                name = "other"
            "##]],
        );
    }

    #[test]
    fn near_duplicates_are_hinted_at_on_the_more_frequent_label() {
        check(
            &[
                &["recipes"],
                &["recipes"],
                &["recipe"],
                &["progamming"],
                &["programming"],
                &["programming"],
            ],
            1,
            expect![[r##"
                # Derived from the tags of 6 of 6 notes.
                # A `description` of a few words makes a label sharper.

                name = "mine"

                # 2 notes
                # The same as progamming? Then delete that label and write it into `aliases` here.
                [[label]]
                name = "programming"

                # 2 notes
                # The same as recipe? Then delete that label and write it into `aliases` here.
                [[label]]
                name = "recipes"

                # 1 note
                [[label]]
                name = "progamming"

                # 1 note
                [[label]]
                name = "recipe"
            "##]],
        );
    }

    #[test]
    fn a_rare_form_of_a_label_is_left_out_and_named_beside_it() {
        let derived = derive(&[&["recipe"], &["recipe"], &["recipes"]], 2);
        assert_eq!((derived.labels.len(), derived.n_rare), (1, 1));
        assert_eq!(derived.labels[0].similar, ["recipes"]);
        let toml = derived.to_toml("");
        let hint = "# The same as recipes, which is left out? Then write it into `aliases` here.";
        assert!(
            toml.contains(hint) && !toml.contains("\nname = \"\""),
            "{toml}"
        );
    }

    #[test]
    fn rare_and_unusable_tags_are_left_out_and_counted() {
        let derived = derive(&[&["a", "b", "#", "x\u{7}"], &["a"], &[]], 2);
        assert_eq!(derived.labels.len(), 1);
        assert_eq!(
            (derived.n_notes, derived.n_tagged, derived.n_rare),
            (3, 2, 1)
        );
        assert_eq!(derived.unusable, ["#", "x\u{7}"]);
    }

    #[test]
    fn counts_of_tags_give_the_same_labels_where_no_note_has_one_twice() {
        let notes: [&[&str]; 4] = [
            &["area/garden", "tax"],
            &["Area/garden"],
            &["area"],
            &["tx"],
        ];
        let counts = [
            ("area/garden", 1),
            ("tax", 1),
            ("Area/garden", 1),
            ("area", 1),
            ("tx", 1),
        ];
        let counted = from_counts(counts, DeriveOptions { min_count: 1 });
        assert_eq!(counted.labels, derive(&notes, 1).labels);
    }

    #[test]
    fn a_folder_without_tags_gives_no_set() {
        assert_eq!(derive(&[&[], &[]], 1).label_set("mine"), None);
    }

    proptest! {
        #[test]
        fn any_tags_give_a_set_that_parses(
            notes in prop::collection::vec(prop::collection::vec("[aA#/_\\- b\"\\\\é\u{0}]{0,6}", 0..4), 0..12),
            min_count in 0..4_usize,
        ) {
            let notes: Vec<(&str, Vec<String>)> = notes.into_iter().map(|tags| ("n.md", tags)).collect();
            let derived = from_tags(notes.clone(), DeriveOptions { min_count });
            let reversed = from_tags(notes.into_iter().rev(), DeriveOptions { min_count });
            prop_assert_eq!(&derived, &reversed);
            match derived.label_set("mine") {
                Some(set) => prop_assert_eq!(LabelSet::parse(&derived.to_toml("mine")), Ok(set)),
                None => prop_assert!(derived.labels.is_empty()),
            }
        }
    }
}
