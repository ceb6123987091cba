//! Tags in a file's own settings: bytes and a plan in, the places to change out.
//!
//! Invariant: only lines of tags values are changed, and what is decoded from the new bytes has
//! the tags that were asked for. Pure: reads and writes no files.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;

use super::SinkError;
use super::error::shown;
use super::place::{Place, applied, as_lines};
use super::store::Edited;
use crate::document::{Document, Format, Span, body_tags, decode};
use crate::frontmatter::{self, AddError, Edit, FrontMatter};

/// The tags of the file's settings, and those in its text.
pub(super) fn standing(path: &Path, bytes: &[u8]) -> Result<(Vec<String>, Vec<String>), SinkError> {
    let text = text(path, bytes)?;
    let format = Format::from_path(path);
    let settings = frontmatter::read(&text, format);
    if let Some(fault) = settings
        .as_ref()
        .and_then(|settings| settings.fault.clone())
    {
        let path = shown(path);
        return Err(SinkError::Broken { path, fault });
    }
    let settings = settings.map_or(Vec::new(), |settings| settings.tags);
    let document = Document::parse(format, text.into_owned());
    let body = body_tags(&document).into_iter().map(|(tag, _)| tag);
    Ok((settings, body.collect()))
}

/// Whether the file has no settings at all.
pub(super) fn is_bare(path: &Path, bytes: &[u8]) -> Result<bool, SinkError> {
    let text = text(path, bytes)?;
    Ok(frontmatter::read(&text, Format::from_path(path)).is_none())
}

/// The places that change where tags go and come.
pub(super) fn edited(
    path: &Path,
    bytes: &[u8],
    remove: &[String],
    add: &[String],
) -> Result<Edited, SinkError> {
    let text = text(path, bytes)?;
    let format = Format::from_path(path);
    let retagged = frontmatter::retag(&text, format, remove, add).map_err(|error| match error {
        AddError::NoPlace(format) => SinkError::NoPlace {
            path: shown(path),
            format,
        },
        AddError::Broken(fault) => SinkError::Broken {
            path: shown(path),
            fault,
        },
        error => SinkError::Broken {
            path: shown(path),
            fault: error.to_string(),
        },
    })?;
    let after = retagged.applied(&text);
    let places = places(&text, &after, &retagged.edits, format);
    let written = applied(bytes, &places).filter(|written| reads_as(written, &after));
    match written {
        Some(after) => Ok(Edited {
            places,
            after,
            edits: retagged.edits,
            unwritable: retagged.unwritable,
        }),
        None => Err(odd(
            path,
            "this text is in an encoding that tags cannot be written in",
        )),
    }
}

/// Where the places of a change stand now, though the file has changed elsewhere; `None` where
/// one of them has changed itself.
pub(super) fn located(path: &Path, bytes: &[u8], places: &[Place]) -> Option<Vec<Range<usize>>> {
    let text = text(path, bytes).ok()?;
    let format = Format::from_path(path);
    let settings = frontmatter::read(&text, format)?;
    let values = match settings.fault {
        Some(_) => return None,
        None => value_lines(&text, &settings),
    };
    let begin = settings.extent.end;
    let mut found: Vec<Range<usize>> = Vec::new();
    for place in places {
        let mut candidates = as_lines(bytes, &place.after).into_iter().filter(|range| {
            let touched = values
                .iter()
                .filter(|value| value.start < range.end && range.start < value.end);
            // What goes on behind it is another value than the one that was written.
            range.start < begin
                && touched
                    .into_iter()
                    .all(|value| range.start <= value.start && value.end <= range.end)
        });
        match (candidates.next(), candidates.next()) {
            (Some(range), None) if found.last().is_none_or(|last| last.end <= range.start) => {
                found.push(range);
            }
            _ => return None,
        }
    }
    Some(found)
}

/// The text of a file, with offsets that are the file's wherever it is written.
fn text<'a>(path: &Path, bytes: &'a [u8]) -> Result<Cow<'a, str>, SinkError> {
    let decoded = decode(bytes).map_err(|error| odd(path, &error.to_string()))?;
    Ok(match std::str::from_utf8(bytes) {
        Ok(text) if decoded.encoding == "UTF-8" => Cow::Borrowed(text), // With its byte order mark.
        _ => Cow::Owned(decoded.text),
    })
}

/// Whether bytes are read as this text.
fn reads_as(bytes: &[u8], text: &str) -> bool {
    let bare = text.trim_start_matches('\u{feff}');
    match std::str::from_utf8(bytes) {
        Ok(written) => written.trim_start_matches('\u{feff}') == bare,
        Err(_) => decode(bytes).is_ok_and(|decoded| decoded.text == bare),
    }
}

fn odd(path: &Path, fact: &str) -> SinkError {
    let cure = "; save it as UTF-8, or use the sink `sidecar`";
    SinkError::Encoding {
        path: shown(path),
        fact: format!("{fact}{}", if fact.contains(';') { "" } else { cure }),
    }
}

/// The whole lines of each tags value, from its key on.
fn value_lines(text: &str, settings: &FrontMatter) -> Vec<Span> {
    let of_value = |value: &frontmatter::TagsValue| {
        let mut start = line_start(text, value.span.start);
        // The key may stand on a line above its list.
        while start > settings.content.start
            && !text[start..value.span.start].contains(value.key.as_str())
        {
            start = line_start(text, start - 1);
        }
        Span::new(start, line_end(text, value.span.end))
    };
    settings.tag_values.iter().map(of_value).collect()
}

fn line_start(text: &str, byte: usize) -> usize {
    let start = text[..byte].rfind('\n').map_or(0, |at| at + 1);
    let bom = if text.starts_with('\u{feff}') { 3 } else { 0 };
    start.max(bom.min(byte))
}

/// Behind the line's break.
fn line_end(text: &str, byte: usize) -> usize {
    let rest = text[byte..].find('\n');
    rest.map_or(text.len(), |at| byte + at + 1)
}

/// The changed lines: each tags value by itself where that tells all, else from the first to the
/// last change.
fn places(before: &str, after: &str, edits: &[Edit], format: Format) -> Vec<Place> {
    let (Some(first), Some(last)) = (edits.first(), edits.last()) else {
        return Vec::new();
    };
    let lines = |text: &str| {
        let settings = frontmatter::read(text, format);
        settings.map(|settings| value_lines(text, &settings))
    };
    if let (Some(old), Some(new)) = (lines(before), lines(after))
        && old.len() == new.len()
    {
        let pairs = old.iter().zip(&new);
        let places: Vec<Place> = pairs
            .map(|(old, new)| (old, &before[old.range()], &after[new.range()]))
            .filter(|(_, old, new)| old != new)
            .map(|(span, old, new)| place(span.start, old, new))
            .collect();
        if applied(before.as_bytes(), &places).is_some_and(|made| made == after.as_bytes()) {
            return places;
        }
    }
    let (mut start, mut end) = (first.span.start, last.span.end);
    let is_of_lines = first.span.is_empty()
        && edits.len() == 1
        && first.text.ends_with('\n')
        && line_start(before, start) == start;
    if !is_of_lines {
        start = line_start(before, start);
        end = line_end(before, end);
    }
    let new_end = after.len() - (before.len() - end);
    vec![place(start, &before[start..end], &after[start..new_end])]
}

fn place(at: usize, before: &str, after: &str) -> Place {
    Place {
        at,
        before: before.as_bytes().to_vec(),
        after: after.as_bytes().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::place::{exchanged, taken_back};

    fn strings(tags: &[&str]) -> Vec<String> {
        tags.iter().map(|tag| (*tag).to_owned()).collect()
    }

    /// Adds `new`, lets the person do something, and takes `new` back.
    #[track_caller]
    fn check(name: &str, before: &str, person: impl Fn(&str) -> String, expected: Option<&str>) {
        let path = Path::new(name);
        let add = strings(&["new"]);
        let edited = edited(path, before.as_bytes(), &[], &add).unwrap();
        assert_eq!(
            taken_back(&edited.after, &edited.places).unwrap(),
            before.as_bytes()
        );
        let after = String::from_utf8(edited.after).unwrap();
        let now = person(&after);
        assert_ne!(now, after, "the person did nothing to {after:?}");
        let back = located(path, now.as_bytes(), &edited.places).map(|ranges| {
            let instead: Vec<&[u8]> = edited.places.iter().map(|p| &p.before[..]).collect();
            String::from_utf8(exchanged(now.as_bytes(), &ranges, &instead).unwrap()).unwrap()
        });
        assert_eq!(back.as_deref(), expected, "{now:?}");
    }

    #[test]
    fn a_fault_is_told_once() {
        let text = b"---\ntitle: x\n\nText\n";
        let fault = edited(Path::new("/a.md"), text, &[], &strings(&["new"])).unwrap_err();
        let said = fault.to_string();
        assert!(said.contains("(line 1: its fence"), "{said}");
        assert_eq!(said.matches("is broken").count(), 1, "{said}");
    }

    #[test]
    fn a_change_elsewhere_does_not_hinder() {
        let more = |text: &str| text.replace("Text", "More text") + "\nend\n";
        check("a.md", "Text", more, Some("More text\nend\n"));
        check(
            "a.md",
            "---\ntags: [a]\n---\nText",
            |text| text.replace("tags", "title: x\ntags").replace("Text", "T"),
            Some("---\ntitle: x\ntags: [a]\n---\nT"),
        );
        check(
            "a.md",
            "---\ntitle: x\n---\nText",
            |text| text.replace("title: x", "title: a longer one\nother: y"),
            Some("---\ntitle: a longer one\nother: y\n---\nText"),
        );
        check(
            "a.org",
            "#+TITLE: x\n#+FILETAGS: :a:\nText",
            |text| text.replace("x\n", "y\n").replace("Text", "* Head"),
            Some("#+TITLE: y\n#+FILETAGS: :a:\n* Head"),
        );
        check(
            "a.md",
            "\u{feff}---\r\ntags:\r\n- a\r\n---\r\nText",
            |text| text.replace("---\r\nText", "x: 1\r\n---\r\n"),
            Some("\u{feff}---\r\ntags:\r\n- a\r\nx: 1\r\n---\r\n"),
        );
    }

    #[test]
    fn a_change_in_that_place_does() {
        let list = "---\ntags:\n  - a\n---\nText";
        check(
            "a.md",
            list,
            |t| t.replace("  - new\n", "  - new\n  - mine\n"),
            None,
        );
        check("a.md", list, |t| t.replace("- new", "- newer"), None);
        check("a.md", list, |t| t.replace("- a", "- b"), None);
        check(
            "a.md",
            "---\ntags: a\n---\n",
            |t| t.replace("new", "new, mine"),
            None,
        );
        check(
            "a.md",
            "Text",
            |t| t.replace("---\ntags", "---\nx: 1\ntags"),
            None,
        );
        check(
            "a.md",
            "---\nx: 1\n---\n",
            |t| t.replace("x: 1", "x: ["),
            None,
        );
        let twice = |t: &str| t.replace("tags: [new]\n", "tags: [new]\ny: |\n z\ntags: [new]\n");
        check("a.md", "---\ntags: []\n---\n", twice, None);
    }

    #[test]
    fn two_values_are_two_places() {
        let before = b"---\ntag: a\ntitle: x\ntags: [a, b]\n---\n";
        let edited = edited(Path::new("a.md"), before, &strings(&["a"]), &[]).unwrap();
        assert_eq!(edited.places.len(), 2);
        assert_eq!(edited.after, b"---\ntag: \ntitle: x\ntags: [b]\n---\n");
    }

    #[test]
    fn other_encodings_are_written_where_that_is_safe() {
        let latin = b"---\ntags: [a]\n---\nCr\xe8me br\xfbl\xe9e, une cuill\xe8re.\n";
        let path = Path::new("a.md");
        let plain = edited(path, latin, &[], &strings(&["b"])).unwrap();
        assert!(plain.after.starts_with(b"---\ntags: [a, b]\n---\nCr\xe8me"));
        let error = edited(path, latin, &[], &strings(&["é"])).unwrap_err();
        assert!(error.to_string().contains("save it as UTF-8"), "{error}");
        let wide: Vec<u8> = "\u{feff}Text of some length\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert!(edited(path, &wide, &[], &strings(&["b"])).is_err());
        assert!(edited(path, b"\x89PNG\r\n\x1a\n\0\0\0", &[], &strings(&["b"])).is_err());
    }
}
