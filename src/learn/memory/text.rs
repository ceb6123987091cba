//! Which texts are the same: a text in, its key out; and the key as letters, and back.
//!
//! Invariant: white space and case do not count, whatever else differs does.

use std::fmt;
use std::str::FromStr;

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

impl fmt::Display for TextKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Letters that are no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not 32 hexadecimal digits")]
pub struct NoTextKey;

impl FromStr for TextKey {
    type Err = NoTextKey;

    fn from_str(digits: &str) -> Result<TextKey, NoTextKey> {
        let bytes = super::impressions::bytes(digits).ok_or(NoTextKey)?;
        Ok(TextKey(bytes.try_into().map_err(|_| NoTextKey)?))
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

    #[test]
    fn a_key_comes_back_from_its_letters() {
        let key = TextKey::new("Roses want pruning.");
        assert_eq!(key.to_string().parse(), Ok(key));
        assert_eq!("0".repeat(31).parse::<TextKey>(), Err(NoTextKey));
        assert_eq!("x".repeat(32).parse::<TextKey>(), Err(NoTextKey));
    }
}
