//! The checkpoints that this machine has: bundled, pulled, or a folder.
