//! A label set of any text is a set, or a list of what is wrong with it.
#![no_main]

use gliznet::label::LabelSet;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|source: &str| {
    match LabelSet::parse(source) {
        Ok(set) => assert!(!set.labels().is_empty()),
        Err(faults) => assert!(!faults.is_empty()),
    }
});
