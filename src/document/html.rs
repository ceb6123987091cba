//! HTML to blocks, for whole pages and for the HTML inside Markdown.
//!
//! `html5gum` splits the source into tags and text; this file decides where blocks begin and
//! which elements (scripts, menus, pictures) hold no text. A left-out element that is never
//! closed is read on, so that a missing `</nav>` cannot swallow the page.

use html5gum::emitters::default::DefaultEmitter;
use html5gum::{StartTag, Token, Tokenizer};

use super::builder::Builder;
use super::{BlockKind, Span};

/// Elements whose content is not the document's text.
const SKIPPED: [&str; 14] = [
    "script", "style", "nav", "template", "svg", "iframe", "object", "canvas", "select", "button",
    "textarea", "noscript", "datalist", "map",
];

/// Elements that live inside a line of text; every other element ends the block.
const INLINE: [&str; 36] = [
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em",
    "font", "i", "ins", "kbd", "label", "mark", "meter", "output", "q", "rp", "rt", "ruby", "s",
    "samp", "small", "span", "strong", "sub", "sup", "time", "tt", "u", "var",
];

pub(super) fn parse(builder: &mut Builder<'_>, body: Span) {
    fragment(builder, body, BlockKind::Paragraph);
}

/// Reads `span` as HTML; text that stands in no telling element becomes a block of kind `outer`.
pub(super) fn fragment(builder: &mut Builder<'_>, span: Span, outer: BlockKind) {
    let source = &builder.source()[span.range()];
    let mut emitter = DefaultEmitter::<usize>::new_with_span();
    emitter.naively_switch_states(true);
    let mut reader = Reader {
        builder,
        base: span.start,
        lower: source.to_ascii_lowercase(),
        outer,
        skipped: None,
        last_closed: Vec::new(),
        in_item: false,
        lists: Vec::new(),
        n_quotes: 0,
        heading: None,
        pre: false,
        in_title: false,
        in_row: false,
    };
    // The reader of a `&str` cannot fail.
    for token in Tokenizer::new_with_emitter(source, emitter).flatten() {
        match token {
            Token::StartTag(tag) => reader.start(&tag),
            Token::EndTag(tag) => reader.end(&String::from_utf8_lossy(&tag.name)),
            Token::String(text) => {
                let span = Span::new(text.span.start, text.span.end.max(text.span.start));
                reader.text(&String::from_utf8_lossy(&text.value), span);
            }
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    reader.flush();
}

struct Reader<'b, 's> {
    builder: &'b mut Builder<'s>,
    /// Offset of the fragment in the source.
    base: usize,
    /// The fragment in lower case, to look for closing tags.
    lower: String,
    outer: BlockKind,
    /// The element being left out. Its first closing tag ends it, so that one lost tag inside
    /// cannot swallow the page.
    skipped: Option<&'static str>,
    /// Where each left-out element is closed for the last time, as far as was asked.
    last_closed: Vec<(&'static str, Option<usize>)>,
    /// Whether text belongs to an item, and whether it did where each open list began.
    in_item: bool,
    lists: Vec<bool>,
    n_quotes: usize,
    heading: Option<u8>,
    pre: bool,
    in_title: bool,
    in_row: bool,
}

impl Reader<'_, '_> {
    fn start(&mut self, tag: &StartTag<usize>) {
        let name = String::from_utf8_lossy(&tag.name);
        if self.skipped.is_some() {
            return;
        }
        if let Some(skipped) = SKIPPED.into_iter().find(|skipped| *skipped == name) {
            if !tag.self_closing && self.is_closed(skipped, tag.span.end) {
                self.skipped = Some(skipped);
            }
            return;
        }
        match name.as_ref() {
            "br" => self.builder.gap(),
            "img" => self.image(tag),
            "td" | "th" if self.in_row => self.builder.cell(),
            // Cells hold paragraphs, and `<p>` there does not end the row.
            "p" | "div" | "ul" | "ol" if self.in_row => self.builder.gap(),
            "title" => {
                self.flush();
                self.in_title = true;
            }
            "pre" => {
                self.flush();
                self.pre = true;
            }
            "tr" => {
                self.flush();
                self.in_row = true;
            }
            "ul" | "ol" | "dl" => {
                self.flush();
                self.lists.push(self.in_item);
            }
            "li" | "dd" => {
                self.flush();
                self.in_item = true; // `</li>` may be left out, so nothing is counted.
            }
            "blockquote" => {
                self.flush();
                self.n_quotes += 1;
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.flush();
                self.heading = Some(name.as_bytes()[1] - b'0');
            }
            inline if INLINE.contains(&inline) => {}
            // Words of unknown elements and comments of the like do not break a line.
            _ => self.flush(),
        }
    }

    fn end(&mut self, name: &str) {
        if let Some(skipped) = self.skipped {
            if skipped == name {
                self.skipped = None;
            }
            return;
        }
        match name {
            "td" | "th" if self.in_row => self.builder.cell(),
            "p" | "div" | "ul" | "ol" | "li" if self.in_row => self.builder.gap(),
            "tr" | "table" => {
                self.flush();
                self.in_row = false;
            }
            "title" => {
                self.flush();
                self.in_title = false;
            }
            "pre" => {
                self.flush();
                self.pre = false;
            }
            "li" | "dd" => {
                self.flush();
                self.in_item = self.lists.last().copied().unwrap_or(false);
            }
            "ul" | "ol" | "dl" => {
                self.flush();
                self.in_item = self.lists.pop().unwrap_or(false);
            }
            "blockquote" => {
                self.flush();
                self.n_quotes = self.n_quotes.saturating_sub(1);
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.flush();
                self.heading = None;
            }
            inline if INLINE.contains(&inline) => {}
            _ => self.flush(),
        }
    }

    fn flush(&mut self) {
        let kind = match self.heading {
            _ if self.in_title => return self.builder.end_title(),
            Some(level) => BlockKind::Heading(level),
            None if self.pre => BlockKind::Code,
            None if self.in_row => BlockKind::TableRow,
            None if self.in_item => BlockKind::ListItem,
            None if self.n_quotes > 0 => BlockKind::Quote,
            None => self.outer,
        };
        self.builder.end(kind);
    }

    /// Whether text is kept line by line.
    fn is_code(&self) -> bool {
        self.pre && self.heading.is_none() && !self.in_title
    }

    fn image(&mut self, tag: &StartTag<usize>) {
        if let Some(alt) = tag.attributes.get(b"alt".as_slice()) {
            let span = Span::new(alt.span.start, alt.span.end.max(alt.span.start));
            let source = &self.lower; // Same length and boundaries as the fragment.
            let is_inside = source.get(span.range()).is_some();
            if is_inside {
                self.builder.gap();
                self.text(&String::from_utf8_lossy(&alt.value), span);
                self.builder.gap();
            }
        }
    }

    /// Adds a text of the fragment, mapped as exactly as entities allow.
    fn text(&mut self, text: &str, span: Span) {
        if self.skipped.is_some() {
            return;
        }
        let source = self.builder.source();
        let span = span.shifted(self.base);
        let Some(raw) = source.get(span.range()) else {
            return self.builder.insert(text); // A span that is none: keep the words.
        };
        if self.is_code() && raw == text {
            return self.builder.code(span);
        }
        let mut at = 0; // In `raw`.
        let mut rest = text;
        while !rest.is_empty() {
            let same = raw[at..].find(['&', '\r']).unwrap_or(raw.len() - at);
            let plain = Span::new(at, at + same).shifted(span.start);
            if !rest.starts_with(&raw[at..at + same]) {
                break;
            }
            if self.is_code() {
                self.builder.code(plain);
            } else {
                self.builder.copy(plain);
            }
            at += same;
            rest = &rest[same..];
            let Some((len, decoded)) = reference(&raw[at..]) else {
                break;
            };
            let Some(after) = rest.strip_prefix(decoded.as_str()) else {
                break;
            };
            let written = Span::new(at, at + len).shifted(span.start);
            if self.is_code() && decoded == "\n" {
                self.builder.code(written);
            } else {
                self.builder.decoded(&decoded, written);
            }
            at += len;
            rest = after;
        }
        if !rest.is_empty() {
            self.builder
                .decoded(rest, Span::new(at, raw.len()).shifted(span.start));
        }
    }

    fn is_closed(&mut self, name: &'static str, from: usize) -> bool {
        let known = self.last_closed.iter().find(|(known, _)| *known == name);
        let last = match known {
            Some((_, last)) => *last,
            None => {
                let last = self.lower.rfind(&format!("</{name}"));
                self.last_closed.push((name, last));
                last
            }
        };
        last.is_some_and(|last| last >= from)
    }
}

/// The character reference or line end at the start of `raw`: its length and what it stands for.
fn reference(raw: &str) -> Option<(usize, String)> {
    if let Some(rest) = raw.strip_prefix('\r') {
        return Some((1 + usize::from(rest.starts_with('\n')), "\n".to_owned()));
    }
    let name = raw.strip_prefix('&')?;
    let len = name
        .bytes()
        .take(40)
        .take_while(|b| b.is_ascii_alphanumeric() || *b == b'#')
        .count();
    let end = 1 + len + usize::from(name[len..].starts_with(';'));
    let mut decoded = String::new();
    for token in Tokenizer::new(&raw[..end]).flatten() {
        if let Token::String(text) = token {
            decoded.push_str(&String::from_utf8_lossy(&text.value));
        }
    }
    Some((end, decoded))
}
