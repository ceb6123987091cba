//! A label by itself: what of it is read, and what the model makes of that.
//!
//! In: a label's name, and what its author or else the model's glossary tells of it. Out: its plain
//! embedding and the states of its tokens.
//! Invariant: a label that nobody tells anything of has the bits of its name alone.
//! Knows nothing of texts.

use std::borrow::Cow;
use std::sync::Arc;

use crate::label::{LabelId, LabelSet, meanings};
use crate::model::tokenizer::TokenizerError;
use crate::model::{LabelStates, Model, Output};

/// How much of a label's embedding the glossary's words are, of all meanings alike: they know nothing
/// of what its author means. An author's own words are read as one text with the name, and that
/// text's embedding is the label's.
const GLOSSARY_SHARE: f32 = 0.3;
/// How much the nearest words of the glossary are believed, by tokens.
const GLOSSARY_WEIGHT: f32 = 0.5;
/// The same of an author's words, which count among the tokens of that text already.
const OWN_WEIGHT: f32 = 0.3;
/// An author's sentence has *and* and *the*, which are in every text: words of fewer letters do not
/// count, nor do parts of words, which are near to anything, above all those of another language.
/// A glossary has none of these.
const SHORTEST_OWN: usize = 4;

/// What is read of a label.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Readings {
    name: Vec<u32>,
    /// Of each meaning, the most usual first.
    told: Vec<Told>,
    /// The author told it, in one meaning.
    is_own: bool,
}

/// `name: what it means`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Told {
    ids: Vec<u32>,
    /// Which of the tokens belong to its meaning: no marks, nothing of the name.
    words: Vec<usize>,
}

/// A label that was read alone.
#[derive(Clone, Debug)]
pub(super) struct Alone {
    /// Its plain embedding, of unit length.
    pub(super) embedding: Arc<[f32]>,
    /// The states of its name's tokens, `[token, hidden]`, of unit length.
    name: Arc<[f32]>,
    /// The same of name and description, read as one text; none where its author wrote none.
    described: Arc<[f32]>,
    /// The same of the words of each of its meanings; none where nobody told it.
    meanings: Arc<[Arc<[f32]>]>,
    /// How much these are believed.
    weight: f32,
}

impl Readings {
    /// What to read of the label `id`, whose name has these tokens; what is beyond `longest` tokens
    /// is left out.
    ///
    /// # Errors
    /// Of the tokenizer.
    pub(super) fn of(
        model: &Model,
        set: &LabelSet,
        id: LabelId,
        name: &[u32],
        longest: usize,
    ) -> Result<Readings, TokenizerError> {
        let label = set.label(id);
        let own = label.description.as_deref().map(Cow::Borrowed);
        let is_own = own.is_some();
        let told = own.or_else(|| model.glossary().words_of(set, id));
        let told = told.unwrap_or_default();
        // An author's sentence may have any mark in it, and has one meaning.
        let meanings = match is_own {
            true => vec![&*told],
            false => meanings(&told).collect(),
        };
        let told = meanings.into_iter().map(|meaning| {
            let text = format!("{}: {meaning}", label.name);
            let mut tokens = model.tokenizer().tokens(&text)?;
            tokens.ids.truncate(longest);
            let is_word = |(from, to): (usize, usize)| {
                from > label.name.len()
                    && match is_own {
                        true => whole_letters(&text, from, to) >= SHORTEST_OWN,
                        false => text.get(from..to).is_some_and(has_letter),
                    }
            };
            let places = 0..tokens.ids.len();
            let words = places.filter(|i| is_word(tokens.offsets[*i])).collect();
            let ids = tokens.ids;
            Ok(Told { ids, words })
        });
        Ok(Readings {
            name: name.to_vec(),
            told: told.collect::<Result<_, _>>()?,
            is_own,
        })
    }

    /// The ids of each text that is read for it.
    pub(super) fn texts(&self) -> impl Iterator<Item = &[u32]> {
        let told = self.told.iter().map(|told| &told.ids);
        std::iter::once(&self.name).chain(told).map(Vec::as_slice)
    }

    /// What the model makes of them: `outputs` has one a text, in the order of `texts`.
    pub(super) fn read(&self, outputs: &mut impl Iterator<Item = Output>) -> Option<Alone> {
        let of_name = outputs.next()?;
        let name: Arc<[f32]> = of_name.tokens.unwrap_or_default().into();
        let hidden = of_name.embedding.len();
        if self.is_own {
            let whole = outputs.next()?;
            let described: Arc<[f32]> = whole.tokens.unwrap_or_default().into();
            let meanings = self.told.iter().map(|told| told.words(&described, hidden));
            return Some(Alone {
                meanings: meanings.collect(),
                embedding: whole.embedding.into(),
                name,
                described,
                weight: OWN_WEIGHT,
            });
        }
        let (mut meanings, mut sum) = (Vec::new(), vec![0.0; hidden]);
        for told in &self.told {
            let read = outputs.next()?;
            meanings.push(told.words(&read.tokens.unwrap_or_default(), hidden));
            sum.iter_mut()
                .zip(read.embedding)
                .for_each(|(s, x)| *s += x);
        }
        let embedding = match meanings.is_empty() {
            true => of_name.embedding,
            false => between(&of_name.embedding, &unit(sum), GLOSSARY_SHARE),
        };
        Some(Alone {
            embedding: embedding.into(),
            name,
            described: Arc::default(),
            meanings: meanings.into(),
            weight: GLOSSARY_WEIGHT,
        })
    }
}

impl Told {
    /// The states of the words among those of all tokens.
    fn words(&self, states: &[f32], hidden: usize) -> Arc<[f32]> {
        let words = self.words.iter();
        let words = words.filter_map(|i| states.get(i * hidden..(i + 1) * hidden));
        words.flatten().copied().collect()
    }
}

impl Alone {
    /// The states of its tokens.
    pub(super) fn states(&self) -> LabelStates<'_> {
        LabelStates {
            name: &self.name,
            described: &self.described,
            meanings: &self.meanings,
            weight: self.weight,
        }
    }
}

fn has_letter(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric)
}

/// How many letters and digits a token has that is a whole word; none where it is anything else.
fn whole_letters(text: &str, from: usize, to: usize) -> usize {
    let (Some(before), Some(token), Some(after)) =
        (text.get(..from), text.get(from..to), text.get(to..))
    else {
        return 0;
    };
    let word = token.trim_start(); // Byte-level tokens begin with the blank before them.
    let goes_on = word.len() == token.len() && before.ends_with(char::is_alphanumeric)
        || after.starts_with(char::is_alphanumeric)
        || !word.chars().all(char::is_alphanumeric);
    if goes_on { 0 } else { word.chars().count() }
}

/// The unit vector between two of these, of which the second has this share.
fn between(a: &[f32], b: &[f32], share: f32) -> Vec<f32> {
    let both = a.iter().zip(b);
    unit(both.map(|(a, b)| a + share * (b - a)).collect())
}

fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    let length = length.max(f32::MIN_POSITIVE); // Opposite ones have nothing between them.
    vector.iter_mut().for_each(|x| *x /= length);
    vector
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(embedding: [f32; 2], tokens: &[f32]) -> Output {
        Output {
            logits: Vec::new(),
            embedding: embedding.into(),
            tokens: Some(tokens.to_vec()),
        }
    }

    fn of_name() -> Output {
        output([1.0, 0.0], &[0.6, 0.8])
    }

    fn of_meaning() -> Output {
        output([0.0, 1.0], &[0., 0., 0., 1., 1., 0., 0., 1., 0.8, 0.6])
    }

    fn readings(is_own: bool, meanings: usize) -> Readings {
        let told = Told {
            ids: vec![7, 1, 8, 1, 9],
            words: vec![2, 4],
        };
        Readings {
            name: vec![7],
            told: vec![told; meanings],
            is_own,
        }
    }

    fn words_of<'a>(states: &LabelStates<'a>) -> Vec<&'a [f32]> {
        states.meanings.iter().map(AsRef::as_ref).collect()
    }

    #[test]
    fn a_label_that_nobody_told_of_is_what_the_model_makes_of_its_name() {
        let readings = readings(false, 0);
        assert_eq!(readings.texts().collect::<Vec<_>>(), [[7]]);
        let alone = readings.read(&mut [of_name()].into_iter()).unwrap();
        assert_eq!(&alone.embedding[..], [1.0, 0.0]);
        assert_eq!(alone.states().name, [0.6, 0.8]);
        assert!(alone.states().described.is_empty() && alone.states().meanings.is_empty());
    }

    #[test]
    fn a_description_is_read_as_one_text_with_the_name() {
        let readings = readings(true, 1);
        let texts: Vec<&[u32]> = readings.texts().collect();
        assert_eq!(texts, [&[7][..], &[7, 1, 8, 1, 9]]);
        let both = [of_name(), of_meaning()];
        let alone = readings.read(&mut both.into_iter()).unwrap();
        assert_eq!(&alone.embedding[..], [0.0, 1.0]);
        let states = alone.states();
        assert_eq!((states.name, states.described.len()), (&[0.6, 0.8][..], 10));
        assert_eq!(states.weight, OWN_WEIGHT);
        assert_eq!(words_of(&states), [[1.0, 0.0, 0.8, 0.6]]);
    }

    #[test]
    fn the_glossarys_words_are_a_share_of_the_embedding_and_stand_beside_the_names_tokens() {
        let readings = readings(false, 1);
        assert_eq!(readings.texts().count(), 2);
        let both = [of_name(), of_meaning()];
        let alone = readings.read(&mut both.into_iter()).unwrap();
        let length = 0.58_f32.sqrt();
        for (x, expected) in alone.embedding.iter().zip([0.7 / length, 0.3 / length]) {
            assert!((x - expected).abs() < 1e-6, "{x} {expected}");
        }
        let states = alone.states();
        assert_eq!(
            (states.name, states.weight),
            (&[0.6, 0.8][..], GLOSSARY_WEIGHT)
        );
        assert_eq!(words_of(&states), [[1.0, 0.0, 0.8, 0.6]]);
    }

    #[test]
    fn several_meanings_are_read_apart_and_share_the_embedding() {
        let readings = readings(false, 2);
        assert_eq!(readings.texts().count(), 3);
        let other = output([1.0, 0.0], &[0., 1., 0., 1., 0., 1., 0., 1., 1., 0.]);
        let all = [of_name(), of_meaning(), other];
        let alone = readings.read(&mut all.into_iter()).unwrap();
        let half = 0.5_f32.sqrt();
        let (x, y) = (0.7 + 0.3 * half, 0.3 * half);
        let length = (x * x + y * y).sqrt();
        for (found, expected) in alone.embedding.iter().zip([x / length, y / length]) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
        let states = alone.states();
        let words = [[1.0, 0.0, 0.8, 0.6], [0.0, 1.0, 1.0, 0.0]];
        assert_eq!(words_of(&states), words);
        let two = [of_name(), of_meaning()];
        assert!(readings.read(&mut two.into_iter()).is_none());
    }

    #[test]
    fn a_text_that_was_not_read_gives_no_label() {
        for is_own in [true, false] {
            let mut one = [of_name()].into_iter();
            assert!(readings(is_own, 1).read(&mut one).is_none());
        }
        assert!(readings(false, 0).read(&mut std::iter::empty()).is_none());
    }

    #[test]
    fn only_a_token_that_is_a_whole_word_has_letters() {
        let text = "tax: Und über-all, médecins";
        let of = |token: &str| {
            let from = text.find(token).unwrap();
            whole_letters(text, from, from + token.len())
        };
        let cases = [
            ("Und", 3),
            (" Und", 3),
            ("über", 4),
            (" über", 4),
            ("ber", 0),
            ("all", 3),
            ("méd", 0),
        ];
        for (token, letters) in cases {
            assert_eq!(of(token), letters, "{token}");
        }
        assert_eq!((of(","), of("-all"), of("médecins")), (0, 0, 8));
        assert_eq!(whole_letters("é", 1, 2), 0);
    }

    #[test]
    fn opposite_vectors_have_numbers_between_them() {
        assert_eq!(between(&[1.0, 0.0], &[-1.0, 0.0], 0.5), [0.0, 0.0]);
    }
}
