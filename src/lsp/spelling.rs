//! URIs as clients spell them: messages with names that are no URIs by the letter in, the same with
//! lawful ones out; and back.
//!
//! Many clients leave `[`, `|`, `^` or a space in the URI of a file as it is, which RFC 3986 does
//! not allow and our parser does not take.
//! Invariant: nothing else in a message changes; a client hears of a document by the name that it
//! gave it last; a spelling is kept until its document is closed.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::{Map, Value};
use tower_lsp::Client;
use tower_lsp::jsonrpc::Result;
use tower_lsp::ls_types::notification::Notification;
use tower_lsp::ls_types::request::Request;
use tower_lsp::ls_types::{ApplyWorkspaceEditResponse, Uri};

/// The keys under which clients name documents and folders.
const KEYS: [&str; 2] = ["uri", "rootUri"];

/// One client's own spellings, by the lawful ones.
#[derive(Debug, Default)]
pub struct Spellings {
    known: Mutex<HashMap<String, String>>,
}

impl Spellings {
    /// Spells the URIs in what a client says lawfully.
    pub fn take_in(&self, said: &mut Value) {
        match said {
            Value::Object(fields) => {
                for (key, value) in fields {
                    match value {
                        Value::String(uri) if KEYS.contains(&&**key) => {
                            if let Some(lawful) = lawful(uri) {
                                let own = std::mem::replace(uri, lawful.clone());
                                self.lock().insert(lawful, own);
                            } else {
                                self.forget(uri);
                            }
                        }
                        other => self.take_in(other),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.take_in(item)),
            _ => {}
        }
    }

    /// The client has closed a document, or spells it lawfully now.
    pub fn forget(&self, lawful: &str) {
        self.lock().remove(lawful);
    }

    /// What a client is to hear, with its own spellings.
    pub fn given_back(&self, message: impl Serialize) -> Value {
        // All that we say is JSON, so this cannot fail.
        let mut message = serde_json::to_value(message).unwrap_or_default();
        self.give_back(&mut message);
        message
    }

    /// Spells the URIs in what a client is to hear as it does.
    pub(super) fn give_back(&self, message: &mut Value) {
        let known = self.lock();
        if !known.is_empty() {
            give_back(&known, message);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn give_back(known: &HashMap<String, String>, message: &mut Value) {
    match message {
        Value::String(uri) => {
            if let Some(own) = known.get(uri) {
                own.clone_into(uri);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| give_back(known, item)),
        Value::Object(fields) => {
            // The edits of a document stand under its name.
            let all = std::mem::take(fields).into_iter();
            let all = all.map(|(key, mut value)| {
                give_back(known, &mut value);
                (known.get(&key).cloned().unwrap_or(key), value)
            });
            *fields = all.collect::<Map<_, _>>();
        }
        _ => {}
    }
}

/// The lawful spelling of a URI; none where it has it, or where no spelling would help.
pub(super) fn lawful(uri: &str) -> Option<String> {
    if uri.parse::<Uri>().is_ok() {
        return None;
    }
    let mut spelt = String::with_capacity(uri.len() + 8);
    let mut has_fragment = false;
    for (at, byte) in uri.bytes().enumerate() {
        let is_allowed = match byte {
            b'%' => {
                let code = uri.as_bytes().get(at + 1..at + 3);
                code.is_some_and(|code| code.iter().all(u8::is_ascii_hexdigit))
            }
            b'#' => !std::mem::replace(&mut has_fragment, true),
            _ => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(&byte),
        };
        if is_allowed {
            spelt.push(char::from(byte));
        } else {
            let _ = write!(spelt, "%{byte:02X}"); // A string takes all that is written.
        }
    }
    spelt.parse::<Uri>().is_ok().then_some(spelt)
}

/// `textDocument/publishDiagnostics`, with URIs in any spelling.
pub(super) enum PublishDiagnostics {}

impl Notification for PublishDiagnostics {
    type Params = Value;
    const METHOD: &'static str = "textDocument/publishDiagnostics";
}

/// `workspace/applyEdit`, with URIs in any spelling.
enum ApplyEdit {}

impl Request for ApplyEdit {
    type Params = Value;
    type Result = ApplyWorkspaceEditResponse;
    const METHOD: &'static str = "workspace/applyEdit";
}

/// Has the client apply an edit that is spelt as it spells.
pub(super) async fn apply_edit(client: &Client, edit: Value) -> Result<ApplyWorkspaceEditResponse> {
    let params = serde_json::json!({ "edit": edit });
    client.send_request::<ApplyEdit>(params).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_no_uri_by_the_letter_is_spelt_so_that_it_is_one() {
        for (own, expected) in [
            ("file:///n/a[1].md", "file:///n/a%5B1%5D.md"),
            ("file:///n/a b|c^.md", "file:///n/a%20b%7Cc%5E.md"),
            ("file:///n/a%20[b].md", "file:///n/a%20%5Bb%5D.md"),
            ("file:///n/100%.md", "file:///n/100%25.md"),
            ("file:///n/été.md", "file:///n/%C3%A9t%C3%A9.md"),
            ("file:///n/a#b#c", "file:///n/a#b%23c"),
        ] {
            assert_eq!(lawful(own).as_deref(), Some(expected));
        }
        for other in ["file:///n/a%5B1%5D.md", "untitled:Untitled-1", "", "a b"] {
            assert_eq!(lawful(other), None, "{other}");
        }
    }

    #[test]
    fn a_client_hears_of_its_documents_as_it_spells_them() {
        let spellings = Spellings::default();
        let mut said = json!({
            "textDocument": { "uri": "file:///n/a[1].md", "text": "file:///n/a[1].md" },
            "arguments": [{ "uri": "file:///n/b.md" }],
        });
        let own = said.clone();
        spellings.take_in(&mut said);
        assert_eq!(said["textDocument"]["uri"], "file:///n/a%5B1%5D.md");
        assert_eq!(said["textDocument"]["text"], "file:///n/a[1].md");
        assert_eq!(spellings.given_back(&said), own);
        let edit = json!({ "changes": { "file:///n/a%5B1%5D.md": [], "file:///n/b.md": [] } });
        let own = json!({ "changes": { "file:///n/a[1].md": [], "file:///n/b.md": [] } });
        assert_eq!(spellings.given_back(edit), own);
    }

    #[test]
    fn the_spelling_that_came_last_holds_and_none_is_kept_of_a_closed_document() {
        let spellings = Spellings::default();
        let lawful = json!({ "uri": "file:///n/a%5B1%5D.md" });
        for later in [Some(&lawful), None] {
            spellings.take_in(&mut json!({ "uri": "file:///n/a[1].md" }));
            match later {
                Some(said) => spellings.take_in(&mut said.clone()),
                None => spellings.forget("file:///n/a%5B1%5D.md"),
            }
            assert_eq!(spellings.given_back(&lawful), lawful);
            assert!(spellings.lock().is_empty());
        }
    }
}
