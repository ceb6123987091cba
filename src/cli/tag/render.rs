//! The tags of a document for a person: aligned, with bars, coloured where the terminal wants it.
//!
//! Invariant: scores and bars of one run stand in the same columns; nothing of a file or a label
//! moves the cursor, and no line ends in blanks.

use std::fmt::Write;

use anstyle::{AnsiColor, Style as Colour};
use unicode_width::UnicodeWidthStr;

use super::record::{Explained, ScoreRecord, Tagged, WrittenRecord};
use crate::cli::columns::{bar, shortened, wrapped};
use crate::desk::protocol::Origin;
use crate::engine::Vocabulary;
use crate::label::LabelSet;

const FILE: Colour = Colour::new().bold();
const QUIET: Colour = Colour::new().dimmed();
const BAR: Colour = AnsiColor::Cyan.on_default();
const LABEL: Colour = AnsiColor::Green.on_default();
const GONE: Colour = AnsiColor::Red.on_default();

/// Wider labels are cut.
const WIDEST_LABEL: usize = 40;
/// Columns of a title behind the path.
const WIDEST_TITLE: usize = 60;
/// Columns and lines of a sentence below its tag.
const SENTENCE_COLUMNS: usize = 68;
const SENTENCE_LINES: usize = 2;
/// Unscored labels that are named.
const MOST_NAMED: usize = 5;

/// How the documents of one run look.
#[derive(Clone, Debug)]
pub(super) struct Style {
    /// Columns of the widest label.
    width: usize,
    /// Labels that only a person gives: whatever their score, they are no tags.
    manual: Vec<String>,
    /// Labels that no document can have scored; a warning has said so.
    never_scored: usize,
    /// Scores of all labels are shown.
    all: bool,
    /// Sentences are shown.
    explain: bool,
}

impl Style {
    pub(super) fn new(vocabulary: &Vocabulary, all: bool, explain: bool) -> Style {
        let never_scored = vocabulary.unscored().len();
        Style::of_labels(vocabulary.set(), never_scored, all, explain)
    }

    fn of_labels(set: &LabelSet, never_scored: usize, all: bool, explain: bool) -> Style {
        // A manual label is seen with `--all` only.
        let seen = set.labels().iter().filter(|label| all || !label.manual);
        Style {
            width: seen
                .map(|label| label.name.width())
                .max()
                .unwrap_or(0)
                .min(WIDEST_LABEL),
            manual: set
                .labels()
                .iter()
                .filter(|label| label.manual)
                .map(|label| label.name.clone())
                .collect(),
            never_scored,
            all,
            explain,
        }
    }

    /// Whether a document usually takes many lines.
    pub(super) fn is_tall(&self) -> bool {
        self.all || self.explain
    }
}

/// The lines of one document.
pub(super) fn document(
    tagged: &Tagged,
    title: Option<&str>,
    explained: &[Explained],
    style: &Style,
) -> String {
    let mut out = String::new();
    // Writing into a `String` cannot fail, here and below.
    let path = tagged.path.unwrap_or("(standard input)");
    let _ = write!(out, "{FILE}{path}{FILE:#}");
    if let Some(title) = title {
        let title = shortened(title, WIDEST_TITLE);
        let _ = write!(out, "  {QUIET}{title}{QUIET:#}");
    }
    out.push('\n');
    let mark = if style.all { "* " } else { "  " };
    for (i, tag) in tagged.tags.iter().enumerate() {
        out += &line(mark, tag.label, tag.score, LABEL, style);
        let stands = tag.stands.then_some("in the note");
        let notes: Vec<&str> = note(tag.origin).into_iter().chain(stands).collect();
        if !notes.is_empty() {
            out.pop();
            let _ = writeln!(out, "  {QUIET}{}{QUIET:#}", notes.join(", "));
        }
        for (evidence, line) in explained.get(i).map_or(&[][..], |e| &e.evidence) {
            out += &sentence(&evidence.sentence, *line);
        }
    }
    if tagged.tags.is_empty() {
        let why = match tagged.nearest {
            _ if tagged.windows == 0 => "nothing to read".to_owned(),
            // With all scores, the nearest stands below.
            Some((label, score)) if tagged.scores.is_none() => {
                let label = shortened(label, WIDEST_LABEL);
                format!("no tag fits (nearest: {label} {score:.2})")
            }
            _ => "no tag fits".to_owned(),
        };
        out += &quiet(&why);
    }
    if let Some(scores) = &tagged.scores {
        out += &others(scores, tagged, style);
    }
    if tagged.windows > 0 && tagged.unscored.len() > style.never_scored {
        out += &quiet(&unscored(&tagged.unscored));
    }
    if tagged.cut {
        let windows = match tagged.windows {
            1 => "1 window".to_owned(),
            n => format!("{n} windows"),
        };
        out += &quiet(&format!("only the beginning was read ({windows})"));
    }
    out
}

/// What was done to a file, or would be; nothing where nothing was.
pub(super) fn written(tagged: &Tagged, written: &WrittenRecord, title: Option<&str>) -> String {
    let mut out = String::new();
    if written.added.is_empty() && written.removed.is_empty() && written.unwritable.is_empty() {
        return out;
    }
    let path = tagged.path.unwrap_or_default();
    let _ = write!(out, "{FILE}{path}{FILE:#}");
    if let Some(title) = title {
        let title = shortened(title, WIDEST_TITLE);
        let _ = write!(out, "  {QUIET}{title}{QUIET:#}");
    }
    out.push('\n');
    for label in &written.added {
        let label = shortened(label, WIDEST_LABEL);
        let _ = writeln!(out, "  {LABEL}+ {label}{LABEL:#}");
    }
    for label in &written.removed {
        let label = shortened(label, WIDEST_LABEL);
        let _ = writeln!(out, "  {GONE}- {label}{GONE:#}");
    }
    for label in &written.unwritable {
        let label = shortened(label, WIDEST_LABEL);
        out += &quiet(&format!(
            "`{label}` has no place in the way the tags are written there"
        ));
    }
    out
}

/// The scores of labels that did not become tags, best first.
fn others(scores: &[ScoreRecord], tagged: &Tagged, style: &Style) -> String {
    let is_tag = |label: &str| tagged.tags.iter().any(|tag| tag.label == label);
    let mut rest: Vec<&ScoreRecord> = scores.iter().filter(|s| !is_tag(s.label)).collect();
    rest.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut out = String::new();
    for score in rest {
        let mut line = line("  ", score.label, Some(score.score), QUIET, style);
        if style.manual.iter().any(|label| label == score.label) {
            line.pop();
            let _ = writeln!(line, "  {QUIET}manual{QUIET:#}");
        }
        out += &line;
    }
    out
}

fn unscored(labels: &[String]) -> String {
    let named: Vec<String> = labels
        .iter()
        .take(MOST_NAMED)
        .map(|label| shortened(label, WIDEST_LABEL))
        .collect();
    let more = match labels.len() - named.len() {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    format!("not scored: {}{more}", named.join(", "))
}

fn quiet(text: &str) -> String {
    format!("  {QUIET}{text}{QUIET:#}\n")
}

/// Where a tag comes from, if not from the model.
fn note(origin: Origin) -> Option<&'static str> {
    match origin {
        Origin::Model => None,
        Origin::Memory => Some("from corrections"),
        Origin::You => Some("you said so"),
    }
}

/// `label  0.50 █████`
fn line(mark: &str, label: &str, score: Option<f32>, colour: Colour, style: &Style) -> String {
    let label = shortened(label, WIDEST_LABEL);
    let Some(score) = score else {
        return format!("{mark}{colour}{label}{colour:#}\n");
    };
    let pad = style.width.saturating_sub(label.width());
    let bar = match bar(score) {
        bar if bar.is_empty() => bar,
        bar => format!(" {BAR}{bar}{BAR:#}"),
    };
    format!(
        "{mark}{colour}{label}{colour:#}{:pad$}  {score:.2}{bar}\n",
        ""
    )
}

/// A sentence of the text behind its line number, on as few lines as it needs.
fn sentence(text: &str, line: Option<usize>) -> String {
    let mut out = String::new();
    let mut number = line.map(|line| line.to_string()).unwrap_or_default();
    for row in wrapped(text, SENTENCE_COLUMNS, SENTENCE_LINES) {
        let _ = writeln!(out, "  {QUIET}{number:>5} │ {row}{QUIET:#}");
        number.clear();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::record::TagRecord;
    use super::*;
    use expect_test::expect;

    fn tagged<'a>(tags: &[(&'a str, f32)], scores: &[(&'a str, f32)]) -> Tagged<'a> {
        Tagged {
            id: None,
            path: Some("a.md"),
            tags: tags
                .iter()
                .map(|(label, score)| TagRecord {
                    label,
                    score: Some(*score),
                    origin: Origin::Model,
                    stands: false,
                    evidence: Vec::new(),
                })
                .collect(),
            scores: (!scores.is_empty()).then(|| {
                let record = |(label, score): &(&'a str, f32)| ScoreRecord {
                    label,
                    logit: 0.0,
                    score: *score,
                };
                scores.iter().map(record).collect()
            }),
            unscored: Vec::new(),
            windows: 1,
            cut: false,
            model: "m",
            nearest: None,
            written: None,
        }
    }

    fn style(labels: &[&str], all: bool) -> Style {
        let set = LabelSet::from_names(labels).unwrap();
        Style::of_labels(&set, 0, all, false)
    }

    /// What is seen where there are no colours.
    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn scores_stand_below_each_other_from_document_to_document() {
        let style = style(&["food", "日本語", "language-learning"], true);
        let one = tagged(&[("food", 0.61)], &[("food", 0.61), ("日本語", 0.004)]);
        let two = tagged(&[("language-learning", 1.0)], &[]);
        let text = document(&one, Some("Soup"), &[], &style) + &document(&two, None, &[], &style);
        expect![[r#"
            a.md  Soup
            * food               0.61 ██████▏
              日本語             0.00
            a.md
            * language-learning  1.00 ██████████
        "#]]
        .assert_eq(&plain(&text));
    }

    #[test]
    fn what_was_not_read_or_not_scored_is_said() {
        let mut long = tagged(&[], &[]);
        (long.windows, long.cut) = (16, true);
        long.unscored = ["a", "b", "c", "d", "e", "f", "g"]
            .map(str::to_owned)
            .to_vec();
        let mut empty = tagged(&[], &[]);
        empty.windows = 0;
        let style = style(&["x"], false);
        let text = document(&long, None, &[], &style) + &document(&empty, None, &[], &style);
        expect![[r#"
            a.md
              no tag fits
              not scored: a, b, c, d, e and 2 more
              only the beginning was read (16 windows)
            a.md
              nothing to read
        "#]]
        .assert_eq(&plain(&text));
    }

    #[test]
    fn what_stands_in_the_note_and_what_came_nearest_is_said() {
        let style = style(&["tax", "garden"], false);
        let mut one = tagged(&[("tax", 0.5), ("garden", 0.25)], &[]);
        one.tags[0].stands = true;
        (one.tags[1].stands, one.tags[1].origin) = (true, Origin::You);
        let mut none = tagged(&[], &[]);
        none.nearest = Some(("garden", 0.08));
        let text = document(&one, None, &[], &style) + &document(&none, None, &[], &style);
        expect![[r#"
            a.md
              tax     0.50 █████  in the note
              garden  0.25 ██▌  you said so, in the note
            a.md
              no tag fits (nearest: garden 0.08)
        "#]]
        .assert_eq(&plain(&text));
    }

    #[test]
    fn a_sentence_stands_behind_its_line_and_wraps() {
        let words = "word ".repeat(60);
        let text = plain(&(sentence("Short.", Some(7)) + &sentence(&words, None)));
        let rows: Vec<&str> = text.lines().collect();
        assert_eq!(rows[0], "      7 │ Short.");
        assert_eq!(rows.len(), 3);
        assert!(
            rows[1].starts_with("        │ word word") && rows[2].ends_with('…'),
            "{text}"
        );
        assert!(rows.iter().all(|row| row.width() < 80));
    }
}
