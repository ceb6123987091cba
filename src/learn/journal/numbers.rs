//! The numbers of corrections: those that stand in a journal in, those that count out.
//!
//! Invariant: they ascend, and none counts for two corrections, also where two journals were joined
//! to one; who reads the same lines comes to the same numbers. Pure.

/// More corrections nobody makes: what is beyond was not written by us.
pub(super) const MOST: u64 = 1 << 53;

/// Numbers of the corrections that were read so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Numbers {
    /// Of the last correction.
    told: u64,
    /// The highest that was given away.
    last: u64,
}

impl Numbers {
    /// The number of the next correction, in whose line stands `stored`.
    pub(super) fn of(&mut self, stored: u64) -> u64 {
        self.told = match self.told < stored && stored <= MOST {
            true => stored,
            false => self.last + 1,
        };
        self.last = self.last.max(self.told);
        self.told
    }

    /// Numbers up to this one were given to corrections that are not there any more.
    pub(super) fn given(&mut self, last: u64) {
        if last <= MOST {
            self.last = self.last.max(last);
        }
    }

    /// The highest that was given away.
    pub(super) fn last(&self) -> u64 {
        self.last
    }
}
