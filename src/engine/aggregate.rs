//! The views of a text from those of its windows. Pure.

use crate::model::calibration::Cosines;

/// The views of a text and a label, before calibration.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct View {
    /// Cosine (or similarity) of the joint encoding; none of a window that was read without labels.
    pub joint: Option<f32>,
    /// Cosine of the two plain embeddings, where the engine was asked for it.
    pub embed: Option<f32>,
    /// Cosine of single tokens, where the engine was asked for it.
    pub tokens: Option<f32>,
}

/// The views of a text and a label: the joint one, and each other where every window has it.
///
/// Each view is weighed for itself (`shares`). Windows without a joint view do not count for it.
/// None where no window has one.
pub fn whole(windows: &[View]) -> Option<Cosines> {
    let joint: Vec<f32> = windows.iter().filter_map(|view| view.joint).collect();
    let of_all = |view: fn(&View) -> Option<f32>| -> Option<f32> {
        let all: Option<Vec<f32>> = windows.iter().map(view).collect();
        all.as_deref().map(together)
    };
    (!joint.is_empty()).then(|| Cosines {
        joint: together(&joint),
        embed: of_all(|view| view.embed),
        tokens: of_all(|view| view.tokens),
    })
}

/// What the windows have together, of a value from each in the order of the text.
fn together(values: &[f32]) -> f32 {
    let both = shares(values).into_iter().zip(values);
    both.map(|(share, value)| share * value).sum()
}

/// How much each window counts; the shares add up to 1.
///
/// Half is the first window's: who writes says there what a text is about. The other half is shared
/// by the two highest, since one section may be about something else: a maximum alone would grow
/// with the number of windows, and a mean over all would drown what one section says.
fn shares(values: &[f32]) -> Vec<f32> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
    order.truncate(2);
    let mut shares = vec![0.0; values.len()];
    if let Some(first) = shares.first_mut() {
        *first = 0.5;
    }
    for window in &order {
        shares[*window] += 0.5 / order.len() as f32;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_window_is_itself() {
        assert_eq!(shares(&[-3.0]), [1.0]);
        assert_eq!(together(&[f32::MAX]), f32::MAX);
        assert!(shares(&[]).is_empty());
    }

    #[test]
    fn the_first_window_has_half_and_the_best_two_the_other() {
        assert_eq!(shares(&[1.0, -5.0]), [0.75, 0.25]);
        assert_eq!(shares(&[1.0, -5.0, 3.0, 2.0]), [0.5, 0.0, 0.25, 0.25]);
        assert_eq!(shares(&[9.0, -5.0, 3.0, 2.0]), [0.75, 0.0, 0.25, 0.0]);
        assert_eq!(together(&[1.0, -5.0, 3.0, 2.0]), 1.75);
    }

    #[test]
    fn more_windows_of_the_same_change_nothing() {
        for n in 1..20 {
            assert_eq!(together(&vec![-2.5; n]), -2.5);
        }
        assert!(together(&[f32::MAX; 3]).is_finite());
    }

    #[test]
    fn each_view_is_made_of_the_windows_that_have_it() {
        let view = |joint, embed| View {
            joint,
            embed,
            tokens: embed.map(|x: f32| -x),
        };
        let cosines = |joint, embed: Option<f32>| Cosines {
            joint,
            embed,
            tokens: embed.map(|x| -x),
        };
        assert_eq!(whole(&[]), None);
        assert_eq!(whole(&[view(None, Some(1.0))]), None);
        let joint_once = [view(Some(0.5), Some(1.0)), view(None, Some(1.0))];
        assert_eq!(whole(&joint_once), Some(cosines(0.5, Some(1.0))));
        let one_without = [view(Some(0.5), Some(0.0)), view(Some(-0.5), None)];
        assert_eq!(whole(&one_without), Some(cosines(0.25, None)));
    }
}
