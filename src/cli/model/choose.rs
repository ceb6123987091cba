//! `gliznet model use`: writes the choice into the user's settings.

use std::io::Write as _;

use super::{Here, same_model};
use crate::cli::{Outcome, complain, remark, status};
use crate::config;
use crate::daemon::Place;
use crate::model::store::{ModelSource, Origin};
use crate::model::{LoadOptions, Model};

/// Chooses the model that tags from now on, in the user's gliznet.toml.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A name from `gliznet model list`, or the folder of a model.
    #[arg(value_name = "NAME|DIR")]
    name: String,
}

pub(super) fn run(args: &Args, here: &Here) -> anyhow::Result<Outcome> {
    let entry = here.store.find(&args.name)?;
    here.store.summary(&entry.source)?; // A folder that holds no model of ours is no choice.
    if let ModelSource::Folder(folder) = &entry.source {
        // Nor is one that does not load: nothing could be tagged any more.
        Model::load(folder, &LoadOptions::default())?;
    }
    let value = match (&entry.origin, &entry.source) {
        // A path must mean the same from every folder.
        (Origin::Folder, ModelSource::Folder(path)) => std::path::absolute(path.canonicalize()?)?
            .display()
            .to_string(),
        _ => entry.name.clone(),
    };
    let file = config::set_model(&here.folders, &value)?;
    let mut out = anstream::stdout().lock();
    writeln!(out, "{value} tags from now on ({})", file.display())?;
    let running = Place::of_this_build().and_then(|place| status::ask(&place));
    if let Ok(Some(running)) = running {
        remark(format_args!(
            "the daemon (process {}) read at its start which model tags, and so editors and watched \
             folders keep that; `gliznet stop`, and the next start takes this one",
            running.pid
        ));
    }
    let settings = here.settings()?;
    if let Some(choice) = &settings.model
        && !here
            .store
            .find(&choice.value)
            .is_ok_and(|e| same_model(&e, &entry))
    {
        let other = choice.file.display();
        complain(format_args!(
            "but here {other} chooses `{}`; remove its `model` line to follow your own choice",
            choice.value
        ));
    }
    Ok(Outcome::Done)
}
