//! One logit a label from several windows. Pure.

use crate::score::Logit;

/// The mean of the two largest: a maximum alone would grow with the number of windows, and a mean
/// over all would drown what one section says. `None` without any.
pub fn mean_of_top_two(logits: impl IntoIterator<Item = Logit>) -> Option<Logit> {
    let (mut first, mut second) = (None::<f32>, None::<f32>);
    for logit in logits {
        let value = logit.value();
        if first.is_none_or(|f| value > f) {
            second = first;
            first = Some(value);
        } else if second.is_none_or(|s| value > s) {
            second = Some(value);
        }
    }
    let first = first?;
    Logit::new(second.map_or(first, |second| first / 2.0 + second / 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(values: &[f32]) -> Option<f32> {
        mean_of_top_two(values.iter().map(|v| Logit::new(*v).unwrap())).map(Logit::value)
    }

    #[test]
    fn one_window_is_itself_and_more_are_the_mean_of_the_best_two() {
        assert_eq!(mean(&[-3.0]), Some(-3.0));
        assert_eq!(mean(&[1.0, -5.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(mean(&[3.0, 3.0]), Some(3.0));
        assert_eq!(mean(&[]), None);
        assert_eq!(mean(&[f32::MAX, f32::MAX]), Some(f32::MAX));
    }
}
