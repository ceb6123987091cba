//! The shim between a daemon and an editor that are scripts.

#![cfg(test)]

use super::*;
use serde_json::json;
use tokio::io::DuplexStream;
use tokio::net::{UnixListener, UnixStream};

/// So long a test waits before it says that somebody waits for ever.
const LONG: Duration = Duration::from_secs(60);

fn place(dir: &tempfile::TempDir) -> Place {
    Place {
        folder: dir.path().to_path_buf(),
        build: "build".to_owned(),
    }
}

/// A shim, and the editor's end of it.
fn editor(place: Place) -> DuplexStream {
    let (editor, ours) = tokio::io::duplex(64 << 10);
    let (from_editor, to_editor) = split(ours);
    tokio::spawn(async move { pump(from_editor, to_editor, || Ok(place.clone())).await });
    editor
}

fn framed(message: &Value) -> Vec<u8> {
    frame(message.to_string().as_bytes())
}

/// The next message that comes.
async fn next(stream: &mut (impl AsyncRead + Unpin), frames: &mut Decoder) -> Value {
    let come = async {
        loop {
            if let Some(body) = frames.next_body().unwrap() {
                return serde_json::from_slice(&body).unwrap();
            }
            let mut chunk = vec![0; 4096];
            let n = stream.read(&mut chunk).await.unwrap();
            assert!(n > 0, "the other end has gone");
            frames.feed(&chunk[..n]);
        }
    };
    timeout(LONG, come).await.expect("somebody waits for ever")
}

#[tokio::test]
async fn a_daemon_that_speaks_before_it_reads_and_an_editor_that_asks_much_wait_for_nobody() {
    const NOTES: usize = 1_000;
    let dir = tempfile::tempdir().unwrap();
    let place = place(&dir);
    let listener = UnixListener::bind(place.socket()).unwrap();
    let long = "x".repeat(4 << 10);
    let note = json!({ "method": "note", "params": [long] });
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // More than any socket holds, as the answers to many questions are.
        for _ in 0..NOTES {
            stream.write_all(&framed(&note)).await.unwrap();
        }
        let asked = next(&mut stream, &mut Decoder::default()).await;
        let answer = json!({ "id": asked["id"], "result": {} });
        stream.write_all(&framed(&answer)).await.unwrap();
        next(&mut stream, &mut Decoder::default()).await;
    });
    let (mut from_shim, mut to_shim) = split(editor(place));
    let padding = "x".repeat(2 << 20);
    let hello = json!({ "id": 1, "method": "initialize", "params": { "padding": padding } });
    tokio::spawn(async move { to_shim.write_all(&framed(&hello)).await });
    let mut frames = Decoder::default();
    for _ in 0..NOTES {
        assert_eq!(next(&mut from_shim, &mut frames).await["method"], "note");
    }
    assert_eq!(next(&mut from_shim, &mut frames).await["id"], 1);
}

/// What a daemon hears first, with the connection.
async fn greeted(listener: &UnixListener, messages: usize) -> (UnixStream, Vec<Value>) {
    let accepted = timeout(LONG, listener.accept()).await;
    let (mut stream, _) = accepted.expect("nobody comes").unwrap();
    let (mut frames, mut heard) = (Decoder::default(), Vec::new());
    for _ in 0..messages {
        heard.push(next(&mut stream, &mut frames).await["method"].take());
    }
    (stream, heard)
}

#[tokio::test]
async fn an_idle_editor_with_open_documents_joins_the_daemon_that_another_has_started() {
    let dir = tempfile::tempdir().unwrap();
    let place = place(&dir);
    let listener = UnixListener::bind(place.socket()).unwrap();
    let mut editor = editor(place.clone());
    let item =
        json!({ "uri": "file:///a.md", "languageId": "markdown", "version": 1, "text": "a" });
    for message in [
        json!({ "id": 1, "method": "initialize", "params": {} }),
        json!({ "method": "textDocument/didOpen", "params": { "textDocument": item } }),
    ] {
        editor.write_all(&framed(&message)).await.unwrap();
    }
    let expected = ["initialize", "textDocument/didOpen"];
    let (mut first, heard) = greeted(&listener, 2).await;
    assert_eq!(heard, expected);
    let answer = json!({ "id": 1, "result": { "capabilities": {} } });
    first.write_all(&framed(&answer)).await.unwrap();
    next(&mut editor, &mut Decoder::default()).await;
    drop((first, listener));
    std::fs::remove_file(place.socket()).unwrap();
    let listener = UnixListener::bind(place.socket()).unwrap();
    assert_eq!(greeted(&listener, 2).await.1, expected);
}
