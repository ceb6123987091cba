//! One `gliznet.toml`: bytes in, `Options` or all faults of the file out.
//!
//! Invariant: an option exists once: its kind in `Options`, its manual text in `OPTIONS`.
//! Reads no files and joins no paths; `Settings` does.
//!
//! Length: a table, and one line in each of two structures for each option.

use std::num::NonZeroUsize;
use std::path::Path;

use serde::{Deserialize, Deserializer, de};
use toml::Spanned;
use toml::de::DeTable;

use super::syntax::{line_of, toml_fault};
use super::words::toml_fact;
use super::{Fault, Sink, nearest};

/// What one `gliznet.toml` says. An absent key leaves the choice to the user's file or the default.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The model that tags: a name from `gliznet model list`, or the path of a folder.
    #[serde(deserialize_with = "said")]
    pub model: Option<String>,
    /// The label set for commands that name none: a name from `gliznet labelset list`, or a file.
    #[serde(deserialize_with = "said")]
    pub labelset: Option<String>,
    /// The lowest score, from 0 to 1, that makes a label a tag.
    #[serde(deserialize_with = "unit_interval")]
    pub threshold: Option<f32>,
    /// Where tags are put: `suggest`, `frontmatter`, `xattr`, `sidecar` or `stdout`.
    pub sink: Option<Sink>,
    /// Keys of the front matter that hold tags too.
    pub tag_keys: Option<Vec<String>>,
    /// Whether `tags: a b` are two tags.
    pub tag_spaces: Option<bool>,
    /// Where the model runs: `auto`, `cpu`, `cuda` or `metal`.
    pub device: Option<Device>,
    /// What the model computes in: `f32`, `bf16`, `int8` or `auto`.
    pub precision: Option<Precision>,
    /// How many threads the model may use, at least 1.
    #[serde(deserialize_with = "at_least_one")]
    pub threads: Option<NonZeroUsize>,
    /// After how many minutes without an editor the daemon ends; 0 keeps it for ever.
    pub idle_minutes: Option<u64>,
    /// How many megabytes of answers the daemon keeps, so that no text is scored twice.
    pub cache_megabytes: Option<u64>,
    /// Whether the daemon learns from corrections by itself: `auto`, or `manual` when it is told to.
    pub learn: Option<Learn>,
    /// Whether editors show suggested tags in a line over the tags.
    pub code_lens: Option<bool>,
    /// Whether editors show scores beside the tags of a document.
    pub inlay_hints: Option<bool>,
    /// Whether editors mark tags that are in no label set, with the nearest label.
    pub diagnostics: Option<bool>,
}

impl Options {
    /// Its keys that count in the user's own file only.
    pub fn of_user(&self) -> Vec<&'static str> {
        let said = [
            (self.tag_keys.is_some(), "tag_keys"),
            (self.tag_spaces.is_some(), "tag_spaces"),
            (self.idle_minutes.is_some(), "idle_minutes"),
            (self.cache_megabytes.is_some(), "cache_megabytes"),
            (self.learn.is_some(), "learn"),
        ];
        let said = said.into_iter().filter(|(is_said, _)| *is_said);
        said.map(|(_, key)| key).collect()
    }
}

/// Where the model runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// A GPU where this build can use one, else the CPU.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// An NVIDIA GPU.
    Cuda,
    /// An Apple GPU.
    Metal,
}

/// What the model computes in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// float32.
    #[default]
    F32,
    /// bfloat16, on a GPU.
    Bf16,
    /// Bytes, on a processor.
    Int8,
    /// Bytes where a short measurement finds them faster.
    Auto,
}

/// When the model learns from corrections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Learn {
    /// When there are enough of them, in the background.
    #[default]
    Auto,
    /// When somebody says so.
    Manual,
}

impl std::str::FromStr for Device {
    type Err = String;

    /// Reads it as the file does, for `--device`.
    fn from_str(text: &str) -> Result<Device, String> {
        let plain = de::value::StrDeserializer::<de::value::Error>::new(text);
        Device::deserialize(plain).map_err(|error| toml_fact(&error.to_string()))
    }
}

/// What a person reads of one option: in the manual, in an editor's settings, in an error.
#[derive(Clone, Copy, Debug)]
pub struct OptionText {
    /// Its key in `gliznet.toml`.
    pub key: &'static str,
    /// Its name in an editor's section `gliznet`, where editors may set it.
    pub editor: Option<&'static str>,
    /// The kind of its value, as JSON Schema names it.
    pub kind: &'static str,
    /// What holds without it, as JSON; `null` where that depends.
    pub default: &'static str,
    /// A line that is right.
    pub example: &'static str,
    /// What it does.
    pub text: &'static str,
}

/// Every key of `Options`, in the manual's order.
pub const OPTIONS: [OptionText; 15] = [
    OptionText {
        key: "labelset",
        editor: Some("labelset"),
        kind: "string",
        default: "null",
        example: "labelset = \"personal-notes\"",
        text: "The label set: a name from `gliznet labelset list`, or a file. Where neither a `gliznet.toml` nor an editor names labels, nothing is suggested.",
    },
    OptionText {
        key: "threshold",
        editor: Some("threshold"),
        kind: "number",
        default: "null",
        example: "threshold = 0.4",
        text: "The lowest score, from 0 to 1, that makes a label a tag. Without it the label set decides, else the model's calibration.",
    },
    OptionText {
        key: "sink",
        editor: None,
        kind: "string",
        default: "null",
        example: "sink = \"frontmatter\"",
        text: "Where tags are put: `suggest` (nowhere), `frontmatter`, `xattr`, `sidecar` or `stdout`. Without it `gliznet tag --write` writes into the front matter. A watched folder puts them where `gliznet watch add --sink` says; if that writes, a `gliznet.toml` further down may name another place for its notes, or none.",
    },
    OptionText {
        key: "tag_keys",
        editor: None,
        kind: "array",
        default: "[]",
        example: "tag_keys = [\"keywords\"]",
        text: "Keys of the front matter whose values are tags too, besides `tags`, `tag` and what Org and Hugo call them; they are read, and a tag is added to them where neither `tags` nor `tag` stands there. Only the user's own file counts; the daemon reads it when it starts.",
    },
    OptionText {
        key: "tag_spaces",
        editor: None,
        kind: "boolean",
        default: "false",
        example: "tag_spaces = false",
        text: "Whether `tags: a b` are two tags, as Jekyll reads it, and not one with a space in it; a comma or a list separates tags in any case. Only the user's own file counts; the daemon reads it when it starts.",
    },
    OptionText {
        key: "code_lens",
        editor: Some("codeLens"),
        kind: "boolean",
        default: "true",
        example: "code_lens = true",
        text: "Whether editors show suggested tags in a line over the tags.",
    },
    OptionText {
        key: "inlay_hints",
        editor: Some("inlayHints"),
        kind: "boolean",
        default: "false",
        example: "inlay_hints = false",
        text: "Whether editors show scores beside the tags of a document.",
    },
    OptionText {
        key: "diagnostics",
        editor: Some("diagnostics"),
        kind: "boolean",
        default: "true",
        example: "diagnostics = true",
        text: "Whether editors mark tags that are in no label set, with the nearest label.",
    },
    OptionText {
        key: "model",
        editor: None,
        kind: "string",
        default: "null",
        example: "model = \"gliznet-minilm-l6\"",
        text: "The model that tags: a name from `gliznet model list`, or the path of a folder. Without it the bundled model tags.",
    },
    OptionText {
        key: "device",
        editor: None,
        kind: "string",
        default: "\"auto\"",
        example: "device = \"cpu\"",
        text: "Where the model runs: `auto`, `cpu`, `cuda` or `metal`; `auto` is a GPU where this build can use one, else the CPU.",
    },
    OptionText {
        key: "precision",
        editor: None,
        kind: "string",
        default: "\"f32\"",
        example: "precision = \"auto\"",
        text: "What the model computes in: `f32`; `int8`, which is faster on many processors and moves scores a little; `auto`, which is `int8` where a short measurement finds it a quarter faster; `bf16`, for a GPU. The daemon reads it when it starts.",
    },
    OptionText {
        key: "threads",
        editor: None,
        kind: "integer",
        default: "null",
        example: "threads = 4",
        text: "How many threads the model may use, at least 1. Without it as many as the machine has cores.",
    },
    OptionText {
        key: "idle_minutes",
        editor: None,
        kind: "integer",
        default: "30",
        example: "idle_minutes = 30",
        text: "After how many minutes without an editor the daemon ends; 0 keeps it for ever. The daemon reads it when it starts.",
    },
    OptionText {
        key: "cache_megabytes",
        editor: None,
        kind: "integer",
        default: "64",
        example: "cache_megabytes = 64",
        text: "How many megabytes of answers the daemon keeps, so that no text is scored twice; 0 keeps none. The daemon reads it when it starts.",
    },
    OptionText {
        key: "learn",
        editor: None,
        kind: "string",
        default: "\"auto\"",
        example: "learn = \"manual\"",
        text: "When the model learns from corrections: `auto` when there are 16 new ones, or 4 and nobody has written for ten minutes; `manual` with `gliznet train now` only. With `auto` it also goes back to the version before by itself when a new one has to be corrected more often. The daemon reads it when it starts.",
    },
];

/// The options of the file `path`, whose bytes are given; or everything that is wrong with it.
pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Options, Vec<Fault>> {
    let fault = |offset: usize, message: String| Fault {
        path: path.to_path_buf(),
        line: line_of(bytes, offset),
        message,
    };
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let message = "not UTF-8; save the file as UTF-8".to_owned();
            return Err(vec![fault(error.valid_up_to(), message)]);
        }
    };
    let (table, errors) = DeTable::parse_recoverable(text);
    let span = table.span();
    let mut faults: Vec<Fault> = errors
        .iter()
        .map(|error| toml_fault(path, text, error, "write each line as `key = value`"))
        .collect();
    let mut good = DeTable::new();
    for (key, value) in table.into_inner() {
        let name = key.get_ref().to_string();
        let place = key.span().start;
        let Some(OptionText { example, .. }) = OPTIONS.iter().find(|o| o.key == name) else {
            faults.push(fault(place, unknown_key(&name)));
            continue;
        };
        // Each key by itself, or the first fault would hide the others.
        let alone = DeTable::from_iter([(key.clone(), value.clone())]);
        match options(alone, span.clone()) {
            Ok(_) => {
                good.insert(key, value);
            }
            Err(error) => {
                let fact = toml_fact(error.message());
                let message = format!("`{name}`: {fact}; write for example `{example}`");
                faults.push(fault(place, message));
            }
        }
    }
    faults.sort_by_key(|fault| fault.line);
    if !faults.is_empty() {
        return Err(faults);
    }
    options(good, span).map_err(|e| vec![fault(0, e.message().to_owned())])
}

fn options(table: DeTable<'_>, span: std::ops::Range<usize>) -> Result<Options, toml::de::Error> {
    Options::deserialize(toml::de::Deserializer::from(Spanned::new(span, table)))
}

fn unknown_key(name: &str) -> String {
    let names = OPTIONS.map(|option| option.key);
    match nearest(name, names) {
        Some(near) => format!("no option `{name}`; did you mean `{near}`?"),
        None => format!("no option `{name}`; there are {}", names.join(", ")),
    }
}

fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let value = String::deserialize(deserializer)?;
    if value.trim().is_empty() {
        return Err(de::Error::custom("is empty"));
    }
    Ok(Some(value))
}

fn at_least_one<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<NonZeroUsize>, D::Error> {
    let value = i64::deserialize(deserializer)?;
    let count = usize::try_from(value).ok().and_then(NonZeroUsize::new);
    let count = count.ok_or_else(|| de::Error::custom(format!("{value} is not 1 or more")))?;
    Ok(Some(count))
}

fn unit_interval<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f32>, D::Error> {
    let value = f32::deserialize(deserializer)?;
    if !(0.0..=1.0).contains(&value) {
        return Err(de::Error::custom(format!("{value} is not from 0 to 1")));
    }
    Ok(Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(text: &[u8], expected: Expect) {
        let shown = match parse(Path::new("gliznet.toml"), text) {
            Ok(options) => format!("{options:?}"),
            Err(faults) => super::super::one_a_line(&faults),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn what_counts_in_the_users_own_file_only_is_known() {
        let bytes = b"labelset = \"x\"\ntag_keys = [\"a\"]\nlearn = \"manual\"\n";
        let options = parse(Path::new("gliznet.toml"), bytes).unwrap();
        assert_eq!(options.of_user(), ["tag_keys", "learn"]);
    }

    #[test]
    fn every_example_of_the_fault_messages_is_right() {
        let all = OPTIONS.map(|option| option.example).join("\n");
        check(
            all.as_bytes(),
            expect![[
                r#"Options { model: Some("gliznet-minilm-l6"), labelset: Some("personal-notes"), threshold: Some(0.4), sink: Some(Frontmatter), tag_keys: Some(["keywords"]), tag_spaces: Some(false), device: Some(Cpu), precision: Some(Auto), threads: Some(4), idle_minutes: Some(30), cache_megabytes: Some(64), learn: Some(Manual), code_lens: Some(true), inlay_hints: Some(false), diagnostics: Some(true) }"#
            ]],
        );
    }

    #[test]
    fn an_empty_file_says_nothing() {
        assert_eq!(parse(Path::new("x"), b""), Ok(Options::default()));
        assert_eq!(
            parse(Path::new("x"), b"# only a remark\n"),
            Ok(Options::default())
        );
    }

    #[test]
    fn all_faults_come_at_once_with_line_and_cure() {
        check(
            b"# mine\nmodle = \"x\"\nthreshold = 1.5\ndevice = \"gpu\"\nthreads = 0\nlabelset = \" \"\n[server]\nport = 1\n",
            expect![[r#"
                gliznet.toml:2: no option `modle`; did you mean `model`?
                gliznet.toml:3: `threshold`: 1.5 is not from 0 to 1; write for example `threshold = 0.4`
                gliznet.toml:4: `device`: `gpu` is none of `auto`, `cpu`, `cuda`, `metal`; write for example `device = "cpu"`
                gliznet.toml:5: `threads`: 0 is not 1 or more; write for example `threads = 4`
                gliznet.toml:6: `labelset`: is empty; write for example `labelset = "personal-notes"`
                gliznet.toml:7: no option `server`; there are labelset, threshold, sink, tag_keys, tag_spaces, code_lens, inlay_hints, diagnostics, model, device, precision, threads, idle_minutes, cache_megabytes, learn"#]],
        );
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_named_in_plain_words() {
        check(
            b"idle_minutes = -1\ntag_keys = \"x\"\nthreads = \"all\"\ntag_spaces = 1\nmodel = []\n",
            expect![[r#"
                gliznet.toml:1: `idle_minutes`: -1 is not a whole number of 0 or more; write for example `idle_minutes = 30`
                gliznet.toml:2: `tag_keys`: "x" is not a list; write for example `tag_keys = ["keywords"]`
                gliznet.toml:3: `threads`: "all" is not a whole number; write for example `threads = 4`
                gliznet.toml:4: `tag_spaces`: 1 is not true or false; write for example `tag_spaces = false`
                gliznet.toml:5: `model`: a list is not a text in quotes; write for example `model = "gliznet-minilm-l6"`"#]],
        );
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_options_or_faults_on_lines_of_the_file(bytes: Vec<u8>) {
            let lines = 1 + bytes.iter().filter(|b| **b == b'\n').count();
            if let Err(faults) = parse(Path::new("x"), &bytes) {
                proptest::prop_assert!(!faults.is_empty());
                proptest::prop_assert!(faults.iter().all(|f| (1..=lines).contains(&f.line)));
            }
        }
    }

    #[test]
    fn a_device_is_read_alike_from_file_and_argument() {
        assert_eq!("cuda".parse(), Ok(Device::Cuda));
        let error = "gpu".parse::<Device>().unwrap_err();
        assert!(error.contains("none of `auto`, `cpu`"), "{error}");
    }

    #[test]
    fn what_is_not_toml_is_named_by_its_line() {
        check(
            b"threads = 2\nmodel = \"open\nthreads = 3\n",
            expect![[r#"
                gliznet.toml:2: `model`: not TOML: invalid basic string, expected `"`; close the quotes on the line that opens them
                gliznet.toml:3: `threads`: not TOML: duplicate key; keep one of the two"#]],
        );
        check(
            b"threads = 2\n\xff\n",
            expect!["gliznet.toml:2: not UTF-8; save the file as UTF-8"],
        );
    }
}
