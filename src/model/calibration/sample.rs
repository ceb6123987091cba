//! What a calibration is fitted on: one decision, its cosines and its truth.
//!
//! Plain numbers; whoever fits checks them. Knows nothing of texts and names of labels.

/// One decision with its truth: a text and a label, whose cosines are known in each view.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// The cosine of the joint encoding.
    pub joint: f32,
    /// The cosine of the plain embeddings; anything (0, say) where that view is not used.
    pub embed: f32,
    /// The cosine of single tokens; anything where that view is not used.
    pub tokens: f32,
    /// Whether the text has the label.
    pub positive: bool,
    /// How much the decision counts; see [`row_weight`].
    pub weight: f32,
    /// The label space it comes from: cross-validation holds out whole ones.
    pub group: u32,
    /// The text: decisions of one text compete with each other.
    pub row: u32,
}

/// The weight of each decision of a row with so many candidate labels: `n_labels^-power`.
///
/// Power 0 counts every decision alike, so that a row with 60 labels outweighs thirty rows with two.
/// Power 1 counts every row alike, whatever its number of labels. One half is between.
pub fn row_weight(n_labels: usize, power: f32) -> f32 {
    (n_labels.max(1) as f32).powf(-power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_weigh_by_their_labels_as_asked() {
        assert_eq!(
            [0.0, 0.5, 1.0].map(|p| row_weight(16, p)),
            [1.0, 0.25, 0.0625]
        );
        assert_eq!(row_weight(0, 1.0), 1.0);
    }
}
