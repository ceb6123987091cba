//! What to look at next: documents with what the model says of them in, a short queue out.
//!
//! A verdict teaches most where the model is in doubt, where nothing like the document was judged
//! before, and, for an honest estimate of how often the tags are right, where chance leads; and where
//! what was said goes badly with what was said of like documents.
//! Invariant: the same documents, verdicts and seed give the same queue; no document is in it twice
//! or was judged before, but those that are asked again; those drawn by chance are drawn from all that
//! were not judged.
//! Pure; reads nothing and asks nobody.
//!
//! Source: "Active Learning for Text Classification" (breaking ties; Schröder et al., 2107.05687),
//! greedy k-centre (Sener and Savarese, 1708.00489), Prodigy's moving average over doubts.

mod estimate;

use sha2::{Digest, Sha256};

pub use estimate::{Accuracy, is_enough};

/// So many verdicts are needed before doubts are worth more than differences.
const COLD: usize = 20;
/// One document of so many is chosen by chance, and one because it is different.
const SHARE: usize = 5;
const RANDOM_PLACE: usize = 4;
const DIFFERENT_PLACE: usize = 2;
/// One of so many is one that was judged, and is asked again.
const AGAIN: usize = 10;
const AGAIN_PLACE: usize = 1;
/// How quickly the moving average of doubts forgets.
const FORGETTING: f32 = 0.1;

/// A document that could be judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// What names it.
    pub document: String,
    /// How unsure the model is, from 0 to 1; `doubt` says.
    pub doubt: f32,
    /// The text's vector, of length 1, where there is one.
    pub embedding: Option<Vec<f32>>,
}

/// Why a document is in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Why {
    /// The model is in doubt.
    Unsure,
    /// Nothing like it was judged before.
    Different,
    /// Chance chose it: it counts for the estimate.
    Random,
    /// It was judged, and like documents were judged otherwise.
    Again,
}

/// A document of the queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    /// Its place among the candidates.
    pub candidate: usize,
    /// Why it is here.
    pub why: Why,
}

/// How unsure the model is about a document: 1 where a label's log-odds are exactly at its
/// threshold, falling to 0 away from it; the label nearest to its threshold counts.
/// Each pair is a label's log-odds and those of its threshold.
pub fn doubt(logits: impl IntoIterator<Item = (f32, f32)>) -> f32 {
    let nearest = logits
        .into_iter()
        .map(|(logit, threshold)| (logit - threshold).abs())
        .fold(f32::INFINITY, f32::min);
    (-nearest).exp()
}

/// The next `count` documents. `judged` are the vectors of those that were judged before, which
/// are not among the candidates; `verdicts` says how many there were in all.
pub fn choose(
    candidates: &[Candidate],
    judged: &[Vec<f32>],
    verdicts: usize,
    count: usize,
    seed: u64,
) -> Vec<Chosen> {
    let mut open = Open {
        candidates,
        free: vec![true; candidates.len()],
        distance: candidates
            .iter()
            .map(|candidate| distance(candidate, judged))
            .collect(),
        average: 0.0,
        seed,
    };
    // Chance goes first, so that what is doubtful is in its share as well.
    let drawn: Vec<usize> = (0..count / SHARE)
        .map_while(|_| open.taken(Why::Random))
        .collect();
    let mut drawn = drawn.into_iter();
    let mut queue = Vec::new();
    for place in 0..count {
        let why = match place % SHARE {
            RANDOM_PLACE => Why::Random,
            _ if verdicts < COLD => Why::Different,
            DIFFERENT_PLACE => Why::Different,
            _ => Why::Unsure,
        };
        let chosen = match why {
            Why::Random => None,
            other => open.taken(other).map(|candidate| (candidate, other)),
        };
        let by_chance = |candidate| (candidate, Why::Random);
        let chosen = chosen.or_else(|| drawn.next().map(by_chance));
        let Some((candidate, why)) = chosen.or_else(|| open.taken(Why::Random).map(by_chance))
        else {
            break;
        };
        queue.push(Chosen { candidate, why });
    }
    queue
}

/// How many of a queue of `count` are asked again at most.
pub fn most_again(count: usize) -> usize {
    count.div_ceil(AGAIN)
}

/// The queue with these documents among the others, which make room for them.
pub fn with_again(mut queue: Vec<Chosen>, again: &[usize], count: usize) -> Vec<Chosen> {
    for (turn, candidate) in again.iter().take(most_again(count)).enumerate() {
        let place = (turn * AGAIN + AGAIN_PLACE).min(queue.len());
        let chosen = Chosen {
            candidate: *candidate,
            why: Why::Again,
        };
        queue.insert(place, chosen);
    }
    queue.truncate(count);
    queue
}

/// The candidates while the queue is made.
struct Open<'a> {
    candidates: &'a [Candidate],
    free: Vec<bool>,
    /// How far each is from everything that was judged or chosen, from 0 to 2.
    distance: Vec<f32>,
    /// Of the doubts of those that were taken as unsure.
    average: f32,
    seed: u64,
}

impl Open<'_> {
    /// The next for this reason, which is not free any more.
    fn taken(&mut self, why: Why) -> Option<usize> {
        let candidate = self.next(why)?;
        self.take(candidate);
        if why == Why::Unsure {
            let doubt = self.candidates[candidate].doubt;
            self.average += FORGETTING * (doubt - self.average);
        }
        Some(candidate)
    }

    fn next(&self, why: Why) -> Option<usize> {
        let free = (0..self.candidates.len()).filter(|idx| self.free[*idx]);
        match why {
            Why::Random | Why::Again => free.min_by_key(|idx| self.lot(*idx)),
            Why::Different => free.max_by(|a, b| {
                let by_distance = self.distance[*a].total_cmp(&self.distance[*b]);
                by_distance.then_with(|| self.lot(*b).cmp(&self.lot(*a)))
            }),
            // Of what is at least as doubtful as was usual so far, the one least like the others:
            // a model that is wrong about one kind of text would fill the queue with that kind.
            Why::Unsure => {
                let most = free.clone().map(|idx| self.candidates[idx].doubt);
                let most = most.fold(0.0, f32::max);
                let least = self.average.min(most).max(most * 0.8);
                free.filter(|idx| self.candidates[*idx].doubt >= least)
                    .max_by(|a, b| {
                        let by_distance = self.distance[*a].total_cmp(&self.distance[*b]);
                        by_distance.then_with(|| self.lot(*b).cmp(&self.lot(*a)))
                    })
            }
        }
    }

    fn take(&mut self, idx: usize) {
        self.free[idx] = false;
        let Some(vector) = &self.candidates[idx].embedding else {
            return;
        };
        for (other, distance) in self.candidates.iter().zip(&mut self.distance) {
            if let Some(embedding) = &other.embedding {
                *distance = distance.min(1.0 - cosine(embedding, vector));
            }
        }
    }

    /// A number that chance gave to this document and no other.
    fn lot(&self, idx: usize) -> [u8; 8] {
        let mut hash = Sha256::new();
        hash.update(self.seed.to_le_bytes());
        hash.update(self.candidates[idx].document.as_bytes());
        let mut lot = [0; 8];
        lot.copy_from_slice(&hash.finalize()[..8]);
        lot
    }
}

fn distance(candidate: &Candidate, judged: &[Vec<f32>]) -> f32 {
    let Some(embedding) = &candidate.embedding else {
        return 1.0; // Nothing is known of it: neither near nor far.
    };
    let distances = judged.iter().map(|other| 1.0 - cosine(embedding, other));
    distances.fold(2.0, f32::min)
}

/// Of two vectors of length 1.
fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn candidate(name: &str, doubt: f32, angle: f32) -> Candidate {
        Candidate {
            document: name.to_owned(),
            doubt,
            embedding: Some(vec![angle.cos(), angle.sin()]),
        }
    }

    fn names(candidates: &[Candidate], queue: &[Chosen], why: Why) -> Vec<String> {
        let chosen = queue.iter().filter(|chosen| chosen.why == why);
        chosen
            .map(|chosen| candidates[chosen.candidate].document.clone())
            .collect()
    }

    #[test]
    fn the_label_nearest_to_its_threshold_decides_the_doubt() {
        assert_eq!(doubt([(2.0, 2.0), (9.0, 0.0)]), 1.0);
        assert!(doubt([(3.0, 0.0)]) < doubt([(3.0, 0.0), (-1.0, 0.0)]));
        assert_eq!(doubt([]), 0.0);
    }

    #[test]
    fn three_of_five_are_doubtful_one_is_different_and_one_random() {
        let candidates: Vec<Candidate> = (0_u8..50)
            .map(|n| candidate(&n.to_string(), f32::from(n) / 50.0, f32::from(n) / 25.0))
            .collect();
        let queue = choose(&candidates, &[], 100, 10, 7);
        let whys: Vec<Why> = queue.iter().map(|chosen| chosen.why).collect();
        use Why::{Different, Random, Unsure};
        let five = [Unsure, Unsure, Different, Unsure, Random];
        assert_eq!(whys, [five, five].concat());
        for name in names(&candidates, &queue, Unsure) {
            assert!(name.parse::<u8>().unwrap() >= 35, "{name} is not doubtful");
        }
    }

    #[test]
    fn before_enough_verdicts_differences_lead_and_doubts_do_not() {
        let candidates = [
            candidate("doubtful", 1.0, 0.0),
            candidate("its twin", 0.9, 0.01),
            candidate("far", 0.0, 2.0),
        ];
        let queue = choose(&candidates, &[vec![1.0, 0.0]], 3, 1, 0);
        assert_eq!(names(&candidates, &queue, Why::Different), ["far"]);
        let queue = choose(&candidates, &[vec![-1.0, 0.0]], 100, 2, 0);
        assert_eq!(names(&candidates, &queue, Why::Unsure)[0], "doubtful");
    }

    #[test]
    fn one_kind_of_text_does_not_fill_the_queue() {
        let mut candidates: Vec<Candidate> = (0_u8..20)
            .map(|n| candidate(&format!("twin {n}"), 0.95, f32::from(n) / 1e4))
            .collect();
        candidates.push(candidate("other", 0.9, 1.5));
        let queue = choose(&candidates, &[], 100, 2, 3);
        let chosen = names(&candidates, &queue, Why::Unsure);
        assert!(chosen.contains(&"other".to_owned()), "{chosen:?}");
    }

    #[test]
    fn chance_gives_every_document_the_same_share_however_doubtful_it_is() {
        let candidates: Vec<Candidate> = (0_u8..5)
            .map(|n| candidate(&n.to_string(), f32::from(n) / 4.0, f32::from(n)))
            .collect();
        let mut counts = [0_u32; 5];
        for seed in 0..2_000 {
            let queue = choose(&candidates, &[], 100, 5, seed);
            let drawn = queue.iter().find(|chosen| chosen.why == Why::Random);
            counts[drawn.unwrap().candidate] += 1;
        }
        assert!(counts.iter().all(|n| (320..480).contains(n)), "{counts:?}");
    }

    #[test]
    fn a_tenth_of_the_queue_is_asked_again_and_the_others_make_room() {
        let candidates: Vec<Candidate> = (0_u8..20)
            .map(|n| candidate(&n.to_string(), 0.5, f32::from(n)))
            .collect();
        let queue = choose(&candidates, &[], 100, 12, 1);
        let mixed = with_again(queue.clone(), &[20, 21, 22], 12);
        let places: Vec<usize> = (0..12).filter(|i| mixed[*i].why == Why::Again).collect();
        assert_eq!((places, mixed.len()), (vec![1, 11], 12));
        assert_eq!(mixed[0], queue[0]);
        // Where all was judged, they alone are left.
        let alone = with_again(Vec::new(), &[0, 1, 2], 10);
        assert_eq!(alone.len(), 1);
        assert_eq!(with_again(queue.clone(), &[], 12), queue);
    }

    proptest! {
        #[test]
        fn nothing_is_chosen_twice_and_all_are_if_there_is_room(
            doubts in proptest::collection::vec((0.0_f32..=1.0, proptest::option::of(0.0_f32..6.3)), 0..30),
            verdicts in 0_usize..40, count in 0_usize..40, seed: u64,
        ) {
            let candidates: Vec<Candidate> = doubts.iter().enumerate().map(|(n, (doubt, angle))| Candidate {
                document: n.to_string(),
                doubt: *doubt,
                embedding: angle.map(|angle| vec![angle.cos(), angle.sin()]),
            }).collect();
            let queue = choose(&candidates, &[], verdicts, count, seed);
            let different: HashSet<usize> = queue.iter().map(|chosen| chosen.candidate).collect();
            prop_assert_eq!(different.len(), queue.len());
            prop_assert_eq!(queue.len(), count.min(candidates.len()));
            prop_assert_eq!(choose(&candidates, &[], verdicts, count, seed), queue);
        }
    }
}
