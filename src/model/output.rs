//! What a model gives for one sequence: plain numbers, no tensors.
//!
//! Knows nothing of how they were computed.

/// What the model says of one sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// The checkpoint's own logit of each label, in the sequence's order.
    pub logits: Vec<f32>,
    /// Mean of the text's states, of unit length: the second view, and label-free under
    /// `isolated` attention.
    pub embedding: Vec<f32>,
    /// States of the text's own tokens, without `[CLS]` and `[SEP]`, each of unit length,
    /// `[token, hidden]`; where they were asked for.
    pub tokens: Option<Vec<f32>>,
}

/// The states behind an `Output`, for comparison with golden cases.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspection {
    /// Last hidden state of the first position.
    pub hidden_cls: Vec<f32>,
    /// Last hidden state of the last position.
    pub hidden_last: Vec<f32>,
    /// Projected, not normalised `[CLS]` state.
    pub text_embedding: Vec<f32>,
    /// The checkpoint's own logits.
    pub logits: Vec<f32>,
    /// Cosines of the projected text and labels, whatever the checkpoint's similarity is.
    pub cosines: Vec<f32>,
}
