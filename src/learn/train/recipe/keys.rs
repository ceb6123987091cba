//! The names that a recipe may use, and what may stand under each: TOML in, sentences out.
//!
//! Invariant: what is left of a table that was checked reads as a recipe. Knows nothing of which
//! numbers make sense.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::known::{ALIASES, GROUP, KEYS, Key, Kind};

/// Where the optimizer's groups are.
const GROUPS: &str = "optimizer.groups";

/// What was found wrong.
#[derive(Default)]
pub(super) struct Checked {
    /// A sentence for every key that is not known and every value of a wrong kind.
    pub(super) faults: Vec<String>,
    /// Known keys whose value cannot be read.
    pub(super) bad: BTreeSet<String>,
}

/// Takes from a recipe what cannot be read, and says so.
pub(super) fn check(recipe: &mut Table) -> Checked {
    let mut checked = Checked::default();
    checked.table("", "", recipe, KEYS[0].1);
    for (name, value) in recipe.iter_mut() {
        let Some((_, keys)) = KEYS.iter().find(|(table, _)| table == name) else {
            continue;
        };
        let mut tables = tables(value);
        let several = tables.len() > 1;
        for (at, table) in tables.iter_mut().enumerate() {
            let which = match several {
                true => format!(" (table {} of `[[{name}]]`)", at + 1),
                false => String::new(),
            };
            checked.table(name, &which, table, keys);
            if let Some(Value::Array(groups)) = table.get_mut("groups") {
                checked.groups(groups);
            }
        }
    }
    checked
}

fn tables(value: &mut Value) -> Vec<&mut Table> {
    match value {
        Value::Table(table) => vec![table],
        Value::Array(values) => values.iter_mut().filter_map(Value::as_table_mut).collect(),
        _ => Vec::new(),
    }
}

impl Checked {
    fn table(&mut self, place: &str, which: &str, table: &mut Table, keys: &[Key]) {
        table.retain(|key, value| {
            let full = full(place, key);
            let Some((_, kind)) = keys.iter().find(|(known, _)| *known == key) else {
                self.unknown(place, key, which, value, keys);
                return false;
            };
            let fits = kind.takes(value);
            if !fits {
                let cure = match (kind, value.is_table()) {
                    (Kind::Tables, true) => format!("there may be several: write `[[{full}]]`"),
                    _ => format!("it must be {}", kind.expected()),
                };
                let found = shown(value);
                self.faults
                    .push(format!("`{full}` is {found}{which}; {cure}"));
                self.bad.insert(full);
            }
            fits
        });
    }

    fn groups(&mut self, groups: &mut Vec<Value>) {
        groups.retain_mut(|group| {
            let Value::Table(group) = group else {
                return false; // Its list was not taken for one of tables.
            };
            let has_prefix = group.contains_key("prefix");
            self.table(GROUPS, "", group, GROUP);
            if !has_prefix {
                self.faults.push(format!(
                    "a group of `{GROUPS}` has no `prefix`; say how the names of its tensors begin"
                ));
            }
            group.contains_key("prefix")
        });
    }

    fn unknown(&mut self, place: &str, key: &str, which: &str, value: &Value, keys: &[Key]) {
        let full = full(place, key);
        let cure = match (near(key, keys), elsewhere(key)) {
            (Some(nearest), _) => format!("the closest is `{nearest}`"),
            // A group has two of the optimizer's own keys.
            (None, Some(cure)) if place == GROUPS => {
                ["learning_rate", "weight_decay"]
                    .iter()
                    .fold(cure, |cure, own| {
                        cure.replace(&format!("`optimizer.{own}`"), &format!("`{GROUPS}.{own}`"))
                    })
            }
            (None, Some(cure)) => cure,
            (None, None) => {
                let names: Vec<String> = keys.iter().map(|(key, _)| format!("`{key}`")).collect();
                format!("there are {}", names.join(", "))
            }
        };
        self.faults
            .push(format!("`{full}` is not a key of a recipe{which}; {cure}"));
        // A table of another trainer's: its keys may have a place here.
        if let (true, Value::Table(inner)) = (place.is_empty(), value)
            && near(key, keys).is_none()
        {
            for key in inner.keys() {
                if let Some(cure) = elsewhere(key) {
                    let full = format!("{full}.{key}");
                    self.faults
                        .push(format!("`{full}` is not a key of a recipe; {cure}"));
                }
            }
        }
    }
}

fn full(place: &str, key: &str) -> String {
    match place {
        "" => key.to_owned(),
        _ => format!("{place}.{key}"),
    }
}

/// The key that a slip of the fingers could have meant.
fn near(key: &str, keys: &[Key]) -> Option<&'static str> {
    let distance = |known: &str| strsim::damerau_levenshtein(known, key);
    let nearest = keys.iter().map(|(known, _)| *known);
    let nearest = nearest.min_by_key(|known| distance(known))?;
    (distance(nearest) <= (key.len() / 3).max(1)).then_some(nearest)
}

/// Where a key belongs that others call so, or that stands in a wrong table.
fn elsewhere(key: &str) -> Option<String> {
    let key = key.to_lowercase().replace('-', "_");
    let alias = ALIASES.iter().find(|(names, _)| names.contains(&&*key));
    if let Some((_, ours)) = alias {
        let in_steps = match key.contains("epoch") {
            true => ", and counts steps of `batch.rows` × `batch.accumulation` rows",
            false => "",
        };
        return Some(format!("here it is `{ours}`{in_steps}"));
    }
    let mut tables = KEYS.iter();
    let (table, _) = tables.find(|(_, keys)| keys.iter().any(|(known, _)| *known == key))?;
    Some(format!("its place is `{}`", full(table, &key)))
}

impl Kind {
    fn takes(self, value: &Value) -> bool {
        let are_all = |is: fn(&Value) -> bool| value.as_array().is_some_and(|a| a.iter().all(is));
        match self {
            Kind::Whole => value.as_integer().is_some_and(|number| number >= 0),
            Kind::Number => value.is_integer() || value.is_float(),
            Kind::Text => value.is_str(),
            Kind::Flag => value.is_bool(),
            Kind::Paths => value.is_str() || are_all(Value::is_str),
            Kind::OneOf(names) => value.as_str().is_some_and(|name| names.contains(&name)),
            Kind::Table => value.is_table(),
            Kind::Tables => are_all(Value::is_table),
        }
    }

    fn expected(self) -> String {
        match self {
            Kind::Whole => "a whole number, 0 or more".to_owned(),
            Kind::Number => "a number".to_owned(),
            Kind::Text => "a text in quotes".to_owned(),
            Kind::Flag => "true or false".to_owned(),
            Kind::Paths => "a path or pattern in quotes, or a list of them".to_owned(),
            Kind::OneOf(names) => {
                let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
                names.join(" or ")
            }
            Kind::Table => "a table".to_owned(),
            Kind::Tables => "a list of tables".to_owned(),
        }
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Table(_) => "a table".to_owned(),
        Value::Datetime(_) => "a date".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(recipe: &str) -> Vec<String> {
        check(&mut recipe.parse().unwrap()).faults
    }

    #[test]
    fn what_others_call_a_key_is_told_by_its_name_here() {
        for (recipe, ours) in [
            (
                "[optimizer]\nlr = 1",
                "here it is `optimizer.learning_rate`",
            ),
            ("[batch]\nbatch_size = 1", "here it is `batch.rows`"),
            (
                "[schedule]\nepochs = 1",
                "`schedule.steps`, and counts steps",
            ),
            ("[optimizer]\nwarmup = 1", "its place is `schedule.warmup`"),
            (
                "[optimizer]\ngroups = [{ prefix = \"a\", clip = 1 }]",
                "its place is `optimizer.clip`",
            ),
            (
                "[optimizer]\ngroups = [{ prefix = \"a\", lr = 1 }]",
                "here it is `optimizer.groups.learning_rate`",
            ),
            (
                "[train]\nlr = 1",
                "`train.lr` is not a key of a recipe; here it is",
            ),
            (
                "learning_rate = 1",
                "its place is `optimizer.learning_rate`",
            ),
        ] {
            let faults = faults(recipe).join("\n");
            assert!(faults.contains(ours), "{recipe}: {faults}");
        }
    }

    #[test]
    fn what_others_call_a_key_leads_to_one_that_is_there() {
        for (names, ours) in ALIASES {
            let (table, key) = ours.split_once('.').unwrap_or(("", ours));
            let (_, keys) = KEYS.iter().find(|(name, _)| *name == table).unwrap();
            assert!(
                keys.iter().any(|(name, _)| *name == key),
                "{names:?}: {ours}"
            );
        }
    }

    #[test]
    fn a_slip_is_told_the_closest_key_and_a_riddle_all_there_are() {
        let faults = faults("[freeze]\nlayer = 1\nxyzzy = 1\n");
        assert!(faults[0].ends_with("the closest is `layers`"), "{faults:?}");
        assert!(
            faults[1].ends_with("there are `embeddings`, `layers`"),
            "{faults:?}"
        );
    }

    #[test]
    fn values_of_a_wrong_kind_are_told_all_at_once_in_plain_words() {
        let recipe = "seed = -1\nprecision = \"f8\"\n[text]\ntokens = \"many\"\n[labels]\n\
            shuffle = 1\n[batch]\nrows = 1.5\n[optimizer]\ngroups = [{ learning_rate = \"x\" }]\n\
            [[data]]\nfiles = \"a\"\n[[data]]\nfiles = 3\n";
        let faults = faults(recipe);
        for told in [
            "`seed` is -1; it must be a whole number, 0 or more",
            "`precision` is \"f8\"; it must be \"f32\" or \"bf16\" or \"f16\"",
            "`text.tokens` is \"many\"; it must be a whole number, 0 or more",
            "`labels.shuffle` is 1; it must be true or false",
            "`batch.rows` is 1.5; it must be a whole number, 0 or more",
            "`optimizer.groups.learning_rate` is \"x\"; it must be a number",
            "a group of `optimizer.groups` has no `prefix`; say how the names of its tensors begin",
            "`data.files` is 3 (table 2 of `[[data]]`); it must be a path or pattern in quotes, or a list of them",
        ] {
            assert!(
                faults.iter().any(|fault| fault == told),
                "{told}: {faults:#?}"
            );
        }
        assert_eq!(faults.len(), 8, "{faults:#?}");
    }
}
