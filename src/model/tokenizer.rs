//! Text to token ids, through the `tokenizers` crate.
//!
//! Invariant: ids of the special tokens come from the checkpoint's own files; text that spells a
//! special token (`[SEP]` in a note) stays text, except where the reference's behaviour is asked for.

use serde::Deserialize;
use serde_json::Value;
use tokenizers::AddedToken;

use crate::config::json_fault;

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
    /// Ids that no text may hold, and the id of the unknown token that takes their place.
    reserved: (Vec<u32>, u32),
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
    unk_token: Option<Value>,
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
            Some(config) => serde_json::from_slice(config)
                .map_err(|e| TokenizerError::Config(json_fault(&e)))?,
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
        // Unigram vocabularies list the special tokens among their pieces, and so spell them out of
        // a text even where they are not looked for. A tokenizer without an unknown token works on
        // bytes and cannot do that.
        let unknown = find("unknown", &record.unk_token, &["[UNK]", "<unk>"]).ok();
        let reserved = match unknown.filter(|_| !compat) {
            Some(unknown) => {
                let added = inner.get_added_tokens_decoder();
                let special = added.into_iter().filter(|(_, token)| token.special);
                (special.map(|(id, _)| id).collect(), unknown)
            }
            None => (Vec::new(), 0),
        };
        // transformers writes 1e30 (or 1e9) for "no limit".
        let max_length = record
            .model_max_length
            .filter(|n| (1.0..1e9).contains(n))
            .map(|n| n as usize);
        Ok(Tokenizer {
            inner,
            special,
            reserved,
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
            ids: self.of_text(encoding.get_ids()),
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
            .map(|encoding| self.of_text(encoding.get_ids()))
            .collect())
    }

    /// The ids with the unknown token where a special one was spelt.
    fn of_text(&self, ids: &[u32]) -> Vec<u32> {
        let (reserved, unknown) = &self.reserved;
        ids.iter()
            .map(|id| if reserved.contains(id) { *unknown } else { *id })
            .collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A word tokenizer with these special tokens, and the truncation and padding of its training.
    fn file(special: &[&str]) -> Vec<u8> {
        let words = [
            "[UNK]", "late", "train", "the", "été", "🚀", "before", "after",
        ];
        let vocab: serde_json::Map<String, Value> = (0..)
            .zip(words.iter().chain(special))
            .map(|(id, word): (u32, _)| ((*word).to_owned(), id.into()))
            .collect();
        let added: Vec<Value> = special
            .iter()
            .map(|word| {
                json!({
                    "id": vocab[*word], "content": word, "single_word": false, "lstrip": false,
                    "rstrip": false, "normalized": false, "special": true,
                })
            })
            .collect();
        let tokenizer = json!({
            "version": "1.0",
            "truncation": {
                "direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0,
            },
            "padding": {
                "strategy": {"Fixed": 16}, "direction": "Right", "pad_to_multiple_of": null,
                "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]",
            },
            "added_tokens": added,
            "normalizer": null,
            "pre_tokenizer": {"type": "WhitespaceSplit"},
            "post_processor": null,
            "decoder": null,
            "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]"},
        });
        tokenizer.to_string().into_bytes()
    }

    const BERT: [&str; 3] = ["[CLS]", "[SEP]", "[PAD]"]; // 8, 9, 10
    const WITH_LAB: [&str; 4] = ["[CLS]", "[SEP]", "[PAD]", "[LAB]"]; // 8, 9, 10, 11

    fn plain(special: &[&str]) -> Result<Tokenizer, TokenizerError> {
        Tokenizer::new(&file(special), None, None, false)
    }

    #[test]
    fn special_tokens_are_those_of_the_files() {
        let ids = SpecialTokens {
            cls: 8,
            sep: 9,
            pad: 10,
            lab: 11,
        };
        assert_eq!(plain(&WITH_LAB).unwrap().special(), ids);
        assert_eq!(
            plain(&["<s>", "</s>", "<pad>", "[LAB]"]).unwrap().special(),
            ids
        );
        // The settings go before the known spellings, as a string or as transformers 4 wrote it.
        let named =
            json!({"cls_token": "[SEP]", "sep_token": {"content": "[CLS]", "lstrip": false}});
        let named = named.to_string().into_bytes();
        let named = Tokenizer::new(&file(&WITH_LAB), Some(&named), None, false);
        let swapped = SpecialTokens {
            cls: 9,
            sep: 8,
            ..ids
        };
        assert_eq!(named.unwrap().special(), swapped);
    }

    #[test]
    fn lab_is_added_behind_the_vocabulary_only_where_it_is_missing() {
        for special in [&BERT[..], &WITH_LAB] {
            let tokenizer = plain(special).unwrap();
            assert_eq!((tokenizer.special().lab, tokenizer.vocab_size()), (11, 12));
        }
    }

    #[test]
    fn a_lab_that_is_not_the_configs_is_refused_with_both_numbers() {
        assert!(Tokenizer::new(&file(&WITH_LAB), None, Some(11), false).is_ok());
        let error = Tokenizer::new(&file(&WITH_LAB), None, Some(7), false)
            .err()
            .unwrap();
        let message = error.to_string();
        assert!(
            message.contains("token 7, tokenizer.json says 11"),
            "{message}"
        );
    }

    #[test]
    fn a_missing_part_is_named_with_what_was_looked_for() {
        let settings = br#"{"sep_token": "<eot>"}"#;
        let error = Tokenizer::new(&file(&["[CLS]", "[PAD]"]), Some(settings), None, false);
        let message = error.err().unwrap().to_string();
        assert!(
            message.contains("no sep token (looked for <eot>, [SEP], </s>)"),
            "{message}"
        );
    }

    #[test]
    fn windows_are_ours_to_cut_whatever_the_file_was_trained_with() {
        let tokens = plain(&BERT).unwrap().tokens("the train the train").unwrap();
        assert_eq!(tokens.ids, [3, 2, 3, 2]);
    }

    #[test]
    fn offsets_are_bytes_of_the_text() {
        let text = "the été 🚀 late";
        let tokens = plain(&BERT).unwrap().tokens(text).unwrap();
        let words: Vec<&str> = tokens.offsets.iter().map(|(a, b)| &text[*a..*b]).collect();
        assert_eq!(words, ["the", "été", "🚀", "late"]);
    }

    #[test]
    fn many_texts_give_what_each_gives_alone() {
        let tokenizer = plain(&BERT).unwrap();
        let texts = ["the train", "", "late", "[SEP] nothing known"];
        let alone: Vec<Vec<u32>> = texts
            .iter()
            .map(|text| tokenizer.tokens(text).unwrap().ids)
            .collect();
        assert_eq!(tokenizer.ids_of_all(&texts).unwrap(), alone);
    }

    #[test]
    fn a_note_that_spells_special_tokens_stays_text_but_for_the_reference() {
        let text = "before [SEP] [LAB] after";
        let ids = |compat| {
            let tokenizer = Tokenizer::new(&file(&BERT), None, None, compat).unwrap();
            tokenizer.tokens(text).unwrap().ids
        };
        assert_eq!(ids(false), [6, 0, 0, 7]); // The vocabulary itself lists `[SEP]`.
        assert_eq!(ids(true), [6, 9, 11, 7]);
    }

    #[test]
    fn a_length_that_means_no_limit_is_none() {
        for (written, length) in [
            ("512", Some(512)),
            ("1e30", None),
            ("1000000000000000019884624838656", None),
            ("0", None),
            ("-1", None),
            ("null", None),
        ] {
            let settings = format!("{{\"model_max_length\": {written}}}");
            let tokenizer =
                Tokenizer::new(&file(&BERT), Some(settings.as_bytes()), None, false).unwrap();
            assert_eq!(tokenizer.max_length(), length, "{written}");
        }
    }
}
