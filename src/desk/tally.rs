//! The tags of many documents, counted: tags in, one row a tag out, the ones a query means first.
//!
//! Pure: whether a document is a file or open is its caller's business.

use std::collections::BTreeMap;

use crate::document::Span;
use crate::label::lower;

/// One tag of a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// As it is spelt first.
    pub name: String,
    /// How many documents have it.
    pub documents: usize,
    /// The first of these, by its place in what was counted, and where it stands there.
    pub first: (usize, Span),
}

/// Counts the tags of documents, one in each spelling of `lower`; by name.
pub fn tallies<'a>(documents: impl IntoIterator<Item = &'a [(String, Span)]>) -> Vec<Tally> {
    let mut tallies: BTreeMap<String, (Tally, usize)> = BTreeMap::new();
    for (idx, tags) in documents.into_iter().enumerate() {
        for (name, span) in tags {
            let new = || {
                let tally = Tally {
                    name: name.clone(),
                    documents: 0,
                    first: (idx, *span),
                };
                (tally, usize::MAX)
            };
            let (tally, last) = tallies.entry(lower(name)).or_insert_with(new);
            tally.documents += usize::from(*last != idx);
            *last = idx;
        }
    }
    tallies.into_values().map(|(tally, _)| tally).collect()
}

/// The tallies that a query means, best first: those that begin with it, that have it inside,
/// that have its letters in order; then the more frequent.
pub fn matching(tallies: Vec<Tally>, query: &str) -> Vec<Tally> {
    let query = lower(query.trim().trim_start_matches('#'));
    let rank = |name: &str| {
        let name = lower(name);
        let mut letters = name.chars();
        if name.starts_with(&query) {
            Some(0)
        } else if name.contains(&query) {
            Some(1)
        } else {
            query
                .chars()
                .all(|wanted| letters.any(|c| c == wanted))
                .then_some(2)
        }
    };
    let mut ranked: Vec<(usize, Tally)> = tallies
        .into_iter()
        .filter_map(|tally| Some((rank(&tally.name)?, tally)))
        .collect();
    ranked.sort_by_key(|(rank, tally)| (*rank, std::cmp::Reverse(tally.documents)));
    ranked.into_iter().map(|(_, tally)| tally).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(names: &[&str]) -> Vec<(String, Span)> {
        let tag = |(at, name): (usize, &&str)| ((*name).to_owned(), Span::new(at, at + 1));
        names.iter().enumerate().map(tag).collect()
    }

    #[test]
    fn tags_are_counted_once_a_document_and_found_by_their_letters() {
        let documents = [
            tags(&["Garden", "garden", "tax"]),
            tags(&["x", "garden", "Öl"]),
            tags(&["great", "O\u{308}l"]),
        ];
        let counted = tallies(documents.iter().map(Vec::as_slice));
        assert_eq!(counted.len(), 5);
        let names = |query: &str| -> Vec<String> {
            let found = matching(counted.clone(), query).into_iter();
            found
                .map(|tally| format!("{} {}", tally.name, tally.documents))
                .collect()
        };
        assert_eq!(names(""), ["Garden 2", "Öl 2", "great 1", "tax 1", "x 1"]);
        assert_eq!(names("o\u{308}"), ["Öl 2"]);
        assert_eq!(names("#gr"), ["great 1", "Garden 2"]);
        assert_eq!(names("X"), ["x 1", "tax 1"]);
        assert_eq!(names("zz"), [""; 0]);
        assert_eq!(matching(counted, "x")[0].first, (1, Span::new(0, 1)));
    }
}
