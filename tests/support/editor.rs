//! An editor for tests: a script's messages in, the server's out, over any stream.
//!
//! Invariant: every wait ends, by a message or by a panic that says what came instead.

#![cfg(test)]

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::{Value, json};

/// Longer than any answer takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn tiny() -> std::path::PathBuf {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("tests/fixtures/parity/bert-isolated-proj")
}

/// One user's folders, and the program run in them.
pub(crate) struct Home {
    pub(crate) dir: tempfile::TempDir,
}

impl Home {
    /// A user whose model is a tiny one, and whose label set is `labels`.
    pub(crate) fn new(labels: &[&str]) -> Home {
        let dir = tempfile::tempdir().unwrap();
        let home = Home { dir };
        for folder in ["config", "data", "cache", "notes"] {
            std::fs::create_dir(home.path(folder)).unwrap();
        }
        let set: String = labels
            .iter()
            .map(|label| format!("[[label]]\nname = '{label}'\n"))
            .collect();
        std::fs::write(home.path("config/set.toml"), set).unwrap();
        home.choose(&tiny());
        home
    }

    fn choose(&self, model: &std::path::Path) {
        self.configure(&format!(
            "model = '{}'\nlabelset = 'set.toml'\nthreshold = 0.0\nlearn = 'manual'\n",
            model.display()
        ));
    }

    /// The same model with a glossary of its own.
    pub(crate) fn give_glossary(&self, glossary: &str) {
        let model = self.path("model");
        std::fs::create_dir(&model).unwrap();
        for entry in std::fs::read_dir(tiny()).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), model.join(entry.file_name())).unwrap();
        }
        std::fs::write(model.join("glossary.tsv"), glossary).unwrap();
        self.choose(&model);
    }

    /// Writes the user's settings.
    pub(crate) fn configure(&self, settings: &str) {
        std::fs::write(self.path("config/gliznet.toml"), settings).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    /// A document's URI.
    pub(crate) fn uri(&self, name: &str) -> String {
        format!("file://{}", self.path("notes").join(name).display())
    }

    /// The program, in this user's folders.
    pub(crate) fn gliznet(&self, args: &[&str]) -> Command {
        self.gliznet_at(env!("CARGO_BIN_EXE_gliznet").as_ref(), args)
    }

    /// A copy of the program, in this user's folders.
    pub(crate) fn gliznet_at(&self, program: &std::path::Path, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(self.path("notes"))
            .env("GLIZNET_CONFIG_DIR", self.path("config"))
            .env("GLIZNET_DATA_DIR", self.path("data"))
            .env("GLIZNET_CACHE_DIR", self.path("cache"))
            .env("GLIZNET_RUNTIME_DIR", self.path("run"))
            .env_remove("GLIZNET_LOG");
        command
    }

    /// Standard output and the exit code of a command.
    pub(crate) fn run(&self, args: &[&str]) -> (String, i32) {
        let output = self.gliznet(args).output().unwrap();
        let shown = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        (shown, output.status.code().unwrap_or(-1))
    }

    /// The daemon's own words on itself; null where none runs.
    pub(crate) fn status(&self) -> Value {
        let (shown, _) = self.run(&["status", "--json"]);
        serde_json::from_str(&shown).unwrap_or_else(|_| panic!("no status: {shown}"))
    }

    /// Starts an editor's server.
    pub(crate) fn editor(&self) -> Editor {
        Editor::start(self.gliznet(&["lsp"]))
    }

    /// Ends a process by force.
    pub(crate) fn kill(&self, pid: &Value) {
        let pid = pid.to_string();
        assert!(
            Command::new("kill")
                .args(["-9", &pid])
                .status()
                .unwrap()
                .success()
        );
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // No test leaves a daemon behind.
        let _ = self.gliznet(&["stop"]).output();
    }
}

/// An editor and its server.
pub(crate) struct Editor {
    process: Child,
    to_server: Option<ChildStdin>,
    from_server: Receiver<Value>,
    /// What came while something else was waited for.
    seen: Vec<Value>,
    next_id: u64,
}

impl Editor {
    pub(crate) fn start(mut command: Command) -> Editor {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut stdout = process.stdout.take().unwrap();
        let (tx, from_server) = channel();
        std::thread::spawn(move || {
            while let Some(message) = read_message(&mut stdout) {
                if tx.send(message).is_err() {
                    return;
                }
            }
        });
        Editor {
            to_server: process.stdin.take(),
            process,
            from_server,
            seen: Vec::new(),
            next_id: 1,
        }
    }

    /// Bytes as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        let stdin = self.to_server.as_mut().unwrap();
        stdin.write_all(bytes).unwrap();
        stdin.flush().unwrap();
    }

    pub(crate) fn send(&mut self, message: &Value) {
        self.raw(&framed(message));
    }

    pub(crate) fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    /// Asks, and does not wait.
    pub(crate) fn ask(&mut self, method: &str, params: Value) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        id
    }

    /// The answer to a question that was asked: `result`, or `error`.
    pub(crate) fn answer(&mut self, id: u64) -> Result<Value, Value> {
        let mut message = self.wait(|m| m.get("method").is_none() && m["id"] == json!(id));
        match message.get_mut("error") {
            Some(error) => Err(error.take()),
            None => Ok(message["result"].take()),
        }
    }

    pub(crate) fn request(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        let id = self.ask(method, params);
        self.answer(id)
    }

    /// The parameters of the server's next notification or request of this name.
    pub(crate) fn notified(&mut self, method: &str) -> Value {
        self.wait(|m| m["method"] == method)["params"].take()
    }

    /// The server's next request of this name: its number and parameters.
    pub(crate) fn asked(&mut self, method: &str) -> (Value, Value) {
        let mut message = self.wait(|m| m["method"] == method && m.get("id").is_some());
        (message["id"].take(), message["params"].take())
    }

    /// Whether the server has asked something of this name by now, which nobody took.
    pub(crate) fn was_asked(&mut self, method: &str) -> bool {
        self.seen.extend(self.from_server.try_iter());
        self.seen.iter().any(|message| message["method"] == method)
    }

    /// Answers a request of the server.
    pub(crate) fn reply(&mut self, id: &Value, result: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "result": result }));
    }

    fn wait(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.seen.iter().position(&is_it) {
            return self.seen.remove(at);
        }
        loop {
            match self.from_server.recv_timeout(PATIENCE) {
                Ok(message) if is_it(&message) => return message,
                Ok(message) => self.seen.push(message),
                Err(RecvTimeoutError::Timeout) => panic!("it did not come; seen: {:#?}", self.seen),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("the server has gone; seen: {:#?}", self.seen)
                }
            }
        }
    }

    /// `initialize` and `initialized`; gives the server's answer.
    pub(crate) fn initialize(&mut self, capabilities: Value) -> Value {
        let params = json!({ "processId": null, "rootUri": null, "capabilities": capabilities });
        let answer = self.request("initialize", params).unwrap();
        self.notify("initialized", json!({}));
        answer
    }

    pub(crate) fn open(&mut self, uri: &str, text: &str) {
        let item = json!({ "uri": uri, "languageId": "markdown", "version": 1, "text": text });
        self.notify("textDocument/didOpen", json!({ "textDocument": item }));
    }

    /// Replaces the whole text.
    pub(crate) fn replace(&mut self, uri: &str, version: i32, text: &str) {
        self.change(uri, version, json!([{ "text": text }]));
    }

    pub(crate) fn change(&mut self, uri: &str, version: i32, changes: Value) {
        let document = json!({ "uri": uri, "version": version });
        self.notify(
            "textDocument/didChange",
            json!({ "textDocument": document, "contentChanges": changes }),
        );
    }

    /// The exit code, once the server has ended by itself.
    pub(crate) fn ended(mut self) -> i32 {
        self.process.wait().unwrap().code().unwrap_or(-1)
    }

    /// Says goodbye and gives the exit code.
    pub(crate) fn quit(mut self) -> i32 {
        self.request("shutdown", Value::Null).unwrap();
        self.send(&json!({ "jsonrpc": "2.0", "method": "exit" }));
        self.process.wait().unwrap().code().unwrap_or(-1)
    }

    /// Vanishes without a word; gives the server's exit code.
    pub(crate) fn vanish(mut self) -> i32 {
        self.to_server = None;
        self.process.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        self.to_server = None;
        let _ = self.process.kill(); // It may have ended.
        let _ = self.process.wait();
    }
}

/// A message in its frame.
pub(crate) fn framed(message: &Value) -> Vec<u8> {
    let body = message.to_string();
    format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// The next message; `None` at the end of the stream.
pub(crate) fn read_message(stream: &mut impl Read) -> Option<Value> {
    let mut header = Vec::new();
    while !header.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        header.push(byte[0]);
    }
    let header = String::from_utf8(header).unwrap();
    let length = header.split_once("Content-Length: ").unwrap().1;
    let mut body = vec![0; length.lines().next().unwrap().trim().parse().unwrap()];
    stream.read_exact(&mut body).ok()?;
    Some(serde_json::from_slice(&body).unwrap())
}
