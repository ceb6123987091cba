//! Text to token ids, through the `tokenizers` crate.
//!
//! Invariant: ids of the special tokens come from the checkpoint's own files; text that spells a
//! special token (`[SEP]` in a note) stays text, except where the reference's behaviour is asked for.

use serde::Deserialize;
use serde_json::Value;
use tokenizers::AddedToken;

/// Ids of the tokens that frame a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpecialTokens {
    /// Start of the sequence; its state stands for the text.
    pub cls: u32,
    /// End of the text.
    pub sep: u32,
    /// Padding.
    pub pad: u32,
    /// Marks a label.
    pub lab: u32,
}

/// Token ids of a text and the bytes each came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Token ids, no special tokens.
    pub ids: Vec<u32>,
    /// Byte range in the text, one a token.
    pub offsets: Vec<(usize, usize)>,
}

/// The tokenizer of a checkpoint.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    special: SpecialTokens,
    max_length: Option<usize>,
}

/// Why a tokenizer cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// The file is not a tokenizer.
    #[error("tokenizer.json: {0}; fetch the checkpoint again")]
    Unreadable(String),
    /// The settings file is not JSON.
    #[error("tokenizer_config.json: {0}; fetch the checkpoint again")]
    Config(String),
    /// No token plays this part.
    #[error(
        "tokenizer.json has no {part} token (looked for {looked_for}); it is not the tokenizer of this checkpoint"
    )]
    NoSpecialToken {
        /// `cls`, `sep` or `pad`.
        part: &'static str,
        /// Spellings that were tried.
        looked_for: String,
    },
    /// The config and the tokenizer disagree about `[LAB]`.
    #[error(
        "config.json says that [LAB] is token {config}, tokenizer.json says {tokenizer}; the files are of different checkpoints"
    )]
    LabMismatch {
        /// Id in `config.json`.
        config: u32,
        /// Id in `tokenizer.json`.
        tokenizer: u32,
    },
    /// A text could not be tokenised.
    #[error("the text cannot be tokenised: {0}")]
    Encode(String),
}

/// The spelling of the label token.
pub const LAB: &str = "[LAB]";

/// What we read of `tokenizer_config.json`.
#[derive(Default, Deserialize)]
struct Record {
    cls_token: Option<Value>,
    sep_token: Option<Value>,
    pad_token: Option<Value>,
    model_max_length: Option<f64>,
}

impl Tokenizer {
    /// Reads `tokenizer.json` and, where there is one, `tokenizer_config.json`.
    ///
    /// `[LAB]` is added as a new special token to a tokenizer that lacks it. `compat` keeps the
    /// reference's reading of special tokens inside a text.
    ///
    /// # Errors
    /// Unreadable files, no token for a part, a `[LAB]` that is not the config's.
    pub fn new(
        json: &[u8],
        config: Option<&[u8]>,
        lab: Option<u32>,
        compat: bool,
    ) -> Result<Tokenizer, TokenizerError> {
        let mut inner = tokenizers::Tokenizer::from_bytes(json)
            .map_err(|e| TokenizerError::Unreadable(e.to_string()))?;
        let record: Record = match config {
            Some(config) => {
                serde_json::from_slice(config).map_err(|e| TokenizerError::Config(e.to_string()))?
            }
            None => Record::default(),
        };
        // Files may carry the truncation and padding of their training; windows are ours to cut.
        inner.with_padding(None);
        inner
            .with_truncation(None)
            .map_err(|e| TokenizerError::Unreadable(e.to_string()))?;
        if inner.token_to_id(LAB).is_none() {
            inner.add_special_tokens(&[AddedToken::from(LAB, true)]);
        }
        inner.set_encode_special_tokens(!compat);
        let find =
            |part, named: &Option<Value>, known: &[&str]| special(&inner, part, named, known);
        let special = SpecialTokens {
            cls: find("cls", &record.cls_token, &["[CLS]", "<s>"])?,
            sep: find("sep", &record.sep_token, &["[SEP]", "</s>"])?,
            pad: find("pad", &record.pad_token, &["[PAD]", "<pad>"])?,
            lab: find("label", &None, &[LAB])?,
        };
        if let Some(config) = lab.filter(|config| *config != special.lab) {
            return Err(TokenizerError::LabMismatch {
                config,
                tokenizer: special.lab,
            });
        }
        // transformers writes 1e30 (or 1e9) for "no limit".
        let max_length = record
            .model_max_length
            .filter(|n| (1.0..1e9).contains(n))
            .map(|n| n as usize);
        Ok(Tokenizer {
            inner,
            special,
            max_length,
        })
    }

    /// Ids of the special tokens.
    pub fn special(&self) -> SpecialTokens {
        self.special
    }

    /// The longest sequence the checkpoint was made for, where it says.
    pub fn max_length(&self) -> Option<usize> {
        self.max_length
    }

    /// Highest id + 1 of all tokens, added ones included.
    pub fn vocab_size(&self) -> usize {
        self.inner
            .get_vocab(true)
            .into_values()
            .max()
            .map_or(0, |id| id as usize + 1)
    }

    /// Token ids of `text` without special tokens around it, with byte offsets.
    ///
    /// # Errors
    /// What the tokenizer's own normaliser or model says.
    pub fn tokens(&self, text: &str) -> Result<Tokens, TokenizerError> {
        let encoding = self
            .inner
            .encode(text, false)
            .map_err(|e| TokenizerError::Encode(e.to_string()))?;
        Ok(Tokens {
            ids: encoding.get_ids().to_vec(),
            offsets: encoding.get_offsets().to_vec(),
        })
    }

    /// The same for many short texts, in parallel, ids only.
    ///
    /// # Errors
    /// As `tokens`.
    pub fn ids_of_all(&self, texts: &[&str]) -> Result<Vec<Vec<u32>>, TokenizerError> {
        let encodings = self
            .inner
            .encode_batch_fast(texts.to_vec(), false)
            .map_err(|e| TokenizerError::Encode(e.to_string()))?;
        Ok(encodings
            .iter()
            .map(|encoding| encoding.get_ids().to_vec())
            .collect())
    }
}

/// The id of the token that the config names for `part`, or of the first known spelling.
fn special(
    tokenizer: &tokenizers::Tokenizer,
    part: &'static str,
    named: &Option<Value>,
    known: &[&str],
) -> Result<u32, TokenizerError> {
    // Older files write an AddedToken object in place of the string.
    let named = named.as_ref().and_then(|v| {
        v.as_str()
            .or_else(|| v.get("content").and_then(Value::as_str))
    });
    let spellings: Vec<&str> = named.into_iter().chain(known.iter().copied()).collect();
    spellings
        .iter()
        .find_map(|spelling| tokenizer.token_to_id(spelling))
        .ok_or_else(|| TokenizerError::NoSpecialToken {
            part,
            looked_for: spellings.join(", "),
        })
}
