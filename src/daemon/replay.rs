//! What a new daemon must be told to stand where the old one stood.
//!
//! Input: all messages between an editor and its daemon. Output: the messages that bring another
//! daemon to the same state: `initialize`, open documents with their text, open requests.
//! Invariant: the editor never sees an answer twice, nor one to a question that it did not ask.

use serde_json::{Value, json};
use tower_lsp::ls_types::{DidCloseTextDocumentParams, PositionEncodingKind};

use crate::lsp::{Documents, Encoding};

/// The id of our own `initialize`.
const OURS: &str = "gliznet/replay";

/// All that counts of one conversation.
#[derive(Debug, Default)]
pub(super) struct Memory {
    initialize: Option<Value>,
    is_initialized: bool,
    configuration: Option<Value>,
    encoding: Encoding,
    documents: Documents,
    /// Requests without an answer, in order.
    open: Vec<Value>,
    /// The editor has said `shutdown`.
    pub(super) is_shut_down: bool,
}

impl Memory {
    /// The editor says something.
    pub(super) fn hear_editor(&mut self, body: &[u8]) {
        let Ok(message) = serde_json::from_slice::<Value>(body) else {
            return; // The daemon will say so.
        };
        let method = message["method"].as_str().unwrap_or_default().to_owned();
        if message.get("id").is_some() && !method.is_empty() {
            self.open.push(message.clone());
        }
        let params = message["params"].clone();
        match method.as_str() {
            "initialize" => self.initialize = Some(message),
            "initialized" => self.is_initialized = true,
            "shutdown" => self.is_shut_down = true,
            "workspace/didChangeConfiguration" => self.configuration = Some(message),
            "textDocument/didOpen" => {
                if let Ok(params) = serde_json::from_value(params) {
                    self.documents.open(params);
                }
            }
            "textDocument/didChange" => {
                if let Ok(params) = serde_json::from_value(params) {
                    self.documents.change(&params, self.encoding);
                }
            }
            "textDocument/didClose" => {
                if let Ok(params) = serde_json::from_value::<DidCloseTextDocumentParams>(params) {
                    self.documents.close(&params.text_document.uri);
                }
            }
            "$/cancelRequest" => {
                // The old daemon cannot answer any more, and the new one is not asked.
            }
            _ => {}
        }
    }

    /// The editor's process, as it said in `initialize`.
    pub(super) fn editor(&self) -> Option<u32> {
        let process = self.initialize.as_ref()?.pointer("/params/processId")?;
        u32::try_from(process.as_u64()?).ok()
    }

    /// The daemon says something; tells whether the editor is to hear it.
    pub(super) fn hear_daemon(&mut self, body: &[u8]) -> bool {
        let Ok(message) = serde_json::from_slice::<Value>(body) else {
            return true;
        };
        if message.get("method").is_some() {
            return true;
        }
        let id = &message["id"];
        if id == OURS {
            self.agree(&message);
            return false;
        }
        if let Some(at) = self.open.iter().position(|open| open["id"] == *id) {
            let asked = self.open.remove(at);
            if asked["method"] == "initialize" {
                self.agree(&message);
            }
        }
        true
    }

    fn agree(&mut self, answer: &Value) {
        let encoding = answer.pointer("/result/capabilities/positionEncoding");
        let encoding = encoding.and_then(Value::as_str).unwrap_or("utf-16");
        let kind = PositionEncodingKind::from(encoding.to_owned());
        self.encoding = Encoding::negotiate(Some(&[kind]));
    }

    /// The answer to `shutdown` where no daemon runs: none is started to hear it.
    pub(super) fn farewell(&mut self, body: &[u8]) -> Option<Vec<u8>> {
        let message: Value = serde_json::from_slice(body).ok()?;
        if message["method"] != "shutdown" {
            return None;
        }
        self.is_shut_down = true;
        let answer = json!({ "jsonrpc": "2.0", "id": message["id"], "result": null });
        Some(answer.to_string().into_bytes())
    }

    /// Whether the editor waits for an answer.
    pub(super) fn is_owed(&self) -> bool {
        !self.open.is_empty()
    }

    /// What a new daemon is told, in order.
    pub(super) fn messages(&self) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        let was_answered =
            |initialize: &Value| self.open.iter().all(|o| o["id"] != initialize["id"]);
        if let Some(initialize) = self.initialize.as_ref().filter(|i| was_answered(i)) {
            let mut ours = initialize.clone();
            ours["id"] = json!(OURS);
            messages.push(ours);
        } else if let Some(initialize) = &self.initialize {
            messages.push(initialize.clone());
        }
        if self.is_initialized {
            messages.push(json!({ "jsonrpc": "2.0", "method": "initialized", "params": {} }));
        }
        messages.extend(self.configuration.clone());
        for open in self.documents.all() {
            let item = json!({
                "uri": open.uri.as_str(),
                "languageId": open.language,
                "version": open.version,
                "text": &*open.text,
            });
            messages.push(json!({
                "jsonrpc": "2.0",
                "method": "textDocument/didOpen",
                "params": { "textDocument": item },
            }));
        }
        let requests = self
            .open
            .iter()
            .filter(|open| open["method"] != "initialize");
        messages.extend(requests.cloned());
        let bodies = messages
            .iter()
            .map(|message| message.to_string().into_bytes());
        bodies.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(editor: &[Value]) -> Memory {
        let mut memory = Memory::default();
        for message in editor {
            memory.hear_editor(message.to_string().as_bytes());
        }
        memory
    }

    fn told(memory: &Memory) -> Vec<String> {
        let bodies = memory.messages();
        let message = |body: &Vec<u8>| {
            let message: Value = serde_json::from_slice(body).unwrap();
            let text = message.pointer("/params/textDocument/text");
            let text = text.and_then(Value::as_str).unwrap_or_default();
            format!(
                "{} {} {text}",
                message["id"],
                message["method"].as_str().unwrap()
            )
        };
        bodies.iter().map(message).collect()
    }

    #[test]
    fn a_new_daemon_hears_what_counts_and_nothing_else() {
        let document = |method: &str, more: Value| {
            let mut params = json!({ "textDocument": { "uri": "file:///a.md", "version": 2 } });
            params["contentChanges"] = more;
            json!({ "method": format!("textDocument/{method}"), "params": params })
        };
        let change = json!([{
            "range": { "start": { "line": 0, "character": 1 }, "end": { "line": 0, "character": 2 } },
            "text": "B",
        }]);
        let open = |uri: &str| {
            let item = json!({ "uri": uri, "languageId": "markdown", "version": 1, "text": "abc" });
            json!({ "method": "textDocument/didOpen", "params": { "textDocument": item } })
        };
        let mut memory = memory(&[
            json!({ "id": 0, "method": "initialize", "params": {} }),
            json!({ "method": "initialized", "params": {} }),
            open("file:///a.md"),
            open("file:///b.md"),
            document("didChange", change),
            json!({ "method": "textDocument/didClose", "params": { "textDocument": { "uri": "file:///b.md" } } }),
            json!({ "id": "x", "method": "gliznet/tag", "params": {} }),
            json!({ "id": 7, "method": "gliznet/status" }),
        ]);
        let answer =
            json!({ "id": 0, "result": { "capabilities": { "positionEncoding": "utf-8" } } });
        assert!(memory.hear_daemon(answer.to_string().as_bytes()));
        assert!(memory.hear_daemon(json!({ "id": 7, "result": 1 }).to_string().as_bytes()));
        assert_eq!(memory.encoding, Encoding::Utf8);
        assert_eq!(
            told(&memory),
            [
                "\"gliznet/replay\" initialize ",
                "null initialized ",
                "null textDocument/didOpen aBc",
                "\"x\" gliznet/tag ",
            ]
        );
        let ours = json!({ "id": OURS, "result": { "capabilities": {} } });
        assert!(!memory.hear_daemon(ours.to_string().as_bytes()));
        assert!(memory.is_owed());
    }

    #[test]
    fn an_initialize_that_was_never_answered_is_asked_again_as_it_was() {
        let memory = memory(&[json!({ "id": 5, "method": "initialize", "params": {} })]);
        assert_eq!(told(&memory), ["5 initialize "]);
    }
}
