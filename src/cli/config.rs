//! `gliznet config`: the options, for people and for editors, from the one table there is.

use std::io::Write;

use serde_json::{Map, Value, json};

use super::Outcome;
use crate::config::{FILE_NAME, Folders, OPTIONS, OptionText};

/// Shows what can be set, and where.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Print the manual of all options
    Docs,
    /// Print the settings of the section `gliznet` for an editor's manifest, as JSON
    Vscode,
    /// Print where the user's settings file is
    Path,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let mut out = std::io::stdout().lock();
    match args.what {
        What::Docs => write!(out, "{}", manual())?,
        What::Vscode => writeln!(out, "{}", serde_json::to_string_pretty(&properties())?)?,
        What::Path => {
            let folders = Folders::of_this_user()?;
            writeln!(out, "{}", folders.config.join(FILE_NAME).display())?;
        }
    }
    Ok(Outcome::Done)
}

fn manual() -> String {
    let mut text = String::from(
        "# Configuration\n\n\
         This page is what `gliznet config docs` prints.\n\n\
         Options stand in `gliznet.toml`: the user's (`gliznet config path` says where it is), and one in any folder for what is below it; the nearest one wins, key by key.\n\
         `gliznet tag` takes that of the folder in which all that it tags lies; editors and watched folders that of each document.\n\
         One daemon serves them all, so `model`, `device`, `precision` and `threads` of a folder count for commands that load a model themselves, such as `gliznet tag`; the daemon takes those of the user's own file, as they are when it starts.\n\
         Editors may set those with a name in the second column, in their section `gliznet`; what they set wins.\n\
         A path in a `gliznet.toml` is meant from its own folder, or whole, or from `~`; a word without `/` that does not end in `.toml` is a name.\n\
         A key that does not exist, or has a wrong value, is named with its line.\n\n\
         | option | in editors | kind | without it |\n| --- | --- | --- | --- |\n",
    );
    for option in OPTIONS {
        let editor = option
            .editor
            .map_or_else(String::new, |name| format!("`{name}`"));
        let default = match option.default {
            "null" => String::new(),
            said => format!("`{said}`"),
        };
        text += &format!(
            "| `{}` | {editor} | {} | {default} |\n",
            option.key, option.kind
        );
    }
    for option in OPTIONS {
        text += &format!(
            "\n## `{}`\n\n{}\n\n```toml\n{}\n```\n",
            option.key, option.text, option.example
        );
    }
    text
}

/// JSON Schema of each setting that an editor may set. Editors also take `labels`, a list of names.
fn properties() -> Value {
    let mut properties = Map::new();
    for option in OPTIONS {
        if let Some(name) = option.editor {
            properties.insert(format!("gliznet.{name}"), property(&option));
        }
    }
    let labels = json!({
        "type": "array",
        "items": { "type": "string" },
        "default": [],
        "markdownDescription": "The labels themselves, instead of a label set.",
    });
    properties.insert("gliznet.labels".to_owned(), labels);
    Value::Object(properties)
}

fn property(option: &OptionText) -> Value {
    let default: Value = serde_json::from_str(option.default).unwrap_or(Value::Null);
    // An empty string is what editors show for nothing; numbers may be null.
    let (kind, default) = match (option.kind, default) {
        ("string", Value::Null) => (json!("string"), json!("")),
        (kind, Value::Null) => (json!([kind, "null"]), Value::Null),
        (kind, default) => (json!(kind), default),
    };
    json!({ "type": kind, "default": default, "markdownDescription": option.text })
}
