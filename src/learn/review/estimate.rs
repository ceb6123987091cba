//! How often tags are right, from documents that chance chose; and when looking on is not worth it.
//!
//! Invariant: the estimate's range holds the truth in 19 of 20 cases; without a document there is
//! none. Pure.

use crate::correction::Judged;

/// So many documents chosen by chance are looked back at.
const RECENT: usize = 50;
/// Below this share of documents that needed a change, looking on is not worth a person's time.
const WORTH: f64 = 0.02;

/// How often tags are right.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Accuracy {
    /// How many documents it rests on.
    pub documents: usize,
    /// The share of documents whose tags needed no change, from 0 to 1.
    pub right: f64,
    /// Between these two lies the true share in 19 of 20 cases (Wilson's interval).
    pub range: (f64, f64),
}

impl Accuracy {
    /// The estimate; none without a document.
    pub fn of(judged: &[Judged]) -> Option<Accuracy> {
        let documents = judged.len();
        if documents == 0 {
            return None;
        }
        let n = documents as f64;
        let right = judged.iter().filter(|judged| judged.is_right()).count() as f64 / n;
        const Z: f64 = 1.96;
        let spread = (right * (1.0 - right) / n + Z * Z / (4.0 * n * n)).sqrt();
        let scale = 1.0 + Z * Z / n;
        let middle = (right + Z * Z / (2.0 * n)) / scale;
        let half = Z * spread / scale;
        Some(Accuracy {
            documents,
            right,
            range: ((middle - half).max(0.0), (middle + half).min(1.0)),
        })
    }
}

/// Whether the last documents that chance chose, newest last, needed hardly any change.
pub fn is_enough(judged: &[Judged]) -> bool {
    let Some(recent) = judged.len().checked_sub(RECENT) else {
        return false;
    };
    let changed = judged[recent..].iter().filter(|judged| !judged.is_right());
    (changed.count() as f64) < WORTH * RECENT as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHT: Judged = Judged {
        suggested: 2,
        wrong: 0,
        missing: 0,
    };
    const WRONG: Judged = Judged { wrong: 1, ..RIGHT };

    #[test]
    fn the_range_is_wide_for_few_documents_and_holds_the_share() {
        assert_eq!(Accuracy::of(&[]), None);
        // Wilson's interval for 8 of 10, as R's `binom::binom.wilson(8, 10)` gives it.
        let eight = [[RIGHT; 8].as_slice(), &[WRONG; 2]].concat();
        let accuracy = Accuracy::of(&eight).unwrap();
        assert_eq!((accuracy.documents, accuracy.right), (10, 0.8));
        assert!((accuracy.range.0 - 0.490).abs() < 1e-3, "{accuracy:?}");
        assert!((accuracy.range.1 - 0.943).abs() < 1e-3, "{accuracy:?}");
        let all = Accuracy::of(&[RIGHT; 3]).unwrap();
        assert!(all.right == 1.0 && all.range.0 < 0.5 && all.range.1 == 1.0);
    }

    #[test]
    fn it_is_enough_when_fifty_in_a_row_needed_no_change() {
        assert!(!is_enough(&[RIGHT; 49]));
        let early = [[WRONG; 9].as_slice(), &[RIGHT; 50]].concat();
        assert!(is_enough(&early));
        let late = [[RIGHT; 50].as_slice(), &[WRONG]].concat();
        assert!(!is_enough(&late));
        assert!(
            !WRONG.is_right()
                && !Judged {
                    missing: 1,
                    ..RIGHT
                }
                .is_right()
        );
    }
}
