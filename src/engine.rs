//! From documents to predictions: windows, batches, and the model that runs them.
