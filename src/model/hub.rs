//! Fetches a checkpoint from the Hugging Face Hub.
