//! Changes a label set in its own file's words: TOML and a wish in, the changed TOML out.
//!
//! Invariant: what the wish does not concern stays as it is written, comments and line ends
//! included; a changed set is a set; whatever a label was called it still answers to, unless it was
//! dropped. Knows nothing of files.

use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, Value};

use super::{LabelId, LabelSet, spelling};

/// What is to become of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new label, at the end.
    Add(String),
    /// Another name; the old one becomes an alias, so that what was learnt of it holds.
    Rename {
        /// The label.
        old: String,
        /// Its name from now on.
        new: String,
    },
    /// One label becomes a part of another, which gets its names as aliases.
    Merge {
        /// The label that goes.
        from: String,
        /// The label that stays.
        into: String,
    },
    /// A label goes, and all that was learnt of it counts no more.
    Drop(String),
}

/// Why a set cannot be changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The set is faulty, before or after.
    #[error("line {line}: {problem}")]
    Fault {
        /// The line, of the set as it would be.
        line: usize,
        /// What is wrong, and the cure.
        problem: String,
    },
    /// There is no such label.
    #[error("`{name}` is no label of the set{}", cure(.nearest))]
    Unknown {
        /// As it was written.
        name: String,
        /// The label most like it.
        nearest: Option<String>,
    },
    /// The name is taken.
    #[error("`{name}` is `{owner}` already; use `merge` to make one label of two")]
    Taken {
        /// As it was written.
        name: String,
        /// The label that has it.
        owner: String,
    },
    /// Both are the same label.
    #[error("`{0}` cannot be merged with itself; name two labels")]
    Itself(String),
    /// A set is never empty.
    #[error("`{0}` is the only label of the set; add another one first")]
    Last(String),
    /// The labels are one value, not tables.
    #[error("the labels are not written as `[[label]]` tables; change the file by hand")]
    Form,
}

fn cure(nearest: &Option<String>) -> String {
    match nearest {
        Some(name) => format!("; did you mean `{name}`?"),
        None => "; `gliznet labelset show` lists them".to_owned(),
    }
}

/// The TOML of the set after the change.
///
/// # Errors
/// See [`ChangeError`]; nothing is changed by halves.
pub fn changed(source: &str, change: &Change) -> Result<String, ChangeError> {
    let (mark, toml) = match source.strip_prefix('\u{FEFF}') {
        Some(rest) => ("\u{FEFF}", rest),
        None => ("", source),
    };
    let set = parsed(toml)?;
    let mut document: DocumentMut =
        toml.parse()
            .map_err(|error: toml_edit::TomlError| ChangeError::Fault {
                line: 1,
                problem: error.message().to_owned(),
            })?;
    let labels = document.get_mut("label").ok_or(ChangeError::Form)?;
    let labels = labels.as_array_of_tables_mut().ok_or(ChangeError::Form)?;
    match change {
        Change::Add(name) => add(labels, &set, name)?,
        Change::Rename { old, new } => rename(labels, &set, old, new)?,
        Change::Merge { from, into } => merge(labels, &set, from, into)?,
        Change::Drop(name) => remove(labels, &set, name)?,
    }
    let changed = document.to_string();
    // The TOML writer knows one kind of line end; a file of the other kind stays so.
    let changed = match source.contains("\r\n") {
        true => changed.replace("\r\n", "\n").replace('\n', "\r\n"),
        false => changed,
    };
    parsed(&changed)?;
    Ok(format!("{mark}{changed}"))
}

fn parsed(toml: &str) -> Result<LabelSet, ChangeError> {
    LabelSet::parse(toml).map_err(|faults| {
        let first = faults.into_iter().next();
        ChangeError::Fault {
            line: first.as_ref().map_or(1, |fault| fault.line),
            problem: first.map_or_else(String::new, |fault| fault.problem.to_string()),
        }
    })
}

fn find(set: &LabelSet, name: &str) -> Result<LabelId, ChangeError> {
    set.find(name).ok_or_else(|| ChangeError::Unknown {
        name: name.to_owned(),
        nearest: set.nearest(name).map(|id| set.label(id).name.clone()),
    })
}

fn is_free(set: &LabelSet, name: &str, but: Option<LabelId>) -> Result<(), ChangeError> {
    match set.find(name) {
        Some(id) if Some(id) != but => Err(ChangeError::Taken {
            name: name.to_owned(),
            owner: set.label(id).name.clone(),
        }),
        _ => Ok(()),
    }
}

fn add(labels: &mut ArrayOfTables, set: &LabelSet, name: &str) -> Result<(), ChangeError> {
    is_free(set, name, None)?;
    let mut table = Table::new();
    table["name"] = toml_edit::value(name.trim());
    table.decor_mut().set_prefix("\n");
    labels.push(table);
    Ok(())
}

fn rename(
    labels: &mut ArrayOfTables,
    set: &LabelSet,
    old: &str,
    new: &str,
) -> Result<(), ChangeError> {
    let id = find(set, old)?;
    is_free(set, new, Some(id))?;
    let (old, new) = (set.label(id).name.clone(), new.trim());
    adopt(labels, set, id, new);
    let Some(table) = labels.get_mut(id.0 as usize) else {
        return Err(ChangeError::Form);
    };
    put(table, "name", new);
    // The name may have been an alias so far.
    if let Some(aliases) = table.get_mut("aliases").and_then(Item::as_array_mut) {
        aliases.retain(|alias| {
            let text = alias.as_str().unwrap_or_default().trim();
            !spelling::is_same(text, new)
        });
    }
    if !spelling::is_same(&old, new) {
        alias(table, &old);
    }
    Ok(())
}

fn merge(
    labels: &mut ArrayOfTables,
    set: &LabelSet,
    from: &str,
    into: &str,
) -> Result<(), ChangeError> {
    let (from, into) = (find(set, from)?, find(set, into)?);
    if from == into {
        return Err(ChangeError::Itself(set.label(into).name.clone()));
    }
    adopt(labels, set, from, &set.label(into).name);
    if let Some(table) = labels.get_mut(into.0 as usize) {
        if set.parent(into) == Some(from) {
            table.remove("parent");
        }
        let gone = set.label(from);
        alias(table, &gone.name);
        gone.aliases.iter().for_each(|name| alias(table, name));
    }
    labels.remove(from.0 as usize);
    Ok(())
}

fn remove(labels: &mut ArrayOfTables, set: &LabelSet, name: &str) -> Result<(), ChangeError> {
    let id = find(set, name)?;
    if set.labels().len() == 1 {
        return Err(ChangeError::Last(set.label(id).name.clone()));
    }
    for (place, table) in (0..).map(LabelId).zip(labels.iter_mut()) {
        if set.parent(place) == Some(id) {
            table.remove("parent");
        }
    }
    labels.remove(id.0 as usize);
    Ok(())
}

/// The children of a label get a parent of another name.
fn adopt(labels: &mut ArrayOfTables, set: &LabelSet, id: LabelId, name: &str) {
    for (place, table) in (0..).map(LabelId).zip(labels.iter_mut()) {
        if set.parent(place) == Some(id) {
            put(table, "parent", name);
        }
    }
}

/// Another value under a key, with the blanks and remarks around it as they were.
fn put(table: &mut Table, key: &str, text: &str) {
    let mut value = Value::from(text);
    if let Some(old) = table.get(key).and_then(Item::as_value) {
        *value.decor_mut() = old.decor().clone();
    }
    table[key] = Item::Value(value);
}

fn alias(table: &mut Table, name: &str) {
    let empty = || Item::Value(Value::Array(Array::new()));
    let aliases = table.entry("aliases").or_insert_with(empty);
    if let Some(aliases) = aliases.as_array_mut() {
        aliases.push(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    const SET: &str = "# My labels.\nname = 'mine'\n\n# What grows.\n[[label]]\nname = \"garden\" # the best\naliases = ['yard']\n\n[[label]]\nname = 'roses'\nparent = 'garden'\n\n[[label]]\nname = 'tax'\n";

    #[track_caller]
    fn check(change: &Change, expected: Expect) {
        expected.assert_eq(&changed(SET, change).unwrap());
    }

    #[test]
    fn a_renamed_label_answers_to_its_old_name_and_keeps_its_children() {
        let change = Change::Rename {
            old: "Garden".to_owned(),
            new: "beds".to_owned(),
        };
        check(
            &change,
            expect![[r#"
                # My labels.
                name = 'mine'

                # What grows.
                [[label]]
                name = "beds" # the best
                aliases = ['yard', "garden"]

                [[label]]
                name = 'roses'
                parent = "beds"

                [[label]]
                name = 'tax'
            "#]],
        );
    }

    #[test]
    fn a_merged_label_leaves_its_names_and_a_dropped_one_nothing() {
        let merge = Change::Merge {
            from: "garden".to_owned(),
            into: "roses".to_owned(),
        };
        check(
            &merge,
            expect![[r#"
                # My labels.
                name = 'mine'

                [[label]]
                name = 'roses'
                aliases = ["garden", "yard"]

                [[label]]
                name = 'tax'
            "#]],
        );
        check(
            &Change::Drop("yard".to_owned()),
            expect![[r#"
                # My labels.
                name = 'mine'

                [[label]]
                name = 'roses'

                [[label]]
                name = 'tax'
            "#]],
        );
    }

    #[test]
    fn a_new_label_stands_at_the_end_and_line_ends_stay() {
        let dos = format!("\u{FEFF}{}", SET.replace('\n', "\r\n"));
        let added = changed(&dos, &Change::Add("heron".to_owned())).unwrap();
        assert_eq!(added, format!("{dos}\r\n[[label]]\r\nname = \"heron\"\r\n"));
    }

    #[test]
    fn what_makes_no_set_is_refused_with_its_cure() {
        let fault = |change: Change| changed(SET, &change).unwrap_err().to_string();
        let rename = |old: &str, new: &str| Change::Rename {
            old: old.to_owned(),
            new: new.to_owned(),
        };
        assert_eq!(
            fault(rename("gardn", "x")),
            "`gardn` is no label of the set; did you mean `garden`?"
        );
        assert_eq!(
            fault(rename("tax", "Yard")),
            "`Yard` is `garden` already; use `merge` to make one label of two"
        );
        let itself = Change::Merge {
            from: "yard".to_owned(),
            into: "garden".to_owned(),
        };
        assert_eq!(
            fault(itself),
            "`garden` cannot be merged with itself; name two labels"
        );
        assert!(fault(rename("tax", " ")).contains("empty"));
        let one = changed("[[label]]\nname = 'a'\n", &Change::Drop("a".to_owned()));
        assert_eq!(one, Err(ChangeError::Last("a".to_owned())));
        let inline = changed("label = [{ name = 'a' }]\n", &Change::Add("b".to_owned()));
        assert_eq!(inline, Err(ChangeError::Form));
    }

    #[test]
    fn a_name_that_was_an_alias_becomes_the_name() {
        let set = changed(
            SET,
            &Change::Rename {
                old: "garden".to_owned(),
                new: "yard".to_owned(),
            },
        );
        let set = LabelSet::parse(&set.unwrap()).unwrap();
        assert_eq!(
            (set.labels()[0].name.as_str(), set.find("garden")),
            ("yard", Some(LabelId(0)))
        );
    }
}
