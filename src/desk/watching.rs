//! What edges may ask of whoever watches folders. The daemon brings the two together.
//!
//! Invariant: nobody here knows who watches; where nobody does, the asker is told so.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

use super::Desk;
use super::protocol::{
    FindParams, FindResult, TagsParams, TagsResult, WatchParams, WatchRecord, WatchResult,
};

/// What is answered while nothing can be found yet: whoever asks again finds it in a moment.
pub const OPENING: &str = "the index is being opened; ask again in a moment";
/// What is answered before anybody watches.
pub const STARTING: &str = "this gliznet watches no folders; ask again when it has started";

/// How far the watching of folders is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Notes that were read since there was nothing to do.
    pub done: usize,
    /// Notes that wait, or are being read.
    pub waiting: usize,
    /// Those of them that wait for longer: their folder is paused, quiet or away.
    pub resting: usize,
    /// A folder is being searched.
    pub is_searching: bool,
    /// Something has happened, to folders in a watched one perhaps, that is not looked into yet.
    pub is_unsettled: bool,
}

impl Progress {
    /// Whether there is nothing to do.
    pub fn is_over(&self) -> bool {
        self.waiting == 0 && !self.is_searching && !self.is_unsettled
    }

    /// Notes that are being worked at, or will be without anybody's doing.
    pub fn at_work(&self) -> usize {
        self.waiting.saturating_sub(self.resting)
    }

    /// Whether nothing moves, though notes of folders that rest may wait.
    pub fn is_still(&self) -> bool {
        self.at_work() == 0 && !self.is_searching
    }
}

/// Why folders are not watched, or what was asked was not done: fact and cure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WatchError(pub String);

/// Somebody who watches folders. All but `progress` may wait for a disk.
pub trait Watching: Send + Sync {
    /// Adds, removes, pauses; and how the folders are after that.
    ///
    /// # Errors
    /// What was asked for cannot be done.
    fn change(&self, asked: &WatchParams) -> Result<WatchResult, WatchError>;
    /// The notes with some tags.
    ///
    /// # Errors
    /// A tag that is none.
    fn find(&self, asked: &FindParams) -> Result<FindResult, WatchError>;
    /// The tags of all notes.
    ///
    /// # Errors
    /// There is no index.
    fn tags(&self, asked: &TagsParams) -> Result<TagsResult, WatchError>;
    /// How it is, for `gliznet/status`; none where no folder is watched.
    fn status(&self) -> Option<WatchRecord>;
    /// Whether there is a folder that the daemon should stay for.
    fn is_watching(&self) -> bool;
    /// The label set that was chosen for the watched folder that `dir` is in or is. Reads files.
    fn labelset_of(&self, dir: &Path) -> Option<String>;
    /// How far it is, now and later.
    fn progress(&self) -> watch::Receiver<Progress>;
}

impl Desk {
    /// Says who watches folders.
    pub fn set_watching(&self, watching: Option<Arc<dyn Watching>>) {
        let mut place = self
            .watching
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        *place = watching;
    }

    /// Who watches folders.
    ///
    /// # Errors
    /// Nobody does.
    pub fn watching(&self) -> Result<Arc<dyn Watching>, WatchError> {
        let place = self
            .watching
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let nobody = || WatchError(STARTING.to_owned());
        place.clone().ok_or_else(nobody)
    }
}
