//! Takes tags out of a document's settings and puts others in: text and two lists in, edits out.
//!
//! Invariant: after the edits the settings have the tags they had, less those taken out, and behind
//! those of one key the new ones; every byte outside of a tags value stays, and so does the form found. A tag that
//! cannot be taken out or written so is named, and the others are done. Changes nothing itself.

use std::collections::BTreeSet;
use std::ops::Range;

use super::add::{addition, are_joined, fault, spelt};
use super::hole::{holes, left_between};
use super::occurrence::{Kind, Occurrence, settings};
use super::{AddError, Edit, FrontMatter, Syntax, TagsForm, TagsValue, read};
use crate::document::{Format, Span};
use crate::label::lower;

/// What is to be done to a document's settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retagged {
    /// In order and apart from each other; none where nothing is to be done.
    pub edits: Vec<Edit>,
    /// Tags that could not be taken out or written where and as the tags stand.
    pub unwritable: Vec<String>,
}

impl Retagged {
    /// The document after the edits.
    pub fn applied(&self, source: &str) -> String {
        applied(source, &self.edits)
    }
}

/// The text after these edits, which are in order and apart from each other.
fn applied(source: &str, edits: &[Edit]) -> String {
    let mut after = String::with_capacity(source.len());
    let mut at = 0;
    for Edit { span, text } in edits {
        after += source.get(at..span.start).unwrap_or_default();
        after += text;
        at = at.max(span.end);
    }
    after + source.get(at..).unwrap_or_default()
}

/// The edits that take `remove` out of the settings of `source` and add `add`, whatever the case
/// they are written in. Tags in the text are not touched; those that are there are not added.
///
/// # Errors
/// The settings are broken, or documents of this kind have none.
pub fn retag(
    source: &str,
    format: Format,
    remove: &[String],
    add: &[String],
) -> Result<Retagged, AddError> {
    let before = read(source, format);
    if let Some(fault) = fault(source, format) {
        return Err(AddError::Broken(fault));
    }
    let standing: BTreeSet<String> = before
        .iter()
        .flat_map(|before| before.tags.iter().map(|tag| lower(tag)))
        .collect();
    let mut seen = standing.clone();
    let mut add: Vec<String> = add.iter().map(|tag| spelt(tag, format)).collect();
    add.retain(|tag| seen.insert(lower(tag)));
    let mut remove: Vec<String> = remove.iter().map(|tag| spelt(tag, format)).collect();
    remove.retain(|tag| standing.contains(&lower(tag)));
    let work = Work {
        source,
        format,
        before,
    };
    if let Some(edits) = work.edits(&remove, &add)? {
        let unwritable = Vec::new();
        return Ok(Retagged { edits, unwritable });
    }
    // One of them stands in the way: it is left out, and the others are done. What fails by itself
    // may be possible once another one is done.
    let mut done = Retagged::default();
    let (mut out, mut inside) = (Vec::new(), Vec::new());
    let takes = remove.into_iter().map(|tag| (tag, Step::Remove));
    let mut left: Vec<(String, Step)> = takes.collect();
    left.extend(add.into_iter().map(|tag| (tag, Step::Add)));
    let mut n_left = usize::MAX;
    while left.len() < n_left {
        n_left = left.len();
        for (tag, step) in std::mem::take(&mut left) {
            let mut lists = [out.clone(), inside.clone()];
            lists[usize::from(step == Step::Add)].push(tag.clone());
            match work.edits(&lists[0], &lists[1])? {
                Some(edits) => {
                    done.edits = edits;
                    [out, inside] = lists;
                }
                None => left.push((tag, step)),
            }
        }
    }
    done.unwritable = left.into_iter().map(|(tag, _)| tag).collect();
    Ok(done)
}

struct Work<'a> {
    source: &'a str,
    format: Format,
    before: Option<FrontMatter>,
}

/// One half of the work.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Add,
    Remove,
}

impl Work<'_> {
    /// The edits that do all of it and nothing else; none where there are no such.
    fn edits(&self, remove: &[String], add: &[String]) -> Result<Option<Vec<Edit>>, AddError> {
        // What is added comes first, so that a list that loses all it had keeps its form; unless
        // that form has no place for it.
        for order in [[Step::Add, Step::Remove], [Step::Remove, Step::Add]] {
            let edits = self.in_order(order, remove, add)?;
            let edits = edits.filter(|edits| self.is_right(edits, remove, add));
            if edits.is_some() {
                return Ok(edits);
            }
        }
        Ok(None)
    }

    fn in_order(
        &self,
        order: [Step; 2],
        remove: &[String],
        add: &[String],
    ) -> Result<Option<Vec<Edit>>, AddError> {
        let mut pieces = vec![Piece::Source(0..self.source.len())];
        let mut text = self.source.to_owned();
        for step in order {
            let edits = match step {
                Step::Add if add.is_empty() => continue,
                Step::Remove if remove.is_empty() => continue,
                Step::Add => {
                    let now = read(&text, self.format);
                    match addition(&text, self.format, now.as_ref(), add) {
                        Ok(edit) => vec![edit],
                        Err(AddError::NoPlace(format)) => return Err(AddError::NoPlace(format)),
                        Err(_) => return Ok(None),
                    }
                }
                Step::Remove => match read(&text, self.format).filter(|now| now.fault.is_none()) {
                    Some(now) => removals(&text, &now, remove),
                    None => return Ok(None),
                },
            };
            pieces = spliced(pieces, &edits);
            text = applied(&text, &edits);
        }
        Ok(Some(edits_of(self.source, pieces)))
    }

    /// Whatever was overlooked shows here.
    fn is_right(&self, edits: &[Edit], remove: &[String], add: &[String]) -> bool {
        if edits.is_empty() {
            return remove.is_empty() && add.is_empty();
        }
        let retagged = Retagged {
            edits: edits.to_vec(),
            unwritable: Vec::new(),
        };
        let after = retagged.applied(self.source);
        let Some(now) = read(&after, self.format) else {
            return false;
        };
        let out: BTreeSet<String> = remove.iter().map(|tag| lower(tag)).collect();
        let before = self.before.iter().flat_map(|before| &before.tags);
        let expected = before.filter(|tag| !out.contains(&lower(tag)));
        let (body, body_now) = match &self.before {
            Some(before) => (&self.source[before.extent.end..], &after[now.extent.end..]),
            None => ("", ""),
        };
        let text = |value: &Option<super::Value>| value.as_ref().map(|value| value.text.clone());
        let (title, words) = self.before.as_ref().map_or((None, None), |before| {
            (text(&before.title), text(&before.description))
        });
        let is_new = self.before.is_none();
        now.fault.is_none()
            && are_joined(&now.tags, expected, add)
            && body == body_now
            && (is_new || (title == text(&now.title) && words == text(&now.description)))
    }
}

/// The edits that take these tags out of `source`.
fn removals(source: &str, front_matter: &FrontMatter, remove: &[String]) -> Vec<Edit> {
    let remove: BTreeSet<String> = remove.iter().map(|tag| lower(tag)).collect();
    let found = settings(source, front_matter);
    let goes: Vec<bool> = found
        .iter()
        .map(|it| remove.contains(&lower(&it.name)) && it.kind != Kind::Opaque)
        .collect();
    let mut edits = Vec::new();
    let mut holes = holes(source, &found, &goes).into_iter().peekable();
    let mut end = 0;
    for tags in found.chunk_by(|a, b| a.list == b.list) {
        let start = end;
        end += tags.len();
        let of_list = std::iter::from_fn(|| holes.next_if(|(idx, _)| *idx < end));
        let of_list: Vec<Edit> = of_list
            .map(|(_, span)| Edit {
                span,
                text: String::new(),
            })
            .collect();
        let value = &front_matter.tag_values[tags[0].list];
        let whole = goes[start..end]
            .iter()
            .all(|goes| *goes)
            .then(|| emptied(source, front_matter, value, tags));
        match whole.flatten() {
            Some(edit) => edits.push(edit),
            None => edits.extend(of_list),
        }
    }
    edits.sort_by_key(|edit| edit.span);
    edits
}

/// A value that loses all that is in it, where that is more than taking out one after the other.
fn emptied(
    source: &str,
    front_matter: &FrontMatter,
    value: &TagsValue,
    tags: &[Occurrence],
) -> Option<Edit> {
    let written = &source[value.span.range()];
    let empty = match value.form {
        TagsForm::Flow if written.starts_with('[') => {
            let left = left_between(source, value.span, tags.iter())?;
            return Some(Edit {
                span: value.span,
                text: format!("[{left}]"),
            });
        }
        TagsForm::Scalar
            if front_matter.syntax == Syntax::Yaml && !is_in_object(source, front_matter) =>
        {
            ""
        }
        TagsForm::Scalar if front_matter.syntax == Syntax::Org => "",
        TagsForm::Scalar => "[]",
        TagsForm::Org => "",
        TagsForm::Flow | TagsForm::Block | TagsForm::Null | TagsForm::Other => return None,
    };
    Some(Edit {
        span: value.span,
        text: empty.to_owned(),
    })
}

/// Whether the settings are JSON, though the fences are YAML's.
fn is_in_object(source: &str, front_matter: &FrontMatter) -> bool {
    let content = &source[front_matter.content.range()];
    content.trim_start().starts_with('{')
}

/// A part of a changed text: bytes of the source, or new ones.
#[derive(Clone, Debug)]
enum Piece {
    Source(Range<usize>),
    New(String),
}

impl Piece {
    fn len(&self) -> usize {
        match self {
            Piece::Source(range) => range.len(),
            Piece::New(text) => text.len(),
        }
    }

    fn split(self, at: usize) -> (Piece, Piece) {
        match self {
            Piece::Source(range) => {
                let middle = range.start + at;
                (
                    Piece::Source(range.start..middle),
                    Piece::Source(middle..range.end),
                )
            }
            Piece::New(text) => {
                let (left, right) = text.split_at(at);
                (Piece::New(left.to_owned()), Piece::New(right.to_owned()))
            }
        }
    }
}

/// The pieces of the text after edits of it, which are in order and apart from each other.
fn spliced(pieces: Vec<Piece>, edits: &[Edit]) -> Vec<Piece> {
    let mut after = Vec::new();
    let mut edits = edits.iter().peekable();
    let mut at = 0;
    // Up to here the text is taken out.
    let mut gone = 0;
    for mut piece in pieces {
        let end = at + piece.len();
        loop {
            let (_, rest) = piece.split(gone.clamp(at, end) - at);
            at = gone.clamp(at, end);
            piece = rest;
            let Some(edit) = edits.next_if(|edit| edit.span.start <= end) else {
                break;
            };
            let kept = edit.span.start.clamp(at, end);
            let (left, rest) = piece.split(kept - at);
            after.extend([left, Piece::New(edit.text.clone())]);
            (at, piece) = (kept, rest);
            gone = gone.max(edit.span.end);
        }
        after.push(piece);
        at = end;
    }
    after.retain(|piece| piece.len() > 0);
    after
}

/// The edits that make the text of these pieces, each as short as can be.
fn edits_of(source: &str, pieces: Vec<Piece>) -> Vec<Edit> {
    let mut edits = Vec::new();
    let (mut at, mut text) = (0, String::new());
    let end = Piece::Source(source.len()..source.len());
    for piece in pieces.into_iter().chain([end]) {
        match piece {
            Piece::New(more) => text += &more,
            Piece::Source(range) => {
                if range.start > at || !text.is_empty() {
                    let edit = Edit {
                        span: Span::new(at, range.start),
                        text: std::mem::take(&mut text),
                    };
                    edits.extend(shortest(source, edit));
                }
                at = range.end;
            }
        }
    }
    edits
}

/// The same edit without what it leaves as it is at its ends.
pub(super) fn shortest(source: &str, edit: Edit) -> Option<Edit> {
    let before = &source[edit.span.range()];
    if before == edit.text {
        return None;
    }
    let same = before.bytes().zip(edit.text.bytes());
    let mut start = same.take_while(|(a, b)| a == b).count();
    while !before.is_char_boundary(start) || !edit.text.is_char_boundary(start) {
        start -= 1;
    }
    let ends = before.bytes().rev().zip(edit.text.bytes().rev());
    let most = before.len().min(edit.text.len()) - start;
    let mut end = ends.take(most).take_while(|(a, b)| a == b).count();
    while !before.is_char_boundary(before.len() - end)
        || !edit.text.is_char_boundary(edit.text.len() - end)
    {
        end -= 1;
    }
    Some(Edit {
        span: Span::new(edit.span.start + start, edit.span.end - end),
        text: edit.text[start..edit.text.len() - end].to_owned(),
    })
}

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod odd;
#[cfg(test)]
mod tests;
