//! One client: what it has open, what it asked for, and what it is answered.
//!
//! Invariant: edits are applied in `Ordered::call`, in wire order, before anything is concurrent; a
//! place in a document is answered for the text that the client had when it asked, or not at all; no
//! handler waits for the client. Knows nothing of sockets.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tower_lsp::jsonrpc::{Error, Request, Response, Result};
use tower_lsp::ls_types::{DidChangeConfigurationParams, DidCloseTextDocumentParams, Uri};
use tower_lsp::{Client, ExitedError, LspService};
use tower_service::Service;

use super::documents::{self, Documents, Open};
use super::error::stale;
use super::message::document_of_place;
use super::navigate::Navigation;
use super::open::{Edited, Held};
use super::position::Encoding;
use super::spelling::Spellings;
use super::suggest::{PAUSE, Suggestions};
use super::traits::Traits;
use crate::desk::protocol::DocumentName;
use crate::desk::{Choice, Desk, Presence, Text};
use crate::document::Format;

/// What the parts of one session share.
pub(super) struct Shared {
    pub(super) desk: Arc<Desk>,
    /// Held for the time of one edit, never across an await.
    documents: Mutex<Documents>,
    /// What the client chose for all its documents.
    choice: Mutex<Choice>,
    pub(super) encoding: OnceLock<Encoding>,
    pub(super) traits: OnceLock<Traits>,
    /// `initialize` was answered and `shutdown` not yet asked.
    pub(super) serving: AtomicBool,
    /// Counts this client, from `initialize` on.
    presence: Mutex<Option<Presence>>,
    pub(super) client: OnceLock<Client>,
    pub(super) suggestions: Suggestions,
    pub(super) spellings: Spellings,
    pub(super) navigation: Navigation,
    pub(super) held: Held,
    pub(super) edited: Arc<Edited>,
    pub(super) stop: mpsc::Sender<()>,
}

/// The document in which a request names a place, with the text that it had then.
type Place = (Uri, Option<Arc<str>>);

tokio::task_local! {
    /// What the request that a handler answers is about, where it names a place.
    static ASKED: Option<Place>;
}

impl Shared {
    pub(super) fn new(desk: Arc<Desk>, stop: mpsc::Sender<()>) -> Shared {
        Shared {
            desk,
            documents: Mutex::default(),
            choice: Mutex::default(),
            encoding: OnceLock::new(),
            traits: OnceLock::new(),
            serving: AtomicBool::new(false),
            presence: Mutex::default(),
            client: OnceLock::new(),
            suggestions: Suggestions::default(),
            spellings: Spellings::default(),
            navigation: Navigation::default(),
            held: Held::default(),
            edited: Arc::default(),
            stop,
        }
    }

    pub(super) fn documents(&self) -> MutexGuard<'_, Documents> {
        self.documents
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn choice(&self) -> MutexGuard<'_, Choice> {
        self.choice.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What columns count.
    pub(super) fn encoding(&self) -> Encoding {
        self.encoding.get().copied().unwrap_or_default()
    }

    /// What the client can do.
    pub(super) fn traits(&self) -> Traits {
        self.traits.get().copied().unwrap_or_default()
    }

    /// Ends whatever still runs for this client.
    pub(super) fn end(&self) {
        self.serving.store(false, Ordering::Relaxed);
        self.suggestions.end();
        self.count(None);
    }

    /// Counts this client from now on, or no longer.
    pub(super) fn count(&self, presence: Option<Presence>) {
        let mut counted = self.presence.lock().unwrap_or_else(PoisonError::into_inner);
        *counted = presence;
    }

    /// Applies the client's own state: documents and settings. Says whether the request was that.
    fn apply(self: &Arc<Shared>, request: &Request) -> bool {
        let method = request.method();
        if !method.starts_with("textDocument/did") && method != "workspace/didChangeConfiguration" {
            return false;
        }
        if !self.serving.load(Ordering::Relaxed) || request.id().is_some() {
            return request.id().is_none(); // A notification out of season; a request is answered.
        }
        match method {
            "textDocument/didOpen" => {
                if let Some(params) = params(request) {
                    let params: tower_lsp::ls_types::DidOpenTextDocumentParams = params;
                    let uri = params.text_document.uri.clone();
                    self.documents().open(params);
                    self.hold(&uri);
                    self.suggest_soon(&uri, Duration::ZERO);
                }
            }
            "textDocument/didChange" => {
                if let Some(params) = params(request) {
                    let changed = self.documents().change(&params, self.encoding());
                    if changed {
                        self.suggest_soon(&params.text_document.uri, PAUSE);
                    }
                }
            }
            "textDocument/didClose" => {
                if let Some(params) = params(request) {
                    let params: DidCloseTextDocumentParams = params;
                    let uri = params.text_document.uri;
                    self.let_go(&uri); // With the text that it has still.
                    self.documents().close(&uri);
                    if self.suggestions.forget(&uri) {
                        let shared = Arc::clone(self);
                        tokio::spawn(async move { shared.unmark(uri).await });
                    } else {
                        self.spellings.forget(uri.as_str());
                    }
                }
            }
            "workspace/didChangeConfiguration" => {
                if let Some(params) = params(request) {
                    let params: DidChangeConfigurationParams = params;
                    self.configure(&params.settings);
                }
            }
            _ => {} // `didSave` tells nothing that the edits did not.
        }
        true
    }

    /// An open document, or why there is none. Where the request names a place in it, it is the text
    /// that the client had when it asked: a handler begins later, when other edits may have come.
    pub(super) fn open_document(&self, name: &DocumentName) -> Result<Open> {
        let uri = parsed(&name.uri)?;
        let documents = self.documents();
        let open = documents.get(&uri).cloned().ok_or_else(|| {
            Error::invalid_params(format!(
                "`{}` is not open; send textDocument/didOpen first, or the text itself",
                name.uri
            ))
        })?;
        let is_other = |asked: &Option<Place>| {
            let then = asked.as_ref().filter(|(of, _)| *of == uri);
            then.is_some_and(|(_, then)| !is_text(then.as_ref(), &open))
        };
        // Outside of a request nothing was asked.
        match ASKED.try_with(is_other) {
            Ok(true) => Err(stale()),
            Ok(false) | Err(_) => Ok(open),
        }
    }

    /// The place that a request names, as it is now.
    fn place_of(&self, request: &Request) -> Option<Place> {
        let uri = document_of_place(request.method(), request.params()?)?;
        let uri: Uri = uri.parse().ok()?;
        let text = self
            .documents()
            .get(&uri)
            .map(|open| Arc::clone(&open.text));
        Some((uri, text))
    }

    /// What a request is about: an open document or a text.
    pub(super) fn subject(&self, asked: Asked) -> Result<Subject> {
        let mut subject = match (asked.document, asked.text) {
            (Some(name), None) => {
                let open = self.open_document(name)?;
                Subject {
                    folder: self.folder_of(&open),
                    text: text_of(&open),
                    open: Some(open),
                }
            }
            (None, Some(text)) => {
                let uri = asked.uri.map(parsed).transpose()?;
                let path = uri.as_ref().and_then(documents::path);
                let format = path.as_deref().map_or(Format::Plain, Format::from_path);
                Subject {
                    folder: path.and_then(|path| Some(path.parent()?.to_path_buf())),
                    text: Text {
                        source: text.into(),
                        format,
                        name: uri.as_ref().and_then(documents::name),
                    },
                    open: None,
                }
            }
            _ => {
                return Err(Error::invalid_params(
                    "give either `textDocument` or `text`",
                ));
            }
        };
        if let Some(format) = asked.format {
            subject.text.format = format.parse().map_err(|_| {
                Error::invalid_params(format!(
                    "`{format}` is no format; there are markdown, org, rst, latex, html and plain"
                ))
            })?;
        }
        Ok(subject)
    }
}

/// Whether a document has the very text that it had then.
fn is_text(then: Option<&Arc<str>>, open: &Open) -> bool {
    then.is_some_and(|then| Arc::ptr_eq(then, &open.text))
}

fn parsed(uri: &str) -> Result<Uri> {
    uri.parse()
        .map_err(|_| Error::invalid_params(format!("`{uri}` is not a URI")))
}

/// How a request names what it is about.
pub(super) struct Asked<'a> {
    pub(super) document: Option<&'a DocumentName>,
    pub(super) text: Option<String>,
    pub(super) format: Option<&'a str>,
    /// Whose text it is, where it is a bare one.
    pub(super) uri: Option<&'a str>,
}

/// What a request is about.
pub(super) struct Subject {
    pub(super) text: Text,
    pub(super) folder: Option<PathBuf>,
    pub(super) open: Option<Open>,
}

/// An open document as the desk reads it.
pub(super) fn text_of(open: &Open) -> Text {
    Text {
        source: Arc::clone(&open.text),
        format: open.format,
        name: Some(open.name()),
    }
}

fn params<T: DeserializeOwned>(request: &Request) -> Option<T> {
    let params = request.params().cloned().unwrap_or(Value::Null);
    serde_json::from_value(params)
        .inspect_err(|error| {
            tracing::debug!(method = request.method(), %error, "a notification is left out");
        })
        .ok()
}

/// What clients say without a person's doing: nobody is at work because of it.
const UNASKED: [&str; 5] = [
    "initialize",
    "initialized",
    "gliznet/status",
    "gliznet/train",
    "shutdown",
];

/// These need no parameters, and any client may say so in its own way.
const LENIENT: [&str; 9] = [
    "gliznet/status",
    "gliznet/labelsets",
    "gliznet/review",
    "gliznet/stop",
    "gliznet/refresh",
    "gliznet/watch",
    "gliznet/find",
    "gliznet/tags",
    "gliznet/train",
];

/// The service of one client; whatever must keep its order happens in `call`.
pub(super) struct Ordered {
    inner: LspService<Session>,
    shared: Arc<Shared>,
}

impl Ordered {
    pub(super) fn new(inner: LspService<Session>, shared: Arc<Shared>) -> Ordered {
        Ordered { inner, shared }
    }

    /// A request as we read it: with parameters where there may be none, and lawful URIs.
    fn understood(&self, request: Request) -> Request {
        let (method, id, params) = request.into_parts();
        let is_bare = params.as_ref().is_none_or(Value::is_null);
        let mut params = match is_bare && LENIENT.contains(&&*method) {
            true => Some(json!({})),
            false => params,
        };
        if let Some(params) = &mut params {
            self.shared.spellings.take_in(params);
        }
        let mut request = Request::build(method);
        if let Some(params) = params {
            request = request.params(params);
        }
        if let Some(id) = id {
            request = request.id(id);
        }
        request.finish()
    }
}

impl Service<Request> for Ordered {
    type Response = Option<Response>;
    type Error = ExitedError;
    type Future = BoxFuture<'static, std::result::Result<Option<Response>, ExitedError>>;

    fn poll_ready(&mut self, ctx: &mut Context<'_>) -> Poll<std::result::Result<(), ExitedError>> {
        self.inner.poll_ready(ctx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let request = self.understood(request);
        if !UNASKED.contains(&request.method()) {
            self.shared.desk.touch();
        }
        if self.shared.apply(&request) {
            return futures::future::ok(None).boxed();
        }
        if request.method() == "shutdown" && self.shared.serving.load(Ordering::Relaxed) {
            self.shared.end();
        }
        let asked = self.shared.place_of(&request);
        let answer = ASKED.scope(asked, self.inner.call(request));
        let shared = Arc::clone(&self.shared);
        let spelt = async move {
            let answer = answer.await?;
            Ok(answer.map(|answer| {
                let (id, mut result) = answer.into_parts();
                if let Ok(result) = &mut result {
                    shared.spellings.give_back(result);
                }
                Response::from_parts(id, result)
            }))
        };
        spelt.boxed()
    }
}

/// The handlers.
pub(super) struct Session {
    pub(super) shared: Arc<Shared>,
}

impl Session {
    pub(super) fn new(client: Client, shared: Arc<Shared>) -> Session {
        let _ = shared.client.set(client); // There is one session for one `Shared`.
        Session { shared }
    }
}
