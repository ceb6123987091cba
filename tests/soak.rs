//! Many editors on one daemon, all typing at once: every text is right in the end, and nobody is
//! forgotten. `benches/daemon.rs` does the same with more of them, and prints times.

#![cfg(test)]
#![cfg(unix)]

#[path = "support/editor.rs"]
#[expect(dead_code, reason = "shared with tests/lsp.rs, each uses a part")]
mod editor;

use editor::{Editor, Home};
use serde_json::{Value, json};

const CLIENTS: usize = 10;
const DOCUMENTS: usize = 10;
const EDITS: usize = 200;

/// One client's documents, and what is in them.
struct Writer {
    editor: Editor,
    uris: Vec<String>,
    texts: Vec<String>,
}

impl Writer {
    fn new(home: &Home, number: usize) -> Writer {
        let mut editor = home.editor();
        editor.initialize(json!({}));
        let uris: Vec<String> = (0..DOCUMENTS)
            .map(|d| home.uri(&format!("{number}-{d}.md")))
            .collect();
        let texts: Vec<String> = (0..DOCUMENTS)
            .map(|d| format!("Client {number}, note {d}.\n"))
            .collect();
        for (uri, text) in uris.iter().zip(&texts) {
            editor.open(uri, text);
        }
        Writer {
            editor,
            uris,
            texts,
        }
    }

    /// Edit after edit, at the start, in the middle of the first line and over a line's end.
    fn write(&mut self) {
        for edit in 0..EDITS {
            let d = edit % DOCUMENTS;
            let text = &mut self.texts[d];
            let (start, end) = match edit % 3 {
                0 => (0, 0),
                1 => (1, 1),
                _ => (0, 1),
            };
            let word = format!("é🌱{edit}\n");
            let change = json!([{
                "range": {
                    "start": { "line": 0, "character": start },
                    "end": { "line": 0, "character": end },
                },
                "text": word,
            }]);
            // Whatever a line begins with here is one UTF-16 unit.
            let byte = |column: usize| {
                text.char_indices()
                    .nth(column)
                    .map_or(text.len(), |(at, _)| at)
            };
            let range = byte(start)..byte(end);
            text.replace_range(range, &word);
            self.editor.change(&self.uris[d], edit as i32 + 2, change);
            if edit % 25 == 0 {
                self.editor.request("gliznet/status", Value::Null).unwrap();
            }
        }
    }

    fn check(&mut self) {
        for (uri, text) in self.uris.iter().zip(&self.texts) {
            // The document's answer is known only if its text is this one.
            let params = json!({ "text": text, "format": "markdown", "all": true });
            let expected = self.editor.request("gliznet/tag", params).unwrap();
            let params = json!({ "textDocument": { "uri": uri }, "all": true });
            let found = self.editor.request("gliznet/tag", params).unwrap();
            assert_eq!(found["cached"], true, "{uri}: {text}");
            assert_eq!(found["scores"], expected["scores"]);
        }
    }
}

#[test]
fn every_text_is_right_when_all_clients_write_at_once() {
    let home = Home::new(&["garden", "tax", "travel"]);
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let home = &home;
            scope.spawn(move || {
                let mut writer = Writer::new(home, number);
                writer.write();
                writer.check();
                assert_eq!(writer.editor.quit(), 0);
            });
        }
    });
    // The daemon hears a moment later that they have left; asking it takes longer than that.
    let clients: Vec<Value> = (0..50)
        .map(|_| home.status()["clients"].take())
        .take_while(|n| *n != 0)
        .collect();
    assert!(clients.len() < 50, "{clients:?}");
    assert_eq!(home.status()["model"]["state"], "ready");
}
