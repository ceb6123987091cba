//! Which note is worked at next: what was just saved before what is only behind.
//!
//! Invariant: a path is worked at once at a time; whatever is pushed while it is worked at is
//! worked at again after that; nothing is given out before its time. Pure.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

use super::coalesce::Moment;

/// Why a note is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// Its labels or the model have changed, or it was found by a search.
    Behind,
    /// Somebody just saved it.
    Fresh,
}

/// A note to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) path: Arc<Path>,
    pub(super) urgency: Urgency,
    /// Not before this moment.
    pub(super) earliest: Moment,
    /// So many notes changed together with it, itself included.
    pub(super) crowd: usize,
    /// It was looked at, and something stands in the way.
    pub(super) is_held: bool,
}

/// The notes of one root that wait.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: HashMap<Arc<Path>, Job>,
    /// Paths in the order they came; one that was taken out meanwhile is passed over.
    fresh: VecDeque<Arc<Path>>,
    behind: VecDeque<Arc<Path>>,
    /// Those that wait until what stands in the way is gone.
    held: BTreeSet<Arc<Path>>,
    /// What is worked at, and what came for it meanwhile.
    running: HashMap<Arc<Path>, Option<Job>>,
}

impl Queue {
    /// A note is to be looked at.
    pub(super) fn push(&mut self, mut job: Job) {
        if let Some(again) = self.running.get_mut(&job.path) {
            job.crowd = job.crowd.max(again.as_ref().map_or(0, |again| again.crowd));
            *again = Some(job);
            return;
        }
        let was_held = !job.is_held && self.held.remove(&job.path);
        if job.is_held && !self.waiting.contains_key(&job.path) {
            self.held.insert(Arc::clone(&job.path));
        }
        let line = match job.urgency {
            Urgency::Fresh => &mut self.fresh,
            Urgency::Behind => &mut self.behind,
        };
        match self.waiting.get_mut(&job.path) {
            Some(known) => {
                known.earliest = match was_held {
                    true => job.earliest, // What stood in its way may be gone.
                    false => known.earliest.max(job.earliest),
                };
                // Who changed in a crowd was not changed by hand, whatever it waits for besides.
                known.crowd = known.crowd.max(job.crowd);
                if known.urgency < job.urgency {
                    known.urgency = job.urgency;
                    line.push_back(job.path);
                }
            }
            None => {
                line.push_back(Arc::clone(&job.path));
                self.waiting.insert(Arc::clone(&job.path), job);
            }
        }
    }

    /// The next note. Call `done` when it was looked at.
    pub(super) fn pop(&mut self, now: Moment) -> Option<Job> {
        let fresh = Queue::first(&mut self.fresh, &self.waiting, Urgency::Fresh);
        let behind = Queue::first(&mut self.behind, &self.waiting, Urgency::Behind);
        let due = |job: &&Job| job.earliest <= now;
        let path = match (fresh.filter(due), behind.filter(due)) {
            (Some(job), _) => {
                self.fresh.pop_front();
                Arc::clone(&job.path)
            }
            (None, Some(job)) => {
                self.behind.pop_front();
                Arc::clone(&job.path)
            }
            (None, None) => return None,
        };
        let job = self.waiting.remove(&path)?;
        self.held.remove(&path);
        self.running.insert(path, None);
        Some(job)
    }

    /// The first of a line that is still in it.
    fn first<'a>(
        line: &mut VecDeque<Arc<Path>>,
        waiting: &'a HashMap<Arc<Path>, Job>,
        urgency: Urgency,
    ) -> Option<&'a Job> {
        loop {
            let path = line.front()?;
            match waiting.get(path) {
                Some(job) if job.urgency == urgency => return Some(job),
                _ => line.pop_front(),
            };
        }
    }

    /// A note was looked at.
    pub(super) fn done(&mut self, path: &Path) {
        if let Some(Some(again)) = self.running.remove(path) {
            self.push(again);
        }
    }

    /// A path is gone, or has another name; what runs ends by itself.
    pub(super) fn forget(&mut self, path: &Path) {
        self.waiting.remove(path);
        self.held.remove(path);
        if let Some(again) = self.running.get_mut(path) {
            *again = None;
        }
    }

    /// When the next note may be looked at; never where none waits.
    pub(super) fn next(&mut self) -> Option<Moment> {
        let fresh = Queue::first(&mut self.fresh, &self.waiting, Urgency::Fresh);
        let fresh = fresh.map(|job| job.earliest);
        let behind = Queue::first(&mut self.behind, &self.waiting, Urgency::Behind);
        let behind = behind.map(|job| job.earliest);
        fresh.into_iter().chain(behind).min()
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How many of them were looked at already and wait for something to be out of their way.
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// Those are to be looked at now.
    pub(super) fn release(&mut self, now: Moment) {
        for path in std::mem::take(&mut self.held) {
            if let Some(job) = self.waiting.get_mut(&path) {
                job.earliest = now;
            }
        }
    }

    /// How many are worked at.
    pub(super) fn running(&self) -> usize {
        self.running.len()
    }

    /// What is worked at.
    pub(super) fn is_running(&self, path: &Path) -> bool {
        self.running.contains_key(path)
    }

    /// The paths that wait.
    #[cfg(test)]
    fn paths(&self) -> Vec<std::path::PathBuf> {
        let mut paths: Vec<std::path::PathBuf> =
            self.waiting.keys().map(|p| p.to_path_buf()).collect();
        paths.sort();
        paths
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn at(seconds: u64) -> Moment {
        Duration::from_secs(seconds)
    }

    fn job(path: &str, urgency: Urgency, earliest: u64) -> Job {
        Job {
            path: Path::new(path).into(),
            urgency,
            earliest: at(earliest),
            crowd: 1,
            is_held: false,
        }
    }

    fn popped(queue: &mut Queue, now: u64) -> Option<String> {
        let job = queue.pop(at(now))?;
        Some(job.path.display().to_string())
    }

    #[test]
    fn what_was_just_saved_goes_first_and_nothing_before_its_time() {
        let mut queue = Queue::default();
        queue.push(job("old", Urgency::Behind, 0));
        queue.push(job("new", Urgency::Fresh, 5));
        assert_eq!(popped(&mut queue, 0).as_deref(), Some("old"));
        assert_eq!(popped(&mut queue, 4), None);
        assert_eq!(queue.next(), Some(at(5)));
        queue.push(job("older", Urgency::Behind, 0));
        assert_eq!(popped(&mut queue, 5).as_deref(), Some("new"));
    }

    #[test]
    fn a_note_that_is_saved_while_it_is_worked_at_is_worked_at_again() {
        let mut queue = Queue::default();
        queue.push(job("a", Urgency::Fresh, 0));
        assert!(popped(&mut queue, 0).is_some());
        queue.push(job("a", Urgency::Fresh, 1));
        queue.push(job("a", Urgency::Fresh, 2));
        assert_eq!((popped(&mut queue, 9), queue.waiting()), (None, 0));
        queue.done(Path::new("a"));
        assert_eq!(popped(&mut queue, 9).as_deref(), Some("a"));
        queue.done(Path::new("a"));
        assert_eq!((queue.waiting(), queue.running()), (0, 0));
    }

    #[test]
    fn what_is_behind_overtakes_when_it_is_saved() {
        let mut queue = Queue::default();
        for path in ["a", "b", "c"] {
            queue.push(job(path, Urgency::Behind, 0));
        }
        queue.push(job("c", Urgency::Fresh, 0));
        let order: Vec<_> = std::iter::from_fn(|| popped(&mut queue, 0)).collect();
        assert_eq!(order, ["c", "a", "b"]);
    }

    #[test]
    fn what_is_forgotten_is_not_worked_at() {
        let mut queue = Queue::default();
        queue.push(job("a", Urgency::Behind, 0));
        queue.push(job("b", Urgency::Behind, 0));
        queue.forget(Path::new("a"));
        assert_eq!(popped(&mut queue, 0).as_deref(), Some("b"));
        queue.push(job("b", Urgency::Behind, 0));
        queue.forget(Path::new("b"));
        queue.done(Path::new("b"));
        assert_eq!(queue.next(), None);
    }

    #[test]
    fn what_is_held_is_counted_until_it_is_pushed_again_or_asked_for() {
        let mut queue = Queue::default();
        let held = |path, crowd| Job {
            is_held: true,
            crowd,
            ..job(path, Urgency::Behind, 9)
        };
        queue.push(held("a", 30));
        queue.push(held("b", 1));
        assert_eq!((queue.waiting(), queue.held()), (2, 2));
        queue.push(job("a", Urgency::Fresh, 0));
        assert_eq!((queue.waiting(), queue.held()), (2, 1));
        assert_eq!(queue.pop(at(1)).map(|job| job.crowd), Some(30));
        assert_eq!(popped(&mut queue, 1), None);
        queue.release(at(1));
        assert_eq!(queue.held(), 0);
        assert_eq!(popped(&mut queue, 1).as_deref(), Some("b"));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push(u8, bool),
        Pop,
        Done(prop::sample::Index),
        Forget(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0u8..6, any::<bool>()).prop_map(|(n, fresh)| Step::Push(n, fresh)),
            3 => Just(Step::Pop),
            2 => any::<prop::sample::Index>().prop_map(Step::Done),
            1 => (0u8..6).prop_map(Step::Forget),
        ]
    }

    proptest! {
        #[test]
        fn a_path_runs_once_at_a_time_and_none_is_lost(steps in prop::collection::vec(step(), 0..90)) {
            let mut queue = Queue::default();
            let mut running: Vec<String> = Vec::new();
            let mut owed: std::collections::BTreeSet<String> = std::collections::BTreeSet::new();
            for step in steps {
                match step {
                    Step::Push(n, fresh) => {
                        let urgency = if fresh { Urgency::Fresh } else { Urgency::Behind };
                        queue.push(job(&n.to_string(), urgency, 0));
                        owed.insert(n.to_string());
                    }
                    Step::Pop => {
                        if let Some(path) = popped(&mut queue, 0) {
                            prop_assert!(!running.contains(&path));
                            prop_assert!(owed.remove(&path));
                            running.push(path);
                        }
                    }
                    Step::Done(index) if !running.is_empty() => {
                        let path = running.remove(index.index(running.len()));
                        queue.done(Path::new(&path));
                    }
                    Step::Done(_) => {}
                    Step::Forget(n) => {
                        queue.forget(Path::new(&n.to_string()));
                        owed.remove(&n.to_string());
                    }
                }
            }
            for path in running {
                queue.done(Path::new(&path));
            }
            let waiting: Vec<std::path::PathBuf> = owed.iter().map(std::path::PathBuf::from).collect();
            prop_assert_eq!(queue.paths(), waiting);
            while let Some(path) = popped(&mut queue, 0) {
                prop_assert!(owed.remove(&path));
            }
            prop_assert!(owed.is_empty());
        }
    }
}
