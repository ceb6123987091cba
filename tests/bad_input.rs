//! Everything that can be wrong with what `gliznet tag` is given, tried one by one.
//!
//! Of each is checked what a user sees: the sentence with place, fact and cure, the exit code, and
//! that everything else was tagged. Lines of JSON are in `jsonl.rs`, interrupted downloads in `hub.rs`.

#[cfg(test)] // Clippy then knows that helpers may unwrap.
#[path = "bad_input/checkpoints.rs"]
mod checkpoints;
#[cfg(test)]
#[path = "bad_input/files.rs"]
mod files;
#[cfg(test)]
#[path = "support/gliznet.rs"]
mod gliznet;
#[cfg(test)]
#[path = "bad_input/labels.rs"]
mod labels;
#[cfg(test)]
#[path = "support/tagging.rs"]
mod tagging;
#[cfg(test)]
#[path = "support/text_form.rs"]
mod text_form;
