//! What the Hub on loopback answers: a request and the repositories in, bytes on the socket out.
//!
//! It follows the real Hub: commits in addresses, error codes in headers, large files in a store
//! under another host name. Troubles come first. Keeps nothing but the log of requests.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::time::Duration;

use sha2::Digest;

use super::{Repo, Seen, State, Trouble};

/// An answer that has no file in it.
struct Plain {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Plain {
    fn of(status: u16, code: &str) -> Plain {
        let headers = match code {
            "" => Vec::new(),
            code => vec![("X-Error-Code", code.to_owned())],
        };
        Plain {
            status,
            headers,
            body: format!("{{\"error\":\"{code}\"}}"),
        }
    }

    fn redirect(location: String) -> Plain {
        Plain {
            status: 307,
            headers: vec![("Location", location)],
            body: String::new(),
        }
    }

    fn send(self, mut stream: TcpStream) -> std::io::Result<()> {
        let Plain {
            status,
            headers,
            body,
        } = self;
        write!(
            stream,
            "HTTP/1.1 {status} x\r\nConnection: close\r\nContent-Length: {}\r\n",
            body.len()
        )?;
        for (name, value) in headers {
            write!(stream, "{name}: {value}\r\n")?;
        }
        write!(stream, "\r\n{body}")
    }
}

pub(crate) fn answer(stream: TcpStream, port: u16, state: &Mutex<State>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let seen = read_request(&stream)?;
    state.lock().unwrap().seen.push(seen.clone());
    let path = seen.path.clone();
    if let Some(plain) = trouble_by_path(&path, state) {
        return plain.send(stream);
    }
    if let Some(sha) = path.strip_prefix("/cdn/") {
        let (name, content) = {
            let state = state.lock().unwrap();
            let mut files = state.repos.values().flat_map(|repo| &repo.files);
            let file = files.find(|(_, content)| sha256(content) == sha);
            let Some((name, content)) = file else {
                return Plain::of(404, "").send(stream);
            };
            (name.clone(), content.clone())
        };
        // A store's etag is its own affair, and must not be taken for a checksum.
        let headers = vec![("ETag", format!("\"{}\"", "0".repeat(64)))];
        return send_file(stream, &name, content, &seen, headers, state);
    }
    let authorized = match (&state.lock().unwrap().token, &seen.authorization) {
        (None, _) => true,
        (Some(token), given) => given.as_deref() == Some(format!("Bearer {token}").as_str()),
    };
    if !authorized {
        let code = if seen.authorization.is_some() {
            ""
        } else {
            "RepoNotFound"
        };
        return Plain::of(401, code).send(stream);
    }
    let state_now = |id: &str| state.lock().unwrap().repos.get(id).cloned();
    if let Some(rest) = path.strip_prefix("/api/models/") {
        let Some((id, revision)) = rest.split_once("/revision/") else {
            return Plain::of(400, "").send(stream);
        };
        let revision = revision.split('?').next().unwrap_or_default();
        return match state_now(id) {
            None => Plain::of(401, "RepoNotFound"),
            Some(repo) if revision != "main" && revision != repo.commit => {
                Plain::of(404, "RevisionNotFound")
            }
            Some(repo) => Plain {
                status: 200,
                headers: Vec::new(),
                body: listing(id, &repo, state),
            },
        }
        .send(stream);
    }
    let Some((id, file)) = path[1..].split_once("/resolve/") else {
        return Plain::of(404, "RepoNotFound").send(stream);
    };
    let (commit, name) = file.split_once('/').unwrap_or_default();
    let Some(repo) = state_now(id).filter(|repo| repo.commit == commit) else {
        return Plain::of(404, "RevisionNotFound").send(stream);
    };
    if repo.gated {
        return Plain::of(
            if seen.authorization.is_some() {
                403
            } else {
                401
            },
            "GatedRepo",
        )
        .send(stream);
    }
    let Some(content) = repo.files.get(name).cloned() else {
        return Plain::of(404, "EntryNotFound").send(stream);
    };
    let bare = has(state, |t| matches!(t, Trouble::NoEtags));
    if is_large(name) {
        let sha = sha256(&content);
        let mut plain = Plain::redirect(format!("http://localhost:{port}/cdn/{sha}"));
        plain.status = 302;
        plain
            .headers
            .push(("X-Linked-Size", content.len().to_string()));
        if !bare {
            plain.headers.push(("X-Linked-ETag", format!("\"{sha}\"")));
        }
        return plain.send(stream);
    }
    let etag = format!("\"{}\"", git_blob(&content));
    let headers = if bare {
        Vec::new()
    } else {
        vec![("ETag", etag)]
    };
    send_file(stream, name, content, &seen, headers, state)
}

fn read_request(stream: &TcpStream) -> std::io::Result<Seen> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let path = first.split(' ').nth(1).unwrap_or("/").to_owned();
    let mut headers = BTreeMap::new();
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    Ok(Seen {
        host: headers.remove("host").unwrap_or_default(),
        path,
        range: headers.remove("range"),
        authorization: headers.remove("authorization"),
    })
}

fn trouble_by_path(path: &str, state: &Mutex<State>) -> Option<Plain> {
    for trouble in &mut state.lock().unwrap().troubles {
        match trouble {
            Trouble::Status {
                part,
                status,
                code,
                times,
            } if *times > 0 && path.contains(*part) => {
                *times -= 1;
                return Some(Plain::of(*status, code));
            }
            Trouble::Renamed { from, to } if path.contains(*from) => {
                return Some(Plain::redirect(path.replace(*from, to)));
            }
            _ => {}
        }
    }
    None
}

fn send_file(
    mut stream: TcpStream,
    name: &str,
    mut content: Vec<u8>,
    seen: &Seen,
    headers: Vec<(&'static str, String)>,
    state: &Mutex<State>,
) -> std::io::Result<()> {
    let whole = content.len();
    if has(
        state,
        |t| matches!(t, Trouble::Corrupt { file } if *file == name),
    ) {
        content[whole / 2] ^= 1;
    }
    let ranges = !has(state, |t| matches!(t, Trouble::NoRanges));
    let range = seen.range.as_deref().filter(|_| ranges);
    let from: usize = range
        .and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok())
        .unwrap_or(0);
    if from >= whole && from > 0 {
        return Plain::of(416, "").send(stream);
    }
    let status = if range.is_some() { 206 } else { 200 };
    write!(stream, "HTTP/1.1 {status} x\r\nConnection: close\r\n")?;
    let longer = state.lock().unwrap().troubles.iter().find_map(|t| match t {
        Trouble::Longer { file, by } if *file == name => Some(*by),
        _ => None,
    });
    match longer {
        Some(by) => content.resize(whole + by, 0),
        None => write!(stream, "Content-Length: {}\r\n", whole - from)?,
    }
    if range.is_some() {
        write!(
            stream,
            "Content-Range: bytes {from}-{}/{whole}\r\n",
            whole - 1
        )?;
    }
    for (name, value) in headers {
        write!(stream, "{name}: {value}\r\n")?;
    }
    write!(stream, "\r\n")?;
    let (mut end, mut piece, mut pause) = (content.len(), whole.max(1), Duration::ZERO);
    for trouble in &mut state.lock().unwrap().troubles {
        match trouble {
            Trouble::Cut { file, at, times } if *file == name && *times > 0 => {
                *times -= 1;
                end = (*at).max(from);
            }
            Trouble::Slow {
                file,
                bytes,
                pause: p,
            } if *file == name => (piece, pause) = (*bytes, *p),
            _ => {}
        }
    }
    for bytes in content[from..end].chunks(piece) {
        stream.write_all(bytes)?;
        std::thread::sleep(pause);
    }
    Ok(())
}

fn listing(id: &str, repo: &Repo, state: &Mutex<State>) -> String {
    let bare = has(state, |t| matches!(t, Trouble::NoBlobs));
    let siblings: Vec<serde_json::Value> = repo
        .files
        .iter()
        .map(|(name, content)| match (bare, is_large(name)) {
            (true, _) => serde_json::json!({"rfilename": name}),
            (false, true) => serde_json::json!({
                "rfilename": name, "size": content.len(), "blobId": "2".repeat(40),
                "lfs": {"sha256": sha256(content), "size": content.len(), "pointerSize": 134},
            }),
            (false, false) => serde_json::json!({
                "rfilename": name, "size": content.len(), "blobId": git_blob(content),
            }),
        })
        .collect();
    serde_json::json!({"id": id, "sha": repo.commit, "gated": repo.gated, "siblings": siblings})
        .to_string()
}

fn has(state: &Mutex<State>, is: impl Fn(&Trouble) -> bool) -> bool {
    state.lock().unwrap().troubles.iter().any(is)
}

/// What the Hub keeps in large-file storage.
fn is_large(name: &str) -> bool {
    name.ends_with(".safetensors") || name.ends_with(".bin")
}

fn sha256(content: &[u8]) -> String {
    hex(&sha2::Sha256::digest(content))
}

fn git_blob(content: &[u8]) -> String {
    let mut hasher = sha1::Sha1::new();
    hasher.update(format!("blob {}\0", content.len()));
    hasher.update(content);
    hex(&hasher.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
