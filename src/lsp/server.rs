//! What the language server offers, and the handlers of its standard methods.
//!
//! Each handler is one line here; what it does stands in a file of its own.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use tower_lsp::LanguageServer;
use tower_lsp::jsonrpc::Result;
use tower_lsp::ls_types::{
    CodeAction, CodeActionKind, CodeActionOptions, CodeActionParams, CodeActionProviderCapability,
    CodeActionResponse, CodeLens, CodeLensOptions, CodeLensParams, CompletionOptions,
    CompletionParams, CompletionResponse, DidChangeWatchedFilesParams,
    DidChangeWorkspaceFoldersParams, DocumentHighlight, DocumentHighlightParams,
    ExecuteCommandOptions, ExecuteCommandParams, Hover, HoverParams, HoverProviderCapability,
    InitializeParams, InitializeResult, InitializedParams, InlayHint, InlayHintParams, Location,
    OneOf, PrepareRenameResponse, ReferenceParams, RenameOptions, RenameParams, ServerCapabilities,
    ServerInfo, TextDocumentPositionParams, TextDocumentSyncCapability, TextDocumentSyncKind,
    TextDocumentSyncOptions, TextDocumentSyncSaveOptions, WorkDoneProgressOptions, WorkspaceEdit,
    WorkspaceFoldersServerCapabilities, WorkspaceServerCapabilities, WorkspaceSymbolOptions,
    WorkspaceSymbolParams, WorkspaceSymbolResponse,
};

use super::position::Encoding;
use super::session::Session;
use super::settings::choice;
use super::traits::Traits;
use super::{action, lens};
use crate::desk::protocol::{COMMAND_LINE, DocumentName, VERSION};

/// How long a client that cannot be asked to ask again waits for its first lenses.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);
/// What is typed before or inside a tag.
const TRIGGERS: [&str; 8] = ["#", "/", "-", " ", "[", ",", ":", "\""];

fn capabilities(encoding: Encoding, traits: Traits) -> ServerCapabilities {
    ServerCapabilities {
        position_encoding: Some(encoding.kind()),
        text_document_sync: Some(TextDocumentSyncCapability::Options(
            TextDocumentSyncOptions {
                open_close: Some(true),
                change: Some(TextDocumentSyncKind::INCREMENTAL),
                save: Some(TextDocumentSyncSaveOptions::Supported(false)),
                ..TextDocumentSyncOptions::default()
            },
        )),
        code_lens_provider: Some(CodeLensOptions {
            resolve_provider: Some(false),
        }),
        code_action_provider: Some(CodeActionProviderCapability::Options(CodeActionOptions {
            code_action_kinds: Some(vec![CodeActionKind::QUICKFIX]),
            resolve_provider: Some(true),
            ..CodeActionOptions::default()
        })),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some(TRIGGERS.map(str::to_owned).to_vec()),
            ..CompletionOptions::default()
        }),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        inlay_hint_provider: Some(OneOf::Left(true)),
        execute_command_provider: Some(ExecuteCommandOptions {
            commands: action::commands(traits.reviews),
            ..ExecuteCommandOptions::default()
        }),
        references_provider: Some(OneOf::Left(true)),
        document_highlight_provider: Some(OneOf::Left(true)),
        rename_provider: Some(OneOf::Right(RenameOptions {
            prepare_provider: Some(true),
            work_done_progress_options: PROGRESS,
        })),
        workspace_symbol_provider: Some(OneOf::Right(WorkspaceSymbolOptions {
            work_done_progress_options: PROGRESS,
            resolve_provider: Some(false),
        })),
        workspace: Some(WorkspaceServerCapabilities {
            workspace_folders: Some(WorkspaceFoldersServerCapabilities {
                supported: Some(true),
                change_notifications: Some(OneOf::Left(true)),
            }),
            file_operations: None,
        }),
        experimental: Some(json!({ "gliznet": { "protocol": VERSION } })),
        ..ServerCapabilities::default()
    }
}

/// These may search a workspace.
const PROGRESS: WorkDoneProgressOptions = WorkDoneProgressOptions {
    work_done_progress: Some(true),
};

impl LanguageServer for Session {
    async fn initialize(&self, params: InitializeParams) -> Result<InitializeResult> {
        let shared = &self.shared;
        let general = params.capabilities.general.as_ref();
        let offered = general.and_then(|general| general.position_encodings.as_deref());
        let encoding = Encoding::negotiate(offered);
        let traits = Traits::of(&params.capabilities, params.locale.as_deref());
        let _ = shared.encoding.set(encoding); // `initialize` comes once, or tower-lsp refuses it.
        let _ = shared.traits.set(traits);
        if let Some(options) = &params.initialization_options {
            *shared.choice() = choice(options);
        }
        shared.navigation.begin(&params);
        if params
            .client_info
            .is_none_or(|client| client.name != COMMAND_LINE)
        {
            shared.count(Some(shared.desk.enter()));
        }
        shared.serving.store(true, Ordering::Relaxed);
        Ok(InitializeResult {
            capabilities: capabilities(encoding, traits),
            server_info: Some(ServerInfo {
                name: "gliznet".to_owned(),
                version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            }),
            ..InitializeResult::default()
        })
    }

    async fn initialized(&self, _: InitializedParams) {
        self.shared.ask_for_settings();
        self.shared.show_loading();
    }

    async fn did_change_watched_files(&self, _: DidChangeWatchedFilesParams) {
        self.shared.suggest_all();
    }

    async fn code_lens(&self, params: CodeLensParams) -> Result<Option<Vec<CodeLens>>> {
        let shared = &self.shared;
        let uri = params.text_document.uri;
        let name = DocumentName {
            uri: uri.as_str().to_owned(),
        };
        shared.open_document(&name)?; // Nobody waits for what is not open.
        let reading = if shared.traits().refreshes_lenses {
            shared.suggestions.of(&uri)
        } else {
            shared.suggestions.wait_for(&uri, PATIENCE).await
        };
        // As it is now: it may have changed while we waited.
        let open = shared.open_document(&name)?;
        Ok(reading
            .map(|reading| lens::lenses(&open, &reading, shared.encoding(), shared.traits().words)))
    }

    async fn code_action(&self, params: CodeActionParams) -> Result<Option<CodeActionResponse>> {
        self.actions(params).await
    }

    async fn code_action_resolve(&self, action: CodeAction) -> Result<CodeAction> {
        self.resolve(action)
    }

    async fn completion(&self, params: CompletionParams) -> Result<Option<CompletionResponse>> {
        self.complete(params).await
    }

    async fn hover(&self, params: HoverParams) -> Result<Option<Hover>> {
        self.hover_at(params).await
    }

    async fn inlay_hint(&self, params: InlayHintParams) -> Result<Option<Vec<InlayHint>>> {
        self.hints(params)
    }

    async fn execute_command(&self, params: ExecuteCommandParams) -> Result<Option<Value>> {
        self.command(&params.command, params.arguments)
            .await
            .map(Some)
    }

    async fn did_change_workspace_folders(&self, params: DidChangeWorkspaceFoldersParams) {
        self.folders_changed(params);
    }

    async fn symbol(
        &self,
        params: WorkspaceSymbolParams,
    ) -> Result<Option<WorkspaceSymbolResponse>> {
        self.symbols(params).await
    }

    async fn references(&self, params: ReferenceParams) -> Result<Option<Vec<Location>>> {
        self.tag_references(params).await
    }

    async fn document_highlight(
        &self,
        params: DocumentHighlightParams,
    ) -> Result<Option<Vec<DocumentHighlight>>> {
        self.tag_highlights(params).await
    }

    async fn prepare_rename(
        &self,
        params: TextDocumentPositionParams,
    ) -> Result<Option<PrepareRenameResponse>> {
        self.tag_to_rename(params).await
    }

    async fn rename(&self, params: RenameParams) -> Result<Option<WorkspaceEdit>> {
        self.rename_tag(params).await
    }

    async fn shutdown(&self) -> Result<()> {
        Ok(()) // Of this client only; `Ordered::call` has ended its work.
    }
}
