//! What commands that run a model have in common: which model, on which device, with which labels.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use clap::ValueEnum;

use super::typed::tag_names;
use super::{UsageError, complain, labelset};
use crate::config::{Choice, Device as DeviceChoice, Folders, Settings};
use crate::document::DecodeError;
use crate::label::LabelSet;
use crate::learn::versions::{LoadError, Versions};
use crate::model::device;
use crate::model::store::{Entry, Origin, Store};
use crate::model::{LoadOptions, Model, Precision};
use crate::telemetry::harmless;
use crate::watch;

/// Options of every command that runs a model.
#[derive(Debug, clap::Args)]
pub(crate) struct ModelArgs {
    /// The model: a name from `gliznet model list`, or a checkpoint folder
    #[arg(long, value_name = "NAME|DIR", help_heading = "Model")]
    pub(crate) model: Option<String>,

    /// The version of the model that `gliznet model history` lists, 0 for the shipped one; what
    /// serves if not given
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        help_heading = "Model"
    )]
    pub(crate) model_version: Option<u32>,

    /// Where the model runs
    #[arg(long, value_enum, value_name = "DEVICE", help_heading = "Model")]
    pub(crate) device: Option<DeviceArg>,

    /// What the model computes in: f32; bf16, which GPUs are faster at; int8, which many processors
    /// are; or int8 where a short measurement finds it faster
    #[arg(long, value_enum, value_name = "PRECISION", help_heading = "Model")]
    pub(crate) precision: Option<PrecisionArg>,

    /// Threads that the model may use; all cores if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), allow_negative_numbers = true, help_heading = "Model")]
    pub(crate) threads: Option<u16>,

    /// Cut and score texts exactly as the reference implementation does: one window, no calibration
    #[arg(long, help_heading = "Model")]
    pub(crate) compat: bool,
}

/// Where the model runs.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum DeviceArg {
    /// A GPU where this build can use one, else the CPU
    Auto,
    /// The processor
    Cpu,
    /// An NVIDIA GPU
    Cuda,
    /// An Apple GPU
    Metal,
}

impl DeviceArg {
    /// The setting of the same name.
    pub(crate) fn choice(self) -> DeviceChoice {
        match self {
            DeviceArg::Auto => DeviceChoice::Auto,
            DeviceArg::Cpu => DeviceChoice::Cpu,
            DeviceArg::Cuda => DeviceChoice::Cuda,
            DeviceArg::Metal => DeviceChoice::Metal,
        }
    }
}

/// What the model computes in.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum PrecisionArg {
    /// float32
    F32,
    /// bfloat16: faster on a GPU, cosines move by less than 0.02; f32 on a processor
    Bf16,
    /// Bytes: faster on many processors, scores move a little; f32 on a GPU
    Int8,
    /// int8 where a short measurement finds it faster, else f32
    Auto,
}

impl PrecisionArg {
    /// The model's name for it.
    pub(crate) fn precision(self) -> Precision {
        match self {
            PrecisionArg::F32 => Precision::F32,
            PrecisionArg::Bf16 => Precision::Bf16,
            PrecisionArg::Int8 => Precision::Int8,
            PrecisionArg::Auto => Precision::Auto,
        }
    }
}

/// Folders and settings of this user, somewhere.
pub(crate) struct Surroundings {
    pub(crate) folders: Folders,
    pub(crate) settings: Settings,
}

impl Surroundings {
    pub(crate) fn here() -> anyhow::Result<Surroundings> {
        let here = std::env::current_dir()
            .context("the current folder cannot be told; go to one that exists")?;
        Surroundings::of(&here)
    }

    /// The settings that hold in this folder; where no `gliznet.toml` in or above it names a label
    /// set, the one of the watched folder that it is in.
    pub(crate) fn of(folder: &Path) -> anyhow::Result<Surroundings> {
        Surroundings::with(Folders::of_this_user()?, folder)
    }

    /// The same for the user whose folders these are.
    pub(crate) fn with(folders: Folders, folder: &Path) -> anyhow::Result<Surroundings> {
        let mut settings = Settings::load(&folders, folder)?;
        if settings.labelset_of_workspace(&folders).is_none()
            && let Some((value, file)) = watch::labelset_of(&folders, folder)
        {
            settings.labelset = Some(Choice { value, file });
        }
        Ok(Surroundings { folders, settings })
    }
}

impl ModelArgs {
    /// The model that the command line names, else the settings, else the bundled one.
    pub(crate) fn entry(&self, surroundings: &Surroundings) -> anyhow::Result<Entry> {
        let store = Store::new(&surroundings.folders, crate::model::bundled_files());
        Ok(match &self.model {
            Some(name) => store
                .find(name)
                .map_err(|error| UsageError(error.to_string()))?,
            None => store.current(&surroundings.settings)?,
        })
    }

    /// Loads that model.
    pub(crate) fn load(&self, surroundings: &Surroundings) -> anyhow::Result<Arc<Model>> {
        let settings = &surroundings.settings;
        let threads = self
            .threads
            .map(usize::from)
            .or(settings.threads.map(usize::from));
        if let Some(threads) = threads {
            crate::config::limit_threads(threads);
        }
        let choice = self.device.map_or(settings.device, DeviceArg::choice);
        let chosen = device::choose(choice).map_err(|error| match self.device {
            Some(_) => UsageError(error.to_string()).into(),
            None => anyhow::Error::msg(error.of_settings()),
        })?;
        tracing::info!("the model runs on the {}: {}", chosen.name, chosen.why);
        let entry = self.entry(surroundings)?;
        let precision = self.precision.map(PrecisionArg::precision);
        let precision = precision.unwrap_or_else(|| settings.precision.into());
        let options = LoadOptions {
            precision: precision.on(&chosen.device),
            device: chosen.device,
            compat: self.compat,
            ..LoadOptions::default()
        };
        if self.compat {
            // What the reference says is said of the shipped weights.
            return Ok(Arc::new(Model::with_version(
                &entry.source,
                None,
                &options,
            )?));
        }
        let versions = Versions::new(&surroundings.folders);
        let loaded = match self.model_version {
            Some(number) => {
                let loaded = versions.load_number(&entry.source, number, &options);
                loaded.map_err(|error| match error {
                    LoadError::Number(error) => UsageError(error.to_string()).into(),
                    other => anyhow::Error::from(other),
                })?
            }
            None => versions.load(&entry.source, &options)?,
        };
        for note in &loaded.notes {
            complain(note);
        }
        Ok(Arc::new(loaded.model))
    }
}

/// Options that name the labels.
#[derive(Debug, clap::Args)]
pub(crate) struct LabelArgs {
    /// The labels, separated by commas
    #[arg(
        long,
        value_name = "A,B,C",
        conflicts_with = "labelset",
        help_heading = "Labels"
    )]
    pub(crate) labels: Option<String>,

    /// A label set: a name from `gliznet labelset list`, or a TOML file
    #[arg(long, value_name = "NAME|FILE", help_heading = "Labels")]
    pub(crate) labelset: Option<String>,
}

impl LabelArgs {
    /// The labels of the command line, else of the settings; `None` where nobody names any.
    pub(crate) fn resolve(&self, surroundings: &Surroundings) -> anyhow::Result<Option<LabelSet>> {
        if let Some(names) = &self.labels {
            return named(names).map(Some);
        }
        let user_dir = surroundings.folders.config.join("labelsets");
        let load = |name: &str| labelset::load(name, Some(&user_dir));
        if let Some(name) = &self.labelset {
            return load(name).map(Some);
        }
        match &surroundings.settings.labelset {
            Some(choice) => load(&choice.value)
                .with_context(|| format!("{} chooses this label set", choice.file.display()))
                .map(Some),
            None => Ok(None),
        }
    }

    /// As `resolve`; it is a mistake to name none.
    pub(crate) fn require(&self, surroundings: &Surroundings) -> anyhow::Result<LabelSet> {
        self.resolve(surroundings)?.ok_or_else(|| {
            UsageError(
                "no labels to choose from; give --labels a,b,c or --labelset NAME \
                 (`gliznet labelset list` shows the bundled sets)"
                    .into(),
            )
            .into()
        })
    }
}

/// What whoever uses a set of another language should know of the bundled model; nothing of other
/// sets and models.
pub(crate) fn language_fact(set: &LabelSet, entry: &Entry) -> Option<String> {
    let language = set.language.as_ref().filter(|_| !set.may_be_english())?;
    (entry.origin == Origin::Bundled).then(|| {
        format!(
            "the labels are in `{language}`, and the bundled model reads mostly English: expect few \
             tags and low scores, or use another model (`gliznet model pull`)"
        )
    })
}

/// The set of `--labels a,b,c`: repeated and empty names are left out with a warning.
fn named(names: &str) -> anyhow::Result<LabelSet> {
    let (set, faults) = LabelSet::from_names_lenient(tag_names(names));
    let serious: Vec<String> = faults
        .iter()
        .filter(|fault| !fault.is_harmless() && fault.position().is_some())
        .map(|fault| format!("--labels: {fault}"))
        .collect();
    if !serious.is_empty() {
        return Err(UsageError(serious.join("\n")).into());
    }
    let set = set.ok_or_else(|| {
        UsageError("--labels: no labels; give at least one, as in --labels travel,cooking".into())
    })?;
    for fault in &faults {
        tracing::warn!("--labels: {fault} (left out)");
    }
    Ok(set)
}

/// Reads bytes of a file or standard input up to `limit`; says whether there is more.
pub(crate) fn read_up_to(reader: impl io::Read, limit: u64) -> io::Result<(Vec<u8>, bool)> {
    let mut bytes = Vec::new();
    reader.take(limit + 1).read_to_end(&mut bytes)?;
    let more = bytes.len() as u64 > limit;
    bytes.truncate(limit as usize);
    Ok((bytes, more))
}

/// Says that a file that was met in a folder is left out, for it is no text.
pub(crate) fn left_out(place: &str, error: &DecodeError) {
    super::remark(format!("left out: {place}: {}", binary(error)));
}

/// What there is instead of a text.
pub(crate) fn binary(error: &DecodeError) -> String {
    let DecodeError::Binary { what } = error;
    format!("not text but {what}")
}

/// What the system says of a file, with the cure where there is a usual one.
pub(crate) fn io_fact(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or folder; check the path".into(),
        io::ErrorKind::PermissionDenied => "may not be read; change its permissions".into(),
        io::ErrorKind::IsADirectory => "a folder, not a file; name a file in it".into(),
        _ => error.to_string(),
    }
}

/// A path as messages show it.
pub(crate) fn shown(path: &Path) -> String {
    // A file name may hold line breaks, too.
    harmless(&path.display().to_string()).replace(['\n', '\t'], "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_the_command_line_are_named_without_their_sign() {
        assert_eq!(named("#a, #b").unwrap().labels()[1].name, "b");
    }

    #[test]
    fn the_bundled_model_is_told_to_read_mostly_english_where_the_labels_are_not() {
        let set = |language: &str| {
            let source = format!("language = '{language}'\n[[label]]\nname = 'a'\n");
            LabelSet::parse(&source).unwrap()
        };
        let entry = |origin| Entry {
            name: "m".to_owned(),
            origin,
            source: crate::model::store::ModelSource::Bundled,
        };
        let said = |language, origin| language_fact(&set(language), &entry(origin)).is_some();
        assert!(said("de", Origin::Bundled));
        assert!(!said("en-GB", Origin::Bundled) && !said("de", Origin::Pulled));
    }

    #[test]
    fn a_name_of_a_file_moves_no_cursor_and_turns_no_direction() {
        let path = Path::new("a\u{202e}b\n\u{1b}[31m/שלום.md");
        assert_eq!(shown(path), "a\u{fffd}b\u{fffd}\u{fffd}[31m/שלום.md");
    }
}
