//! The contents of a checkpoint's file, wherever they lie.
//!
//! Invariant: what was read of them stays in memory no longer than this does: a map is gone with it,
//! and pages of the program's own file are given back.

use std::ops::Deref;

use memmap2::Mmap;

use crate::config::forget_pages;

/// Contents of a file.
pub(crate) enum Bytes {
    Static(&'static [u8]),
    Read(Vec<u8>),
    Mapped(Mmap),
}

impl Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Static(bytes) => bytes,
            Bytes::Read(bytes) => bytes,
            Bytes::Mapped(map) => map,
        }
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        if let Bytes::Static(bytes) = self {
            forget_pages(bytes);
        }
    }
}
