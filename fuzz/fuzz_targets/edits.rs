//! A document follows any edits, wherever they point.
#![no_main]

use gliznet::lsp::{Documents, Encoding, LineIndex};
use libfuzzer_sys::fuzz_target;
use tower_lsp::ls_types::{
    DidChangeTextDocumentParams, DidOpenTextDocumentParams, Position, Range,
    TextDocumentContentChangeEvent, TextDocumentItem, Uri, VersionedTextDocumentIdentifier,
};

type Edit<'a> = ((u8, u8), (u8, u8), &'a str);

fuzz_target!(|input: (u8, &str, Vec<Edit<'_>>)| {
    let (encoding, text, edits) = input;
    let encoding = [Encoding::Utf8, Encoding::Utf16, Encoding::Utf32][usize::from(encoding % 3)];
    let uri: Uri = "file:///a.md".parse().expect("it is a URI");
    let mut documents = Documents::default();
    documents.open(DidOpenTextDocumentParams {
        text_document: TextDocumentItem::new(uri.clone(), "markdown".into(), 0, text.into()),
    });
    for (version, (start, end, text)) in (1..).zip(edits) {
        let place = |(line, column)| Position::new(u32::from(line), u32::from(column));
        let change = TextDocumentContentChangeEvent {
            range: Some(Range::new(place(start), place(end))),
            range_length: None,
            text: text.to_owned(),
        };
        let params = DidChangeTextDocumentParams {
            text_document: VersionedTextDocumentIdentifier::new(uri.clone(), version),
            content_changes: vec![change],
        };
        assert!(documents.change(&params, encoding));
    }
    let text = &documents.get(&uri).expect("it is open").text;
    let index = LineIndex::new(text);
    for (byte, c) in text.char_indices() {
        // Between CR and LF there is no position.
        if !(c == '\n' && text[..byte].ends_with('\r')) {
            let position = index.position(text, byte, encoding);
            assert_eq!(index.byte(text, position, encoding), byte);
        }
    }
});
