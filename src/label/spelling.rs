//! When two spellings are the same label, and when one is nearly the other.
//!
//! Input: words as people write them. Output: keys to compare, or the nearest candidate.
//! Invariant: `fold` of a text equals `fold` of its `lower`. Knows nothing of sets.

use unicode_normalization_alignments::UnicodeNormalization;

/// Words longer than this are not compared letter by letter: the cost grows with the square.
const LONGEST_COMPARED: usize = 200;

/// The first character that may combine with one before it, or be another way to store one: all
/// below are as NFC has them.
const FIRST_COMBINING: char = '\u{300}';

/// The key of one tag, and that under which a name is unique in its set: case does not count, nor
/// whether an accent is a character of its own (file systems and input methods of macOS) or not.
///
/// Whatever compares tags compares these; what is written and shown stays as its author has it.
pub(crate) fn lower(text: &str) -> String {
    let lower = text.to_lowercase();
    if lower.chars().all(|c| c < FIRST_COMBINING) {
        return lower;
    }
    lower.nfc().map(|(c, _)| c).collect()
}

/// Whether two names are of one thing: see [`lower`], whose keys most pairs need not.
pub(crate) fn is_same(a: &str, b: &str) -> bool {
    match a.is_ascii() && b.is_ascii() {
        true => a.eq_ignore_ascii_case(b),
        false => lower(a) == lower(b),
    }
}

/// The key under which a name is found: what does not count for [`lower`] does not count, and
/// every run of `_`, `-` and blanks is one blank.
pub(crate) fn fold(text: &str) -> String {
    let lower = lower(text);
    let words = lower.split(|c: char| c == '_' || c == '-' || c.is_whitespace());
    let mut folded = String::with_capacity(lower.len());
    for word in words.filter(|word| !word.is_empty()) {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.push_str(word);
    }
    if folded.is_empty() {
        return lower.trim().to_owned(); // Nothing but separators: they are its letters.
    }
    folded
}

/// The candidate that somebody probably meant by `word`: the fewest slips away, at most one in
/// three letters, or the shortest that `word` begins.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let word = fold(word);
    let n_chars = word.chars().count();
    if n_chars == 0 || n_chars > LONGEST_COMPARED {
        return None;
    }
    let most_slips = n_chars / 3; // None in a word of two letters: any other word is one away.
    let mut best: Option<(usize, usize, &str)> = None;
    for candidate in candidates {
        let folded = fold(candidate);
        let n_candidate = folded.chars().count();
        let slips = if n_candidate.abs_diff(n_chars) <= most_slips {
            strsim::osa_distance(&word, &folded)
        } else if n_chars >= 3 && folded.starts_with(&word) {
            most_slips // Unfinished words come after words with fewer slips.
        } else {
            continue;
        };
        // Who slips twice still begins with the letter that is meant: *weaving* is not *eating*.
        let begins_alike = word.chars().next() == folded.chars().next();
        if slips > most_slips || (slips > 1 && !begins_alike) {
            continue;
        }
        let key = (slips, n_candidate, candidate);
        if best.is_none_or(|best| (key.0, key.1) < (best.0, best.1)) {
            best = Some(key);
        }
    }
    best.map(|(_, _, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_and_case_fold_away_but_letters_stay() {
        assert_eq!(fold("To-Do_List"), "to do list");
        assert_eq!(fold("  to - do  "), "to do");
        assert_eq!(fold("C++"), "c++");
        assert_eq!(fold("--"), "--");
    }

    #[test]
    fn an_accent_is_the_same_however_it_is_stored_and_no_other_letter_is() {
        for (composed, apart) in [
            ("Café", "cafe\u{301}"),
            ("ệ", "e\u{323}\u{302}"), // Vietnamese has two on one letter,
            ("ệ", "e\u{302}\u{323}"), // in either order.
            ("が", "か\u{3099}"),
            ("한", "\u{1112}\u{1161}\u{11ab}"), // A syllable of Hangul and its letters.
            ("İ", "I\u{307}"),
        ] {
            assert!(is_same(composed, apart), "{composed} {apart}");
            assert_eq!(fold(composed), fold(&lower(apart)), "{composed}");
            assert_eq!(lower(&lower(apart)), lower(apart), "{apart}");
        }
        assert!(is_same("To-Do", "tO-dO") && !is_same("to-do", "to_do"));
        assert!(
            is_same("\u{212a}elvin", "kelvin"),
            "a sign that is small ASCII"
        );
        // The last sigma of a word has a small letter of its own.
        assert!(is_same("ΟΔΟΣ", "οδος"));
        for (one, other) in [
            ("cafe", "café"),
            ("Maße", "Masse"),
            ("ısı", "isi"),
            ("ＡＩ", "AI"),
            ("m²", "m2"),
        ] {
            assert!(!is_same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn the_nearest_word_has_the_fewest_slips() {
        let keys = [
            "name",
            "description",
            "aliases",
            "parent",
            "threshold",
            "manual",
        ];
        for (word, expected) in [
            ("descripton", Some("description")),
            ("alias", Some("aliases")),
            ("treshold", Some("threshold")),
            ("desc", Some("description")),
            ("nmae", Some("name")),
            ("colour", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(nearest(word, keys), expected, "{word}");
        }
    }

    #[test]
    fn a_word_with_another_beginning_and_a_further_slip_is_another_word() {
        assert_eq!(nearest("weaving", ["eating", "heating"]), None);
        assert_eq!(nearest("eaving", ["weaving"]), Some("weaving"));
        assert_eq!(nearest("waevnig", ["weaving"]), Some("weaving"));
    }

    #[test]
    fn a_word_of_any_length_is_answered() {
        assert_eq!(nearest(&"a".repeat(100_000), ["a"]), None);
    }
}
