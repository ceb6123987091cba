//! A job in a process of its own: started, followed line by line, ended.
//!
//! Input: the user's folders, which the process reads itself, and whether the encoder practises. Output: its lines, and
//! that it has ended. Invariant: it ends when this process does, however that ends, because its
//! standard input ends then. Knows nothing of what is learnt.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use super::course::Word;
use crate::learn::consolidate::report::Line;

/// How long a process may take to end when it should.
const FAREWELL: Duration = Duration::from_secs(3);

/// A process that learns.
pub(super) struct Child {
    /// Tells it from others.
    pub(super) number: u64,
    process: std::process::Child,
    /// Its last word, when it has said it.
    pub(super) last: Option<Line>,
    /// When it was told to end.
    told: Option<Instant>,
}

impl Child {
    /// Starts a process; its lines are sent to `words`.
    pub(super) fn start(
        number: u64,
        encoder: bool,
        words: SyncSender<Word>,
    ) -> std::io::Result<Child> {
        let mut command = Command::new(crate::daemon::program()?);
        command
            .args(["train", "now", "--child"])
            .args(encoder.then_some("--encoder"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        #[cfg(windows)]
        {
            use std::os::windows::process::CommandExt;
            const BELOW_NORMAL_PRIORITY_CLASS: u32 = 0x4000;
            const CREATE_NO_WINDOW: u32 = 0x0800_0000;
            command.creation_flags(BELOW_NORMAL_PRIORITY_CLASS | CREATE_NO_WINDOW);
        }
        let mut process = command.spawn()?;
        let lines = process.stdout.take();
        let follow = move || {
            let lines = lines.map(BufReader::new);
            for line in lines.into_iter().flat_map(|lines| lines.split(b'\n')) {
                let Ok(line) = line else { break };
                if let Some(line) = Line::read(&line)
                    && words.send(Word::Line(number, line)).is_err()
                {
                    return; // Nobody listens any more.
                }
            }
            let _ = words.send(Word::Ended(number)); // As above.
        };
        let thread = std::thread::Builder::new().name("gliznet-job".to_owned());
        if let Err(error) = thread.spawn(follow) {
            let _ = process.kill();
            let _ = process.wait();
            return Err(error);
        }
        Ok(Child {
            number,
            process,
            last: None,
            told: None,
        })
    }

    /// Tells it to end; it says nothing any more.
    pub(super) fn cancel(&mut self) {
        self.process.stdin = None;
        self.told.get_or_insert_with(Instant::now);
    }

    /// Whether it was told to end.
    pub(super) fn is_cancelled(&self) -> bool {
        self.told.is_some()
    }

    /// Ends it by force if it does not listen.
    pub(super) fn hurry(&mut self) {
        if self.told.is_some_and(|told| told.elapsed() > FAREWELL) {
            let _ = self.process.kill(); // It may have ended.
        }
    }

    /// Waits for its end, which it has announced; says how it ended.
    pub(super) fn wait(mut self) -> String {
        self.cancel();
        loop {
            match self.process.try_wait() {
                Ok(Some(status)) => return status.to_string(),
                Ok(None) => {
                    self.hurry();
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(error) => return error.to_string(),
            }
        }
    }
}
