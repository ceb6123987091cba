//! What the text form of `gliznet tag` says, for tests that ask what was tagged.

use super::gliznet::Ran;

/// Lines that name a document, in order.
pub(crate) fn headings(ran: &Ran) -> Vec<&str> {
    let lines = ran.out.lines();
    lines
        .filter(|line| !line.is_empty() && !line.starts_with([' ', '*']))
        .collect()
}
