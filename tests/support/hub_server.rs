//! A small Hub on loopback: repositories in memory in, HTTP answers and a log of requests out.
//!
//! It gives what the real one gives: listings with checksums, etags, redirects to a store under
//! another host name, ranges; and on request it misbehaves. Invariant: it answers at most
//! `MOST_REQUESTS` and ends when dropped. Knows nothing of the program under test.

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

#[path = "hub_answer.rs"]
mod answer;

const MOST_REQUESTS: usize = 200;
/// What the server calls every first commit.
pub(crate) const COMMIT: &str = "1111111111111111111111111111111111111111";

/// A repository: its commit and its files.
#[derive(Clone)]
pub(crate) struct Repo {
    pub(crate) commit: String,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// Files of which others are asked before this user may read them.
    pub(crate) gated: bool,
}

/// What goes wrong.
#[derive(Clone)]
pub(crate) enum Trouble {
    /// The connection ends when byte `at` of the file was sent, so many times.
    Cut {
        file: &'static str,
        at: usize,
        times: u32,
    },
    /// One byte of the file is wrong.
    Corrupt { file: &'static str },
    /// Requests whose path has `part` in it get this status and error code, so many times.
    Status {
        part: &'static str,
        status: u16,
        code: &'static str,
        times: u32,
    },
    /// The file comes in pieces of `bytes`, with a pause after each.
    Slow {
        file: &'static str,
        bytes: usize,
        pause: Duration,
    },
    /// So many bytes more than the file has, and no word of how many come.
    Longer { file: &'static str, by: usize },
    /// Range headers are not understood.
    NoRanges,
    /// The listing names files, and neither sizes nor checksums.
    NoBlobs,
    /// No etags either.
    NoEtags,
    /// The repository has a new name, and every path under `from` redirects there.
    Renamed {
        from: &'static str,
        to: &'static str,
    },
}

/// One request that came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) range: Option<String>,
    pub(crate) authorization: Option<String>,
}

struct State {
    repos: BTreeMap<String, Repo>,
    troubles: Vec<Trouble>,
    /// Token that may read everything; `None` where all is public.
    token: Option<String>,
    seen: Vec<Seen>,
}

pub(crate) struct HubServer {
    port: u16,
    state: Arc<Mutex<State>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl HubServer {
    pub(crate) fn start(id: &str, files: BTreeMap<String, Vec<u8>>) -> HubServer {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let repo = Repo {
            commit: COMMIT.to_owned(),
            files,
            gated: false,
        };
        let state = Arc::new(Mutex::new(State {
            repos: BTreeMap::from([(id.to_owned(), repo)]),
            troubles: Vec::new(),
            token: None,
            seen: Vec::new(),
        }));
        let stop = Arc::new(AtomicBool::new(false));
        let (shared, stopped) = (Arc::clone(&state), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().take(MOST_REQUESTS) {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(stream), shared) = (stream, Arc::clone(&shared)) else {
                    return;
                };
                // A reader that went away is its own business.
                std::thread::spawn(move || drop(answer::answer(stream, port, &shared)));
            }
        });
        HubServer {
            port,
            state,
            stop,
            thread: Some(thread),
        }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn trouble(&self, trouble: Trouble) {
        self.state.lock().unwrap().troubles.push(trouble);
    }

    /// The next so many requests whose path has `part` in it fail with this status and error code.
    pub(crate) fn fail(&self, part: &'static str, status: u16, code: &'static str, times: u32) {
        self.trouble(Trouble::Status {
            part,
            status,
            code,
            times,
        });
    }

    /// The next so many connections that send `file` end at its byte `at`.
    pub(crate) fn cut(&self, file: &'static str, at: usize, times: u32) {
        self.trouble(Trouble::Cut { file, at, times });
    }

    /// `file` comes in pieces of so many bytes, with a pause after each.
    pub(crate) fn slow(&self, file: &'static str, bytes: usize, pause: Duration) {
        self.trouble(Trouble::Slow { file, bytes, pause });
    }

    pub(crate) fn heal(&self) {
        self.state.lock().unwrap().troubles.clear();
    }

    pub(crate) fn require_token(&self, token: &str) {
        self.state.lock().unwrap().token = Some(token.to_owned());
    }

    pub(crate) fn change(&self, id: &str, edit: impl FnOnce(&mut Repo)) {
        edit(self.state.lock().unwrap().repos.get_mut(id).unwrap());
    }

    /// The requests since the last call.
    pub(crate) fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state.lock().unwrap().seen)
    }
}

impl Drop for HubServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port)); // Wakes the one that accepts.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
