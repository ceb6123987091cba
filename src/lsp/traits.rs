//! What a client can do, as it said in `initialize`.

use serde_json::Value;
use tower_lsp::ls_types::ClientCapabilities;

use super::words::Words;

/// What a client can do. A client that says nothing can do nothing of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Traits {
    /// `workspace/applyEdit`.
    pub(super) applies_edits: bool,
    /// Edits that name the version they are for.
    pub(super) versioned_edits: bool,
    /// Edits that say what they are.
    pub(super) annotations: bool,
    /// Code actions whose edit and command are asked for later.
    pub(super) resolves_edits: bool,
    /// `workspace/codeLens/refresh`.
    pub(super) refreshes_lenses: bool,
    /// `workspace/inlayHint/refresh`.
    pub(super) refreshes_hints: bool,
    /// `workspace/configuration`.
    pub(super) has_configuration: bool,
    /// `window/workDoneProgress/create`.
    pub(super) shows_progress: bool,
    /// It shows suggestions for review itself (`experimental.gliznet.review`).
    pub(super) reviews: bool,
    /// The language that the person reads.
    pub(super) words: Words,
}

impl Traits {
    pub(super) fn of(capabilities: &ClientCapabilities, locale: Option<&str>) -> Traits {
        // Read as JSON: a dozen nested options say less than their paths.
        let said = serde_json::to_value(capabilities).unwrap_or_default();
        let is = |path: &str| said.pointer(path) == Some(&Value::Bool(true));
        let resolved = said.pointer("/textDocument/codeAction/resolveSupport/properties");
        let resolved = resolved.and_then(Value::as_array);
        let edit = "/workspace/workspaceEdit";
        Traits {
            applies_edits: is("/workspace/applyEdit"),
            versioned_edits: is(&format!("{edit}/documentChanges")),
            annotations: is(&format!("{edit}/documentChanges"))
                && said
                    .pointer(&format!("{edit}/changeAnnotationSupport"))
                    .is_some_and(Value::is_object),
            // Both or none: a client that asks for the edit alone may run the command without it.
            resolves_edits: ["edit", "command"].iter().all(|wanted| {
                resolved.is_some_and(|names| names.iter().any(|name| name == wanted))
            }) && is("/textDocument/codeAction/dataSupport"),
            refreshes_lenses: is("/workspace/codeLens/refreshSupport"),
            refreshes_hints: is("/workspace/inlayHint/refreshSupport"),
            has_configuration: is("/workspace/configuration"),
            shows_progress: is("/window/workDoneProgress"),
            reviews: is("/experimental/gliznet/review"),
            words: Words::of(locale),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_said_cannot_be_done() {
        let none = Traits::of(&ClientCapabilities::default(), None);
        assert!(!none.applies_edits && !none.versioned_edits && !none.reviews);
        let said = json!({
            "workspace": { "applyEdit": true, "workspaceEdit": { "documentChanges": true } },
            "textDocument": { "codeAction": {
                "dataSupport": true, "resolveSupport": { "properties": ["edit", "command"] },
            } },
            "experimental": { "gliznet": { "review": true } },
        });
        let traits = Traits::of(&serde_json::from_value(said).unwrap(), Some("fr"));
        assert!(traits.applies_edits && traits.versioned_edits && traits.resolves_edits);
        assert_eq!(traits.words, Words::French);
        assert!(traits.reviews && !traits.annotations && !traits.refreshes_lenses);
    }
}
