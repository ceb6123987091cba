//! The settings block at the head of a document: YAML, TOML, JSON or Org keywords.
