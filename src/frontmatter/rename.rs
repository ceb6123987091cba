//! Gives a tag another name in one document: text and two names in, edits out.
//!
//! Invariant: after the edits the document has the tags it had, under the new name, each once;
//! every byte outside of the edits stays, and what cannot be written so is refused. Tags below it
//! (`a/b` below `a`) follow. Changes nothing itself.

use std::collections::BTreeSet;

use super::hole::holes;
use super::occurrence::{Kind, Occurrence, all};
use super::scalar::yaml;
use super::{Edit, Syntax, read};
use crate::document::{Document, Format, Span, body_tags};
use crate::label::{is_same, lower};

/// Why a tag cannot be renamed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenameError {
    /// No document could have such a tag.
    #[error("`{0}` is no tag: {1}; choose another name")]
    NoTag(String, &'static str),
    /// It cannot be written where the old one stands.
    #[error(
        "`{0}` cannot be written where `{1}` stands, on line {2}; choose another name, or change that line by hand"
    )]
    Unwritable(String, String, usize),
}

/// A tag as people type it: without white space around it and without `#`.
///
/// # Errors
/// It is none.
pub fn tag_name(typed: &str) -> Result<&str, RenameError> {
    let name = typed.trim().trim_start_matches('#').trim();
    let fault = if name.is_empty() {
        "it is empty"
    } else if name.chars().any(char::is_control) {
        "it has a line break or another control character"
    } else if name.contains(',') {
        "a comma separates tags"
    } else if name.split('/').any(|part| part.trim().is_empty()) {
        "a part between slashes is empty"
    } else if !name.chars().any(char::is_alphanumeric) && name.is_ascii() {
        "it has neither letter nor digit"
    } else {
        return Ok(name);
    };
    Err(RenameError::NoTag(name.to_owned(), fault))
}

/// Whether tag `name` may be `tag` or below it, whatever the case and however it is spelt in Org
/// and in the text. What may be is decided where it stands.
pub fn may_be_or_below(name: &str, tag: &str) -> bool {
    let loose = |tag: &str| tag.replace(['-', ' '], "_");
    renamed(&loose(name), &loose(tag), "").is_some()
}

/// Where tag `tag` stands in `source`, in order, as each place spells it. Those below it are others.
pub fn places_of(source: &str, format: Format, tag: &str) -> Vec<Span> {
    let found = all(source, format).into_iter();
    let is_it = |it: &Occurrence| is_same(&it.name, &spelt(tag, it.kind));
    found.filter(is_it).map(|it| it.word).collect()
}

/// The edits, in order and apart from each other, that give tag `from` the name `to` in `source`.
/// Where `to` is in the settings already, `from` is taken out of them.
///
/// # Errors
/// `to` is no tag, or cannot be written where `from` stands.
pub fn rename_tag(
    source: &str,
    format: Format,
    from: &str,
    to: &str,
) -> Result<Vec<Edit>, RenameError> {
    let names = (tag_name(from)?, tag_name(to)?);
    change(source, format, &all(source, format), Change::Rename, names)
}

/// The edits that put tag `to` in the place of `from` in the settings of `source`; none where
/// `from` is not there. Tags below `from`, and the text, stay.
///
/// # Errors
/// As `rename_tag`.
pub fn replace_tag(
    source: &str,
    format: Format,
    from: &str,
    to: &str,
) -> Result<Vec<Edit>, RenameError> {
    let names = (tag_name(from)?, tag_name(to)?);
    let found = all(source, format).into_iter();
    let settings: Vec<Occurrence> = found.filter(|it| !it.is_in_text()).collect();
    change(source, format, &settings, Change::Replace, names)
}

/// How far a new name reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// To the tags below it, too.
    Rename,
    /// To this very tag, in the settings.
    Replace,
}

fn change(
    source: &str,
    format: Format,
    found: &[Occurrence],
    change: Change,
    (from, to): (&str, &str),
) -> Result<Vec<Edit>, RenameError> {
    let plans = plans(found, change, from, to);
    let goes: Vec<bool> = plans.iter().map(|plan| *plan == Plan::TakeOut).collect();
    let mut holes = holes(source, found, &goes).into_iter();
    let edits: Vec<Edit> = (0..found.len())
        .filter_map(|idx| match &plans[idx] {
            Plan::Keep => None,
            Plan::Write(name) => written(source, &found[idx], name),
            Plan::TakeOut => holes.next().map(|(_, span)| Edit {
                span,
                text: String::new(),
            }),
        })
        .collect();
    let is_done = plans.iter().all(|plan| *plan == Plan::Keep);
    let wrong = match is_done {
        true => None,
        false => wrong(source, format, &edits, change, (from, to)),
    };
    let Some(wrong) = wrong else {
        return Ok(edits);
    };
    let is_wrong = |it: &Occurrence| it.is_in_text() == (wrong == Part::Body);
    let first = (0..found.len())
        .find(|idx| plans[*idx] != Plan::Keep && is_wrong(&found[*idx]))
        .unwrap_or(0);
    let line = 1 + source[..found[first].item.start].matches('\n').count();
    let name = found[first].name.clone();
    Err(RenameError::Unwritable(to.to_owned(), name, line))
}

/// What becomes of one occurrence.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Plan {
    Keep,
    Write(String),
    TakeOut,
}

fn plans(found: &[Occurrence], change: Change, from: &str, to: &str) -> Vec<Plan> {
    let new_names: Vec<Option<String>> = found
        .iter()
        .map(|it| change.renamed(&it.name, &spelt(from, it.kind), &spelt(to, it.kind)))
        .collect();
    // A tag is once in the settings, and once on a headline; in the text it is a word.
    let scope = |it: &Occurrence| match it.kind {
        Kind::Headline => it.list,
        _ => 0,
    };
    let mut there: BTreeSet<(usize, String)> = found
        .iter()
        .zip(&new_names)
        .filter(|(it, new)| new.is_none() && it.kind != Kind::Body)
        .map(|(it, _)| (scope(it), lower(&it.name)))
        .collect();
    let plan = |(it, new): (&Occurrence, Option<String>)| match new {
        None => Plan::Keep,
        Some(new) if it.kind != Kind::Body && !there.insert((scope(it), lower(&new))) => {
            Plan::TakeOut
        }
        Some(new) if new == it.name => Plan::Keep,
        Some(new) => Plan::Write(new),
    };
    found.iter().zip(new_names).map(plan).collect()
}

impl Change {
    /// The new name of `name`, if this reaches it.
    fn renamed(self, name: &str, from: &str, to: &str) -> Option<String> {
        match self {
            Change::Rename => renamed(name, from, to),
            Change::Replace => is_same(name, from).then(|| to.to_owned()),
        }
    }
}

/// The new name of `name`, if it is `from` or below it.
fn renamed(name: &str, from: &str, to: &str) -> Option<String> {
    let from = lower(from);
    let ends = name.match_indices('/').map(|(at, _)| at);
    let mut ends = ends.chain([name.len()]);
    let end = ends.find(|end| lower(&name[..*end]) == from)?;
    Some(format!("{to}{}", &name[end..]))
}

/// A tag as it is spelt there: Org allows neither `-` nor a space, and a word has no space in it.
fn spelt(tag: &str, kind: Kind) -> String {
    match kind {
        Kind::Colons | Kind::Headline => tag.replace(['-', ' '], "_"),
        Kind::Body => tag.replace(' ', "-"),
        _ => tag.to_owned(),
    }
}

/// The edit that writes `name` where `it` stands; none where that cannot be said.
fn written(source: &str, it: &Occurrence, name: &str) -> Option<Edit> {
    let is_part = !matches!(it.kind, Kind::Flow | Kind::Block | Kind::Alone);
    if it.kind == Kind::Opaque {
        return None;
    }
    let is_bare = it.syntax == Syntax::Yaml && yaml(name, it.kind == Kind::Flow) == name;
    let fits = match source[it.item.range()].chars().next() {
        _ if is_part => true,
        Some('"') => it.word != it.item && !name.contains(['"', '\\']),
        Some('\'') => it.word != it.item && !name.contains('\''),
        _ => is_bare,
    };
    let (span, text) = match fits {
        true => (it.word, name.to_owned()),
        // JSON's strings are YAML's and TOML's.
        false => (it.item, serde_json::Value::from(name).to_string()),
    };
    Some(Edit { span, text })
}

/// A part of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Settings,
    Body,
}

/// Where the edits do not do what they should: whatever was overlooked above shows here.
fn wrong(
    source: &str,
    format: Format,
    edits: &[Edit],
    change: Change,
    (from, to): (&str, &str),
) -> Option<Part> {
    let mut after = source.to_owned();
    for edit in edits.iter().rev() {
        after.replace_range(edit.span.range(), &edit.text);
    }
    let kind = match format {
        Format::Org => Kind::Colons,
        _ => Kind::Alone,
    };
    let settings = |text: &str| {
        read(text, format)
            .map(|f| (f.tags, f.fault))
            .unwrap_or_default()
    };
    let (before, fault) = settings(source);
    let (now, fault_now) = settings(&after);
    if fault.is_some() != fault_now.is_some()
        || names(before, kind, change, (from, to)) != lowered(now)
    {
        return Some(Part::Settings);
    }
    let body = |text: &str| -> Vec<String> {
        let tags = body_tags(&Document::parse(format, text)).into_iter();
        tags.map(|(name, _)| name).collect()
    };
    let (before, now) = (body(source), body(&after));
    if change == Change::Replace {
        return (before != now).then_some(Part::Body);
    }
    let kind = match format {
        Format::Org => Kind::Headline,
        _ => Kind::Body,
    };
    // On headlines a tag may be taken out; in a text none may come or go.
    let is_right = (format == Format::Org || before.len() == now.len())
        && names(before, kind, change, (from, to)) == lowered(now);
    (!is_right).then_some(Part::Body)
}

fn names(
    tags: Vec<String>,
    kind: Kind,
    change: Change,
    (from, to): (&str, &str),
) -> BTreeSet<String> {
    let (from, to) = (spelt(from, kind), spelt(to, kind));
    let new = |tag: String| change.renamed(&tag, &from, &to).unwrap_or(tag);
    lowered(tags.into_iter().map(new))
}

fn lowered(tags: impl IntoIterator<Item = String>) -> BTreeSet<String> {
    tags.into_iter().map(|tag| lower(&tag)).collect()
}

#[cfg(test)]
mod tests;
