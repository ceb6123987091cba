//! The sentences of a block, for explanations.
//!
//! Unicode's rules find most bounds; this file mends what they cut after abbreviations, initials
//! and ordinals. What was dictated or copied without full stops is cut at commas or between words,
//! since a passage of pages explains nothing. Invariant: spans are in order, on character
//! boundaries, not blank, and cover all of the text but the white space between them.

use unicode_segmentation::UnicodeSegmentation;

use super::{Block, BlockKind, Span};

/// Characters that a sentence may have; the longest in careful prose have some 300.
const LONGEST: usize = 400;
/// Characters that a part of a longer one may have: about what an explanation shows of it.
const PART: usize = 200;

/// Words before a full stop that does not end a sentence, in lower case.
const ABBREVIATIONS: [&str; 64] = [
    "dr", "mr", "mrs", "ms", "prof", "st", "sr", "jr", "vs", "etc", "e.g", "i.e", "cf", "al", "no",
    "nos", "fig", "figs", "eq", "eqs", "sec", "ch", "vol", "pp", "p", "ed", "eds", "approx", "ca",
    "dept", "est", "inc", "ltd", "co", "corp", "jan", "feb", "mar", "apr", "jun", "jul", "aug",
    "sep", "sept", "oct", "nov", "dec", "m", "mm", "mme", "mlle", "me", "p.ex", "c.-à-d", "env",
    "chap", "art", "bzw", "z.b", "d.h", "u.a", "nr", "ggf", "usw",
];

/// Byte spans of the sentences in `block.text`; one of more than 400 characters in parts of at most
/// 200, the last of at most 400. Headings, rows and code lines are one each, but for that.
pub fn sentences(block: &Block) -> Vec<Span> {
    let text = block.text.as_str();
    let bounds: Vec<Span> = match block.kind {
        BlockKind::Code => {
            let mut at = 0;
            let lines = text.split_inclusive('\n').map(|line| {
                at += line.len();
                Span::new(at - line.len(), at)
            });
            lines.collect()
        }
        BlockKind::Heading(_) | BlockKind::TableRow => vec![Span::new(0, text.len())],
        _ => {
            let bounds = text.split_sentence_bound_indices();
            merge(text, bounds.map(|(at, s)| Span::new(at, at + s.len())))
        }
    };
    bounds
        .into_iter()
        .flat_map(|span| parts(text, span))
        .map(|span| span.trimmed(text))
        .filter(|span| !span.is_empty())
        .collect()
}

/// `span` in parts of at most `PART` characters, the last of at most `LONGEST`. A part ends behind the last comma or the like in its second half, else between words, else
/// between characters as people see them.
fn parts(text: &str, mut span: Span) -> Vec<Span> {
    let mut parts = Vec::new();
    while text[span.range()].chars().nth(LONGEST).is_some() {
        let rest = &text[span.range()];
        let at = |count| {
            rest.char_indices()
                .nth(count)
                .map_or(rest.len(), |(at, _)| at)
        };
        let (part, half) = (&rest[..at(PART)], at(PART / 2));
        let last = |ends: fn(&str) -> bool| {
            let mut words = part.split_word_bound_indices().rev();
            let found = words.find(|(_, word)| ends(word));
            found
                .map(|(at, word)| at + word.len())
                .filter(|end| *end > half)
        };
        // The last character may be cut itself, so a part ends before it.
        let cut = last(is_pause)
            .or_else(|| last(|word| word.trim().is_empty()))
            .or_else(|| part.grapheme_indices(true).next_back().map(|(at, _)| at))
            .filter(|at| *at > 0)
            .unwrap_or(part.len());
        parts.push(Span::new(span.start, span.start + cut));
        span.start += cut;
    }
    parts.push(span);
    parts
}

fn is_pause(word: &str) -> bool {
    matches!(
        word,
        "," | ";" | ":" | "–" | "—" | "、" | "，" | "；" | "：" | "،" | "؛" | "।"
    )
}

fn merge(text: &str, bounds: impl Iterator<Item = Span>) -> Vec<Span> {
    let mut merged: Vec<Span> = Vec::new();
    for mut span in bounds {
        if let Some(last) = merged.last_mut() {
            // A closing quote or bracket belongs to what it closes.
            let rest = text[span.range()].trim_start_matches(is_closing);
            let has_closing = text[span.start..span.end - rest.len()].trim() != "";
            if has_closing {
                span.start = span.end - rest.len();
                last.end = span.start;
                if rest.starts_with(char::is_lowercase) {
                    last.end = span.end; // « Bonjour ! » dit-il.
                    continue;
                }
            }
        }
        if span.is_empty() {
            continue;
        }
        match merged.last_mut() {
            Some(last) if continues(&text[last.range()], &text[span.range()]) => {
                last.end = span.end;
            }
            _ => merged.push(span),
        }
    }
    merged
}

fn is_closing(c: char) -> bool {
    c.is_whitespace() || "»”)]’".contains(c)
}

/// Whether `next` goes on with the sentence that `last` seemed to end.
fn continues(last: &str, next: &str) -> bool {
    let next = next.trim_start();
    let Some(first) = next.chars().next() else {
        return true;
    };
    if matches!(first, ',' | ';' | '.' | '!' | '?') {
        return true;
    }
    let last = last.trim_end();
    if last.ends_with('«') {
        return true;
    }
    let Some(word) = last.strip_suffix('.') else {
        return false;
    };
    let word = word
        .rsplit([' ', '(', '[', '«', '"', '\u{a0}'])
        .next()
        .unwrap_or(word);
    let lower = word.to_lowercase();
    if lower == "etc" || lower == "usw" || lower == "al" {
        return !first.is_uppercase(); // Just as often the last word of a sentence.
    }
    let mut letters = word.chars();
    let is_initial =
        matches!((letters.next(), letters.next()), (Some(c), None) if c.is_uppercase() && c != 'I');
    // `No. 7`, `p. 12`, but `I said no. Then …`: short words need what they abbreviate.
    let needs_number = [
        "no", "nos", "p", "pp", "art", "me", "sec", "ch", "mar", "st", "co",
    ];
    if needs_number.contains(&lower.as_str()) {
        return first.is_ascii_digit() || word.starts_with(char::is_uppercase) && word.len() < 4;
    }
    is_initial || ABBREVIATIONS.contains(&lower.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, sentences: &[&str]) {
        let block = Block {
            kind: BlockKind::Paragraph,
            text: text.to_owned(),
            pieces: Vec::new(),
            headings: Vec::new(),
        };
        let found: Vec<_> = super::sentences(&block)
            .into_iter()
            .map(|span| &text[span.range()])
            .collect();
        assert_eq!(found, sentences);
    }

    #[test]
    fn an_abbreviation_does_not_end_a_sentence() {
        check(
            "Dr. Smith met J. K. Rowling, e.g. Harry's mother. It cost 3.5 euros. See Fig. 3.",
            &[
                "Dr. Smith met J. K. Rowling, e.g. Harry's mother.",
                "It cost 3.5 euros.",
                "See Fig. 3.",
            ],
        );
        check("I said no. Then I left.", &["I said no.", "Then I left."]);
        check(
            "Oats, milk, etc. Then bake.",
            &["Oats, milk, etc.", "Then bake."],
        );
    }

    #[test]
    fn french_quotes_keep_their_sentence() {
        check(
            "Il a dit : « Bonjour M. Dupont ! » Puis il est parti. C'est tout.",
            &[
                "Il a dit : « Bonjour M. Dupont ! »",
                "Puis il est parti.",
                "C'est tout.",
            ],
        );
    }

    #[test]
    fn speech_goes_on_behind_its_quotes() {
        check(
            "« Tu viens ? » dit-il. (Ou non.) Peut-être.",
            &["« Tu viens ? » dit-il.", "(Ou non.)", "Peut-être."],
        );
    }

    #[test]
    fn what_has_no_full_stops_is_cut_at_commas_or_between_words() {
        let spoken = "and then we went down to the water ".repeat(30);
        let listed = "oats, milk and honey ".repeat(40);
        let glued = "雨".repeat(1_000);
        let joined = "👩‍👩‍👧‍👦".repeat(200);
        for (text, ends) in [
            (&spoken, ""),
            (&listed, ","),
            (&glued, "雨"),
            (&joined, "👩‍👩‍👧‍👦"),
        ] {
            let block = Block {
                kind: BlockKind::Paragraph,
                text: text.clone(),
                pieces: Vec::new(),
                headings: Vec::new(),
            };
            let spans = sentences(&block);
            let found: Vec<_> = spans.iter().map(|span| &text[span.range()]).collect();
            assert!(found.len() > 2, "{found:?}");
            for part in &found {
                assert!(part.chars().count() <= LONGEST, "{part}");
            }
            for part in &found[..found.len() - 1] {
                assert!(part.ends_with(ends), "{part}");
                let count = part.chars().count();
                assert!(count > PART / 3 && count <= PART, "{part}");
            }
            let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            let glue = if text.contains(' ') { " " } else { "" };
            assert_eq!(words(&found.join(glue)), words(text));
        }
    }

    #[test]
    fn other_scripts_have_sentences_too() {
        check(
            "今日は雨です。明日は晴れます。",
            &["今日は雨です。", "明日は晴れます。"],
        );
        check("Really?! Yes 🙂. OK", &["Really?!", "Yes 🙂.", "OK"]);
        check("", &[]);
    }
}
