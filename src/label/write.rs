//! A label set as TOML.
//!
//! Input: a set. Output: what `parse` reads back as the same set; defaults are not written.
//! Knows nothing of the file that the set may have come from: comments are not kept.

use std::fmt::Write;

use super::{Label, LabelSet};

pub(super) fn to_toml(set: &LabelSet) -> String {
    let mut toml = String::new();
    if !set.name.is_empty() {
        text(&mut toml, "name", &set.name);
    }
    if let Some(description) = &set.description {
        text(&mut toml, "description", description);
    }
    if let Some(language) = &set.language {
        text(&mut toml, "language", language);
    }
    if let Some(threshold) = set.threshold {
        line(
            &mut toml,
            "threshold",
            format_args!("{:?}", threshold.value()),
        );
    }
    for each in set.labels() {
        if !toml.is_empty() {
            toml.push('\n');
        }
        label(&mut toml, each);
    }
    toml
}

/// One `[[label]]` table.
pub(super) fn label(toml: &mut String, label: &Label) {
    toml.push_str("[[label]]\n");
    text(toml, "name", &label.name);
    if let Some(description) = &label.description {
        text(toml, "description", description);
    }
    if !label.aliases.is_empty() {
        let aliases: Vec<String> = label.aliases.iter().map(|alias| quoted(alias)).collect();
        line(toml, "aliases", format_args!("[{}]", aliases.join(", ")));
    }
    if let Some(parent) = &label.parent {
        text(toml, "parent", parent);
    }
    if let Some(threshold) = label.threshold {
        // `Debug` writes the point that makes a `1` a float, and all digits that matter.
        line(toml, "threshold", format_args!("{:?}", threshold.value()));
    }
    if label.manual {
        line(toml, "manual", format_args!("true"));
    }
}

/// `key = "text"`.
pub(super) fn text(toml: &mut String, key: &str, text: &str) {
    line(toml, key, format_args!("{}", quoted(text)));
}

fn line(toml: &mut String, key: &str, value: std::fmt::Arguments<'_>) {
    writeln!(toml, "{key} = {value}").expect("a String takes any text");
}

/// The text as a TOML string, whichever quotes suit it.
fn quoted(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_set_is_written_with_what_differs_from_the_defaults() {
        let source = "name = \"mine\"\nlanguage = \"en\"\nthreshold = 0.35\n\n\
                      [[label]]\nname = \"a\"\ndescription = 'says \"a\"'\naliases = [\"x\", \"y z\"]\n\
                      parent = \"b\"\nthreshold = 1.0\nmanual = true\n\n[[label]]\nname = \"b\"\n";
        assert_eq!(LabelSet::parse(source).unwrap().to_toml(), source);
    }

    proptest! {
        #[test]
        fn a_written_set_reads_back_as_the_same(
            names in prop::collection::hash_set("[a-z\"'\\\\#é日 ]{0,8}[a-z]", 1..6),
            description in prop::option::of("[ -~é日]{0,20}[!-~]"),
            threshold in prop::option::of(0.0_f32..=1.0),
            manual in any::<bool>(),
        ) {
            // Folded names must differ, or the set would be refused for good reason; as where `#` begins one.
            let bare = |name: String| name.trim_start_matches(['#', ' ']).to_owned();
            let mut names: Vec<String> = names.into_iter().map(bare).collect();
            names.sort_by_key(|n| super::super::spelling::fold(n));
            names.dedup_by_key(|n| super::super::spelling::fold(n));
            let mut labels: Vec<Label> = names.into_iter().map(Label::named).collect();
            let parent = labels[0].name.clone();
            if let Some(last) = labels.get_mut(1) {
                last.parent = Some(parent);
                last.aliases = vec!["An Alias".to_owned()];
            }
            labels[0].description = description.map(|d| d.split_whitespace().collect::<Vec<_>>().join(" "));
            labels[0].threshold = threshold.and_then(crate::score::Score::new);
            labels[0].manual = manual;
            let set = LabelSet::new(labels);
            prop_assert_eq!(LabelSet::parse(&set.to_toml()), Ok(set));
        }
    }
}
