//! The way to the daemon: found if it runs, started if it should.
//!
//! Invariant: of many that start one at the same time, all end up with the same; an older build's
//! daemon is asked to end first, and nothing else but how it is; a newer build's is joined where it
//! speaks as this build does.

use std::fs::OpenOptions;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};

use super::socket::{Stream, connect};
use super::{DaemonError, Place};
use crate::desk::protocol::{COMMAND_LINE, VERSION};
use crate::lsp::codec::{Decoder, frame};

/// How long a started daemon may take until it listens. It does so before it loads its model.
const START: Duration = Duration::from_secs(15);
/// How long an answer may take that needs no model.
const ANSWER: Duration = Duration::from_secs(10);
/// How long an older daemon may take to end.
const FAREWELL: Duration = Duration::from_secs(3);

/// Connects to the daemon at `place`, or to that of a newer build in the same folder; `None` where
/// nobody answers who speaks as this build does.
pub async fn find(place: &Place) -> Option<Control> {
    if let Some(control) = meet(place).await {
        return Some(control);
    }
    for newer in place.newer().iter().rev() {
        if is_understood(newer).await
            && let Some(control) = meet(newer).await
        {
            return Some(control);
        }
    }
    None
}

/// Connects to the daemon of exactly this place; `None` where nobody answers.
pub async fn meet(place: &Place) -> Option<Control> {
    let stream = connect(place).await.ok()?;
    Some(Control::new(Box::new(stream)))
}

/// Whether a daemon of another build answers, in the records of this one.
async fn is_understood(place: &Place) -> bool {
    let Some(mut control) = meet(place).await else {
        return false;
    };
    let status = control.ask("gliznet/status").await;
    status.is_ok_and(|status| status["protocol"] == VERSION)
}

/// Connects to the daemon at `place`, and starts it before if there is none.
///
/// # Errors
/// It cannot be started.
pub async fn find_or_start(place: &Place) -> Result<Control, DaemonError> {
    if let Some(control) = find(place).await {
        return Ok(control);
    }
    place.prepare()?;
    end_older(place).await;
    let mut child = start(place)?;
    let deadline = Instant::now() + START;
    let mut pause = Duration::from_millis(5);
    loop {
        if let Some(control) = find(place).await {
            // Somebody has to take note of its end, or it stays in the system's list of processes.
            std::thread::spawn(move || child.wait());
            return Ok(control);
        }
        let ended = child.try_wait().ok().flatten();
        let failed = ended.is_some_and(|status| !status.success());
        if ended.is_some() && !failed {
            // It lost the race to start: the winner will answer in a moment. Or it met one that is
            // about to end, and then the next may win.
            child = start(place)?;
        }
        if place.is_taken() && Instant::now() > deadline {
            return Err(odd("nobody listens on its socket"));
        }
        if failed || Instant::now() > deadline {
            let log = std::fs::read_to_string(place.log()).unwrap_or_default();
            let last = log.lines().last().unwrap_or("it said nothing").to_owned();
            return Err(DaemonError::Mute(last));
        }
        // An editor of an older build may have been quicker, and begun another of its own.
        end_older(place).await;
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

async fn end_older(place: &Place) {
    for older in place.older() {
        end(&older).await;
    }
}

/// Asks a daemon of another build to end, and waits a little. What is dead is removed.
async fn end(older: &Place) {
    let Some(mut control) = meet(older).await else {
        let _ = std::fs::remove_file(older.socket()); // Somebody else may have done it.
        return;
    };
    tracing::info!(build = older.build, "an older daemon is asked to end");
    if let Err(error) = control.ask("gliznet/stop").await {
        tracing::warn!(%error, "an older daemon does not end");
        return;
    }
    drop(control);
    let deadline = Instant::now() + FAREWELL;
    // The lock goes last, after cache and journal, which the next daemon wants.
    while Instant::now() < deadline && older.is_taken() {
        sleep(Duration::from_millis(20)).await;
    }
}

/// Starts a daemon, which ends at once where one runs already.
pub(super) fn start(place: &Place) -> Result<Child, DaemonError> {
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(place.log())
        .map_err(|cause| place.io(cause))?;
    let program = super::program().map_err(|cause| place.io(cause))?;
    let mut command = Command::new(program);
    command
        .args(["daemon", "--on-demand"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    // It outlives the terminal and the editor that it was started from.
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        command.process_group(0).current_dir("/");
    }
    #[cfg(windows)]
    {
        use std::os::windows::process::CommandExt;
        const CREATE_NEW_PROCESS_GROUP: u32 = 0x200;
        const CREATE_NO_WINDOW: u32 = 0x0800_0000;
        command.creation_flags(CREATE_NEW_PROCESS_GROUP | CREATE_NO_WINDOW);
    }
    let started = command.spawn();
    started.map_err(|error| DaemonError::Start(error.to_string()))
}

/// A connection to a daemon.
pub struct Control {
    pub(super) stream: Box<dyn Stream>,
    decoder: Decoder,
    /// How many questions were asked.
    asked: u32,
}

impl Control {
    fn new(stream: Box<dyn Stream>) -> Control {
        Control {
            stream,
            decoder: Decoder::default(),
            asked: 0,
        }
    }

    /// Asks one question that needs no model, and leaves.
    ///
    /// # Errors
    /// The daemon does not answer, or with an error.
    pub async fn ask(&mut self, method: &str) -> Result<Value, DaemonError> {
        self.ask_with(method, json!({})).await
    }

    /// As `ask`, with parameters. A refusal of the daemon is `DaemonError::Refused`.
    ///
    /// # Errors
    /// The daemon does not answer, or with an error.
    pub async fn ask_with(&mut self, method: &str, params: Value) -> Result<Value, DaemonError> {
        let answer = self.request(method, params, ANSWER).await?;
        self.leave().await;
        Ok(answer)
    }

    /// Says goodbye.
    pub async fn leave(&mut self) {
        // A daemon that was asked to stop may be gone already.
        let _ = self
            .send(&json!({ "jsonrpc": "2.0", "method": "exit" }))
            .await;
    }

    /// Asks a question and stays; introduces itself before the first.
    ///
    /// # Errors
    /// The daemon does not answer within `patience`, or with an error.
    pub async fn request<R: DeserializeOwned>(
        &mut self,
        method: &str,
        params: Value,
        patience: Duration,
    ) -> Result<R, DaemonError> {
        let conversation = async {
            if self.asked == 0 {
                let introduction = json!({
                    "capabilities": {},
                    "processId": null,
                    "clientInfo": { "name": COMMAND_LINE },
                });
                self.call::<IgnoredAny>("initialize", introduction).await?;
                self.send(&json!({ "jsonrpc": "2.0", "method": "initialized", "params": {} }))
                    .await?;
            }
            self.call(method, params).await
        };
        match timeout(patience, conversation).await {
            Ok(answer) => answer,
            Err(_) => Err(odd(format!("nothing in {} seconds", patience.as_secs()))),
        }
    }

    async fn call<R: DeserializeOwned>(
        &mut self,
        method: &str,
        params: Value,
    ) -> Result<R, DaemonError> {
        self.asked += 1;
        let id = self.asked;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))
            .await?;
        self.answer(id).await
    }

    async fn send(&mut self, message: &Value) -> Result<(), DaemonError> {
        let bytes = frame(message.to_string().as_bytes());
        let sent = self.stream.write_all(&bytes).await;
        sent.map_err(gone)
    }

    async fn answer<R: DeserializeOwned>(&mut self, id: u32) -> Result<R, DaemonError> {
        loop {
            while let Some(body) = self.decoder.next_body().map_err(odd)? {
                let head: Head = serde_json::from_slice(&body).map_err(odd)?;
                if head.id != Some(json!(id)) {
                    continue; // A notification.
                }
                if let Some(Refusal { message }) = head.error {
                    return Err(DaemonError::Refused(message));
                }
                let answer: Answer<R> = serde_json::from_slice(&body).map_err(odd)?;
                return Ok(answer.result);
            }
            let mut chunk = [0; 16 << 10];
            match self.stream.read(&mut chunk).await {
                Ok(0) => return Err(gone("it closed the connection")),
                Ok(n) => self.decoder.feed(&chunk[..n]),
                Err(error) => return Err(gone(error)),
            }
        }
    }
}

/// What tells one message from another; an answer may be long, and is read when it is the one.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    id: Option<Value>,
    #[serde(default)]
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct Answer<R> {
    result: R,
}

fn gone(fact: impl ToString) -> DaemonError {
    DaemonError::Gone(fact.to_string())
}

fn odd(fact: impl ToString) -> DaemonError {
    DaemonError::Odd(fact.to_string())
}
