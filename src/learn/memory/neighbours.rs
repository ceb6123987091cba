//! How near two texts are: vectors in, a weight from 0 to 1 out.
//!
//! Texts of one person lie close together, so a plain cosine says little. Ordinary texts that
//! nobody has judged say what is ordinary: their middle is taken off every vector, and they weigh
//! against the memory where a text is as near to them as to what was corrected.
//! Invariant: nothing is nearer than a text to itself.

use crate::engine::Embedding;

/// The numbers of the formula. `docs/decisions.md` says how they were found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constants {
    /// From this cosine on two texts are the same.
    pub duplicate: f32,
    /// Texts that are less alike have nothing to do with each other.
    pub least: f32,
    /// How fast likeness fades: small is fast.
    pub fade: f32,
    /// The most that is added to the log-odds.
    pub strength: f32,
    /// How much nearness it takes to be believed.
    pub doubt: f32,
    /// How much an ordinary text weighs against a corrected one.
    pub ordinary: f32,
}

impl Default for Constants {
    fn default() -> Constants {
        Constants {
            duplicate: 0.98,
            least: 0.25,
            fade: 0.15,
            strength: 17.5,
            doubt: 0.01,
            ordinary: 0.7,
        }
    }
}

/// A text's vector with what comparing it takes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Likeness {
    embedding: Embedding,
    /// Its product with the middle.
    along: f32,
    /// Its distance from the middle.
    apart: f32,
}

impl Likeness {
    /// The text's vector, of length 1.
    pub(super) fn unit(&self) -> Vec<f32> {
        self.embedding.unit().collect()
    }

    /// The plain cosine.
    pub(super) fn cosine(&self, other: &Likeness) -> f32 {
        self.embedding.cosine(&other.embedding)
    }
}

/// Ordinary texts.
#[derive(Clone, Debug)]
pub(super) struct Background {
    middle: Vec<f32>,
    /// The middle's product with itself.
    square: f32,
    texts: Vec<Likeness>,
}

impl Background {
    /// `None` without texts, or where they are of several spaces.
    pub(super) fn new(texts: &[Embedding]) -> Option<Background> {
        let dimensions = texts.first()?.codes().len();
        let mut middle = vec![0.0; dimensions];
        for text in texts {
            if text.codes().len() != dimensions {
                return None;
            }
            for (middle, x) in middle.iter_mut().zip(text.unit()) {
                *middle += x / texts.len() as f32;
            }
        }
        let square = middle.iter().map(|x| x * x).sum();
        let mut background = Background {
            middle,
            square,
            texts: Vec::new(),
        };
        background.texts = texts.iter().map(|text| background.likeness(text)).collect();
        Some(background)
    }

    pub(super) fn likeness(&self, embedding: &Embedding) -> Likeness {
        let along: f32 = embedding.unit().zip(&self.middle).map(|(x, m)| x * m).sum();
        Likeness {
            embedding: embedding.clone(),
            along,
            apart: (1.0 - 2.0 * along + self.square).max(0.0).sqrt(),
        }
    }

    /// How near two texts are, of this plain cosine.
    pub(super) fn nearness(
        &self,
        cosine: f32,
        a: &Likeness,
        b: &Likeness,
        constants: &Constants,
    ) -> f32 {
        let apart = a.apart * b.apart;
        if apart <= 1e-6 {
            return 0.0; // One of them is the middle, and near to nothing.
        }
        let cosine = ((cosine - a.along - b.along + self.square) / apart).min(1.0);
        if cosine < constants.least {
            return 0.0;
        }
        ((cosine - 1.0) / constants.fade).exp()
    }

    /// What ordinary texts weigh against the memory at this text.
    pub(super) fn weight(&self, here: &Likeness, constants: &Constants) -> f32 {
        let near = |there| self.nearness(here.cosine(there), here, there, constants);
        constants.ordinary * self.texts.iter().map(near).sum::<f32>()
    }
}
