//! Rust source as the rules see it: text in, header, length and used paths out.
//!
//! Invariant: comments and literals are never taken for code; groups are spelled out, so that
//! `use crate::{a, b::c}` gives `crate::a` and `crate::b::c`; `super` is resolved.
//! Knows nothing of layers, and less of Rust than a compiler: macros are read as they stand.

/// One path as the source uses it, from the crate's root or from another crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UsedPath {
    /// `["crate", "label", "Label"]`, `["std", "fs", "write"]`.
    pub(crate) segments: Vec<String>,
    /// Counted from 1.
    pub(crate) line: usize,
    /// Inside `#[cfg(test)] mod … { }`.
    pub(crate) in_test: bool,
}

/// The `//!` lines at the top of a file, without their marks; empty if it starts otherwise.
pub(crate) fn header(text: &str) -> Vec<&str> {
    text.lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(str::trim)
        .collect()
}

/// Every path that a file uses, whose module path from the crate's root is `module`.
pub(crate) fn used_paths(text: &str, module: &[&str]) -> Vec<UsedPath> {
    let tokens = tokens(&blank_out(text));
    let mut paths = Vec::new();
    let mut scopes = Scopes::default();
    let mut idx = 0;
    while let Some(token) = tokens.get(idx) {
        scopes.enter(&tokens, idx);
        if !starts_path(&tokens, idx) {
            idx += 1;
            continue;
        }
        let mut found = Vec::new();
        idx = read_tree(&tokens, idx, &[], &mut found);
        let scope: Vec<&str> = module.iter().copied().chain(scopes.modules()).collect();
        paths.extend(found.into_iter().map(|segments| UsedPath {
            segments: resolve(&segments, &scope),
            line: token.line,
            in_test: scopes.in_test(),
        }));
    }
    paths
}

/// Does a path start at `idx`, rather than a name alone or the middle of a path?
fn starts_path(tokens: &[Token], idx: usize) -> bool {
    let previous = before(tokens, idx, 1);
    let is_absolute = previous == "::"
        && before(tokens, idx, 2) != ">"
        && !idx.checked_sub(2).is_some_and(|idx| tokens[idx].is_name());
    tokens[idx].is_name()
        && (is_absolute || !matches!(previous, "::" | "." | "mod" | "fn"))
        && (previous == "use" || is_absolute || after(tokens, idx, 1) == "::")
}

/// A name or a mark of the source, and its line.
#[derive(Debug)]
struct Token {
    text: String,
    line: usize,
}

impl Token {
    /// Can it be part of a path?
    fn is_name(&self) -> bool {
        const KEYWORDS: [&str; 12] = [
            "use", "as", "in", "if", "else", "match", "return", "for", "pub", "mut", "ref", "dyn",
        ];
        self.text
            .starts_with(|c: char| c.is_alphabetic() || c == '_')
            && !KEYWORDS.contains(&self.text.as_str())
    }
}

/// The text of the token `distance` places before `idx`.
fn before(tokens: &[Token], idx: usize, distance: usize) -> &str {
    idx.checked_sub(distance)
        .map_or("", |idx| &tokens[idx].text)
}

/// The text of the token `distance` places after `idx`.
fn after(tokens: &[Token], idx: usize, distance: usize) -> &str {
    tokens.get(idx + distance).map_or("", |token| &token.text)
}

/// The inline modules around a token.
#[derive(Default)]
struct Scopes {
    depth: usize,
    /// Name, the depth outside its braces, and whether it is for tests.
    open: Vec<(String, usize, bool)>,
}

impl Scopes {
    fn enter(&mut self, tokens: &[Token], idx: usize) {
        match tokens[idx].text.as_str() {
            "{" => {
                if before(tokens, idx, 2) == "mod" {
                    let attribute: String = (3..10).rev().map(|n| before(tokens, idx, n)).collect();
                    let is_test = attribute.ends_with("#[cfg(test)]");
                    self.open
                        .push((before(tokens, idx, 1).to_owned(), self.depth, is_test));
                }
                self.depth += 1;
            }
            "}" => {
                self.depth = self.depth.saturating_sub(1);
                if self.open.last().is_some_and(|scope| scope.1 == self.depth) {
                    self.open.pop();
                }
            }
            _ => {}
        }
    }

    fn modules(&self) -> impl Iterator<Item = &str> {
        self.open.iter().map(|scope| scope.0.as_str())
    }

    fn in_test(&self) -> bool {
        self.open.iter().any(|scope| scope.2)
    }
}

/// Reads a path, or a group of them, that starts at `idx`; returns the place behind it.
fn read_tree(
    tokens: &[Token],
    mut idx: usize,
    prefix: &[String],
    found: &mut Vec<Vec<String>>,
) -> usize {
    let mut path = prefix.to_vec();
    loop {
        let text = after(tokens, idx, 0);
        if text == "{" {
            idx += 1;
            while !matches!(after(tokens, idx, 0), "}" | "") {
                let next = read_tree(tokens, idx, &path, found);
                idx = next.max(idx + 1); // A comma, or something that is no path.
            }
            return idx + 1;
        }
        if text == "*" || tokens.get(idx).is_some_and(Token::is_name) {
            path.push(text.to_owned());
            idx += 1;
            if after(tokens, idx, 0) == "::" && after(tokens, idx, 1) != "<" {
                idx += 1;
                continue;
            }
        }
        if path.len() > prefix.len() {
            found.push(path);
        }
        if after(tokens, idx, 0) == "as" {
            idx += 2;
        }
        return idx;
    }
}

/// A path as written in module `scope` -> from the crate's root, if it is one of ours.
fn resolve(path: &[String], scope: &[&str]) -> Vec<String> {
    let mut base = scope.to_vec();
    let mut rest = path;
    match path[0].as_str() {
        "self" => rest = &path[1..],
        "super" => {
            while rest.first().is_some_and(|segment| segment == "super") {
                base.pop();
                rest = &rest[1..];
            }
        }
        _ => return path.to_vec(),
    }
    std::iter::once("crate".to_owned())
        .chain(base.into_iter().map(str::to_owned))
        .chain(rest.iter().cloned())
        .collect()
}

fn tokens(code: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (line_idx, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let is_name = |c: char| c.is_alphanumeric() || c == '_';
            let length = if is_name(first) {
                rest.find(|c| !is_name(c)).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            tokens.push(Token {
                text: rest[..length].to_owned(),
                line: line_idx + 1,
            });
            rest = rest[length..].trim_start();
        }
    }
    tokens
}

/// The source with every comment and literal replaced by spaces; lines stay where they are.
fn blank_out(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut idx = 0;
    while idx < chars.len() {
        let after_name = idx > 0 && (chars[idx - 1].is_alphanumeric() || chars[idx - 1] == '_');
        let length = match chars[idx] {
            '/' => comment(&chars[idx..]),
            '"' => string(&chars[idx..]),
            '\'' => character(&chars[idx..]),
            'r' | 'b' | 'c' if !after_name => prefixed(&chars[idx..]),
            _ => 0,
        };
        if length == 0 {
            code.push(chars[idx]);
            idx += 1;
            continue;
        }
        let end = (idx + length).min(chars.len());
        code.extend(
            chars[idx..end]
                .iter()
                .map(|&c| if c == '\n' { '\n' } else { ' ' }),
        );
        idx = end;
    }
    code
}

/// Length of the comment at the start, or 0.
fn comment(chars: &[char]) -> usize {
    match chars.get(1) {
        Some('/') => chars.iter().position(|&c| c == '\n').unwrap_or(chars.len()),
        Some('*') => {
            let mut depth = 0;
            let mut idx = 0;
            while idx + 1 < chars.len() {
                match (chars[idx], chars[idx + 1]) {
                    ('/', '*') => depth += 1,
                    ('*', '/') => depth -= 1,
                    _ => {
                        idx += 1;
                        continue;
                    }
                }
                idx += 2;
                if depth == 0 {
                    return idx;
                }
            }
            chars.len()
        }
        _ => 0,
    }
}

/// Length of the string with escapes at the start.
fn string(chars: &[char]) -> usize {
    let mut idx = 1;
    while idx < chars.len() {
        match chars[idx] {
            '\\' => idx += 2,
            '"' => return idx + 1,
            _ => idx += 1,
        }
    }
    chars.len()
}

/// Length of the character at the start, or 0 for a lifetime.
fn character(chars: &[char]) -> usize {
    match (chars.get(1), chars.get(2)) {
        (Some('\\'), _) => {
            // The escaped character itself may be a quote.
            3 + chars
                .iter()
                .skip(3)
                .position(|&c| c == '\'')
                .map_or(0, |end| end + 1)
        }
        (Some(_), Some('\'')) => 3,
        _ => 0,
    }
}

/// Length of a literal with a prefix (`r"…"`, `r#"…"#`, `b"…"`, `b'…'`) at the start, or 0.
fn prefixed(chars: &[char]) -> usize {
    let letters = chars
        .iter()
        .take_while(|c| matches!(c, 'r' | 'b' | 'c'))
        .count();
    let hashes = chars[letters..].iter().take_while(|&&c| c == '#').count();
    let start = letters + hashes;
    if letters > 2 {
        return 0;
    }
    match chars.get(start) {
        Some('"') if chars[..letters].contains(&'r') => {
            let closing = |idx: &usize| {
                chars[*idx] == '"'
                    && chars[idx + 1..]
                        .iter()
                        .take_while(|&&c| c == '#')
                        .take(hashes)
                        .count()
                        == hashes
            };
            let end = (start + 1..chars.len()).find(closing);
            end.map_or(chars.len(), |end| end + 1 + hashes)
        }
        Some('"') if hashes == 0 => start + string(&chars[start..]),
        Some('\'') if hashes == 0 && letters == 1 && chars[0] == 'b' => {
            start + character(&chars[start..])
        }
        _ => 0,
    }
}
