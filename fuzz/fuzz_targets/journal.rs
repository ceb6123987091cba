//! A journal of any bytes is judged, and never brings the program down.
#![no_main]

use gliznet::learn::journal::faults;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = faults(bytes);
});
