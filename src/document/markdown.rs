//! Markdown (CommonMark, tables, footnotes, wiki links) to blocks.
//!
//! `pulldown-cmark` reads; this file decides what a reader would call text. Links keep their
//! words, images their alternative text; Obsidian comments, Hugo and Jekyll shortcodes, Pandoc
//! fences, callout marks and block names are left out.

use pulldown_cmark::{CowStr, Event, LinkType, Options, Parser, Tag, TagEnd};

use super::builder::{Builder, MATH_LIMIT};
use super::{BlockKind, Span, hashtag, html, prefix};

/// How far the end of a shortcode is looked for.
const SHORTCODE_LIMIT: usize = 300;

pub(super) fn parse(builder: &mut Builder<'_>, body: Span) {
    let source = builder.source();
    let mut reader = Reader {
        builder,
        comments: comments(source, body),
        skip_to: body.start,
        n_items: 0,
        n_quotes: 0,
        n_links: 0,
        heading: false,
        code: false,
        html: None,
    };
    for (event, range) in events(source, body) {
        reader.event(event, range);
    }
}

fn events(source: &str, body: Span) -> impl Iterator<Item = (Event<'_>, Span)> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_HEADING_ATTRIBUTES
        | Options::ENABLE_MATH
        | Options::ENABLE_DEFINITION_LIST
        | Options::ENABLE_WIKILINKS;
    Parser::new_ext(&source[body.range()], options)
        .into_offset_iter()
        .map(move |(event, range)| (event, Span::from(range).shifted(body.start)))
}

/// Obsidian's `%%comments%%`, which may span paragraphs. A lone `%%` is text.
fn comments(source: &str, body: Span) -> Vec<Span> {
    if source[body.range()].matches("%%").nth(1).is_none() {
        return Vec::new();
    }
    let mut marks = Vec::new();
    let mut in_code = false;
    for (event, span) in events(source, body) {
        match event {
            Event::Start(Tag::CodeBlock(_)) => in_code = true,
            Event::End(TagEnd::CodeBlock) => in_code = false,
            Event::Text(_) if !in_code => {
                let found = source[span.range()].match_indices("%%");
                marks.extend(found.map(|(at, _)| span.start + at));
            }
            _ => {}
        }
    }
    marks
        .chunks_exact(2)
        .map(|pair| Span::new(pair[0], pair[1] + 2))
        .collect()
}

struct Reader<'b, 's> {
    builder: &'b mut Builder<'s>,
    /// Source spans to leave out, in order.
    comments: Vec<Span>,
    /// Text before this offset is left out.
    skip_to: usize,
    n_items: usize,
    n_quotes: usize,
    n_links: usize,
    heading: bool,
    code: bool,
    /// Extent of the HTML block being read.
    html: Option<Span>,
}

impl<'s> Reader<'_, 's> {
    fn event(&mut self, event: Event<'s>, span: Span) {
        match event {
            Event::Start(tag) => self.start(tag, span),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => self.text(&text, span),
            Event::Code(text) => self.part(&text, span),
            Event::InlineMath(text) | Event::DisplayMath(text) => {
                if text.len() <= MATH_LIMIT {
                    self.part(&text, span);
                }
            }
            Event::Html(_) => {
                let start = self.html.map_or(span.start, |html| html.start);
                self.html = Some(Span::new(start, span.end.max(start)));
            }
            Event::InlineHtml(html) => {
                if html.starts_with("<br") {
                    self.builder.gap();
                }
            }
            Event::SoftBreak | Event::HardBreak => self.builder.gap(),
            Event::Rule => self.flush(),
            Event::FootnoteReference(_) | Event::TaskListMarker(_) => {}
        }
    }

    fn start(&mut self, tag: Tag<'s>, span: Span) {
        match tag {
            Tag::Item => {
                self.flush();
                self.n_items += 1;
            }
            Tag::BlockQuote(_) => {
                self.flush();
                self.n_quotes += 1;
                self.skip_callout(span);
            }
            Tag::Heading { .. } => {
                self.flush();
                self.heading = true;
            }
            Tag::CodeBlock(_) => {
                self.flush();
                self.code = true;
            }
            Tag::Link { .. } => self.n_links += 1,
            Tag::Image {
                link_type,
                dest_url,
                ..
            } => {
                self.n_links += 1;
                // `![[photo.jpg|300]]`: neither the name nor the width is alternative text.
                if matches!(link_type, LinkType::WikiLink { .. }) && is_media(&dest_url) {
                    self.skip_to = span.end;
                }
            }
            Tag::TableCell
            | Tag::Emphasis
            | Tag::Strong
            | Tag::Strikethrough
            | Tag::Superscript
            | Tag::Subscript => {}
            _ => self.flush(),
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(level) => {
                self.builder.end(BlockKind::Heading(level as u8));
                self.heading = false;
            }
            TagEnd::CodeBlock => {
                self.builder.end(BlockKind::Code);
                self.code = false;
            }
            TagEnd::Item => {
                self.flush();
                self.n_items -= 1;
            }
            TagEnd::BlockQuote(_) => {
                self.flush();
                self.n_quotes -= 1;
            }
            TagEnd::Link | TagEnd::Image => self.n_links -= 1,
            TagEnd::TableCell => self.builder.cell(),
            TagEnd::TableHead | TagEnd::TableRow => self.builder.end(BlockKind::TableRow),
            TagEnd::HtmlBlock => {
                if let Some(span) = self.html.take()
                    && !self.is_comment(span.start)
                {
                    html::fragment(self.builder, span, self.kind());
                }
            }
            TagEnd::Emphasis
            | TagEnd::Strong
            | TagEnd::Strikethrough
            | TagEnd::Superscript
            | TagEnd::Subscript => {}
            _ => self.flush(),
        }
    }

    fn kind(&self) -> BlockKind {
        if self.n_items > 0 {
            BlockKind::ListItem
        } else if self.n_quotes > 0 {
            BlockKind::Quote
        } else {
            BlockKind::Paragraph
        }
    }

    fn flush(&mut self) {
        let kind = self.kind();
        self.builder.end(kind);
    }

    fn text(&mut self, text: &CowStr<'s>, span: Span) {
        let source = self.builder.source();
        if self.code {
            if !self.is_comment(span.start) {
                self.builder.code(span);
            }
            return;
        }
        if &source[span.range()] != text.as_ref() {
            if span.start >= self.skip_to && !self.is_comment(span.start) {
                self.builder.decoded(text, span); // An entity.
            }
            return;
        }
        if !self.heading && self.n_links == 0 {
            let start = span.start.max(self.skip_to).min(span.end);
            hashtag::scan(self.builder, Span::new(start, span.end));
        }
        let mut at = span.start;
        while at < span.end {
            at = at.max(self.skip_to).min(span.end);
            let end = self.skip_from(at, span.end);
            self.builder.copy(at..end);
            at = end;
        }
    }

    /// The next offset in `at..end` where something to leave out begins; sets `skip_to` there.
    fn skip_from(&mut self, at: usize, end: usize) -> usize {
        let source = self.builder.source();
        let idx = self.comments.partition_point(|c| c.end <= at);
        let comment = self.comments.get(idx).copied();
        let comment_start = comment.map_or(end, |c| c.start.clamp(at, end));
        let line_start = at == 0 || source[..at].ends_with(['\n', ' ']);
        if line_start && source[at..end].starts_with(":::") {
            self.skip_to = at + source[at..].find('\n').unwrap_or(source.len() - at);
            return at;
        }
        for (found, _) in source[at..comment_start].match_indices(['{', '^']) {
            let start = at + found;
            if let Some(len) = shortcode(&source[start..]).or_else(|| block_name(source, start)) {
                self.skip_to = start + len;
                return start;
            }
        }
        if let Some(comment) = comment
            && comment_start < end
        {
            self.skip_to = comment.end;
        }
        comment_start
    }

    fn is_comment(&self, at: usize) -> bool {
        let idx = self.comments.partition_point(|c| c.end <= at);
        self.comments.get(idx).is_some_and(|c| c.start <= at)
    }

    /// Code or a formula: the text without its marks.
    fn part(&mut self, text: &str, span: Span) {
        if span.start < self.skip_to || self.is_comment(span.start) {
            return;
        }
        self.builder.value(text, span);
    }

    /// `> [!note]- Title`: the mark is no text, the title is.
    fn skip_callout(&mut self, quote: Span) {
        let source = &self.builder.source()[quote.range()];
        // One mark only: a line of a thousand of them has a thousand quotes to look into.
        let inner = source.strip_prefix('>').unwrap_or(source);
        let inner = inner.strip_prefix(' ').unwrap_or(inner);
        if let Some(rest) = inner.strip_prefix("[!") {
            let is_mark_end = |c: char| !c.is_alphanumeric() && !"-_|".contains(c);
            let word = prefix(rest, 60).find(is_mark_end);
            if let Some(len) = word
                && rest[len..].starts_with(']')
            {
                let after = rest[len + 1..].trim_start_matches(['+', '-']);
                self.skip_to = quote.end - after.len();
            }
        }
    }
}

/// Length of a Hugo (`{{< >}}`, `{{% %}}`) or Jekyll (`{% %}`, `{{ }}`) tag at the start of `text`.
fn shortcode(text: &str) -> Option<usize> {
    let close = match text.as_bytes() {
        [b'{', b'{', ..] => "}}",
        [b'{', b'%', ..] => "%}",
        _ => return None,
    };
    let window = prefix(text, SHORTCODE_LIMIT);
    let line = window.split('\n').next().unwrap_or(window);
    Some(line.find(close)? + close.len())
}

/// Length of an Obsidian block name, ` ^37066d` at the end of a line.
fn block_name(source: &str, at: usize) -> Option<usize> {
    if !source[at..].starts_with('^') || !source[..at].ends_with([' ', '\n', '\t']) {
        return None;
    }
    let rest = &source[at + 1..];
    let len = rest
        .bytes()
        .take_while(|b| b.is_ascii_alphanumeric() || *b == b'-')
        .count();
    let ends_line = rest[len..].is_empty() || rest[len..].starts_with(['\n', '\r']);
    (len > 0 && ends_line).then_some(len + 1)
}

fn is_media(target: &str) -> bool {
    const EXTENSIONS: [&str; 16] = [
        "png", "jpg", "jpeg", "gif", "svg", "webp", "bmp", "avif", "heic", "pdf", "mp3", "wav",
        "m4a", "mp4", "webm", "mov",
    ];
    let path = target.split(['#', '?']).next().unwrap_or(target);
    path.rsplit_once('.')
        .is_some_and(|(_, e)| EXTENSIONS.contains(&e.to_ascii_lowercase().as_str()))
}
