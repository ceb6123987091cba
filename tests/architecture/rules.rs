//! The rules of `docs/architecture.md`, read from its tables.
//!
//! Input: Markdown. Output: `Rules`, which say what is wrong with a used path.
//! Invariant: a table that cannot be read is an error, never an empty rule.

use std::collections::BTreeMap;

use crate::source::UsedPath;

/// Who may use whom.
#[derive(Debug)]
pub(crate) struct Rules {
    layers: Vec<Layer>,
    doors: Vec<Door>,
}

/// One row of the layer table.
#[derive(Debug)]
struct Layer {
    name: String,
    modules: Vec<String>,
    may_use: Vec<String>,
    never: Vec<String>,
}

/// One row of the table of things that only some modules may use.
#[derive(Debug)]
struct Door {
    paths: Vec<String>,
    only_in: Vec<String>,
    instead: String,
}

impl Rules {
    /// Reads the tables under the headings `Layers` and `One door`.
    pub(crate) fn parse(markdown: &str) -> Result<Rules, String> {
        let layers = table(
            markdown,
            "## Layers",
            &["layer", "modules", "may use", "never"],
        )?
        .into_iter()
        .map(|row| {
            let name = row[0].trim().to_owned();
            let [modules, may_use, never] = [&row[1], &row[2], &row[3]].map(|cell| names(cell));
            Ok(Layer {
                name,
                modules: modules?,
                may_use: may_use?,
                never: never?,
            })
        })
        .collect::<Result<Vec<_>, String>>()?;
        let doors = table(markdown, "## One door", &["path", "only in", "instead"])?
            .into_iter()
            .map(|row| {
                let instead = row[2].trim().to_owned();
                Ok(Door {
                    paths: names(&row[0])?,
                    only_in: names(&row[1])?,
                    instead,
                })
            })
            .collect::<Result<Vec<_>, String>>()?;
        let rules = Rules { layers, doors };
        rules.check_names()?;
        Ok(rules)
    }

    fn check_names(&self) -> Result<(), String> {
        let mut seen = BTreeMap::new();
        for layer in &self.layers {
            for module in &layer.modules {
                if let Some(other) = seen.insert(module, &layer.name) {
                    return Err(format!(
                        "module `{module}` is in two layers: {other}, {}",
                        layer.name
                    ));
                }
            }
            for name in &layer.may_use {
                if !self.layers.iter().any(|other| &other.name == name) {
                    return Err(format!(
                        "layer {} may use `{name}`, which is no layer",
                        layer.name
                    ));
                }
            }
        }
        for module in self.doors.iter().flat_map(|door| &door.only_in) {
            if !seen.contains_key(module) {
                return Err(format!("`{module}` may open a door, but is in no layer"));
            }
        }
        Ok(())
    }

    /// Every module of the layer table.
    pub(crate) fn modules(&self) -> impl Iterator<Item = &str> {
        self.layers
            .iter()
            .flat_map(|layer| &layer.modules)
            .map(String::as_str)
    }

    /// What is wrong with a path that a top module uses, if anything.
    pub(crate) fn fault(&self, module: &str, path: &UsedPath) -> Option<String> {
        let segments: Vec<&str> = path.segments.iter().map(String::as_str).collect();
        if matches!(segments[0], "crate" | "gliznet") {
            return self.fault_inside(module, segments.get(1).copied()?);
        }
        let layer = self.layer_of(module)?;
        if path.in_test {
            return None; // A test may read its fixtures.
        }
        if let Some(banned) = layer.never.iter().find(|banned| is_path(banned, &segments)) {
            return Some(format!("{} never uses `{banned}`", layer.name));
        }
        for door in &self.doors {
            let hit = door.paths.iter().find(|banned| is_path(banned, &segments));
            if let Some(banned) = hit.filter(|_| !door.only_in.iter().any(|name| name == module)) {
                return Some(format!(
                    "`{banned}` is not for `{module}`: {}",
                    door.instead
                ));
            }
        }
        None
    }

    fn fault_inside(&self, module: &str, used: &str) -> Option<String> {
        if used == module {
            return None;
        }
        if used == "*" {
            return Some("`crate::*` hides what is used; name it".to_owned());
        }
        // What is no module is a re-export of `lib.rs`, which is for users of the library.
        let Some(used_layer) = self.layer_of(used) else {
            return Some(format!(
                "`crate::{used}` is in no layer; name the module it is from"
            ));
        };
        let layer = self.layer_of(module)?;
        (!layer.may_use.contains(&used_layer.name))
            .then(|| format!("{} may not use {} (`{used}`)", layer.name, used_layer.name))
    }

    fn layer_of(&self, module: &str) -> Option<&Layer> {
        self.layers
            .iter()
            .find(|layer| layer.modules.iter().any(|name| name == module))
    }
}

/// Is `banned` the path, or its beginning; a last part of two names (`fs::write`) counts as well,
/// because the first may be imported.
fn is_path(banned: &str, segments: &[&str]) -> bool {
    let banned: Vec<&str> = banned.split("::").collect();
    let imported = banned.len() > 2 && segments == &banned[banned.len() - 2..];
    imported || segments.starts_with(&banned)
}

/// The rows of the first table under `heading`, whose columns must be `columns`.
fn table(markdown: &str, heading: &str, columns: &[&str]) -> Result<Vec<Vec<String>>, String> {
    let mut rows = markdown
        .lines()
        .skip_while(|line| line.trim() != heading)
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            line.trim()
                .trim_matches('|')
                .split('|')
                .map(|cell| cell.trim().to_owned())
                .collect()
        })
        .collect::<Vec<Vec<String>>>()
        .into_iter();
    match rows.next() {
        Some(head) if head == columns => {}
        head => {
            return Err(format!(
                "`{heading}`: expected the columns {columns:?}, found {head:?}"
            ));
        }
    }
    let rows: Vec<Vec<String>> = rows.skip(1).collect(); // The line of dashes.
    if rows.is_empty() {
        return Err(format!("`{heading}`: the table is empty"));
    }
    match rows.iter().find(|row| row.len() != columns.len()) {
        Some(row) => Err(format!(
            "`{heading}`: a row has {} cells: {row:?}",
            row.len()
        )),
        None => Ok(rows),
    }
}

/// The names in backticks of one cell; `–` is none.
fn names(cell: &str) -> Result<Vec<String>, String> {
    let names: Vec<String> = cell
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    if names.is_empty() && cell != "–" {
        return Err(format!(
            "cell `{cell}`: write names in backticks, or – for none"
        ));
    }
    Ok(names)
}
