//! Text in the columns of a terminal: cut, wrapped, drawn as bars.
//!
//! Invariant: nothing of a file or a label moves the cursor or turns the direction of what follows.

use std::io::IsTerminal;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::telemetry::harmless;

/// Columns of a full bar.
const BAR_COLUMNS: usize = 10;

/// The text with blanks behind it up to `columns`.
pub(super) fn padded(text: &str, columns: usize) -> String {
    let blanks = columns.saturating_sub(text.width());
    format!("{text}{}", " ".repeat(blanks))
}

/// A bar of up to ten columns, in eighths.
pub(super) fn bar(score: f32) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (score.clamp(0.0, 1.0) * (BAR_COLUMNS * 8) as f32).round() as usize;
    format!("{}{}", "█".repeat(eighths / 8), PARTS[eighths % 8])
}

/// The text in rows of at most `columns`, cut after `rows` of them.
pub(super) fn wrapped(text: &str, columns: usize, rows: usize) -> Vec<String> {
    let text = shortened(text, columns * rows);
    let mut wrapped: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match wrapped.last_mut() {
            Some(row) if row.width() + 1 + word.width() <= columns => {
                row.push(' ');
                row.push_str(word);
            }
            _ => wrapped.extend(pieces(word, columns).map(str::to_owned)),
        }
    }
    if wrapped.len() > rows {
        wrapped.truncate(rows);
        if let Some(row) = wrapped.last_mut() {
            *row = format!("{} …", shortened(row, columns - 2).trim_end_matches('…'));
        }
    }
    wrapped
}

/// A word in pieces of a row each: Chinese, Japanese and Thai put no blanks between words, and an
/// address has none.
fn pieces(mut word: &str, columns: usize) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let first = word.graphemes(true).next()?;
        let len = fitting(word, columns).len().max(first.len());
        let (piece, rest) = word.split_at(len);
        word = rest;
        Some(piece)
    })
}

/// As much of the beginning as has room in `columns`; no letter loses its accents, no emoji a part.
fn fitting(text: &str, columns: usize) -> &str {
    let mut used = 0;
    let fits = |(_, letter): &(usize, &str)| {
        used += letter.width();
        used <= columns
    };
    let shown = text.grapheme_indices(true).take_while(fits).last();
    &text[..shown.map_or(0, |(at, letter)| at + letter.len())]
}

/// Columns of a line for people, where the terminal does not say, and how many it may be.
const LINE: usize = 80;
const NARROWEST: usize = 40;
const WIDEST: usize = 100;
/// In fewer columns a text is a pillar of single words.
const READABLE: usize = 24;

/// The text in rows that fit a terminal, all but the first behind `indent` blanks; as it is where
/// nobody looks at it but a program, or where so little room is left that the terminal's own rows
/// are better. No word is cut.
pub(super) fn paragraph(text: &str, indent: usize) -> String {
    if !std::io::stdout().is_terminal() {
        return text.to_owned();
    }
    let size = crossterm::terminal::size();
    let line = size.map_or(LINE, |(columns, _)| usize::from(columns));
    indented(&harmless(text), line, indent)
}

fn indented(text: &str, line: usize, indent: usize) -> String {
    match line.clamp(NARROWEST, WIDEST).saturating_sub(indent) {
        0..READABLE => text.to_owned(),
        columns => rows(text, columns).join(&format!("\n{}", " ".repeat(indent))),
    }
}

fn rows(text: &str, columns: usize) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for line in text.lines() {
        let mut row = String::new();
        for word in line.split(' ') {
            if !row.is_empty() && row.width() + 1 + word.width() > columns {
                rows.push(std::mem::take(&mut row));
            } else if !row.is_empty() {
                row.push(' ');
            }
            row.push_str(word);
        }
        rows.push(row);
    }
    rows
}

/// At most `columns` columns of one line, in which nothing moves the cursor.
pub(super) fn shortened(text: &str, columns: usize) -> String {
    let text: String = text
        .chars()
        .map(|c| if moves_cursor(c) { ' ' } else { c })
        .collect();
    if text.width() <= columns {
        return text;
    }
    format!("{}…", fitting(&text, columns.saturating_sub(1)).trim_end())
}

/// Control characters, and those that turn the direction of what follows.
fn moves_cursor(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_grows_in_eighths() {
        assert_eq!(bar(0.0), "");
        assert_eq!(bar(1.0).chars().count(), 10);
        assert_eq!(bar(0.5), "█████");
        assert_eq!(bar(0.55), "█████▌");
    }

    #[test]
    fn a_long_or_hostile_text_is_one_short_line() {
        assert_eq!(shortened("a\nb\u{1b}[2J", 20), "a b [2J");
        assert_eq!(shortened("one two three", 8), "one two…");
        assert_eq!(shortened("日本語日本語", 7), "日本語…");
        assert_eq!(
            shortened("❤\u{fe0f}❤\u{fe0f}❤\u{fe0f}", 5),
            "❤\u{fe0f}❤\u{fe0f}…"
        );
        assert_eq!(shortened("a\u{202e}b", 7), "a b");
        assert_eq!(shortened(&"x".repeat(10_000), 40).width(), 40);
    }

    #[test]
    fn a_fact_is_wrapped_between_words_and_none_of_it_is_lost() {
        let rows = rows("a fact; see /a/very/long/path/to/it now\nand more", 12);
        assert_eq!(
            rows,
            ["a fact; see", "/a/very/long/path/to/it", "now", "and more"]
        );
    }

    #[test]
    fn where_no_room_is_left_beside_a_column_nothing_is_wrapped_into_single_words() {
        let told = "What a text expresses, not what it is about.";
        let wrapped = "What a text expresses, not\n            what it is about.";
        assert_eq!(indented(told, 40, 12), wrapped);
        assert_eq!(indented(told, 40, 17), told);
        assert_eq!(indented(told, 80, 90), told);
    }

    #[test]
    fn a_text_without_blanks_fills_its_rows_and_loses_no_letter() {
        assert_eq!(
            wrapped("今日は庭でトマト を植えた。土", 8, 9),
            ["今日は庭", "でトマト", "を植えた", "。土"]
        );
        let thai = "ผมดื่มกาแฟที่ร้าน";
        let rows = wrapped(thai, 6, 9);
        assert_eq!(rows.concat(), thai);
        assert!(rows.iter().all(|row| row.width() <= 6), "{rows:?}");
        // What is wider than a row has one of its own.
        assert_eq!(wrapped("家族 x", 1, 9), ["家", "族", "x"]);
        assert_eq!(wrapped("今日は庭でトマトを植えた。", 8, 2).len(), 2);
    }

    #[test]
    fn a_long_text_is_wrapped_and_says_that_it_goes_on() {
        assert_eq!(wrapped("one two three", 8, 5), ["one two", "three"]);
        let rows = wrapped("one two three four five six", 8, 2);
        assert_eq!(rows.len(), 2);
        assert!(
            rows[1].ends_with('…') && rows.iter().all(|row| row.width() <= 8),
            "{rows:?}"
        );
    }
}
