//! The desk's errors as clients are told them.

use tower_lsp::jsonrpc::{Error, ErrorCode};

use crate::desk::DeskError;
use crate::engine::worker::WorkerError;

/// `ServerCancelled`: ask again.
const SERVER_CANCELLED: i64 = -32802;
/// `RequestFailed`: the request was right and cannot be done.
pub const REQUEST_FAILED: i64 = -32803;

pub(super) fn server_cancelled(message: &str) -> Error {
    error(ErrorCode::ServerError(SERVER_CANCELLED), message)
}

pub(super) fn failed(message: &str) -> Error {
    error(ErrorCode::ServerError(REQUEST_FAILED), message)
}

/// The document has changed since it was asked about.
pub(super) fn stale() -> Error {
    error(
        ErrorCode::ContentModified,
        "the document has changed meanwhile; ask again",
    )
}

pub(super) fn of_desk(fault: &DeskError) -> Error {
    let message = fault.to_string();
    match fault {
        DeskError::Worker(WorkerError::Overloaded(_) | WorkerError::Stopping) => {
            server_cancelled(&message)
        }
        DeskError::Correction(_) => Error::invalid_params(message),
        DeskError::Rules(_) | DeskError::Worker(_) | DeskError::Journal(_) | DeskError::Broken => {
            failed(&message)
        }
    }
}

fn error(code: ErrorCode, message: &str) -> Error {
    Error {
        code,
        message: message.to_owned().into(),
        data: None,
    }
}
