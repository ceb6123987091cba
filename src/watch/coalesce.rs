//! Many events in, few questions out: which paths have been quiet long enough to look at.
//!
//! Invariant: a path that was touched is given out once it was quiet for the window, and not
//! before; or all of the root is to be looked at instead. However many events come, no more than
//! `limit` paths are held. Pure: moments are durations since some beginning. Knows no files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// After so many windows without any quiet, a storm is looked into all the same.
const LONGEST_STORM: u32 = 15;

/// Time that never goes back, since some beginning.
pub(super) type Moment = Duration;

/// What to look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ready {
    /// Paths that something happened to, in order.
    pub(super) paths: Vec<PathBuf>,
    /// Renames that were seen, the earlier first: from, to.
    pub(super) moves: Vec<(PathBuf, PathBuf)>,
    /// Too much happened to remember: look at everything.
    pub(super) everything: bool,
}

/// The events of one root.
#[derive(Debug)]
pub(super) struct Coalescer {
    window: Duration,
    limit: usize,
    /// When something last happened to each path.
    touched: HashMap<PathBuf, Moment>,
    moves: Vec<(PathBuf, PathBuf)>,
    storm: Option<Storm>,
}

/// Too many events to remember.
#[derive(Clone, Copy, Debug)]
struct Storm {
    began: Moment,
    last: Moment,
}

impl Coalescer {
    pub(super) fn new(window: Duration, limit: usize) -> Coalescer {
        Coalescer {
            window,
            limit,
            touched: HashMap::new(),
            moves: Vec::new(),
            storm: None,
        }
    }

    /// Something happened to a path.
    pub(super) fn touch(&mut self, path: &Path, now: Moment) {
        if let Some(storm) = &mut self.storm {
            storm.last = now;
            return;
        }
        if let Some(last) = self.touched.get_mut(path) {
            *last = now;
            return;
        }
        if self.touched.len() >= self.limit {
            return self.overflow(now);
        }
        self.touched.insert(path.to_path_buf(), now);
    }

    /// A path has another name now.
    pub(super) fn rename(&mut self, from: &Path, to: &Path, now: Moment) {
        self.touch(from, now);
        self.touch(to, now);
        if self.storm.is_none() {
            self.moves.push((from.to_path_buf(), to.to_path_buf()));
            if self.moves.len() > self.limit {
                self.overflow(now);
            }
        }
    }

    /// Events were lost, or are too many.
    pub(super) fn overflow(&mut self, now: Moment) {
        self.touched = HashMap::new(); // Its memory goes too.
        self.moves = Vec::new();
        let began = self.storm.map_or(now, |storm| storm.began);
        self.storm = Some(Storm { began, last: now });
    }

    /// What has been quiet long enough.
    pub(super) fn ready(&mut self, now: Moment) -> Ready {
        if self.storm.is_some_and(|storm| self.end(storm) <= now) {
            self.storm = None;
            return Ready {
                everything: true,
                ..Ready::default()
            };
        }
        let window = self.window;
        let is_quiet = |last: &Moment| *last + window <= now;
        let mut paths: Vec<PathBuf> = self
            .touched
            .extract_if(|_, last| is_quiet(last))
            .map(|(path, _)| path)
            .collect();
        paths.sort();
        // A rename is told with the path that it led to, or it would be told twice.
        let touched = &self.touched;
        let is_told = |(from, to): &(PathBuf, PathBuf)| {
            !touched.contains_key(from) && !touched.contains_key(to)
        };
        let (moves, kept) = std::mem::take(&mut self.moves)
            .into_iter()
            .partition(is_told);
        self.moves = kept;
        Ready {
            paths,
            moves,
            everything: false,
        }
    }

    /// When to ask again; never where nothing happened.
    pub(super) fn next(&self) -> Option<Moment> {
        if let Some(storm) = self.storm {
            return Some(self.end(storm));
        }
        self.touched.values().min().map(|last| *last + self.window)
    }

    /// How many paths are held.
    pub(super) fn held(&self) -> usize {
        self.touched.len()
    }

    /// The paths that are held.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.touched.keys().map(PathBuf::as_path)
    }

    fn end(&self, storm: Storm) -> Moment {
        let quiet = storm.last + self.window;
        quiet.min(storm.began + self.window * LONGEST_STORM)
    }
}

/// How soon everything may be looked at again: the more often it was needed, the later.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BackOff {
    /// When the last one ended, and how long it took.
    last: Option<(Moment, Duration)>,
    in_a_row: u32,
}

/// So many looks in a row cost no wait.
const FREE: u32 = 3;
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(60);
/// After so long without any, all is forgotten.
const FORGIVEN: Duration = Duration::from_secs(120);

impl BackOff {
    /// When the next look may begin.
    pub(super) fn earliest(&self, now: Moment) -> Moment {
        let Some((ended, took)) = self.last else {
            return now;
        };
        if self.in_a_row < FREE {
            return now;
        }
        let doubled = SHORTEST * 2u32.saturating_pow((self.in_a_row - FREE).min(16));
        // A look may never take more than a fifth of the time.
        now.max(ended + doubled.min(LONGEST).max(took * 4))
    }

    /// A look has ended.
    pub(super) fn ended(&mut self, began: Moment, now: Moment) {
        let is_forgiven = self.last.is_none_or(|(ended, _)| ended + FORGIVEN < began);
        self.in_a_row = if is_forgiven { 1 } else { self.in_a_row + 1 };
        self.last = Some((now, now.saturating_sub(began)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOW: Duration = Duration::from_secs(2);

    fn at(tenths: u64) -> Moment {
        Duration::from_millis(tenths * 100)
    }

    fn paths(names: &[&str]) -> Vec<PathBuf> {
        names.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn a_path_is_ready_when_it_was_quiet_for_the_window() {
        let mut events = Coalescer::new(WINDOW, 9);
        events.touch(Path::new("a"), at(0));
        events.touch(Path::new("b"), at(5));
        events.touch(Path::new("a"), at(10));
        assert_eq!(events.next(), Some(at(25)));
        assert_eq!(events.ready(at(24)), Ready::default());
        assert_eq!(events.ready(at(25)).paths, paths(&["b"]));
        assert_eq!(events.ready(at(30)).paths, paths(&["a"]));
        assert_eq!((events.next(), events.held()), (None, 0));
    }

    #[test]
    fn an_atomic_save_is_one_question_about_the_note() {
        let mut events = Coalescer::new(WINDOW, 9);
        events.touch(Path::new("4913"), at(0));
        events.rename(Path::new("a.md"), Path::new("a.md~"), at(1));
        events.touch(Path::new("a.md"), at(2));
        events.touch(Path::new("a.md~"), at(3));
        let ready = events.ready(at(40));
        assert_eq!(ready.paths, paths(&["4913", "a.md", "a.md~"]));
        // Whoever looks sees that `a.md` is there still, and makes nothing of the rename.
        assert_eq!(ready.moves, [("a.md".into(), "a.md~".into())]);
    }

    #[test]
    fn a_rename_is_told_with_its_paths_and_not_before() {
        let mut events = Coalescer::new(WINDOW, 9);
        events.rename(Path::new("a"), Path::new("b"), at(0));
        events.touch(Path::new("b"), at(10));
        assert_eq!(events.ready(at(20)).moves, []);
        let ready = events.ready(at(30));
        assert_eq!(ready.moves, [("a".into(), "b".into())]);
    }

    #[test]
    fn a_storm_becomes_one_look_at_everything_when_it_is_over() {
        let mut events = Coalescer::new(WINDOW, 3);
        for i in 0..100_u64 {
            events.touch(Path::new(&format!("{i}")), at(i / 10));
            assert!(events.held() <= 3);
        }
        assert!(!events.ready(at(20)).everything);
        let ready = events.ready(at(29));
        assert!(ready.everything && ready.paths.is_empty());
        assert_eq!(events.next(), None);
    }

    #[test]
    fn a_storm_that_does_not_end_is_looked_into_all_the_same() {
        let mut events = Coalescer::new(WINDOW, 1);
        let looked = (0..1_000).filter(|i| {
            events.touch(Path::new(&format!("{i}")), at(*i));
            events.ready(at(*i)).everything
        });
        assert!(looked.count() >= 3);
    }

    #[test]
    fn looking_at_everything_again_and_again_gets_rarer_and_is_forgiven() {
        let mut back_off = BackOff::default();
        let mut now = at(0);
        let mut waits = Vec::new();
        for _ in 0..8 {
            let earliest = back_off.earliest(now);
            waits.push((earliest - now).as_millis());
            now = earliest + at(0);
            back_off.ended(now, now);
        }
        assert_eq!(waits, [0, 0, 0, 100, 200, 400, 800, 1600]);
        now += FORGIVEN + at(1);
        back_off.ended(now, now);
        assert_eq!(back_off.earliest(now), now);
    }

    #[test]
    fn a_slow_look_waits_longer_than_a_quick_one() {
        let mut back_off = BackOff::default();
        for _ in 0..3 {
            back_off.ended(at(0), at(50));
        }
        assert_eq!(back_off.earliest(at(50)), at(250));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Touch(u8),
        Rename(u8, u8),
        Lose,
        Look,
    }

    fn step() -> impl Strategy<Value = (u64, Step)> {
        let step = prop_oneof![
            6 => (0u8..12).prop_map(Step::Touch),
            2 => (0u8..12, 0u8..12).prop_map(|(a, b)| Step::Rename(a, b)),
            1 => Just(Step::Lose),
            4 => Just(Step::Look),
        ];
        (0u64..15, step)
    }

    proptest! {
        #[test]
        fn nothing_that_happened_is_forgotten_and_nothing_is_given_out_early(
            steps in prop::collection::vec(step(), 0..120), limit in 1usize..8,
        ) {
            let mut events = Coalescer::new(WINDOW, limit);
            let mut owed: HashMap<PathBuf, Moment> = HashMap::new();
            let mut now = at(0);
            let look = |events: &mut Coalescer, owed: &mut HashMap<PathBuf, Moment>, now| {
                let ready = events.ready(now);
                if ready.everything {
                    owed.clear();
                }
                for path in ready.paths {
                    let last = owed.remove(&path);
                    prop_assert!(last.is_some_and(|last| last + WINDOW <= now), "{path:?} {last:?}");
                }
                Ok(())
            };
            for (pause, step) in steps {
                now += at(pause);
                let name = |n: u8| PathBuf::from(n.to_string());
                match step {
                    Step::Touch(n) => {
                        events.touch(&name(n), now);
                        owed.insert(name(n), now);
                    }
                    Step::Rename(a, b) => {
                        events.rename(&name(a), &name(b), now);
                        owed.insert(name(a), now);
                        owed.insert(name(b), now);
                    }
                    Step::Lose => events.overflow(now),
                    Step::Look => look(&mut events, &mut owed, now)?,
                }
                prop_assert!(events.held() <= limit);
            }
            while let Some(next) = events.next() {
                look(&mut events, &mut owed, next)?;
            }
            prop_assert!(owed.is_empty(), "{owed:?}");
        }
    }
}
