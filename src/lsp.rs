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
mod suggest;
mod traits;
mod transport;
mod watching;

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};
use tower_lsp::LspService;

use crate::desk::Desk;

pub use documents::{Documents, Open};
pub use position::{Encoding, LineIndex};

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
    let of_session = Arc::clone(&shared);
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
    let service = session::Ordered::new(service, Arc::clone(&shared));
    let watch = tokio::spawn(Arc::clone(&shared).watch_settings());
    let follow = tokio::spawn(Arc::clone(&shared).follow_corrections());
    let progress = tokio::spawn(Arc::clone(&shared).show_watching());
    let learning = tokio::spawn(Arc::clone(&shared).show_learning());
    let model = tokio::spawn(Arc::clone(&shared).follow_model());
    transport::serve(reader, writer, service, socket, stopping).await;
    watch.abort();
    progress.abort();
    learning.abort();
    model.abort();
    follow.abort();
    shared.end();
    shared.let_all_go();
}
