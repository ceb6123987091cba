//! What a new daemon must be told to stand where the old one stood.
//!
//! Input: all messages between an editor and its daemon. Output: the messages that bring another
//! daemon to the same state: `initialize`, open documents with their text, open requests; and what
//! the editor is told of that which the old one has left behind.
//! Invariant: the editor never sees an answer twice, nor one to a question that it did not ask; no
//! request that does more the second time is asked twice, nor one about a place in a text that has
//! changed since, and no answer reaches a daemon that did not ask.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Value, json};
use tower_lsp::ls_types::{DidCloseTextDocumentParams, PositionEncodingKind};

use crate::lsp::{Documents, Encoding, Open, REQUEST_FAILED, Spellings, document_of_place};

/// The id of our own `initialize`.
const OURS: &str = "gliznet/replay";
/// Requests that do something else the second time. A daemon that has gone may have done it.
/// A correction that is said twice is one; but one that was lost is lost.
const ONCE: [&str; 3] = ["gliznet/stop", "gliznet/train", "gliznet/watch"];
/// So does this one, where it has come to an edit.
const COMMAND: &str = "workspace/executeCommand";
const EDIT: &str = "workspace/applyEdit";
/// `Error` of `window/showMessage`.
const ERROR: u8 = 1;
/// `InvalidRequest`.
const INVALID_REQUEST: i64 = -32600;
/// `RequestCancelled`.
const CANCELLED: i64 = -32800;
/// `ContentModified`.
const MODIFIED: i64 = -32801;

/// All that counts of one conversation.
#[derive(Debug, Default)]
pub(super) struct Memory {
    initialize: Option<Value>,
    /// A daemon has taken it.
    is_agreed: bool,
    is_initialized: bool,
    configuration: Option<Value>,
    encoding: Encoding,
    documents: Documents,
    /// How the editor spells their names.
    spellings: Spellings,
    /// Requests without an answer, in order.
    open: Vec<Asked>,
    /// The ids of the commands among them during which the editor was asked for an edit.
    edited: Vec<Value>,
    /// The daemon's own numbers of its questions without an answer, by those that the editor sees.
    /// Another daemon counts from the beginning again, the editor's numbers go on.
    asked: HashMap<u64, Value>,
    /// How many questions the editor was asked, by all daemons.
    questions: u64,
    /// Progress that was begun and not ended, by its token.
    underway: Vec<Value>,
    /// The editor has said `shutdown`.
    pub(super) is_shut_down: bool,
}

/// A request without an answer.
#[derive(Debug)]
struct Asked {
    message: Value,
    /// The document as it was, where it is about a place in it.
    of: Option<Box<Open>>,
    /// The editor does not want the answer any more.
    is_withdrawn: bool,
}

impl Asked {
    fn id(&self) -> &Value {
        &self.message["id"]
    }

    fn method(&self) -> &Value {
        &self.message["method"]
    }
}

impl Memory {
    /// The editor says something, which is no answer.
    pub(super) fn hear_editor(&mut self, message: Value) {
        let method = message["method"].as_str().unwrap_or_default().to_owned();
        // Another kind of id is no request, and answered without one.
        let is_request = message["id"].is_i64() || message["id"].is_string();
        if is_request && !method.is_empty() {
            self.open.push(Asked {
                of: self.place_of(&method, &message["params"]),
                message: message.clone(),
                is_withdrawn: false,
            });
        }
        let params = &message["params"];
        match method.as_str() {
            // A second one is refused, and the first holds.
            "initialize" if self.initialize.is_none() => self.initialize = Some(message),
            "initialized" => self.is_initialized = true,
            "shutdown" => self.is_shut_down = true,
            "workspace/didChangeConfiguration" => self.configuration = Some(message),
            "workspace/didChangeWorkspaceFolders" => self.change_folders(&params["event"]),
            "textDocument/didOpen" => {
                if let Ok(params) = serde_json::from_value(self.lawful(params)) {
                    self.documents.open(params);
                }
            }
            "textDocument/didChange" => {
                if let Ok(params) = serde_json::from_value(self.lawful(params)) {
                    self.documents.change(&params, self.encoding);
                }
            }
            "textDocument/didClose" => {
                if let Ok(params) =
                    serde_json::from_value::<DidCloseTextDocumentParams>(self.lawful(params))
                {
                    let uri = params.text_document.uri;
                    self.documents.close(&uri);
                    self.spellings.forget(uri.as_str());
                }
            }
            "$/cancelRequest" => {
                let mut open = self.open.iter_mut();
                if let Some(asked) = open.find(|asked| *asked.id() == params["id"]) {
                    asked.is_withdrawn = true;
                }
            }
            _ => {}
        }
    }

    /// The document in which a request names a place.
    fn place_of(&self, method: &str, params: &Value) -> Option<Box<Open>> {
        document_of_place(method, params)?;
        let params = self.lawful(params);
        let uri = document_of_place(method, &params)?.parse().ok()?;
        self.documents.get(&uri).cloned().map(Box::new)
    }

    /// Whether the editor has documents open, and goes on.
    pub(super) fn has_documents(&self) -> bool {
        !self.is_shut_down && !self.documents.all().is_empty()
    }

    /// What the editor says, with names of documents that our parser takes.
    fn lawful(&self, params: &Value) -> Value {
        let mut params = params.clone();
        self.spellings.take_in(&mut params);
        params
    }

    /// The editor's answer as the daemon that asked is to hear it; none where that one has gone.
    pub(super) fn answer(&mut self, mut message: Value) -> Option<Vec<u8>> {
        let number = message["id"].as_u64()?;
        message["id"] = self.asked.remove(&number)?;
        Some(message.to_string().into_bytes())
    }

    /// `initialize` says in which folders the editor works; from now on it says what holds now.
    fn change_folders(&mut self, event: &Value) {
        let params = self.initialize.as_mut().and_then(|i| i.get_mut("params"));
        let Some(params) = params.and_then(Value::as_object_mut) else {
            return;
        };
        let listed = |value: Option<&Value>| value.and_then(Value::as_array).cloned();
        let mut folders = listed(params.get("workspaceFolders")).unwrap_or_default();
        // The older way to name the first folder counts where there is no list.
        let root = params.insert("rootUri".to_owned(), Value::Null);
        if let Some(root @ Value::String(_)) = root.filter(|_| folders.is_empty()) {
            folders.push(json!({ "uri": root, "name": "" }));
        }
        let added = listed(event.get("added")).unwrap_or_default();
        let removed = listed(event.get("removed")).unwrap_or_default();
        let is_in = |list: &[Value], folder: &Value| list.iter().any(|f| f["uri"] == folder["uri"]);
        folders.retain(|folder| !is_in(&removed, folder) && !is_in(&added, folder));
        folders.extend(added);
        params.insert("workspaceFolders".to_owned(), Value::Array(folders));
    }

    /// The editor's process, as it said in `initialize`.
    pub(super) fn editor(&self) -> Option<u32> {
        let process = self.initialize.as_ref()?.pointer("/params/processId")?;
        u32::try_from(process.as_u64()?).ok()
    }

    /// The daemon says something; tells what the editor is to hear of it.
    pub(super) fn hear_daemon<'a>(&mut self, body: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        let Ok(mut message) = serde_json::from_slice::<Value>(body) else {
            return Some(body.into());
        };
        if message.get("method").is_some() {
            self.follow_progress(&message);
            if message.get("id").is_none() {
                return Some(body.into());
            }
            if message["method"] == EDIT {
                let commands = self.open.iter().filter(|open| open.method() == COMMAND);
                self.edited = commands.map(|command| command.id().clone()).collect();
            }
            self.questions += 1;
            let theirs = std::mem::replace(&mut message["id"], json!(self.questions));
            self.asked.insert(self.questions, theirs);
            return Some(message.to_string().into_bytes().into());
        }
        let id = &message["id"];
        if id == OURS {
            self.agree(&message);
            return None;
        }
        if let Some(at) = self.open.iter().position(|open| open.id() == id) {
            let asked = self.open.remove(at);
            if asked.method() == "initialize" && !self.is_agreed {
                match message.get("result") {
                    Some(_) => self.agree(&message),
                    None => self.initialize = None, // The editor may say it otherwise.
                }
            }
        }
        Some(body.into())
    }

    fn follow_progress(&mut self, message: &Value) {
        if message["method"] != "$/progress" {
            return;
        }
        let params = &message["params"];
        match params["value"]["kind"].as_str() {
            Some("begin") => self.underway.push(params["token"].clone()),
            Some("end") => self.underway.retain(|token| *token != params["token"]),
            _ => {}
        }
    }

    /// The daemon has gone: what the editor is told, so that it waits for nothing that will not
    /// come. The other requests are asked again.
    pub(super) fn lose(&mut self) -> Vec<Vec<u8>> {
        self.asked.clear();
        let mut told: Vec<Value> = self.underway.drain(..).map(ended).collect();
        let edited = std::mem::take(&mut self.edited);
        let (documents, is_shut_down) = (&self.documents, self.is_shut_down);
        self.open.retain(|asked| {
            let answer = unasked(asked, documents, &edited, is_shut_down);
            let is_asked_again = answer.is_none();
            told.extend(answer);
            is_asked_again
        });
        bodies(&told)
    }

    /// No daemon is to be had, for this reason: what the editor is told before we end.
    pub(super) fn give_up(&mut self, reason: &str) -> Vec<Vec<u8>> {
        let shown = format!("gliznet: {reason}");
        let mut told = vec![json!({
            "jsonrpc": "2.0",
            "method": "window/showMessage",
            "params": { "type": ERROR, "message": shown },
        })];
        let open = self.open.drain(..);
        told.extend(open.map(|asked| refusal(asked.id(), REQUEST_FAILED, reason)));
        bodies(&told)
    }

    fn agree(&mut self, answer: &Value) {
        let encoding = answer.pointer("/result/capabilities/positionEncoding");
        let encoding = encoding.and_then(Value::as_str).unwrap_or("utf-16");
        let kind = PositionEncodingKind::from(encoding.to_owned());
        self.encoding = Encoding::negotiate(Some(&[kind]));
        self.is_agreed = true;
    }

    /// What an editor that leaves, or has said so, is told where no daemon runs: none is started to
    /// hear it. None where it goes on.
    pub(super) fn farewell(&mut self, message: &Value) -> Option<Vec<Vec<u8>>> {
        let is_request = message["id"].is_i64() || message["id"].is_string();
        let answer = if self.is_shut_down {
            is_request.then(|| refusal(&message["id"], INVALID_REQUEST, "after `shutdown`"))
        } else if message["method"] == "shutdown" {
            self.is_shut_down = true;
            Some(done(&message["id"]))
        } else {
            return None;
        };
        Some(bodies(answer.as_slice()))
    }

    /// Whether the editor waits for an answer.
    pub(super) fn is_owed(&self) -> bool {
        !self.open.is_empty()
    }

    /// What a new daemon is told, in order.
    pub(super) fn messages(&self) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        let was_answered =
            |initialize: &Value| self.open.iter().all(|o| *o.id() != initialize["id"]);
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
                "params": { "textDocument": self.spellings.given_back(item) },
            }));
        }
        let requests = self.open.iter().map(|asked| &asked.message);
        let requests = requests.filter(|asked| Some(*asked) != self.initialize.as_ref());
        messages.extend(requests.cloned());
        bodies(&messages)
    }
}

fn bodies(messages: &[Value]) -> Vec<Vec<u8>> {
    let body = |message: &Value| message.to_string().into_bytes();
    messages.iter().map(body).collect()
}

/// What is told of a request that the next daemon is not asked; none where it is.
fn unasked(
    asked: &Asked,
    documents: &Documents,
    edited: &[Value],
    is_shut_down: bool,
) -> Option<Value> {
    let id = asked.id();
    if asked.is_withdrawn {
        return Some(refusal(id, CANCELLED, "cancelled"));
    }
    if is_shut_down && asked.method() == "shutdown" {
        return Some(done(id));
    }
    let has_changed = |then: &Open| !documents.holds(then);
    if asked.of.as_deref().is_some_and(has_changed) {
        let fact = "the document has changed meanwhile; ask again";
        return Some(refusal(id, MODIFIED, fact));
    }
    let is_once = ONCE.iter().any(|method| asked.method() == *method);
    (is_shut_down || is_once || edited.contains(id)).then(|| {
        let fact =
            "the daemon ended before it answered, and may have done it or not; look, and ask again";
        refusal(id, REQUEST_FAILED, fact)
    })
}

fn refusal(id: &Value, code: i64, message: &str) -> Value {
    let error = json!({ "code": code, "message": message });
    json!({ "jsonrpc": "2.0", "id": id, "error": error })
}

/// The answer to `shutdown`.
fn done(id: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": null })
}

/// The end of a progress that nobody else will end.
fn ended(token: Value) -> Value {
    let params = json!({ "token": token, "value": { "kind": "end" } });
    json!({ "jsonrpc": "2.0", "method": "$/progress", "params": params })
}

#[cfg(test)]
mod tests;
