//! The language server: one client's stream in, answers of the desk out.
//!
//! ```text
//! bytes ─ codec ─ transport ─ session: edits in wire order ─ documents
//!                               └ requests, each its own task ─ desk
//! ```
//!
//! Invariant: every request gets one answer; a result for an older text than the client's is not
//! shown. Knows no sockets and no models.

mod action;
pub mod codec;
mod command;
mod completion;
mod documents;
mod edits;
mod error;
mod hover;
mod learning;
mod lens;
mod mark;
mod message;
mod methods;
mod navigate;
mod open;
mod position;
mod progress;
mod reading;
mod review;
mod server;
mod session;
mod settings;
mod spelling;
mod suggest;
mod traits;
mod transport;
mod watching;
mod words;

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};
use tower_lsp::{ClientSocket, LspService};

use crate::desk::Desk;

pub use documents::{Documents, Open};
pub use error::REQUEST_FAILED;
pub use message::{document_of_place, read_message};
pub use position::{Encoding, LineIndex};
pub use spelling::Spellings;

/// Serves one client until it leaves or `stopping` becomes true. The message `()` on `stop` says
/// that the client wants the daemon to end.
pub async fn serve(
    reader: impl AsyncRead + Unpin + Send,
    writer: impl AsyncWrite + Unpin + Send + 'static,
    desk: Arc<Desk>,
    stop: mpsc::Sender<()>,
    stopping: watch::Receiver<bool>,
) {
    let shared = Arc::new(session::Shared::new(desk, stop));
    let (service, socket) = service(&shared);
    let watch = tokio::spawn(Arc::clone(&shared).watch_settings());
    let follow = tokio::spawn(Arc::clone(&shared).follow_corrections());
    let progress = tokio::spawn(Arc::clone(&shared).show_watching());
    let learning = tokio::spawn(Arc::clone(&shared).show_learning());
    let model = tokio::spawn(Arc::clone(&shared).follow_model());
    let ending = stopping.clone();
    transport::serve(reader, writer, service, socket, stopping).await;
    watch.abort();
    progress.abort();
    learning.abort();
    model.abort();
    follow.abort();
    shared.end();
    shared.let_all_go(*ending.borrow());
}

/// The service of one client, and what it says of its own accord.
fn service(shared: &Arc<session::Shared>) -> (session::Ordered, ClientSocket) {
    let of_session = Arc::clone(shared);
    let (service, socket) = LspService::build(|client| session::Session::new(client, of_session))
        .custom_method("gliznet/tag", session::Session::tag)
        .custom_method("gliznet/correct", session::Session::correct)
        .custom_method("gliznet/status", session::Session::status)
        .custom_method("gliznet/labelsets", session::Session::labelsets)
        .custom_method("gliznet/review", session::Session::review_queue)
        .custom_method("gliznet/stop", session::Session::stop)
        .custom_method("gliznet/refresh", session::Session::refresh)
        .custom_method("gliznet/watch", session::Session::watch)
        .custom_method("gliznet/find", session::Session::find)
        .custom_method("gliznet/tags", session::Session::tags)
        .custom_method("gliznet/train", session::Session::train)
        .custom_method(
            "window/workDoneProgress/cancel",
            session::Session::cancel_progress,
        )
        .finish();
    let service = session::Ordered::new(service, Arc::clone(shared));
    (service, socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Folders;
    use crate::engine::EngineOptions;
    use crate::engine::scheduler::Limits;
    use crate::engine::worker::{Worker, WorkerOptions};
    use serde_json::{Value, json};
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tower_lsp::jsonrpc::{ErrorCode, Request};
    use tower_service::Service;

    /// A desk whose model never comes, so that every question of a client is open when it goes.
    pub(super) fn desk(root: &std::path::Path) -> (Arc<Desk>, std::sync::mpsc::Sender<()>) {
        let options = WorkerOptions {
            engine: EngineOptions::default(),
            limits: Limits {
                interactive: 64,
                bulk: 64,
            },
            cache: None,
        };
        let (release, held) = std::sync::mpsc::channel();
        let load = move || {
            let _ = held.recv(); // The test's end.
            Err("no model".to_owned())
        };
        let worker = Worker::start(options, load).unwrap();
        let folders = Folders {
            config: root.join("config"),
            data: root.join("data"),
            cache: root.join("cache"),
        };
        (
            Arc::new(Desk::new(worker, folders, "build".to_owned())),
            release,
        )
    }

    fn said(method: &str, id: Option<u32>, params: Value) -> Vec<u8> {
        let mut message = json!({ "jsonrpc": "2.0", "method": method, "params": params });
        if let Some(id) = id {
            message["id"] = json!(id);
        }
        codec::frame(message.to_string().as_bytes())
    }

    /// A session that a client has begun, with one document open; and its service.
    pub(super) async fn begun(
        desk: Arc<Desk>,
        text: &str,
    ) -> (Arc<session::Shared>, session::Ordered, ClientSocket) {
        let shared = Arc::new(session::Shared::new(desk, mpsc::channel(1).0));
        let (mut service, socket) = service(&shared);
        let hello = json!({ "capabilities": { "workspace": { "applyEdit": true } } });
        let item = json!({ "uri": URI, "languageId": "markdown", "version": 1, "text": text });
        for (method, id, params) in [
            ("initialize", Some(1), hello),
            (
                "textDocument/didOpen",
                None,
                json!({ "textDocument": item }),
            ),
        ] {
            ask(&mut service, method, id, params).await;
        }
        (shared, service, socket)
    }

    pub(super) const URI: &str = "file:///notes/a.md";

    /// A request whose handler has not begun, or a notification.
    pub(super) fn ask(
        service: &mut session::Ordered,
        method: &'static str,
        id: Option<i64>,
        params: Value,
    ) -> impl Future<Output = Option<tower_lsp::jsonrpc::Response>> + use<> {
        let request = Request::build(method).params(params);
        let request = match id {
            Some(id) => request.id(id),
            None => request,
        };
        let answer = service.call(request.finish());
        async move { answer.await.unwrap() }
    }

    pub(super) async fn change(service: &mut session::Ordered, version: i32, text: &str) {
        let document = json!({ "uri": URI, "version": version });
        let params = json!({ "textDocument": document, "contentChanges": [{ "text": text }] });
        ask(service, "textDocument/didChange", None, params).await;
    }

    #[tokio::test]
    async fn a_place_is_answered_for_the_text_that_it_was_asked_of_or_not_at_all() {
        let root = tempfile::tempdir().unwrap();
        let (desk, release) = desk(root.path());
        let text = "---\ntags: [garden, tax]\n---\nRoses.\n";
        let (_, mut service, _socket) = begun(Arc::clone(&desk), text).await;
        let place = json!({
            "textDocument": { "uri": URI }, "position": { "line": 1, "character": 9 },
        });
        let asked = ask(
            &mut service,
            "textDocument/prepareRename",
            Some(2),
            place.clone(),
        );
        let edited = format!("{text}More.\n");
        change(&mut service, 2, &edited).await;
        let answer = asked.await.unwrap();
        assert_eq!(
            answer.error().map(|error| error.code),
            Some(ErrorCode::ContentModified)
        );
        let asked = ask(&mut service, "textDocument/prepareRename", Some(3), place);
        let answer = asked.await.unwrap();
        assert_eq!(answer.result().unwrap()["placeholder"], "garden");
        drop(release);
        desk.close();
    }

    #[tokio::test]
    async fn nothing_of_a_client_is_held_when_it_is_gone() {
        let root = tempfile::tempdir().unwrap();
        let (desk, release) = desk(root.path());
        let (stop, _asked) = mpsc::channel(1);
        let (_stopping, stopping) = watch::channel(false);
        for _ in 0..3 {
            let (mut client, server) = tokio::io::duplex(1 << 16);
            let (reader, writer) = tokio::io::split(server);
            let (of_client, stop, stopping) = (Arc::clone(&desk), stop.clone(), stopping.clone());
            let served = tokio::spawn(serve(reader, writer, of_client, stop, stopping));
            let abilities = json!({ "workspace": { "applyEdit": true, "configuration": true } });
            let hello = json!({ "capabilities": abilities });
            client
                .write_all(&said("initialize", Some(1), hello))
                .await
                .unwrap();
            client
                .write_all(&said("initialized", None, json!({})))
                .await
                .unwrap();
            for i in 0..20 {
                let uri = format!("file:///notes/{i}.md");
                let item =
                    json!({ "uri": uri, "languageId": "markdown", "version": 1, "text": "Roses." });
                let opened = json!({ "textDocument": item });
                client
                    .write_all(&said("textDocument/didOpen", None, opened))
                    .await
                    .unwrap();
                let asked = json!({ "textDocument": { "uri": uri }, "labels": ["garden"] });
                client
                    .write_all(&said("gliznet/tag", Some(i + 2), asked))
                    .await
                    .unwrap();
            }
            let mut first = [0; 16];
            client.read_exact(&mut first).await.unwrap();
            assert!(Arc::strong_count(&desk) > 2, "a session holds the desk");
            drop(client); // Without a word.
            served.await.unwrap();
        }
        // Tasks that are given up end at their next turn.
        for _ in 0..3_000 {
            if Arc::strong_count(&desk) == 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(Arc::strong_count(&desk), 1, "something of a client is left");
        drop(release);
        desk.close();
    }
}
