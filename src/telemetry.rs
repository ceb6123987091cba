//! Logging to standard error; standard output belongs to results.
//!
//! Input: how talkative the user wants it, `GLIZNET_LOG`. Output: one compact line an event,
//! `gliznet: warning: text (field=value)`, without time. Quiet by default: warnings and errors.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::config;

/// Starts the log of this process. `verbosity` is -1 for errors only, 0 for warnings too, 1 for
/// what is being done, 2 and more for details; `GLIZNET_LOG` overrides it. A second call does
/// nothing, so that tests and embedders may keep their own log.
pub fn init(verbosity: i8) {
    let wanted = config::log_filter();
    let (filter, unread) = filter(verbosity, wanted.as_deref());
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .event_format(Lines)
        .try_init();
    if let (Ok(()), Some(reason)) = (started, unread) {
        tracing::warn!(
            "GLIZNET_LOG is not a filter and is ignored: {reason}; write for example GLIZNET_LOG=gliznet=debug"
        );
    }
}

/// The form of a daemon's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One line an event, with its time.
    Text,
    /// One JSON object an event.
    Json,
}

/// Starts the log of a process that runs for long: each event has its time. Else as [`init`].
pub fn init_daemon(verbosity: i8, format: LogFormat) {
    let wanted = config::log_filter();
    let (filter, unread) = filter(verbosity, wanted.as_deref());
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false);
    let started = match format {
        LogFormat::Text => log.with_target(false).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    if let (Ok(()), Some(reason)) = (started, unread) {
        tracing::warn!(reason, "GLIZNET_LOG is not a filter and is ignored");
    }
}

/// The filter, and why `wanted` could not be it.
fn filter(verbosity: i8, wanted: Option<&str>) -> (EnvFilter, Option<String>) {
    let level = match verbosity {
        ..0 => "error",
        0 => "warn",
        1 => "info",
        2 => "debug",
        3.. => "trace",
    };
    // Libraries speak of their own insides: only their errors, unless asked by name. That a client
    // has left in the middle of a word is one to the protocol's library, and nothing to anybody.
    let usual = || {
        EnvFilter::new(format!(
            "error,tower_lsp_server::service::client=off,gliznet={level}"
        ))
    };
    match wanted.map(EnvFilter::try_new) {
        None => (usual(), None),
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (usual(), Some(error.to_string())),
    }
}

/// A text that a terminal only shows. What is told of files, settings and models holds words of
/// theirs, and those who wrote them may be strangers.
pub fn harmless(text: &str) -> String {
    let turns = |c| matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let acts = |c: char| c.is_control() && !matches!(c, '\n' | '\t') || turns(c);
    let shown = |c| if acts(c) { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}

/// `gliznet: warning: text (field=value, …)`.
struct Lines;

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _ctx: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut parts = Parts::default();
        event.record(&mut parts);
        let level = match *event.metadata().level() {
            Level::ERROR => "error",
            Level::WARN => "warning",
            Level::INFO => "info",
            Level::DEBUG => "debug",
            Level::TRACE => "trace",
        };
        let said = harmless(&parts.to_string());
        writeln!(writer, "gliznet: {level}: {said}")
    }
}

#[derive(Default)]
struct Parts {
    message: String,
    fields: String,
}

impl Visit for Parts {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing into a `String` cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name if name.starts_with("log.") => Ok(()), // The `log` crate's own bookkeeping.
            name => {
                let comma = if self.fields.is_empty() { "" } else { ", " };
                write!(self.fields, "{comma}{name}={value:?}")
            }
        };
    }
}

impl fmt::Display for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.message.is_empty(), self.fields.is_empty()) {
            (_, true) => f.write_str(&self.message),
            (true, false) => f.write_str(&self.fields),
            (false, false) => write!(f, "{} ({})", self.message, self.fields),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(verbosity: i8, wanted: Option<&str>, say: impl FnOnce()) -> String {
        let shared = Shared::default();
        let writer = shared.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(filter(verbosity, wanted).0)
            .with_writer(move || writer.clone())
            .event_format(Lines)
            .finish();
        tracing::subscriber::with_default(subscriber, say);
        let bytes = shared.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_line_is_what_a_person_reads() {
        let line = logged(0, None, || tracing::warn!(path = "a.md", n = 3, "left out"));
        assert_eq!(line, "gliznet: warning: left out (path=a.md, n=3)\n");
    }

    #[test]
    fn no_line_holds_what_a_terminal_would_do() {
        let odd = "a\u{1b}]0;title\u{7}\u{9b}2J\r\u{202e}b\tc";
        let line = logged(0, None, || tracing::warn!(path = odd, "{odd}"));
        assert!(
            !line.contains(['\u{1b}', '\u{7}', '\u{9b}', '\r', '\u{202e}']),
            "{line:?}"
        );
        assert_eq!(harmless("one\n\ttwo é"), "one\n\ttwo é");
    }

    #[test]
    fn it_is_quiet_unless_asked() {
        let speak = || tracing::info!("reading");
        assert_eq!(logged(0, None, speak), "");
        assert_eq!(logged(1, None, speak), "gliznet: info: reading\n");
        assert_eq!(
            logged(0, Some("gliznet=info"), speak),
            "gliznet: info: reading\n"
        );
        assert_eq!(logged(-1, None, || tracing::warn!("hm")), "");
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_named_and_the_usual_one_holds() {
        let (_, reason) = filter(0, Some("gliznet=loud"));
        assert!(reason.is_some());
    }
}
