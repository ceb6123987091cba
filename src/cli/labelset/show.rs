//! `gliznet labelset show`.

use std::io::Write;
use std::path::Path;

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::{Outcome, counted, find};
use crate::cli::columns::padded;
use crate::label::{Label, LabelId, LabelSet, is_same};

/// Shows what is in a label set.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The name of a set, or the path of a file.
    #[arg(value_name = "NAME|FILE")]
    set: String,
    /// Write the set as it is stored, to start a set of your own from.
    #[arg(long, conflicts_with = "json")]
    toml: bool,
    /// Write one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(
    args: &Args,
    user_dir: Option<&Path>,
    out: &mut dyn Write,
) -> anyhow::Result<Outcome> {
    if args.toml {
        // Even a faulty one: whoever mends it has to see it.
        out.write_all(find(&args.set, user_dir)?.toml.as_bytes())?;
        return Ok(Outcome::Done);
    }
    let source = find(&args.set, user_dir)?;
    let set = source.parse()?;
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &SetRecord::from(&set))?;
        writeln!(out)?;
    } else {
        table(&set, &source.name, out)?;
    }
    Ok(Outcome::Done)
}

/// A set, as scripts get it. Fields are only ever added.
#[derive(Serialize)]
struct SetRecord<'a> {
    name: &'a str,
    description: Option<&'a str>,
    language: Option<&'a str>,
    threshold: Option<f32>,
    fingerprint: String,
    labels: Vec<LabelRecord<'a>>,
}

#[derive(Serialize)]
struct LabelRecord<'a> {
    name: &'a str,
    description: Option<&'a str>,
    aliases: &'a [String],
    parent: Option<&'a str>,
    threshold: Option<f32>,
    manual: bool,
}

impl<'a> From<&'a LabelSet> for SetRecord<'a> {
    fn from(set: &'a LabelSet) -> SetRecord<'a> {
        SetRecord {
            name: &set.name,
            description: set.description.as_deref(),
            language: set.language.as_deref(),
            threshold: set.threshold.map(|score| score.value()),
            fingerprint: set.fingerprint(),
            labels: set.labels().iter().map(LabelRecord::from).collect(),
        }
    }
}

impl<'a> From<&'a Label> for LabelRecord<'a> {
    fn from(label: &'a Label) -> LabelRecord<'a> {
        LabelRecord {
            name: &label.name,
            description: label.description.as_deref(),
            aliases: &label.aliases,
            parent: label.parent.as_deref(),
            threshold: label.threshold.map(|score| score.value()),
            manual: label.manual,
        }
    }
}

/// Names wider than this do not push all descriptions to the right.
const WIDEST_NAME: usize = 32;

/// `chosen` is what the set is chosen by.
fn table(set: &LabelSet, chosen: &str, out: &mut dyn Write) -> anyhow::Result<()> {
    const TITLE: Style = Style::new().bold();
    const NAME: Style = AnsiColor::Cyan.on_default();
    const FAINT: Style = Style::new().dimmed();
    let called = match is_same(&set.name, chosen) {
        true => String::new(),
        false => format!(" (called {})", set.name),
    };
    let mut facts = vec![counted(set.labels().len(), "label")];
    facts.extend(set.language.clone());
    facts.extend(
        set.threshold
            .map(|score| format!("threshold {}", score.value())),
    );
    writeln!(
        out,
        "{TITLE}{chosen}{TITLE:#}{called}  {FAINT}{}{FAINT:#}",
        facts.join(" · ")
    )?;
    if let Some(description) = &set.description {
        writeln!(out, "{description}")?;
    }
    writeln!(out)?;

    let tree = tree(set);
    let indented = |depth: usize, label: &Label| format!("{}{}", "  ".repeat(depth), label.name);
    let width = |(depth, id): &(usize, LabelId)| indented(*depth, set.label(*id)).width();
    let width = tree.iter().map(width).max().unwrap_or(0).min(WIDEST_NAME);
    for (depth, id) in tree {
        let label = set.label(id);
        write!(
            out,
            "{NAME}{}{NAME:#}",
            padded(&indented(depth, label), width)
        )?;
        if let Some(description) = &label.description {
            write!(out, "  {description}")?;
        }
        let mut extras = Vec::new();
        if !label.aliases.is_empty() {
            extras.push(format!("also {}", label.aliases.join(", ")));
        }
        extras.extend(
            label
                .threshold
                .map(|score| format!("threshold {}", score.value())),
        );
        if label.manual {
            extras.push("manual".to_owned());
        }
        if !extras.is_empty() {
            write!(out, "  {FAINT}({}){FAINT:#}", extras.join("; "))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Every label below its parent, with its depth; else in the order of the set.
fn tree(set: &LabelSet) -> Vec<(usize, LabelId)> {
    let ids = || (0..).map(LabelId).take(set.labels().len());
    let mut children = vec![Vec::new(); set.labels().len()];
    let mut open: Vec<(usize, LabelId)> = Vec::new();
    for id in ids() {
        match set.parent(id) {
            Some(parent) => children[parent.0 as usize].push(id),
            None => open.push((0, id)),
        }
    }
    open.reverse();
    let mut tree = Vec::with_capacity(set.labels().len());
    // A stack and no recursion: parents may be nested as deep as the set is long.
    while let Some((depth, id)) = open.pop() {
        tree.push((depth, id));
        open.extend(
            children[id.0 as usize]
                .iter()
                .rev()
                .map(|&child| (depth + 1, child)),
        );
    }
    tree
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn labels_stand_below_their_parents_with_all_that_is_known() {
        let set = LabelSet::parse(
            "name = 'mine'\ndescription = 'For me.'\nlanguage = 'en'\nthreshold = 0.4\n\
             [[label]]\nname = 'leaf'\nparent = 'branch'\naliases = ['blade', 'needle']\n\
             [[label]]\nname = 'tree'\ndescription = 'Tall.'\n\
             [[label]]\nname = 'branch'\nparent = 'tree'\ndescription = 'Wooden.'\nthreshold = 0.25\n\
             [[label]]\nname = 'seen'\nmanual = true\n",
        )
        .unwrap();
        let mut out = Vec::new();
        table(&set, "mine", &mut anstream::StripStream::new(&mut out)).unwrap();
        expect![[r#"
            mine  4 labels · en · threshold 0.4
            For me.

            tree      Tall.
              branch  Wooden.  (threshold 0.25)
                leaf  (also blade, needle)
            seen      (manual)
        "#]]
        .assert_eq(&String::from_utf8(out).unwrap());
    }

    #[test]
    fn what_toml_shows_is_the_source_itself() {
        let args = Args {
            set: "gtd".to_owned(),
            toml: true,
            json: false,
        };
        let mut out = Vec::new();
        run(&args, None, &mut out).unwrap();
        assert!(crate::label::bundled().contains(&("gtd", &String::from_utf8(out).unwrap())));
    }
}
