//! The tags of a document for a person: aligned, with bars, coloured where the terminal wants it.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

use super::record::{Explained, Tagged};

const FILE: Style = Style::new().bold();
const QUIET: Style = Style::new().dimmed();
const BAR: Style = AnsiColor::Cyan.on_default();
const LABEL: Style = AnsiColor::Green.on_default();

/// Columns of a full bar.
const BAR_COLUMNS: usize = 10;
/// Wider labels are not padded to.
const WIDEST_LABEL: usize = 32;

/// The lines of one document.
pub(super) fn document(tagged: &Tagged, title: Option<&str>, explained: &[Explained]) -> String {
    let mut out = String::new();
    let path = tagged.path.unwrap_or("(standard input)");
    let _ = write!(out, "{FILE}{path}{FILE:#}");
    if let Some(title) = title {
        let _ = write!(out, "  {QUIET}{}{QUIET:#}", shortened(title, 60));
    }
    out.push('\n');
    let width = tagged
        .tags
        .iter()
        .map(|tag| tag.label.width())
        .max()
        .unwrap_or(0)
        .min(WIDEST_LABEL);
    for (i, tag) in tagged.tags.iter().enumerate() {
        out += &line(tag.label, tag.score, width, LABEL);
        for (evidence, line) in explained.get(i).map_or(&[][..], |e| &e.evidence) {
            let _ = write!(out, "      {QUIET}“{}”", shortened(&evidence.sentence, 100));
            if let Some(line) = line {
                let _ = write!(out, " line {line}");
            }
            let _ = writeln!(out, "{QUIET:#}");
        }
    }
    if tagged.tags.is_empty() {
        let why = if tagged.windows == 0 {
            "nothing to read"
        } else {
            "no tag fits"
        };
        let _ = writeln!(out, "  {QUIET}{why}{QUIET:#}");
    }
    if let Some(scores) = &tagged.scores {
        let mut rest: Vec<_> = scores
            .iter()
            .filter(|s| tagged.tags.iter().all(|tag| tag.label != s.label))
            .collect();
        rest.sort_by(|a, b| b.score.total_cmp(&a.score));
        let width = rest
            .iter()
            .map(|s| s.label.width())
            .max()
            .unwrap_or(0)
            .min(WIDEST_LABEL);
        for score in rest {
            out += &line(score.label, score.score, width, QUIET);
        }
    }
    if tagged.cut {
        let _ = writeln!(
            out,
            "  {QUIET}only the first {} windows were read{QUIET:#}",
            tagged.windows
        );
    }
    out
}

fn line(label: &str, score: f32, width: usize, style: Style) -> String {
    let pad = width.saturating_sub(label.width());
    format!(
        "  {style}{label}{style:#}{:pad$}  {score:.2} {BAR}{}{BAR:#}\n",
        "",
        bar(score)
    )
}

/// A bar of up to ten columns, in eighths.
fn bar(score: f32) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (score.clamp(0.0, 1.0) * (BAR_COLUMNS * 8) as f32).round() as usize;
    format!("{}{}", "█".repeat(eighths / 8), PARTS[eighths % 8])
}

/// At most `most` characters of one line.
fn shortened(text: &str, most: usize) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if line.chars().count() <= most {
        return line;
    }
    let cut: String = line.chars().take(most - 1).collect();
    format!("{}…", cut.trim_end())
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
    }
}
