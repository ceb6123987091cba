//! A client of a daemon of its own, for measuring: messages over the socket, and what `/proc` says.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gliznet::lsp::codec::{Decoder, frame};
use serde_json::{Value, json};

/// Longer than any answer takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);
/// Ticks of a second in `/proc/PID/stat`, on every Linux there is.
const TICKS: f64 = 100.0;

/// One user's folders.
pub(crate) struct Home(tempfile::TempDir);

impl Home {
    /// With the bundled model, or the one in a folder.
    pub(crate) fn new(model: Option<&Path>) -> Home {
        let home = Home(tempfile::tempdir().expect("a temporary folder"));
        std::fs::create_dir(home.path("config")).expect("a folder");
        let model = model.map_or(String::new(), |path| {
            format!("model = '{}'\n", path.display())
        });
        let settings = format!("{model}labelset = 'personal-notes'\n");
        std::fs::write(home.path("config/gliznet.toml"), settings).expect("a settings file");
        home
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn gliznet(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gliznet"));
        command
            .args(args)
            .env("GLIZNET_CONFIG_DIR", self.path("config"))
            .env("GLIZNET_DATA_DIR", self.path("data"))
            .env("GLIZNET_CACHE_DIR", self.path("cache"))
            .env("GLIZNET_RUNTIME_DIR", self.path("run"))
            .env("GLIZNET_LOG", "error")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        command
    }

    /// Starts the daemon.
    pub(crate) fn start(&self) -> Daemon<'_> {
        let mut command = self.gliznet(&["daemon"]);
        let process = command
            .stdout(Stdio::null())
            .spawn()
            .expect("the program runs");
        Daemon {
            home: self,
            process,
        }
    }

    /// Starts the daemon, and waits until its model answers.
    pub(crate) fn daemon(&self) -> Daemon<'_> {
        let daemon = self.start();
        let mut client = daemon.client();
        client.ask("gliznet/tag", &json!({ "text": "Roses", "labels": ["a"] }));
        daemon
    }

    fn socket(&self) -> Option<UnixStream> {
        let entries = std::fs::read_dir(self.path("run")).ok()?;
        let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let path = paths.find(|path| path.extension().is_some_and(|e| e == "sock"))?;
        UnixStream::connect(path).ok()
    }
}

/// A daemon, ended with this.
pub(crate) struct Daemon<'a> {
    home: &'a Home,
    process: Child,
}

impl Daemon<'_> {
    /// Connects and says hello.
    pub(crate) fn client(&self) -> Client {
        let begin = Instant::now();
        let stream = loop {
            match self.home.socket() {
                Some(stream) => break stream,
                None if begin.elapsed() > PATIENCE => panic!("the daemon does not listen"),
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a socket has time-outs");
        let mut client = Client {
            stream,
            decoder: Decoder::default(),
            next_id: 0,
        };
        client.ask("initialize", &json!({ "capabilities": {} }));
        client.tell("initialized", &json!({}));
        client
    }

    /// Bytes in memory.
    pub(crate) fn memory(&self) -> f64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        kilobytes.unwrap_or(f64::NAN) / 1024.0
    }

    /// How many threads it has.
    pub(crate) fn threads(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/task", self.process.id())).map_or(0, Iterator::count)
    }

    /// Seconds of a processor that it has used.
    pub(crate) fn cpu(&self) -> f64 {
        let stat = self.proc("stat");
        let fields = stat.rsplit(") ").next().unwrap_or_default();
        let fields: Vec<&str> = fields.split(' ').collect();
        let ticks = |idx: usize| {
            fields
                .get(idx)
                .and_then(|f| f.parse::<f64>().ok())
                .unwrap_or(f64::NAN)
        };
        (ticks(11) + ticks(12)) / TICKS
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits until it has ended.
    pub(crate) fn ended(mut self) {
        self.process.wait().expect("it ends");
    }

    /// What the system says of it.
    pub(crate) fn proc(&self, file: &str) -> String {
        let path = format!("/proc/{}/{file}", self.process.id());
        std::fs::read_to_string(path).unwrap_or_default()
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        let _ = self.process.kill(); // It may have ended.
        let _ = self.process.wait();
    }
}

/// One connection.
pub(crate) struct Client {
    stream: UnixStream,
    decoder: Decoder,
    next_id: u64,
}

impl Client {
    pub(crate) fn tell(&mut self, method: &str, params: &Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    /// Asks, and does not wait.
    pub(crate) fn post(&mut self, method: &str, params: &Value) -> u64 {
        self.next_id += 1;
        let id = self.next_id;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        id
    }

    /// The answer's result.
    pub(crate) fn answer(&mut self, id: u64) -> Value {
        loop {
            let mut message = self.next();
            if message["id"] == json!(id) && message.get("method").is_none() {
                assert!(message.get("error").is_none(), "{message}");
                return message["result"].take();
            }
        }
    }

    pub(crate) fn ask(&mut self, method: &str, params: &Value) -> Value {
        let id = self.post(method, params);
        self.answer(id)
    }

    pub(crate) fn open(&mut self, uri: &str, text: &str) {
        let item = json!({ "uri": uri, "languageId": "markdown", "version": 1, "text": text });
        self.tell("textDocument/didOpen", &json!({ "textDocument": item }));
    }

    /// Puts `text` at the start of line `line`.
    pub(crate) fn insert(&mut self, uri: &str, version: usize, line: usize, text: &str) {
        let place = json!({ "line": line, "character": 0 });
        let change = json!({ "range": { "start": place, "end": place }, "text": text });
        let document = json!({ "uri": uri, "version": version });
        let params = json!({ "textDocument": document, "contentChanges": [change] });
        self.tell("textDocument/didChange", &params);
    }

    fn send(&mut self, message: &Value) {
        let body = frame(message.to_string().as_bytes());
        self.stream.write_all(&body).expect("the daemon listens");
    }

    fn next(&mut self) -> Value {
        let mut chunk = [0; 64 << 10];
        loop {
            if let Some(body) = self.decoder.next_body().expect("frames") {
                return serde_json::from_slice(&body).expect("JSON");
            }
            let n = self.stream.read(&mut chunk).expect("an answer in time");
            assert!(n > 0, "the daemon has gone");
            self.decoder.feed(&chunk[..n]);
        }
    }
}
