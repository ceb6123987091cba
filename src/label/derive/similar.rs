//! Finds tags that are probably one: plural and singular, `todo` and `to-do`, a slip of one key.
//!
//! Input: folded tags with counts. Output: for a tag the rarer ones that resemble it.
//! Invariant: a tag is never resembled by itself; tags with different digits (`v1`, `v2`; years)
//! do not resemble each other. The cost grows with the number of letters, not with its square.

use std::collections::{BTreeMap, BTreeSet};

/// Below this length one slip makes too many other words (`cat`, `car`).
const SHORTEST_WITH_SLIP: usize = 5;

/// For a tag the rarer tags that resemble it, in alphabetical order.
pub(super) fn pairs<'a>(
    tags: impl Iterator<Item = (&'a str, usize)>,
) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let tags: Vec<(&str, usize)> = tags.collect();
    // Two words one slip apart share a trace: the word itself, or the word without some letter.
    let mut by_trace: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (idx, (tag, _)) in tags.iter().enumerate() {
        for trace in traces(tag) {
            by_trace.entry(trace).or_default().push(idx);
        }
    }
    let mut pairs: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for group in by_trace.values() {
        for (nth, &a) in group.iter().enumerate() {
            for &b in &group[nth + 1..] {
                let ((tag_a, count_a), (tag_b, count_b)) = (tags[a], tags[b]);
                if are_similar(tag_a, tag_b) {
                    let (common, rare) = if count_a >= count_b {
                        (tag_a, tag_b)
                    } else {
                        (tag_b, tag_a)
                    };
                    pairs.entry(common).or_default().insert(rare);
                }
            }
        }
    }
    pairs
}

fn are_similar(a: &str, b: &str) -> bool {
    let digits = |tag: &str| tag.chars().filter(char::is_ascii_digit).collect::<String>();
    let level = |tag: &str| tag.rsplit_once('/').map(|(parent, _)| parent.to_owned());
    if a == b || level(a) != level(b) || digits(a) != digits(b) {
        return false;
    }
    let (a, b) = (squeezed(a), squeezed(b));
    let shorter = a.chars().count().min(b.chars().count());
    singular(&a) == singular(&b)
        || (shorter >= SHORTEST_WITH_SLIP && strsim::osa_distance(&a, &b) <= 1)
}

fn traces(tag: &str) -> BTreeSet<String> {
    let squeezed = squeezed(tag);
    let mut traces = BTreeSet::from([singular(&squeezed)]);
    let letters: Vec<char> = squeezed.chars().collect();
    if letters.len() >= SHORTEST_WITH_SLIP {
        for gap in 0..letters.len() {
            let (before, after) = (&letters[..gap], &letters[gap + 1..]);
            traces.insert(before.iter().chain(after).collect());
        }
    }
    traces.insert(squeezed);
    traces
}

/// Without the blanks that stand for `-` and `_`.
fn squeezed(tag: &str) -> String {
    tag.replace(' ', "")
}

/// Without a plural ending, as far as its letters tell.
fn singular(word: &str) -> String {
    let stem = |ending: &str| {
        word.strip_suffix(ending)
            .filter(|stem| stem.chars().count() >= 2)
    };
    if let Some(stem) = stem("ies") {
        return format!("{stem}y");
    }
    match stem("s") {
        Some(stem) if !stem.ends_with(['s', 'u', 'i']) => stem.to_owned(),
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_slips_and_separators_resemble_and_other_words_do_not() {
        for (a, b, expected) in [
            ("recipe", "recipes", true),
            ("category", "categories", true),
            ("todo", "to do", true),
            ("programming", "progamming", true),
            ("programming", "porgramming", true),
            ("area/garden", "area/gardens", true),
            ("cat", "car", false),
            ("news", "new", true),
            ("bus", "bu", false),
            ("python 2", "python 3", false),
            ("2023", "2024", false),
            ("work/idea", "home/ideas", false),
            ("rust", "rust", false),
        ] {
            assert_eq!(are_similar(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn what_is_similar_is_found_by_its_traces() {
        for (a, b) in [
            ("recipe", "recipes"),
            ("todo", "to do"),
            ("porgramming", "programming"),
        ] {
            assert!(!traces(a).is_disjoint(&traces(b)), "{a} {b}");
            let expected = BTreeMap::from([(b, BTreeSet::from([a]))]);
            assert_eq!(pairs([(a, 1), (b, 2)].into_iter()), expected);
        }
    }
}
