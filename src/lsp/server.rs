//! What the language server offers, and the handlers of its standard methods.

use std::sync::atomic::Ordering;

use serde_json::json;
use tower_lsp::LanguageServer;
use tower_lsp::jsonrpc::Result;
use tower_lsp::ls_types::{
    InitializeParams, InitializeResult, InitializedParams, ServerCapabilities, ServerInfo,
    TextDocumentSyncCapability, TextDocumentSyncKind, TextDocumentSyncOptions,
    TextDocumentSyncSaveOptions,
};

use super::position::Encoding;
use super::session::{Session, choice};
use crate::desk::protocol::VERSION;

impl LanguageServer for Session {
    async fn initialize(&self, params: InitializeParams) -> Result<InitializeResult> {
        let shared = &self.shared;
        let general = params.capabilities.general.as_ref();
        let offered = general.and_then(|general| general.position_encodings.as_deref());
        let encoding = Encoding::negotiate(offered);
        let _ = shared.encoding.set(encoding); // `initialize` comes once, or tower-lsp refuses it.
        if let Some(options) = &params.initialization_options {
            *shared.choice() = choice(options.get("gliznet").unwrap_or(options));
        }
        shared.serving.store(true, Ordering::Relaxed);
        Ok(InitializeResult {
            capabilities: ServerCapabilities {
                position_encoding: Some(encoding.kind()),
                text_document_sync: Some(TextDocumentSyncCapability::Options(
                    TextDocumentSyncOptions {
                        open_close: Some(true),
                        change: Some(TextDocumentSyncKind::INCREMENTAL),
                        save: Some(TextDocumentSyncSaveOptions::Supported(false)),
                        ..TextDocumentSyncOptions::default()
                    },
                )),
                experimental: Some(json!({ "gliznet": { "protocol": VERSION } })),
                ..ServerCapabilities::default()
            },
            server_info: Some(ServerInfo {
                name: "gliznet".to_owned(),
                version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            }),
            ..InitializeResult::default()
        })
    }

    async fn initialized(&self, _: InitializedParams) {}

    async fn shutdown(&self) -> Result<()> {
        Ok(()) // Of this client only; `Ordered::call` has ended its work.
    }
}
