//! How good predictions are: precision, recall, ranking and calibration.
