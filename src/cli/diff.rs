//! What would be written, as a unified diff: for people with colours, for `patch` without.

use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use similar::TextDiff;

use crate::sink::Preview;

const FILE: Style = Style::new().bold();
const HUNK: Style = AnsiColor::Cyan.on_default();
const GONE: Style = AnsiColor::Red.on_default();
const NEW: Style = AnsiColor::Green.on_default();

/// The diff of a preview of `target`; empty where nothing would change.
pub(crate) fn unified(preview: &Preview, target: &str) -> String {
    if preview.before == preview.after {
        return String::new();
    }
    let (before, after) = (
        String::from_utf8_lossy(&preview.before),
        String::from_utf8_lossy(&preview.after),
    );
    // `patch` knows one end of a line; a lone carriage return is a byte like others to it.
    let before: Vec<&str> = before.split_inclusive('\n').collect();
    let after: Vec<&str> = after.split_inclusive('\n').collect();
    let diff = TextDiff::configure()
        .newline_terminated(true)
        .diff_slices(&before, &after);
    // `a/` and `b/` are what `patch -p1` takes off.
    let name = target.trim_start_matches("./").trim_start_matches('/');
    let (old, new) = (format!("a/{name}"), format!("b/{name}"));
    diff.unified_diff().header(&old, &new).to_string()
}

/// Shows a diff on standard output, coloured where a person looks at it.
pub(crate) fn show(diff: &str) -> io::Result<()> {
    if !io::stdout().is_terminal() {
        return io::stdout().lock().write_all(diff.as_bytes());
    }
    let mut out = anstream::stdout().lock();
    diff.lines()
        .try_for_each(|line| writeln!(out, "{}", coloured(line)))
}

fn coloured(line: &str) -> String {
    let style = match line.as_bytes() {
        [b'-', b'-', b'-', ..] | [b'+', b'+', b'+', ..] => FILE,
        [b'@', ..] => HUNK,
        [b'-', ..] => GONE,
        [b'+', ..] => NEW,
        _ => Style::new(),
    };
    // A note may hold terminal commands.
    let plain = |c: char| {
        if c.is_control() && c != '\t' {
            '\u{fffd}'
        } else {
            c
        }
    };
    let line: String = line.trim_end_matches('\r').chars().map(plain).collect();
    format!("{style}{line}{style:#}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn preview(before: &str, after: &str) -> Preview {
        Preview {
            target: "/n/a.md".to_owned(),
            before: before.into(),
            after: after.into(),
            added: Vec::new(),
            removed: Vec::new(),
            unwritable: Vec::new(),
        }
    }

    #[test]
    fn a_diff_is_what_patch_reads() {
        let unified = |preview: &Preview| unified(preview, &preview.target);
        let shown = unified(&preview(
            "---\ntags: [a]\n---\nx",
            "---\ntags: [a, b]\n---\nx",
        ));
        expect![[r#"
            --- a/n/a.md
            +++ b/n/a.md
            @@ -1,4 +1,4 @@
             ---
            -tags: [a]
            +tags: [a, b]
             ---
             x
            \ No newline at end of file
        "#]]
        .assert_eq(&shown);
        assert_eq!(unified(&preview("x", "x")), "");
    }

    #[test]
    fn nothing_of_a_note_reaches_the_terminal_as_a_command() {
        assert_eq!(coloured(" a\u{1b}[2J\r"), " a\u{fffd}[2J");
        assert!(coloured("-a").contains("\u{1b}["));
    }
}
