//! One client's connection: frames in, calls of the service in wire order, frames out.
//!
//! tower-lsp's own transport runs four handlers at a time and stops reading when they wait, so a
//! client that keeps four requests open is never read again. Here every request is its own task,
//! and what comes too many is refused.
//! Invariant: the reader waits only for a client that does not read its answers, and not when the
//! daemon ends; a connection's end withdraws all its questions; bad input ends nobody else's
//! connection.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tower_lsp::jsonrpc::{Error, ErrorCode, Id, Request, Response};
use tower_lsp::{ClientSocket, Loopback};
use tower_service::Service;

use super::codec::{Decoder, frame};
use super::error::server_cancelled;
use super::message::read_message;
use super::session::Ordered;

/// Requests of one client that may be open at once.
const MOST_OPEN: usize = 512;
/// Frames that may wait for a client to read them.
const MOST_UNREAD: usize = 64;
/// Bytes that are read at once.
const CHUNK: usize = 64 << 10;
/// How long open requests may still take when the daemon stops.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long a client may take to read its last answers.
const LAST_WORDS: Duration = Duration::from_secs(2);

type Outbox = mpsc::Sender<Vec<u8>>;

/// Serves one client until it leaves, breaks the protocol, or `stopping` becomes true.
pub(super) async fn serve(
    mut reader: impl AsyncRead + Unpin + Send,
    mut writer: impl AsyncWrite + Unpin + Send + 'static,
    service: Ordered,
    socket: ClientSocket,
    mut stopping: watch::Receiver<bool>,
) {
    let (outbox, mut outgoing) = mpsc::channel::<Vec<u8>>(MOST_UNREAD);
    let write = tokio::spawn(async move {
        while let Some(bytes) = outgoing.recv().await {
            if writer.write_all(&bytes).await.is_err() || writer.flush().await.is_err() {
                return; // The client has gone; the reader sees it too.
            }
        }
        let _ = writer.shutdown().await;
    });
    let (mut requests, responses) = socket.split();
    let to_client = outbox.clone();
    let ours = tokio::spawn(async move {
        while let Some(request) = requests.next().await {
            if to_client.send(encoded(&request)).await.is_err() {
                return;
            }
        }
    });
    let mut connection = Connection {
        service,
        responses,
        outbox,
        open: JoinSet::new(),
    };
    let mut decoder = Decoder::default();
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = tokio::select! {
            read = reader.read(&mut chunk) => Some(read),
            () = told(&mut stopping) => None,
        };
        match read {
            Some(Ok(n @ 1..)) => decoder.feed(&chunk[..n]),
            Some(_) => break,
            None => {
                connection.finish().await;
                break;
            }
        }
        let taken = tokio::select! {
            biased;
            next = connection.take(&mut decoder) => Some(next),
            // Only where the client does not read: what can be taken at once is.
            () = told(&mut stopping) => None,
        };
        match taken {
            Some(Next::Read) => {}
            Some(Next::End) => break,
            None => {
                connection.finish().await;
                break;
            }
        }
    }
    ours.abort();
    drop(connection); // Its open requests go with it, and withdraw their questions.
    let ended = write.abort_handle();
    if tokio::time::timeout(LAST_WORDS, write).await.is_err() {
        tracing::debug!("a client did not read its last answers");
        ended.abort();
    }
}

/// Returns when the daemon stops.
async fn told(stopping: &mut watch::Receiver<bool>) {
    // The value's guard may not be kept across an await. An error: the daemon is gone already.
    let _ = stopping.wait_for(|stopping| *stopping).await.map(|_| ());
}

#[derive(PartialEq, Eq)]
enum Next {
    Read,
    End,
}

struct Connection {
    service: Ordered,
    responses: <ClientSocket as Loopback>::ResponseSink,
    outbox: Outbox,
    open: JoinSet<()>,
}

impl Connection {
    /// Handles all whole messages.
    async fn take(&mut self, decoder: &mut Decoder) -> Next {
        loop {
            match decoder.next_body() {
                Ok(None) => return Next::Read,
                Ok(Some(body)) => {
                    if self.message(&body).await == Next::End {
                        return Next::End;
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "a client's stream cannot be read on");
                    let mut fault = Error::parse_error();
                    fault.message = error.to_string().into();
                    let _ = self.send(&Response::from_error(Id::Null, fault)).await;
                    return Next::End;
                }
            }
        }
    }

    async fn message(&mut self, body: &[u8]) -> Next {
        let value: Value = match read_message(body) {
            Ok(value) => value,
            Err(_) => return self.refuse(Id::Null, Error::parse_error()).await,
        };
        let id = value
            .get("id")
            .and_then(|id| serde_json::from_value(id.clone()).ok())
            .unwrap_or(Id::Null);
        let is_answer = value.get("method").is_none()
            && (value.get("result").is_some() || value.get("error").is_some());
        if is_answer {
            if let Ok(response) = serde_json::from_value::<Response>(value) {
                // Nobody may wait for it any more.
                let _ = self.responses.send(response).await;
            }
            return Next::Read;
        }
        match serde_json::from_value::<Request>(value) {
            Ok(request) if !request.method().is_empty() => self.request(request).await,
            _ => self.refuse(id, Error::invalid_request()).await,
        }
    }

    async fn request(&mut self, request: Request) -> Next {
        while self.open.try_join_next().is_some() {}
        let is_exit = request.method() == "exit";
        let is_first = request.method() == "initialize";
        let id = request.id().cloned();
        if let Some(id) = &id
            && self.open.len() >= MOST_OPEN
        {
            let error = server_cancelled("too many requests are open; wait for their answers");
            return self.refuse(id.clone(), error).await;
        }
        if let Some(id) = &id
            && request.method().starts_with("$/")
        {
            // There is no such request, and the service answers none of this name at all.
            return self.refuse(id.clone(), Error::method_not_found()).await;
        }
        let answer = self.service.call(request);
        if is_exit {
            return Next::End;
        }
        // Handlers of notifications and of `initialize` do not wait for anything; the others may.
        if id.is_none() || is_first {
            return match answer.await {
                Ok(Some(response)) => self.send(&response).await,
                Ok(None) => Next::Read,
                Err(_) => Next::End,
            };
        }
        let outbox = self.outbox.clone();
        self.open.spawn(async move {
            if let Ok(Some(response)) = answer.await {
                let _ = outbox.send(encoded(&response)).await; // The client may have gone.
            }
        });
        Next::Read
    }

    async fn refuse(&self, id: Id, error: Error) -> Next {
        self.send(&Response::from_error(id, error)).await
    }

    async fn send(&self, response: &Response) -> Next {
        match self.outbox.send(encoded(response)).await {
            Ok(()) => Next::Read,
            Err(_) => Next::End,
        }
    }

    /// Lets open requests end, for a while.
    async fn finish(&mut self) {
        let all = async { while self.open.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(FAREWELL, all).await;
    }
}

fn encoded(message: &impl serde::Serialize) -> Vec<u8> {
    let body = serde_json::to_vec(message).unwrap_or_else(|error| {
        let fault = Error {
            code: ErrorCode::InternalError,
            message: error.to_string().into(),
            data: None,
        };
        serde_json::to_vec(&Response::from_error(Id::Null, fault)).unwrap_or_default()
    });
    frame(&body)
}
