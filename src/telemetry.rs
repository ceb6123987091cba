//! Logging to standard error; standard output belongs to results.
