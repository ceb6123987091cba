//! What an editor starts: bytes of standard input to the daemon, and the daemon's back.
//!
//! When the daemon ends, the next one is told what the editor had said, so that the editor never
//! needs a restart. It is looked for at once where the editor waits for an answer, and else with
//! the editor's next message, so that `gliznet stop` is not undone by an idle editor.
//! It ends with its editor, also where that dies and something else keeps our input open.
//! Where no daemon is to be had, the editor is told why before the shim ends.
//! Invariant: nothing is dropped or doubled on the way to the editor.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, MissedTickBehavior, timeout};

use super::client::find_or_start;
use super::replay::Memory;
use super::socket::Stream;
use super::{DaemonError, Place};
use crate::config::is_running;
use crate::lsp::codec::{Decoder, frame};
use crate::lsp::read_message;

/// Connections are counted over this time.
const WHILE: Duration = Duration::from_secs(60);
/// So many of them in that time mean that a daemon ends by our doing.
const MOST_CONNECTIONS: usize = 12;
/// So many of them are made at once; the others wait a little longer each.
const AT_ONCE: usize = 3;
/// How long a daemon may take to say its last words.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How often we look whether the editor's process is still there.
const LOOK: Duration = Duration::from_secs(5);

/// How the conversation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The editor said `shutdown` and `exit`, as it should.
    InOrder,
    /// The editor said `exit`, or nothing any more.
    Abruptly,
}

/// Joins `editor` (its output, its input) with the daemon until the editor ends.
///
/// # Errors
/// There is no daemon to be had, or the editor speaks no language server protocol.
pub async fn pump(
    from_editor: impl AsyncRead + Unpin,
    to_editor: impl AsyncWrite + Unpin,
    place: impl Fn() -> Result<Place, DaemonError>,
) -> Result<Ended, DaemonError> {
    let mut pump = Pump {
        to_editor,
        place,
        memory: Memory::default(),
        daemon: None,
        editor: None,
        connected: VecDeque::new(),
    };
    let ended = pump.run(from_editor).await;
    match &ended {
        Ok(_) | Err(DaemonError::Editor(_)) => {}
        Err(error) => {
            let last_words = pump.memory.give_up(&error.to_string());
            pump.tell(&last_words).await;
        }
    }
    ended
}

struct Pump<W, P> {
    to_editor: W,
    place: P,
    memory: Memory,
    daemon: Option<Box<dyn Stream>>,
    /// Its process, where we can see it.
    editor: Option<u32>,
    /// When, in the last while.
    connected: VecDeque<Instant>,
}

impl<W: AsyncWrite + Unpin, P: Fn() -> Result<Place, DaemonError>> Pump<W, P> {
    async fn run(&mut self, mut from_editor: impl AsyncRead + Unpin) -> Result<Ended, DaemonError> {
        let mut from_editor_frames = Decoder::default();
        let mut from_daemon_frames = Decoder::default();
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut said, mut answered) = (vec![0; 64 << 10], vec![0; 64 << 10]);
        loop {
            let daemon = self.daemon.as_mut();
            let has_daemon = daemon.is_some();
            let answer = async {
                match daemon {
                    Some(daemon) => daemon.read(&mut answered).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                read = from_editor.read(&mut said) => {
                    let Ok(n @ 1..) = read else { return Ok(Ended::Abruptly) };
                    from_editor_frames.feed(&said[..n]);
                    let odd = |error: crate::lsp::codec::FrameError| DaemonError::Editor(error.to_string());
                    while let Some(body) = from_editor_frames.next_body().map_err(odd)? {
                        let message = read_message(&body).unwrap_or_default();
                        if message["method"] == "exit" {
                            return Ok(self.leave(&body, from_daemon_frames).await);
                        }
                        if self.say(&body, message).await? {
                            from_daemon_frames = Decoder::default();
                        }
                    }
                }
                _ = look.tick(), if self.editor.is_some() => {
                    if self.editor.is_some_and(|editor| !is_running(editor)) {
                        return Ok(Ended::Abruptly);
                    }
                }
                read = answer, if has_daemon => {
                    let n = read.unwrap_or(0);
                    from_daemon_frames.feed(&answered[..n]);
                    let is_whole = self.pass_on(&mut from_daemon_frames).await;
                    if n == 0 || !is_whole {
                        self.lose().await;
                        from_daemon_frames = Decoder::default();
                        if self.memory.is_owed() {
                            self.connect().await?;
                        }
                    }
                }
            }
        }
    }

    /// Finds a daemon and tells it what was said so far.
    async fn connect(&mut self) -> Result<(), DaemonError> {
        loop {
            while self
                .connected
                .front()
                .is_some_and(|at| at.elapsed() > WHILE)
            {
                self.connected.pop_front();
            }
            let recent = self.connected.len();
            if recent >= MOST_CONNECTIONS {
                return Err(DaemonError::Odd("it ends again and again".to_owned()));
            }
            let pause = 100 * recent.saturating_sub(AT_ONCE) as u64;
            tokio::time::sleep(Duration::from_millis(pause)).await;
            self.connected.push_back(Instant::now());
            // Asked anew each time: the program may have been replaced meanwhile.
            let place = (self.place)()?;
            let mut stream = find_or_start(&place).await?.stream;
            let mut bytes = Vec::new();
            for body in self.memory.messages() {
                bytes.extend(frame(&body));
            }
            if stream.write_all(&bytes).await.is_ok() {
                self.daemon = Some(stream);
                return Ok(());
            }
            self.lose().await;
        }
    }

    /// The daemon has gone.
    async fn lose(&mut self) {
        self.daemon = None;
        let left = self.memory.lose();
        self.tell(&left).await;
    }

    /// Hands a message to the daemon; says whether that is another one than before.
    async fn say(&mut self, body: &[u8], message: Value) -> Result<bool, DaemonError> {
        if is_answer(&message) {
            // None is started to hear an answer that it did not ask for.
            if let Some(answer) = self.memory.answer(message)
                && let Some(daemon) = &mut self.daemon
            {
                let _ = daemon.write_all(&frame(&answer)).await; // Its end shows where we read.
            }
            return Ok(false);
        }
        if self.daemon.is_none()
            && let Some(answer) = self.memory.farewell(&message)
        {
            self.tell(&[answer]).await;
            return Ok(false);
        }
        let delivered = self.deliver(body).await;
        let was_known = self.memory.editor().is_some();
        // Also where it was not delivered: then it is answered with the reason.
        self.memory.hear_editor(message);
        if !was_known {
            // A number from outside a container means nothing here, and is not looked at again.
            self.editor = self.memory.editor().filter(|editor| is_running(*editor));
        }
        delivered
    }

    async fn deliver(&mut self, body: &[u8]) -> Result<bool, DaemonError> {
        let mut is_other = false;
        loop {
            if self.daemon.is_none() {
                self.connect().await?;
                is_other = true;
            }
            if let Some(daemon) = &mut self.daemon
                && daemon.write_all(&frame(body)).await.is_ok()
            {
                return Ok(is_other);
            }
            self.lose().await;
        }
    }

    /// Hands messages to the editor. One that has gone shows at its other end.
    async fn tell(&mut self, bodies: &[Vec<u8>]) {
        for body in bodies {
            let _ = self.to_editor.write_all(&frame(body)).await;
        }
        let _ = self.to_editor.flush().await;
    }

    /// Hands whole messages of the daemon to the editor; false where they cannot be read.
    async fn pass_on(&mut self, frames: &mut Decoder) -> bool {
        loop {
            match frames.next_body() {
                Ok(None) => break,
                Ok(Some(body)) => {
                    if let Some(heard) = self.memory.hear_daemon(&body) {
                        let _ = self.to_editor.write_all(&frame(&heard)).await; // As in `tell`.
                    }
                }
                Err(_) => return false,
            }
        }
        let _ = self.to_editor.flush().await;
        true
    }

    /// The editor said `exit`: whatever the daemon still has to say is passed on.
    async fn leave(&mut self, exit: &[u8], mut frames: Decoder) -> Ended {
        if let Some(mut daemon) = self.daemon.take() {
            let last = async {
                let _ = daemon.write_all(&frame(exit)).await;
                let mut chunk = vec![0; 4096];
                while let Ok(n @ 1..) = daemon.read(&mut chunk).await {
                    frames.feed(&chunk[..n]);
                    self.pass_on(&mut frames).await;
                }
            };
            let _ = timeout(LAST_WORDS, last).await;
        }
        if self.memory.is_shut_down {
            Ended::InOrder
        } else {
            Ended::Abruptly
        }
    }
}

fn is_answer(message: &Value) -> bool {
    let has = |key| message.get(key).is_some();
    !has("method") && (has("result") || has("error"))
}
