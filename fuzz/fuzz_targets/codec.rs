//! A stream means the same in one piece and in many.
#![no_main]

use gliznet::lsp::codec::{Decoder, FrameError};
use libfuzzer_sys::fuzz_target;

fn outcome<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, Option<FrameError>) {
    let (mut decoder, mut bodies) = (Decoder::default(), Vec::new());
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

fuzz_target!(|input: (u8, &[u8])| {
    let (size, bytes) = input;
    let cut = outcome(bytes.chunks(usize::from(size) + 1));
    assert_eq!(cut, outcome(std::iter::once(bytes)));
});
