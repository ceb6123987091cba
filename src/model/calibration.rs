//! From cosines to probabilities.
