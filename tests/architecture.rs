//! Holds the source to `docs/architecture.md`: layers, doors, headers, lengths, paths in prose.
//!
//! The document is the rule: change the table there, and this test checks the new one.
//! All faults are reported at once, each with file, line and cause.

#[path = "architecture/rules.rs"]
mod rules;
#[path = "architecture/source.rs"]
mod source;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rules::Rules;
use source::{UsedPath, header, used_paths};

/// A file longer than this says why, in a header line that starts with `Length:`.
const LONG: usize = 400;
/// No file is longer than this.
const LONGEST: usize = 600;

#[test]
fn every_module_is_in_one_layer_and_every_layer_has_its_modules() {
    let listed: BTreeSet<String> = rules().modules().map(str::to_owned).collect();
    let present: BTreeSet<String> = files("src", "rs")
        .iter()
        .map(|file| top_module(file))
        .collect();
    let missing: Vec<_> = present.difference(&listed).collect();
    let stale: Vec<_> = listed.difference(&present).collect();
    assert!(
        missing.is_empty(),
        "add these modules to the table of docs/architecture.md: {missing:?}"
    );
    assert!(
        stale.is_empty(),
        "docs/architecture.md lists modules that are not in src: {stale:?}"
    );
}

#[test]
fn no_layer_uses_what_it_may_not() {
    let rules = rules();
    let mut faults = Vec::new();
    for file in files("src", "rs") {
        let module = top_module(&file);
        for path in used_paths(&read(&file), &module_path(&file)) {
            if let Some(fault) = rules.fault(&module, &path) {
                faults.push(format!("{}:{}: {fault}", file.display(), path.line));
            }
        }
    }
    report(&faults);
}

#[test]
fn every_file_has_a_header_and_a_reasonable_length() {
    let rust = ["src", "tests", "benches", "examples"]
        .into_iter()
        .flat_map(|dir| files(dir, "rs"));
    let faults: Vec<String> = rust
        .filter_map(|file| {
            let fault = if file.ends_with("mod.rs") {
                Some("use `name.rs` beside the folder `name`, not `mod.rs`".to_owned())
            } else {
                shape_fault(&read(&file))
            };
            fault.map(|fault| format!("{}: {fault}", file.display()))
        })
        .collect();
    report(&faults);
}

#[test]
fn every_path_in_the_prose_exists() {
    let root_files = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(PathBuf::from);
    let mut faults = Vec::new();
    for file in files("docs", "md").into_iter().chain(root_files) {
        if !root().join(&file).exists() {
            continue; // The three at the root come and go with the release.
        }
        for path in paths_in_prose(&read(&file)) {
            if !root()
                .join(path.split(':').next().unwrap_or(&path))
                .exists()
            {
                faults.push(format!("{}: `{path}` does not exist", file.display()));
            }
        }
    }
    report(&faults);
}

fn report(faults: &[String]) {
    assert!(
        faults.is_empty(),
        "{} faults\n{}",
        faults.len(),
        faults.join("\n")
    );
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rules() -> Rules {
    let file = Path::new("docs/architecture.md");
    Rules::parse(&read(file)).unwrap_or_else(|fault| panic!("{}: {fault}", file.display()))
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

/// All files with an extension under a folder of the project, sorted, relative to the root.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue; // `benches` or `examples` may not be there.
        };
        for entry in entries {
            let path = entry.expect("a folder of the project can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                files.push(
                    path.strip_prefix(root())
                        .expect("it is under the root")
                        .to_owned(),
                );
            }
        }
    }
    files.sort();
    files
}

/// `src/model/head.rs` -> `["model", "head"]`.
fn module_path(file: &Path) -> Vec<&str> {
    let parts = file.iter().skip(1).filter_map(|part| part.to_str());
    parts
        .map(|part| part.strip_suffix(".rs").unwrap_or(part))
        .filter(|part| *part != "lib")
        .collect()
}

/// `src/model/head.rs` -> `model`.
fn top_module(file: &Path) -> String {
    let part = file
        .iter()
        .nth(1)
        .and_then(|part| part.to_str())
        .unwrap_or_default();
    part.strip_suffix(".rs").unwrap_or(part).to_owned()
}

/// What is wrong with the header or the length of a source file.
fn shape_fault(text: &str) -> Option<String> {
    let header = header(text);
    let length = text.lines().count();
    if header.is_empty() {
        Some("starts without a `//!` header".to_owned())
    } else if length > LONGEST {
        Some(format!("has {length} lines; split it before {LONGEST}"))
    } else if length > LONG && !header.iter().any(|line| line.starts_with("Length:")) {
        Some(format!(
            "has {length} lines; say why in a header line `//! Length: …`, or split it"
        ))
    } else {
        None
    }
}

/// The paths into `src`, `tests` and `docs` that a Markdown text names in backticks.
fn paths_in_prose(markdown: &str) -> Vec<String> {
    let is_path = |text: &&str| {
        let parts = ["src/", "tests/", "docs/"];
        parts.iter().any(|part| text.starts_with(part)) && !text.contains(['*', '{', '<', '…', ' '])
    };
    let in_ticks = markdown
        .lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2));
    in_ticks.filter(is_path).map(str::to_owned).collect()
}

mod the_checker {
    use super::*;

    const TABLES: &str = "\
## Layers
| layer | modules | may use | never |
| --- | --- | --- | --- |
| low | `value` | – | `tokio`, `std::fs` |
| high | `app`, `main` | `low` | – |

## One door
| path | only in | instead |
| --- | --- | --- |
| `std::env::var` | `main` | ask `main` |
";

    fn paths(text: &str) -> Vec<String> {
        used_paths(text, &["value", "part"])
            .iter()
            .map(|path| path.segments.join("::"))
            .collect()
    }

    fn faults(module: &str, text: &str) -> Vec<String> {
        let rules = Rules::parse(TABLES).expect("the tables above are whole");
        let used = used_paths(text, &[module, "part"]);
        used.iter()
            .filter_map(|path: &UsedPath| rules.fault(module, path))
            .collect()
    }

    #[test]
    fn groups_are_spelled_out() {
        let used = paths("use crate::{app::{self, run as go}, value::*};\nuse std::fs;");
        assert_eq!(
            used,
            [
                "crate::app::self",
                "crate::app::run",
                "crate::value::*",
                "std::fs"
            ]
        );
    }

    #[test]
    fn paths_in_expressions_count() {
        let used = paths("fn f() -> crate::app::Out { crate::app::go::<u8>() }");
        assert_eq!(used, ["crate::app::Out", "crate::app::go"]);
    }

    #[test]
    fn comments_and_literals_do_not_count() {
        let code = r##"
            //! [`crate::app::Doc`]
            /* crate::app /* nested */ crate::app */
            fn f<'a>(s: &'a str) -> char { "crate::app\" crate::app"; r#"crate::app " "#; b"crate::app"; '"' }
            fn g() { '\''; '\u{22}'; crate::value::real() }
        "##;
        assert_eq!(paths(code), ["crate::value::real"]);
    }

    #[test]
    fn super_is_resolved_through_inline_modules() {
        let code = "use super::A; mod tests { use super::B; use super::super::super::app::C; } use self::D;";
        assert_eq!(
            paths(code),
            [
                "crate::value::A",
                "crate::value::part::B",
                "crate::app::C",
                "crate::value::part::D"
            ]
        );
    }

    #[test]
    fn a_higher_layer_is_refused_and_a_lower_one_allowed() {
        assert_eq!(
            faults("value", "use crate::{app::Run, value::X};"),
            ["low may not use high (`app`)"]
        );
        assert_eq!(
            faults("value", "use super::super::app::Run;"),
            ["low may not use high (`app`)"]
        );
        assert_eq!(faults("app", "use crate::value::X;"), [""; 0]);
        // A layer that does not list itself keeps its modules apart.
        assert_eq!(
            faults("main", "gliznet::app::run()"),
            ["high may not use high (`app`)"]
        );
    }

    #[test]
    fn a_name_without_a_layer_is_refused() {
        let fault = "`crate::Label` is in no layer; name the module it is from";
        assert_eq!(faults("app", "use crate::Label;"), [fault]);
    }

    #[test]
    fn a_banned_crate_is_refused_however_it_is_written() {
        let banned = "low never uses `tokio`";
        for code in [
            "use tokio;",
            "use tokio::{sync, task};",
            "tokio::spawn(f)",
            "use ::tokio::net;",
        ] {
            assert_eq!(
                faults("value", code).first().map(String::as_str),
                Some(banned),
                "{code}"
            );
        }
        assert_eq!(
            faults("value", "use std::{fmt, fs};"),
            ["low never uses `std::fs`"]
        );
        assert_eq!(faults("value", "let tokio = 1; x.tokio::<u8>();"), [""; 0]);
    }

    #[test]
    fn a_door_is_closed_outside_its_module_and_open_to_tests() {
        let closed = ["`std::env::var` is not for `app`: ask `main`"];
        assert_eq!(faults("app", "use std::env; env::var(x)"), closed);
        assert_eq!(faults("app", "std::env::var(x)"), closed);
        assert_eq!(faults("main", "std::env::var(x)"), [""; 0]);
        let test = "#[cfg(test)] mod tests { fn f() { std::env::var(x) } }";
        assert_eq!(faults("app", test), [""; 0]);
        assert_eq!(faults("app", &format!("{test} std::env::var(x)")), closed);
    }

    #[test]
    fn a_broken_table_is_an_error() {
        for (from, to, expected) in [
            ("## Layers", "## Layer", "expected the columns"),
            ("| `low` |", "| low |", "backticks"),
            ("| `low` |", "| `lower` |", "no layer"),
            ("`app`, `main`", "`app`, `value`", "two layers"),
            ("| `main` |", "| `door` |", "in no layer"),
            ("| – | `tokio`, `std::fs` |", "| – |", "cells"),
        ] {
            let fault = Rules::parse(&TABLES.replace(from, to)).unwrap_err();
            assert!(fault.contains(expected), "{from} -> {to}: {fault}");
        }
    }

    #[test]
    fn headers_and_lengths_are_checked() {
        let long = |header: &str, lines: usize| format!("{header}\n{}", "x\n".repeat(lines - 1));
        assert_eq!(shape_fault("//! Does it.\nfn f() {}"), None);
        assert!(shape_fault("// Does it.\nfn f() {}").is_some());
        assert_eq!(shape_fault(&long("//! Does it.", 400)), None);
        assert!(shape_fault(&long("//! Does it.", 401)).is_some());
        assert_eq!(shape_fault(&long("//! Length: one table.", 600)), None);
        assert!(shape_fault(&long("//! Length: one table.", 601)).is_some());
    }

    #[test]
    fn paths_are_found_in_prose() {
        let prose = "See `src/a.rs`, `tests/x/*.rs`, `docs/b.md:3`, src/c.rs and `srcs/d`.";
        assert_eq!(paths_in_prose(prose), ["src/a.rs", "docs/b.md:3"]);
    }
}
