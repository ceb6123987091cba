//! `gliznet daemon`: the process that keeps the model warm, in the foreground.

use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;

use super::Outcome;
use crate::config::{Folders, Learn, Settings, huge_pages};
use crate::daemon::{DaemonError, Models, Place, run as serve};
use crate::desk::Desk;
use crate::engine::EngineOptions;
use crate::engine::cache::Cache;
use crate::engine::scheduler::Limits;
use crate::engine::worker::{Worker, WorkerOptions};
use crate::telemetry::{self, LogFormat};

/// Questions that may wait for the model.
const LIMITS: Limits = Limits {
    interactive: 256,
    bulk: 1024,
};

/// Keeps the model warm for all editors; `gliznet lsp` starts it when it is needed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Form of the log on standard error
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    log_format: Format,

    /// End after so many seconds without clients; overrides `idle_minutes` of the settings, 0 is never
    #[arg(long, value_name = "SECONDS")]
    idle: Option<u64>,

    /// It was started by a client: that there is one already is no mistake
    #[arg(long, hide = true)]
    on_demand: bool,
}

/// Form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

impl Args {
    /// Starts this process's log. A daemon says what it does unless it is told to be quiet.
    pub(crate) fn start_log(&self, verbosity: i8) {
        let format = match self.log_format {
            Format::Text => LogFormat::Text,
            Format::Json => LogFormat::Json,
        };
        let usual = if verbosity < 0 {
            verbosity
        } else {
            verbosity + 1
        };
        telemetry::init_daemon(usual, format);
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    huge_pages(false); // It is there all day, and mostly idle.
    let folders = Folders::of_this_user()?;
    // The daemon serves all folders, so it follows none of them; what a document's folder says
    // about labels is read for each document.
    let (settings, fault) = match Settings::load(&folders, &folders.config) {
        Ok(settings) => (settings, None),
        Err(error) if args.on_demand => {
            // Nobody reads what we say but who serves editors: those hear of the fault with every
            // document, and nothing is done by rules that the user may have overruled.
            tracing::error!("{error}");
            let settings = Settings {
                learn: Learn::Manual,
                ..Settings::default()
            };
            (settings, Some(error.to_string()))
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(threads) = settings.threads {
        crate::config::limit_threads(threads.into());
    }
    let idle = args
        .idle
        .unwrap_or(settings.idle_minutes.saturating_mul(60));
    let idle = (idle > 0).then(|| Duration::from_secs(idle));
    let place = Place::of_this_build()?;
    let build = place.build.clone();
    let data = folders.data.clone();
    // The next daemon begins with what the user has mended.
    let (is_faulty, of_user) = (fault.is_some(), folders.clone());
    let is_over = move || is_faulty && Settings::load(&of_user, &of_user.config).is_ok();
    let desk = move || desk(folders, settings, fault, build);
    match serve(&place, idle, &data, is_over, desk) {
        Err(DaemonError::Runs) if args.on_demand => Ok(Outcome::Done),
        ended => Ok(ended.map(|()| Outcome::Done)?),
    }
}

fn desk(
    folders: Folders,
    settings: Settings,
    fault: Option<String>,
    build: String,
) -> Result<(Desk, Arc<Models>), DaemonError> {
    let limit = settings.cache_megabytes.saturating_mul(1 << 20);
    let cache = if limit == 0 {
        None
    } else {
        let opened = Cache::open(&folders.cache, limit);
        opened.inspect_err(|error| tracing::warn!("{error}")).ok()
    };
    let options = WorkerOptions {
        engine: EngineOptions {
            embedding: true, // The memory looks texts up by it.
            ..EngineOptions::default()
        },
        limits: LIMITS,
        cache,
    };
    let models = Arc::new(Models::new(&folders, &settings));
    let of_worker = Arc::clone(&models);
    let worker = Worker::start(options, move || match fault {
        Some(fault) => Err(fault),
        None => of_worker.first(),
    });
    let worker = worker.map_err(|error| DaemonError::Start(error.to_string()))?;
    Ok((Desk::new(worker, folders, build), models))
}
