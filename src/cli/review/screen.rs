//! What a person sees of a review: the state and a size in, lines out.
//!
//! Invariant: never more lines or columns than the terminal has; nothing of a note moves the
//! cursor; the labels and the keys are seen before the end of the text is.

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

use super::state::{LISTED, Review, reason};
use crate::cli::columns::{bar, shortened, wrapped};
use crate::learn::review::Accuracy;

const STRONG: Style = Style::new().bold();
const QUIET: Style = Style::new().dimmed();
const LABEL: Style = AnsiColor::Green.on_default();
const BAR: Style = AnsiColor::Cyan.on_default();

/// Rows of text that are made of one document; nobody scrolls further.
const MOST_ROWS: usize = 2_000;
/// Labels that are shown for what is typed.
const MOST_FOUND: usize = 5;
/// No line of prose is read well when it is longer.
const WIDEST: usize = 100;

/// The lines of the screen.
pub(super) fn screen(
    review: &Review,
    accuracy: Option<&Accuracy>,
    enough: bool,
    (columns, rows): (usize, usize),
) -> Vec<String> {
    let columns = columns.min(WIDEST);
    let mut below = match review.search() {
        Some(typed) => search(review, typed, columns),
        None => labels(review, columns),
    };
    below.push(String::new());
    if let Some(note) = review.note() {
        below.push(quiet(note, columns));
    } else {
        below.extend(estimate(accuracy, enough, columns));
    }
    below.push(quiet(keys(review), columns));
    let mut lines = heading(review, columns);
    let room = rows.saturating_sub(lines.len() + below.len() + 1);
    lines.extend(text(review, columns, room));
    lines.push(String::new());
    lines.extend(below);
    lines.truncate(rows);
    lines
}

fn heading(review: &Review, columns: usize) -> Vec<String> {
    let Some(item) = review.item() else {
        return vec![format!("{STRONG}All were looked at.{STRONG:#}")];
    };
    let (at, all) = review.place();
    let place = format!("{at} of {all} · {}", reason(item));
    let name = shortened(
        &item.name,
        columns.saturating_sub(place.width() + 2).max(10),
    );
    let gap = columns.saturating_sub(name.width() + place.width()).max(2);
    let mut lines = vec![
        format!(
            "{STRONG}{name}{STRONG:#}{:gap$}{QUIET}{}{QUIET:#}",
            "",
            shortened(&place, columns)
        ),
        format!("{QUIET}{}{QUIET:#}", "─".repeat(columns)),
    ];
    if let Some(title) = &item.title {
        lines.push(format!("{STRONG}{}{STRONG:#}", shortened(title, columns)));
    }
    lines
}

fn text(review: &Review, columns: usize, room: usize) -> Vec<String> {
    let Some(item) = review.item() else {
        return Vec::new();
    };
    let mut rows: Vec<String> = Vec::new();
    let title = item.title.as_deref().unwrap_or_default();
    let is_title = |line: &&str| line.trim_matches(['#', '=', '*', ' ']) == title;
    // The title stands above already.
    for line in body(&item.text).lines().skip_while(is_title) {
        if rows.len() >= MOST_ROWS {
            break;
        }
        match line.trim().is_empty() {
            true => rows.push(String::new()),
            false => rows.extend(wrapped(line, columns, MOST_ROWS)),
        }
    }
    let last = rows.len().saturating_sub(room);
    let from = review.scroll().min(last);
    let mut shown: Vec<String> = rows.iter().skip(from).take(room).cloned().collect();
    if from + room < rows.len()
        && let Some(row) = shown.last_mut()
    {
        *row = format!(
            "{QUIET}… {} more lines (↓){QUIET:#}",
            rows.len() - from - room + 1
        );
    }
    shown
}

/// A text without its settings, which are shown as labels.
fn body(text: &str) -> &str {
    let after = |fence: &str| {
        let rest = text.strip_prefix(fence)?.strip_prefix('\n')?;
        let end = rest.find(&format!("\n{fence}\n"))?;
        Some(&rest[end + fence.len() + 2..])
    };
    after("---")
        .or_else(|| after("+++"))
        .unwrap_or(text)
        .trim_start_matches('\n')
}

fn labels(review: &Review, columns: usize) -> Vec<String> {
    let listed = review.listed();
    let width = listed
        .iter()
        .map(|(label, _)| label.label.width())
        .max()
        .unwrap_or(0);
    let width = width.min(columns.saturating_sub(26)).max(4);
    let line = |(number, (label, is_ticked)): (
        usize,
        &(&crate::desk::protocol::review::ReviewLabel, bool),
    )| {
        let digit = match number < LISTED {
            true => (number + 1).to_string(),
            false => "·".to_owned(),
        };
        let (mark, colour) = if *is_ticked {
            ("✓", LABEL)
        } else {
            (" ", QUIET)
        };
        let name = shortened(&label.label, width);
        let pad = width.saturating_sub(name.width());
        let score = label.score.map_or_else(
            || "   ".to_owned(),
            |score| format!("{score:.2} {BAR}{}{BAR:#}", bar(score)),
        );
        format!(
            "  {QUIET}{digit}{QUIET:#} {colour}{mark} {name}{colour:#}{:pad$}  {score}",
            ""
        )
    };
    listed.iter().enumerate().map(line).collect()
}

fn search(review: &Review, typed: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![format!(
        "  label: {}▏",
        shortened(typed, columns.saturating_sub(10))
    )];
    let found = review.found();
    for (number, label) in found.iter().take(MOST_FOUND).enumerate() {
        let mark = if number == 0 { "→" } else { " " };
        lines.push(format!(
            "  {mark} {LABEL}{}{LABEL:#}",
            shortened(&label.label, columns.saturating_sub(6))
        ));
    }
    if found.is_empty() {
        lines.push(quiet("  no label of the set is called so", columns));
    }
    lines
}

fn estimate(accuracy: Option<&Accuracy>, enough: bool, columns: usize) -> Vec<String> {
    let Some(accuracy) = accuracy else {
        return Vec::new();
    };
    let (low, high) = accuracy.range;
    let mut lines = vec![quiet(
        &format!(
            "{} of {} documents drawn by chance needed no change; in all, {:.0} to {:.0} % are right",
            (accuracy.right * accuracy.documents as f64).round(),
            accuracy.documents,
            low * 100.0,
            high * 100.0
        ),
        columns,
    )];
    if enough {
        lines.push(quiet(
            "you can stop: hardly any of the last 50 needed a change",
            columns,
        ));
    }
    lines
}

fn keys(review: &Review) -> &'static str {
    match (review.search(), review.item()) {
        (Some(_), _) => "↵ add  esc back",
        (None, None) => "u undo  q leave",
        (None, Some(_)) => {
            "↵ right as ticked  1-9 tick  a other label  n none fits  s skip  u undo  q leave"
        }
    }
}

fn quiet(text: &str, columns: usize) -> String {
    format!("{QUIET}{}{QUIET:#}", shortened(text, columns))
}
