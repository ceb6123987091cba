//! From the TOML source of a label set to the set, or to all its faults.
//!
//! Input: the source. Output: the set, or every fault in line order.
//! Invariant: one fault never hides another of a different line, unless that one may only be its
//! echo. Knows nothing of files; accepts CRLF and a byte order mark.

use std::collections::{BTreeMap, BTreeSet};

use toml::de::DeTable;

use super::read::Reader;
use super::{LabelSet, LabelSetFault, LabelSetProblem, check};

pub(super) fn parse(source: &str) -> Result<LabelSet, Vec<LabelSetFault>> {
    let source = source.strip_prefix('\u{FEFF}').unwrap_or(source);
    let lines = Lines::new(source);
    let mut broken = BTreeMap::new();
    let (mut table, errors) = DeTable::parse_recoverable(source);
    let stops = broken_lines(&errors, &lines, &mut broken);
    let rest = blanked(source, &stops);
    if !stops.is_empty() {
        let (rest, errors) = DeTable::parse_recoverable(&rest);
        broken_lines(&errors, &lines, &mut broken);
        table = rest;
    }

    let (draft, mut faults) = Reader::read(lines, table.get_ref());
    let set = check::check(draft, &mut faults);
    if !broken.is_empty() {
        keep_certain(&mut faults, &broken);
    }
    faults.extend(
        broken
            .into_iter()
            .map(|(line, problem)| LabelSetFault { line, problem }),
    );
    faults.sort_by_key(|fault| fault.line);
    faults.dedup();
    match set {
        Some(set) if faults.is_empty() => Ok(set),
        _ => Err(faults),
    }
}

/// The first problem of each broken line: what the parser says next of the same line is an echo.
type Broken = BTreeMap<usize, LabelSetProblem>;

/// Adds the broken lines, and returns those at which the parser gave up.
fn broken_lines(errors: &[toml::de::Error], lines: &Lines, broken: &mut Broken) -> BTreeSet<usize> {
    let mut stops = BTreeSet::new();
    for error in errors {
        let line = error.span().map_or(1, |span| lines.at(span.start));
        let message = error.message().replace('\n', " ");
        if message.contains(NO_VALUE) {
            stops.insert(line);
        }
        let cure = syntax_cure(&message);
        broken
            .entry(line)
            .or_insert(LabelSetProblem::Syntax { message, cure });
    }
    stops
}

/// What the parser says of a line that is neither `key = value` nor a header. It recovers from
/// everything else, but reads nothing behind the first of these.
const NO_VALUE: &str = "key with no value";

/// The source with blanks in place of some of its lines; all others keep their offsets.
fn blanked(source: &str, lines: &BTreeSet<usize>) -> String {
    let mut rest = String::with_capacity(source.len());
    for (number, line) in (1..).zip(source.split_inclusive('\n')) {
        if lines.contains(&number) {
            let text = line.trim_end_matches(['\r', '\n']);
            rest.extend(std::iter::repeat_n(' ', text.len()));
            rest.push_str(&line[text.len()..]);
        } else {
            rest.push_str(line);
        }
    }
    rest
}

/// Where the TOML is broken, what seems to be missing may only be unreadable, and other faults of
/// a broken line are the same fault seen twice.
fn keep_certain(faults: &mut Vec<LabelSetFault>, broken: &Broken) {
    faults.retain(|fault| match fault.problem {
        LabelSetProblem::NoLabels
        | LabelSetProblem::MissingName
        | LabelSetProblem::UnknownParent { .. } => false,
        _ => !broken.contains_key(&fault.line),
    });
}

/// The cure that fits what the TOML parser says.
fn syntax_cure(message: &str) -> &'static str {
    const CURES: [(&str, &str); 9] = [
        ("must be quoted", "put the text in double quotes"),
        ("duplicate key", "keep one of the two"),
        (NO_VALUE, "write it as `key = value`"),
        ("missing value", "write a value behind the `=`"),
        ("missing comma", "put a comma between the parts"),
        (
            "array",
            "close every `[` with a `]`, and every `[[` with a `]]`",
        ),
        (
            "escape",
            "write a backslash as `\\\\`, or put the text in single quotes",
        ),
        ("quote", "close the quotes on the line that opens them"),
        ("string", "close the quotes on the line that opens them"),
    ];
    let cure = CURES.iter().find(|(part, _)| message.contains(part));
    cure.map_or(
        "write each line as `key = value` or `[[label]]`",
        |(_, cure)| cure,
    )
}

/// Byte offsets to line numbers.
pub(super) struct Lines {
    /// Where each line after the first starts.
    starts: Vec<usize>,
}

impl Lines {
    fn new(source: &str) -> Lines {
        Lines {
            starts: source.match_indices('\n').map(|(at, _)| at + 1).collect(),
        }
    }

    pub(super) fn at(&self, offset: usize) -> usize {
        self.starts.partition_point(|&start| start <= offset) + 1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn offsets_are_told_as_lines_from_one() {
        let lines = Lines::new("a\r\n\nb");
        let at: Vec<usize> = (0..=5).map(|offset| lines.at(offset)).collect();
        assert_eq!(at, [1, 1, 1, 2, 3, 3]);
    }

    #[test]
    fn faults_behind_a_line_that_stops_the_parser_are_found() {
        let faults =
            parse("[[label]]\nname\n\n[[label]]\nname = 'a'\nthreshold = 2\n").unwrap_err();
        let lines: Vec<usize> = faults.iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [2, 6]);
    }

    proptest! {
        #[test]
        fn any_source_is_a_set_or_has_faults_on_its_lines(
            source in "([\\[\\]lab=\"'#{}, \n\r\t\\\\é]|name|label|\\[\\[label\\]\\]\n|name = 'x'\n){0,30}",
        ) {
            if let Err(faults) = parse(&source) {
                prop_assert!(!faults.is_empty());
                let n_lines = source.split('\n').count();
                for fault in faults {
                    prop_assert!((1..=n_lines).contains(&fault.line), "{fault}");
                    prop_assert!(!fault.to_string().contains(['\n', '\r', '\t']), "{fault:?}");
                }
            }
        }
    }
}
