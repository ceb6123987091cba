//! What a person made of a pulled model: the calibration that they fitted, the words that they wrote.
//!
//! Input: the model's folder and the record of what came. Output: the files that are there otherwise.
//! Invariant: what cannot be read as what it should be is damage, and nobody's own.

use std::path::Path;

use super::Checksum;
use crate::label::Glossary;
use crate::model::calibration::{self, Calibration};
use crate::model::checkpoint::GLOSSARY;
use crate::model::store::Record;

/// The files of `folder` that the user changed or added, of those that the manual gives them to.
pub(super) fn files(record: &Record, folder: &Path) -> Vec<&'static str> {
    let calibration = |path: &Path| Calibration::read(path).is_ok();
    let glossary = |path: &Path| {
        std::fs::read_to_string(path).is_ok_and(|text| Glossary::parse(&text).is_ok())
    };
    let mut own = Vec::new();
    if is_other(record, folder, calibration::FILE_NAME, calibration) {
        own.push(calibration::FILE_NAME);
    }
    if is_other(record, folder, GLOSSARY, glossary) {
        own.push(GLOSSARY);
    }
    own
}

fn is_other(
    record: &Record,
    folder: &Path,
    name: &str,
    can_be_read: impl Fn(&Path) -> bool,
) -> bool {
    let path = folder.join(name);
    let came = record.files.get(name);
    let came = came.and_then(|checksum| Checksum::parse(checksum));
    let is_as_it_came =
        came.is_some_and(|expected| expected.of_same_kind(&path).ok().as_ref() == Some(&expected));
    !is_as_it_came && can_be_read(&path)
}
