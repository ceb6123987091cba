//! The frames of the Language Server Protocol: bytes in, bodies of messages out, and back.
//!
//! Invariant: whatever the bytes, no more than the limit is kept in memory, nothing panics, and
//! what a chunk ends in the middle of is continued by the next. Knows nothing of JSON.

/// The longest message. A note that large is no note; a header that says more is an attack or a bug.
pub const MOST_BYTES: usize = 64 << 20;
/// The longest header.
const MOST_HEADER_BYTES: usize = 8 << 10;

/// Why a stream of bytes cannot be read on. Where one frame ends cannot be told any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The header says so.
    #[error("a message of {0} bytes; at most {MOST_BYTES} are read")]
    TooLong(u64),
    /// No empty line where it should be.
    #[error(
        "a header of more than {MOST_HEADER_BYTES} bytes; a message begins with `Content-Length: N`"
    )]
    NoHeader,
    /// A header without a length.
    #[error("a header without `Content-Length: N`")]
    NoLength,
}

/// Takes frames out of a stream of chunks.
#[derive(Debug, Default)]
pub struct Decoder {
    bytes: Vec<u8>,
    /// Length of the body, once its header was read; `bytes` then begins with the body.
    body: Option<usize>,
}

impl Decoder {
    /// Adds the next bytes of the stream.
    pub fn feed(&mut self, chunk: &[u8]) {
        self.bytes.extend_from_slice(chunk);
    }

    /// The next whole body; `None` where more bytes are needed.
    ///
    /// # Errors
    /// The stream cannot be read on.
    pub fn next_body(&mut self) -> Result<Option<Vec<u8>>, FrameError> {
        let length = match self.body {
            Some(length) => length,
            None => {
                let Some((header_len, length)) = header(&self.bytes)? else {
                    return Ok(None);
                };
                self.bytes.drain(..header_len);
                self.body = Some(length);
                length
            }
        };
        if self.bytes.len() < length {
            return Ok(None);
        }
        self.body = None;
        let rest = self.bytes.split_off(length);
        Ok(Some(std::mem::replace(&mut self.bytes, rest)))
    }
}

/// Length of the header and of the body that it announces; `None` where the header goes on.
fn header(bytes: &[u8]) -> Result<Option<(usize, usize)>, FrameError> {
    let head = &bytes[..bytes.len().min(MOST_HEADER_BYTES)];
    // Asked first, so that it does not matter how much of the header is here.
    if !may_be_header(head) {
        return Err(FrameError::NoHeader);
    }
    let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") else {
        return if bytes.len() >= MOST_HEADER_BYTES {
            Err(FrameError::NoHeader)
        } else {
            Ok(None)
        };
    };
    for line in head[..end].split(|b| *b == b'\n') {
        let line = String::from_utf8_lossy(line);
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        if name.trim().eq_ignore_ascii_case("content-length") {
            let length: u64 = value.trim().parse().map_err(|_| FrameError::NoLength)?;
            return match usize::try_from(length) {
                Ok(length) if length <= MOST_BYTES => Ok(Some((end + 4, length))),
                _ => Err(FrameError::TooLong(length)),
            };
        }
    }
    Err(FrameError::NoLength)
}

/// Garbage is told by its first line, so that nobody waits for the end of a header that never comes.
fn may_be_header(head: &[u8]) -> bool {
    let line = head.split(|b| *b == b'\n').next().unwrap_or_default();
    let is_whole = line.len() < head.len();
    line.iter()
        .all(|b| (b' '..0x7f).contains(b) || *b == b'\r' || *b == b'\t')
        && (!is_whole || line.contains(&b':'))
}

/// The frame of a body.
pub fn frame(body: &[u8]) -> Vec<u8> {
    let mut frame = format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    frame.extend_from_slice(body);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bodies(chunks: &[&[u8]]) -> Result<Vec<String>, FrameError> {
        let mut decoder = Decoder::default();
        let mut bodies = Vec::new();
        for chunk in chunks {
            decoder.feed(chunk);
            while let Some(body) = decoder.next_body()? {
                bodies.push(String::from_utf8(body).unwrap());
            }
        }
        Ok(bodies)
    }

    #[test]
    fn headers_are_read_in_any_order_and_case() {
        let bytes = b"content-type: application/vscode-jsonrpc; charset=utf-8\r\nCONTENT-LENGTH:  2\r\n\r\n{}";
        assert_eq!(bodies(&[bytes]).unwrap(), ["{}"]);
    }

    #[test]
    fn garbage_is_refused_at_once() {
        for (bytes, fault) in [
            (&b"\x16\x03\x01\x02\x00"[..], FrameError::NoHeader),
            (b"GET / HTTP/1.1\r\n", FrameError::NoHeader),
            (b"Content-Length: many\r\n\r\n", FrameError::NoLength),
            (b"Content-Length: -1\r\n\r\n", FrameError::NoLength),
            (b"Content-Type: x\r\n\r\n", FrameError::NoLength),
            (
                b"Content-Length: 1073741824\r\n\r\n",
                FrameError::TooLong(1 << 30),
            ),
        ] {
            assert_eq!(bodies(&[bytes]), Err(fault), "{bytes:?}");
        }
        let endless = vec![b'a'; MOST_HEADER_BYTES];
        assert_eq!(bodies(&[&endless]), Err(FrameError::NoHeader));
    }

    #[test]
    fn half_a_message_waits_for_the_other_half() {
        assert_eq!(
            bodies(&[b"Content-Length: 4\r\n\r\n{\"a"]).unwrap(),
            [""; 0]
        );
        assert_eq!(bodies(&[b"Conte"]).unwrap(), [""; 0]);
    }

    /// The bodies up to the fault, and the fault.
    fn outcome(chunks: &[&[u8]]) -> (Vec<Vec<u8>>, Option<FrameError>) {
        let mut decoder = Decoder::default();
        let mut bodies = Vec::new();
        for chunk in chunks {
            decoder.feed(chunk);
            loop {
                match decoder.next_body() {
                    Ok(Some(body)) => bodies.push(body),
                    Ok(None) => break,
                    Err(fault) => return (bodies, Some(fault)),
                }
            }
        }
        (bodies, None)
    }

    proptest! {
        #[test]
        fn frames_come_out_as_they_went_in_however_they_are_cut(
            texts in prop::collection::vec(".{0,40}", 0..6),
            size in 1usize..50,
        ) {
            let bytes: Vec<u8> = texts.iter().flat_map(|text| frame(text.as_bytes())).collect();
            let chunks: Vec<&[u8]> = bytes.chunks(size).collect();
            prop_assert_eq!(bodies(&chunks), Ok(texts));
        }

        #[test]
        fn a_damaged_stream_means_the_same_however_it_is_cut(
            texts in prop::collection::vec(".{0,40}", 1..5),
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..3), 0..4),
            sizes in prop::collection::vec(1usize..30, 1..20),
        ) {
            let mut bytes: Vec<u8> = texts.iter().flat_map(|text| frame(text.as_bytes())).collect();
            for (at, byte, how) in damage {
                let at = at.index(bytes.len());
                match how {
                    0 => bytes[at] = byte,
                    1 => bytes.insert(at, byte),
                    _ => { bytes.remove(at); }
                }
            }
            let (mut chunks, mut rest) = (Vec::new(), &bytes[..]);
            for size in sizes.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (chunk, later) = rest.split_at(rest.len().min(*size));
                chunks.push(chunk);
                rest = later;
            }
            prop_assert_eq!(outcome(&chunks), outcome(&[&bytes]));
        }

        #[test]
        fn any_bytes_end_in_bodies_or_an_error(bytes: Vec<u8>, length in 0u32..40) {
            let mut decoder = Decoder::default();
            decoder.feed(format!("Content-Length: {length}\r\n\r\n").as_bytes());
            decoder.feed(&bytes);
            for _ in 0..bytes.len() + 2 {
                if !matches!(decoder.next_body(), Ok(Some(_))) {
                    break;
                }
            }
        }
    }
}
