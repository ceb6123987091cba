//! Which texts are the same: a text in, its key out.
//!
//! Invariant: white space and case do not count, whatever else differs does.

use sha2::{Digest, Sha256};

/// Tells a text from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TextKey([u8; 16]);

impl TextKey {
    /// The key of a text.
    pub fn new(text: &str) -> TextKey {
        let mut hash = Sha256::new();
        for word in text.split_whitespace() {
            hash.update(word.to_lowercase());
            hash.update([0]);
        }
        let digest: [u8; 32] = hash.finalize().into();
        let mut key = [0; 16];
        key.copy_from_slice(&digest[..16]);
        TextKey(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_case_do_not_tell_texts_apart() {
        let key = TextKey::new("Roses want\npruning.");
        assert_eq!(key, TextKey::new(" roses  want pruning.\r\n"));
        assert_ne!(key, TextKey::new("Roses want pruning"));
        assert_ne!(TextKey::new("a b"), TextKey::new("ab"));
    }
}
