//! Tags that an author writes into the text: `#cooking`, `#project/house`.
//!
//! Obsidian's rules: letters of any script, digits, `_`, `-`, `/` and emoji; at least one
//! character that is no digit; white space or an opening bracket or quote before it.

use super::Span;
use super::builder::Builder;

/// Finds the tags in `span` and hands them to the builder.
pub(super) fn scan(builder: &mut Builder<'_>, span: Span) {
    let source = builder.source();
    let mut from = span.start;
    while let Some(found) = source[from..span.end].find('#') {
        let at = from + found;
        let name = name(&source[at + 1..span.end]);
        from = at + 1 + name.len();
        let before = source[..at].chars().next_back();
        if !name.is_empty() && before.is_none_or(may_precede) {
            builder.tag(name, Span::new(at, at + 1 + name.len()));
        }
    }
}

/// The tag name that `text` begins with; empty where that is none.
pub(crate) fn name(text: &str) -> &str {
    let len = text.find(|c| !is_tag_char(c)).unwrap_or(text.len());
    let name = text[..len].trim_end_matches(['/', '·', '\u{200c}']);
    let says_something = name
        .chars()
        .any(|c| !c.is_ascii_digit() && !"_-/".contains(c));
    if says_something { name } else { "" }
}

/// Whether a tag may begin behind this.
pub(crate) fn may_precede(c: char) -> bool {
    c.is_whitespace()
        || "([{<\"'\u{ab}\u{201c}\u{2018}\0\u{feff}".contains(c)
        || "（［｛「『【〈《〔".contains(c)
}

/// Whether a tag may hold this as a part of a word, in the text as in settings.
pub(crate) fn is_tag_char(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || "_-/".contains(c);
    }
    // Emoji are joined by U+200D and dressed by U+FE0F, words of Persian have U+200C inside; scripts
    // of India need their vowel signs, which are no letters by Unicode. So: anything but white space
    // and punctuation.
    let is_joiner = matches!(c, '\u{200c}' | '\u{200d}');
    let is_letter = matches!(
        c,
        'ª' | 'µ' | '·' | 'º' | '々' | '〆' | '〇' | '〱'..='〵' | '〻'
    );
    is_joiner
        || is_letter
        || !(c.is_whitespace()
            || matches!(c, '\u{80}'..='\u{bf}' | '\u{d7}' | '\u{f7}')
            || matches!(c, '\u{2000}'..='\u{206f}' | '\u{3000}'..='\u{303f}')
            || matches!(c, '\u{2e00}'..='\u{2e7f}' | '\u{fffd}' | '\u{feff}')
            || is_stop(c))
}

/// Whether this ends a word or a sentence as `,`, `:`, `?` and `)` do, in scripts with signs of
/// their own; the middle dot of Japanese words and the hyphen of Hebrew ones do not.
fn is_stop(c: char) -> bool {
    let full_width = matches!(c, '\u{ff00}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff20}')
        || matches!(c, '\u{ff3b}'..='\u{ff3e}' | '\u{ff40}' | '\u{ff5b}'..='\u{ff64}');
    let arabic_or_urdu = matches!(c, '\u{60c}' | '\u{61b}' | '\u{61f}' | '\u{6d4}');
    let armenian_or_hebrew = matches!(c, '\u{589}' | '\u{5c3}');
    let danda = matches!(c, '\u{964}' | '\u{965}');
    let burmese_or_khmer = matches!(c, '\u{104a}' | '\u{104b}' | '\u{17d4}' | '\u{17d5}');
    let ethiopic = matches!(c, '\u{1361}'..='\u{1368}');
    full_width || arabic_or_urdu || armenian_or_hebrew || danda || burmese_or_khmer || ethiopic
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_told_from_other_signs() {
        for (text, tag) in [
            ("cooking, please", "cooking"),
            ("project/house/", "project/house"),
            ("2024", ""),
            ("2024-plan", "2024-plan"),
            ("été»", "été"),
            ("料理。", "料理"),
            ("料理？いいえ", "料理"),
            ("标签：说明", "标签"),
            ("ケーキ・パン", "ケーキ・パン"),
            ("人々の〇〇、", "人々の〇〇"),
            ("کتاب\u{200c}ها، ", "کتاب\u{200c}ها"),
            ("col·legi·", "col·legi"),
            ("2º-ano", "2º-ano"),
            ("مرحبا، كيف", "مرحبا"),
            ("اردو۔", "اردو"),
            ("हिन्दी।", "हिन्दी"),
            ("בית־ספר", "בית־ספר"),
            ("हिन्दी में", "हिन्दी"),
            ("🍳!", "🍳"),
            (" space", ""),
            ("-", ""),
        ] {
            assert_eq!(name(text), tag, "{text}");
        }
    }

    #[test]
    fn an_anchor_of_an_address_is_no_tag() {
        let source = "see a#b, x.org/#c (#d) #e#f 庭（#庭）と「#料理」。料理#g";
        let mut builder = Builder::new(source);
        scan(&mut builder, Span::new(0, source.len()));
        let tags: Vec<_> = builder.finish().tags.into_iter().map(|(t, _)| t).collect();
        assert_eq!(tags, ["d", "e", "庭", "料理"]);
    }
}
