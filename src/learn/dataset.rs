//! Rows of labelled text, read from JSON Lines files.
