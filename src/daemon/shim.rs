//! What an editor starts: bytes of standard input to the daemon, and the daemon's back.
//!
//! When the daemon ends, the next one is told what the editor had said, so that the editor never
//! needs a restart. It is looked for at once where the editor waits for an answer, and else with
//! the editor's next message, so that `gliznet stop` is not undone by an idle editor. One that
//! somebody else has started is joined soon where documents are open, which it must not write.
//! It ends with its editor, also where that dies and something else keeps our input open.
//! Where no daemon is to be had, the editor is told why before the shim ends.
//! Invariant: nothing is dropped or doubled on the way to the editor; whoever writes to the daemon
//! hears it meanwhile, so that the two never wait for each other.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::time::{Instant, MissedTickBehavior, timeout};

use super::client::{find, find_or_start};
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
/// How often we look whether somebody has started a daemon, while documents are open and we have
/// none. A folder that it watches rests for longer before a note in it is written.
const SEEK: Duration = Duration::from_secs(1);

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
    daemon: Option<Daemon>,
    /// Its process, where we can see it.
    editor: Option<u32>,
    /// When, in the last while.
    connected: VecDeque<Instant>,
}

/// The daemon that the editor has now.
struct Daemon {
    reader: ReadHalf<Box<dyn Stream>>,
    writer: WriteHalf<Box<dyn Stream>>,
    /// What it has begun to say.
    frames: Decoder,
}

impl<W: AsyncWrite + Unpin, P: Fn() -> Result<Place, DaemonError>> Pump<W, P> {
    async fn run(&mut self, mut from_editor: impl AsyncRead + Unpin) -> Result<Ended, DaemonError> {
        let mut frames = Decoder::default();
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seek = tokio::time::interval(SEEK);
        seek.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut said, mut answered) = (vec![0; 64 << 10], vec![0; 64 << 10]);
        loop {
            let daemon = self.daemon.as_mut();
            let has_daemon = daemon.is_some();
            let answer = async {
                match daemon {
                    Some(daemon) => daemon.reader.read(&mut answered).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                read = from_editor.read(&mut said) => {
                    let Ok(n @ 1..) = read else { return Ok(Ended::Abruptly) };
                    frames.feed(&said[..n]);
                    let odd = |error: crate::lsp::codec::FrameError| DaemonError::Editor(error.to_string());
                    while let Some(body) = frames.next_body().map_err(odd)? {
                        let message = read_message(&body).unwrap_or_default();
                        if message["method"] == "exit" {
                            return Ok(self.leave(&body).await);
                        }
                        self.say(&body, message).await?;
                    }
                }
                _ = look.tick(), if self.editor.is_some() => {
                    if self.editor.is_some_and(|editor| !is_running(editor)) {
                        return Ok(Ended::Abruptly);
                    }
                }
                _ = seek.tick(), if !has_daemon && self.memory.has_documents() => {
                    self.rejoin().await;
                }
                read = answer, if has_daemon => {
                    let n = read.unwrap_or(0);
                    if !self.hear(&answered[..n]).await {
                        self.lose().await;
                        if self.memory.is_owed() {
                            self.connect().await?;
                        }
                    }
                }
            }
        }
    }

    /// How many connections were made in the last while.
    fn recent(&mut self) -> usize {
        while self
            .connected
            .front()
            .is_some_and(|at| at.elapsed() > WHILE)
        {
            self.connected.pop_front();
        }
        self.connected.len()
    }

    /// Finds or starts a daemon and tells it what was said so far.
    async fn connect(&mut self) -> Result<(), DaemonError> {
        loop {
            let recent = self.recent();
            if recent >= MOST_CONNECTIONS {
                return Err(DaemonError::Odd("it ends again and again".to_owned()));
            }
            let pause = 100 * recent.saturating_sub(AT_ONCE) as u64;
            tokio::time::sleep(Duration::from_millis(pause)).await;
            // Asked anew each time: the program may have been replaced meanwhile.
            let place = (self.place)()?;
            let stream = find_or_start(&place).await?.stream;
            if self.introduce(stream).await {
                return Ok(());
            }
        }
    }

    /// Looks for a daemon that somebody else has started, and starts none.
    async fn rejoin(&mut self) {
        if self.recent() >= MOST_CONNECTIONS {
            return; // It may end by our doing.
        }
        let Ok(place) = (self.place)() else {
            return; // Whoever needs a daemon is told why there is none.
        };
        if let Ok(Some(found)) = timeout(SEEK, find(&place)).await {
            self.introduce(found.stream).await;
        }
    }

    /// Tells a daemon what was said so far; false where it has gone.
    async fn introduce(&mut self, stream: Box<dyn Stream>) -> bool {
        self.connected.push_back(Instant::now());
        let (reader, writer) = split(stream);
        self.daemon = Some(Daemon {
            reader,
            writer,
            frames: Decoder::default(),
        });
        let mut bytes = Vec::new();
        for body in self.memory.messages() {
            bytes.extend(frame(&body));
        }
        let is_there = self.write(&bytes).await;
        if !is_there {
            self.lose().await;
        }
        is_there
    }

    /// The daemon has gone.
    async fn lose(&mut self) {
        self.daemon = None;
        let left = self.memory.lose();
        self.tell(&left).await;
    }

    /// Hands a message to the daemon.
    async fn say(&mut self, body: &[u8], message: Value) -> Result<(), DaemonError> {
        if is_answer(&message) {
            // None is started to hear an answer that it did not ask for.
            if let Some(answer) = self.memory.answer(message) {
                self.write(&frame(&answer)).await; // Its end shows where we read.
            }
            return Ok(());
        }
        if self.daemon.is_none()
            && let Some(answer) = self.memory.farewell(&message)
        {
            self.tell(&answer).await;
            return Ok(());
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

    async fn deliver(&mut self, body: &[u8]) -> Result<(), DaemonError> {
        loop {
            if self.daemon.is_none() {
                self.connect().await?;
            }
            if self.write(&frame(body)).await {
                return Ok(());
            }
            self.lose().await;
        }
    }

    /// Writes to the daemon, and hears it meanwhile: where its answers wait to be heard, it does not
    /// read on. False where it has gone.
    async fn write(&mut self, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        let mut chunk = vec![0; 4096];
        while !rest.is_empty() {
            let Some(daemon) = &mut self.daemon else {
                return false;
            };
            let n = tokio::select! {
                biased;
                written = daemon.writer.write(rest) => {
                    let Ok(n @ 1..) = written else { return false };
                    rest = &rest[n..];
                    continue;
                }
                read = daemon.reader.read(&mut chunk) => read.unwrap_or(0),
            };
            if !self.hear(&chunk[..n]).await {
                return false;
            }
        }
        true
    }

    /// Hands messages to the editor. One that has gone shows at its other end.
    async fn tell(&mut self, bodies: &[Vec<u8>]) {
        for body in bodies {
            let _ = self.to_editor.write_all(&frame(body)).await;
        }
        let _ = self.to_editor.flush().await;
    }

    /// Hands whole messages of the daemon to the editor; false where it has gone, or cannot be read.
    async fn hear(&mut self, bytes: &[u8]) -> bool {
        let Some(daemon) = &mut self.daemon else {
            return false;
        };
        daemon.frames.feed(bytes);
        loop {
            match daemon.frames.next_body() {
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
        !bytes.is_empty()
    }

    /// The editor said `exit`: whatever the daemon still has to say is passed on.
    async fn leave(&mut self, exit: &[u8]) -> Ended {
        let last = async {
            self.write(&frame(exit)).await;
            let mut chunk = vec![0; 4096];
            while let Some(daemon) = &mut self.daemon {
                let n = daemon.reader.read(&mut chunk).await.unwrap_or(0);
                if !self.hear(&chunk[..n]).await {
                    return;
                }
            }
        };
        let _ = timeout(LAST_WORDS, last).await;
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

#[cfg(all(test, unix))]
mod tests;
