//! Who is served next: requests in, jobs that run together out.
//!
//! Interactive jobs overtake bulk ones and run alone; bulk ones run in batches, in the order they
//! came; equal jobs are one job with several askers; a full queue refuses; a job that nobody waits
//! for any more is never run. A job that takes long lets short ones run between its parts.
//! Invariant: every asker that was admitted is handed back exactly once, by `finish`, or was gone;
//! an interactive job waits for one bounded batch at most, and for one more after every eight of its
//! like that were before it. Knows nothing of models, channels, threads or clocks.
//! Length: half of it is tests.

use std::collections::VecDeque;

/// After so many interactive jobs in a row, one batch runs, so that bulk work ends some day.
pub(super) const IN_A_ROW: usize = 8;

/// How urgent a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Folders, warming up, whatever can wait.
    Bulk,
    /// Somebody looks at the screen.
    Interactive,
}

/// The queue is full: come back later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many requests are waiting; ask again in a moment")]
pub struct Overloaded;

/// How many jobs may wait.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of those somebody looks at.
    pub interactive: usize,
    /// Of the others.
    pub bulk: usize,
}

/// A job and those who wait for it.
#[derive(Debug)]
struct Entry<K, J, A> {
    key: K,
    job: J,
    askers: Vec<A>,
}

/// The queue of one worker. `K` tells equal jobs, `J` is the job, `A` an asker.
#[derive(Debug)]
pub struct Scheduler<K, J, A> {
    limits: Limits,
    interactive: VecDeque<Entry<K, J, A>>,
    bulk: VecDeque<Entry<K, J, A>>,
    running: Vec<(Entry<K, (), A>, Priority)>,
    /// Where in `running` the jobs begin that were begun together; the last began between two parts
    /// of the one before it.
    turns: Vec<usize>,
    /// Interactive jobs begun since the last batch.
    streak: usize,
}

impl<K: Clone + Eq, J, A> Scheduler<K, J, A> {
    /// An empty queue.
    pub fn new(limits: Limits) -> Scheduler<K, J, A> {
        Scheduler {
            limits,
            interactive: VecDeque::new(),
            bulk: VecDeque::new(),
            running: Vec::new(),
            turns: Vec::new(),
            streak: 0,
        }
    }

    /// Lets a request in. One that equals a job that waits or runs joins it, and takes no place.
    /// `is_gone` tells askers that wait no longer; their places are given away first.
    ///
    /// # Errors
    /// The queue is full.
    pub fn admit(
        &mut self,
        key: K,
        job: J,
        asker: A,
        priority: Priority,
        is_gone: impl Fn(&A) -> bool,
    ) -> Result<(), Overloaded> {
        let mut runs = self.running.iter_mut();
        if let Some((running, urgency)) = runs.find(|(running, _)| running.key == key) {
            running.askers.push(asker);
            *urgency = priority.max(*urgency);
            return Ok(());
        }
        if let Some(entry) = self.interactive.iter_mut().find(|entry| entry.key == key) {
            entry.askers.push(asker);
            return Ok(());
        }
        if let Some(at) = self.bulk.iter().position(|entry| entry.key == key) {
            if priority == Priority::Interactive
                && self.has_room(Priority::Interactive, &is_gone)
                && let Some(mut entry) = self.bulk.remove(at)
            {
                entry.askers.push(asker);
                self.interactive.push_back(entry);
            } else if let Some(entry) = self.bulk.get_mut(at) {
                entry.askers.push(asker);
            }
            return Ok(());
        }
        if !self.has_room(priority, &is_gone) {
            return Err(Overloaded);
        }
        let askers = vec![asker];
        self.line(priority).push_back(Entry { key, job, askers });
        Ok(())
    }

    /// The jobs to run now, together: an interactive one, or bulk ones that weigh `room` at most by
    /// `weigh` (the first of them whatever it weighs). Call `finish` when they have ended.
    pub fn next(
        &mut self,
        room: usize,
        weigh: impl Fn(&J) -> usize,
        is_gone: impl Fn(&A) -> bool,
    ) -> Vec<(K, J)> {
        self.drop_gone(Priority::Interactive, &is_gone);
        self.drop_gone(Priority::Bulk, &is_gone);
        let bulk_is_due = self.streak >= IN_A_ROW && !self.bulk.is_empty();
        let (entries, priority) = if bulk_is_due || self.interactive.is_empty() {
            self.streak = 0;
            let (mut n, mut weight) = (0, 0_usize);
            // Never past one that does not fit: it would be overtaken for ever.
            for entry in &self.bulk {
                weight = weight.saturating_add(weigh(&entry.job));
                if n > 0 && weight > room {
                    break;
                }
                n += 1;
            }
            (self.bulk.drain(..n).collect::<Vec<_>>(), Priority::Bulk)
        } else {
            self.streak += 1;
            let first = self.interactive.pop_front();
            (first.into_iter().collect(), Priority::Interactive)
        };
        self.begin(entries, priority)
    }

    /// The first job of a priority that `may` run between two parts of the jobs that run; `finish`
    /// ends it alone. Whoever calls this without an end keeps those from theirs.
    pub fn between(
        &mut self,
        priority: Priority,
        may: impl Fn(&J) -> bool,
        is_gone: impl Fn(&A) -> bool,
    ) -> Option<(K, J)> {
        self.drop_gone(priority, &is_gone);
        let line = self.line(priority);
        let at = line.iter().position(|entry| may(&entry.job))?;
        let entry = line.remove(at)?;
        self.begin(vec![entry], priority).pop()
    }

    fn begin(&mut self, entries: Vec<Entry<K, J, A>>, priority: Priority) -> Vec<(K, J)> {
        if entries.is_empty() {
            return Vec::new();
        }
        self.turns.push(self.running.len());
        let begin = |Entry { key, job, askers }: Entry<K, J, A>| {
            let running = Entry {
                key: key.clone(),
                job: (),
                askers,
            };
            self.running.push((running, priority));
            (key, job)
        };
        entries.into_iter().map(begin).collect()
    }

    /// Whether nobody waits any more for any of the jobs that were begun last. Then nobody joins
    /// them either: an equal one is another job, and `finish` hands back nobody.
    pub fn abandon(&mut self, is_gone: impl Fn(&A) -> bool) -> bool {
        let first = self.turns.last().copied().unwrap_or(0);
        let mut askers = self.running[first..]
            .iter()
            .flat_map(|(entry, _)| &entry.askers);
        let is_abandoned = askers.all(is_gone);
        if is_abandoned {
            self.running.truncate(first);
        }
        is_abandoned
    }

    /// Ends the jobs that were begun last and hands back, for each in turn, all who wait for it,
    /// those who joined late too.
    pub fn finish(&mut self) -> Vec<Vec<A>> {
        let first = self.turns.pop().unwrap_or(0);
        let running = self.running.drain(first..);
        running.map(|(running, _)| running.askers).collect()
    }

    /// Empties the queue and hands back all who waited in it.
    pub fn clear(&mut self) -> Vec<A> {
        let waiting = self.interactive.drain(..).chain(self.bulk.drain(..));
        waiting.flat_map(|entry| entry.askers).collect()
    }

    /// How many jobs of a priority are not done: those that wait, and those that run.
    pub fn open(&self, priority: Priority) -> usize {
        let line = match priority {
            Priority::Interactive => &self.interactive,
            Priority::Bulk => &self.bulk,
        };
        let runs = self.running.iter().filter(|(_, of)| *of == priority);
        line.len() + runs.count()
    }

    fn line(&mut self, priority: Priority) -> &mut VecDeque<Entry<K, J, A>> {
        match priority {
            Priority::Interactive => &mut self.interactive,
            Priority::Bulk => &mut self.bulk,
        }
    }

    fn has_room(&mut self, priority: Priority, is_gone: &impl Fn(&A) -> bool) -> bool {
        let limit = match priority {
            Priority::Interactive => self.limits.interactive,
            Priority::Bulk => self.limits.bulk,
        };
        if self.line(priority).len() >= limit {
            self.drop_gone(priority, is_gone);
        }
        self.line(priority).len() < limit
    }

    fn drop_gone(&mut self, priority: Priority, is_gone: &impl Fn(&A) -> bool) {
        self.line(priority).retain_mut(|entry| {
            entry.askers.retain(|asker| !is_gone(asker));
            !entry.askers.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    const NOBODY: fn(&u32) -> bool = |_| false;

    fn queue(interactive: usize, bulk: usize) -> Scheduler<&'static str, (), u32> {
        Scheduler::new(Limits { interactive, bulk })
    }

    /// The keys of the jobs that run next, each of weight 1, at most `room` together.
    fn begun(
        queue: &mut Scheduler<&'static str, (), u32>,
        room: usize,
        is_gone: fn(&u32) -> bool,
    ) -> Vec<&'static str> {
        let jobs = queue.next(room, |()| 1, is_gone);
        jobs.into_iter().map(|(key, ())| key).collect()
    }

    /// What runs in which order, one after the other.
    fn order(queue: &mut Scheduler<&'static str, (), u32>) -> Vec<&'static str> {
        let mut order = Vec::new();
        loop {
            let keys = begun(queue, 1, NOBODY);
            if keys.is_empty() {
                return order;
            }
            order.extend(keys);
            queue.finish();
        }
    }

    #[test]
    fn interactive_requests_overtake_bulk_ones() {
        let mut queue = queue(9, 9);
        for (key, priority) in [
            ("folder 1", Priority::Bulk),
            ("folder 2", Priority::Bulk),
            ("note 1", Priority::Interactive),
            ("note 2", Priority::Interactive),
        ] {
            queue.admit(key, (), 0, priority, NOBODY).unwrap();
        }
        assert_eq!(
            order(&mut queue),
            ["note 1", "note 2", "folder 1", "folder 2"]
        );
    }

    #[test]
    fn bulk_work_is_not_starved_by_a_busy_writer() {
        let mut queue = queue(9, 9);
        queue
            .admit("folder", (), 0, Priority::Bulk, NOBODY)
            .unwrap();
        let mut order = Vec::new();
        let notes = [
            "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m",
        ];
        for note in notes {
            queue
                .admit(note, (), 0, Priority::Interactive, NOBODY)
                .unwrap();
            order.extend(begun(&mut queue, 1, NOBODY));
            queue.finish();
        }
        assert_eq!(
            order.iter().position(|key| *key == "folder"),
            Some(IN_A_ROW)
        );
    }

    #[test]
    fn equal_requests_are_one_job_even_while_it_runs() {
        let mut queue = queue(1, 1);
        queue.admit("a", (), 1, Priority::Bulk, NOBODY).unwrap();
        queue
            .admit("a", (), 2, Priority::Interactive, NOBODY)
            .unwrap();
        assert_eq!(queue.open(Priority::Interactive), 1);
        assert_eq!(begun(&mut queue, 1, NOBODY), ["a"]);
        queue
            .admit("a", (), 3, Priority::Interactive, NOBODY)
            .unwrap();
        assert_eq!(queue.open(Priority::Interactive), 1);
        assert_eq!(queue.finish(), [[1, 2, 3]]);
        assert_eq!(queue.open(Priority::Interactive), 0);
    }

    #[test]
    fn work_in_the_background_is_counted_apart_until_somebody_waits_for_it() {
        let mut queue = queue(2, 2);
        let counts = |queue: &Scheduler<_, _, _>| {
            (
                queue.open(Priority::Interactive),
                queue.open(Priority::Bulk),
            )
        };
        queue.admit("a", (), 1, Priority::Bulk, NOBODY).unwrap();
        queue.admit("b", (), 2, Priority::Bulk, NOBODY).unwrap();
        assert_eq!(counts(&queue), (0, 2));
        assert_eq!(begun(&mut queue, 1, NOBODY), ["a"]);
        assert_eq!(counts(&queue), (0, 2));
        let looks_at = Priority::Interactive;
        queue.admit("a", (), 3, looks_at, NOBODY).unwrap();
        assert_eq!(counts(&queue), (1, 1));
        queue.admit("b", (), 4, looks_at, NOBODY).unwrap();
        assert_eq!(counts(&queue), (2, 0));
    }

    #[test]
    fn a_full_queue_refuses_but_gives_the_places_of_the_gone_away() {
        let mut queue = queue(2, 1);
        let mut admit = |key, asker, gone: fn(&u32) -> bool| {
            queue.admit(key, (), asker, Priority::Interactive, gone)
        };
        admit("a", 1, NOBODY).unwrap();
        admit("b", 2, NOBODY).unwrap();
        assert_eq!(admit("c", 3, NOBODY), Err(Overloaded));
        admit("b", 4, NOBODY).unwrap(); // It joins, and needs no place.
        admit("c", 3, |asker| *asker == 1).unwrap();
        assert_eq!(order(&mut queue), ["b", "c"]);
    }

    #[test]
    fn what_nobody_waits_for_is_not_run() {
        let mut queue = queue(9, 9);
        queue
            .admit("a", (), 1, Priority::Interactive, NOBODY)
            .unwrap();
        queue
            .admit("b", (), 2, Priority::Interactive, NOBODY)
            .unwrap();
        assert_eq!(begun(&mut queue, 9, |asker| *asker == 1), ["b"]);
    }

    #[test]
    fn bulk_requests_run_together_in_their_order_and_interactive_ones_alone() {
        let mut queue = queue(9, 9);
        for (key, asker) in [("1", 1), ("2", 2), ("3", 3)] {
            queue.admit(key, (), asker, Priority::Bulk, NOBODY).unwrap();
        }
        for key in ["note 1", "note 2"] {
            queue
                .admit(key, (), 9, Priority::Interactive, NOBODY)
                .unwrap();
        }
        assert_eq!(begun(&mut queue, 2, NOBODY), ["note 1"]);
        queue.finish();
        assert_eq!(begun(&mut queue, 2, NOBODY), ["note 2"]);
        queue.finish();
        assert_eq!(begun(&mut queue, 2, NOBODY), ["1", "2"]);
        // Who asks for one of them meanwhile joins it, and hears with it.
        queue
            .admit("2", (), 4, Priority::Interactive, NOBODY)
            .unwrap();
        assert_eq!(queue.open(Priority::Bulk), 2);
        assert_eq!(queue.finish(), [vec![1], vec![2, 4]]);
        assert_eq!(begun(&mut queue, 0, NOBODY), ["3"], "one runs in any case");
    }

    #[test]
    fn what_may_runs_between_two_parts_of_a_long_job_and_ends_before_it() {
        let mut queue = queue(9, 9);
        let looks_at = Priority::Interactive;
        queue.admit("large", (), 1, Priority::Bulk, NOBODY).unwrap();
        assert_eq!(begun(&mut queue, 1, NOBODY), ["large"]);
        assert!(queue.between(looks_at, |()| true, NOBODY).is_none());
        queue.admit("note", (), 2, looks_at, NOBODY).unwrap();
        queue
            .admit("folder", (), 3, Priority::Bulk, NOBODY)
            .unwrap();
        assert!(queue.between(looks_at, |()| false, NOBODY).is_none());
        let note = queue.between(looks_at, |()| true, NOBODY);
        assert_eq!(note, Some(("note", ())));
        assert!(queue.between(looks_at, |()| true, NOBODY).is_none());
        // Whoever asks meanwhile for one that runs joins it, whichever of them it is.
        queue.admit("note", (), 4, looks_at, NOBODY).unwrap();
        queue.admit("large", (), 5, looks_at, NOBODY).unwrap();
        assert_eq!(queue.finish(), [[2, 4]]);
        let folder = queue.between(Priority::Bulk, |()| true, NOBODY);
        assert_eq!(folder, Some(("folder", ())));
        assert_eq!(queue.finish(), [[3]]);
        assert_eq!(queue.finish(), [[1, 5]]);
        assert!(begun(&mut queue, 1, NOBODY).is_empty());
    }

    #[test]
    fn a_long_job_that_nobody_waits_for_any_more_is_given_up_and_begun_anew_for_the_next() {
        let mut queue = queue(9, 9);
        let looks_at = Priority::Interactive;
        queue.admit("large", (), 1, looks_at, NOBODY).unwrap();
        assert_eq!(begun(&mut queue, 1, NOBODY), ["large"]);
        assert!(!queue.abandon(NOBODY));
        queue.admit("large", (), 2, looks_at, NOBODY).unwrap();
        assert!(!queue.abandon(|asker| *asker == 1));
        assert!(queue.abandon(|asker| *asker <= 2));
        queue.admit("large", (), 3, looks_at, NOBODY).unwrap();
        assert!(queue.finish().is_empty());
        assert_eq!(begun(&mut queue, 1, NOBODY), ["large"]);
        assert_eq!(queue.finish(), [[3]]);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Admit(u8, Priority),
        Leave(prop::sample::Index),
        Begin,
        End,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0u8..9, any::<bool>()).prop_map(|(key, bulk)| {
                let priority = if bulk {
                    Priority::Bulk
                } else {
                    Priority::Interactive
                };
                Step::Admit(key, priority)
            }),
            1 => any::<prop::sample::Index>().prop_map(Step::Leave),
            1 => Just(Step::Begin),
            1 => Just(Step::End),
        ]
    }

    /// A queue with those who ask it, where a job weighs what its key says.
    struct Asked {
        queue: Scheduler<u8, u8, usize>,
        admitted: Vec<Priority>,
        gone: HashSet<usize>,
        answered: Vec<usize>,
        /// Batches that were begun while an interactive asker waited, by asker.
        overtaken: std::collections::BTreeMap<usize, usize>,
        is_running: bool,
    }

    const ROOM: usize = 10;

    impl Asked {
        fn runs_batch(&self) -> bool {
            let mut running = self.queue.running.iter();
            running.any(|(_, of)| *of == Priority::Bulk)
        }

        fn begin(&mut self) -> usize {
            let gone = &self.gone;
            let jobs = self.queue.next(
                ROOM,
                |weight| usize::from(*weight),
                |asker| gone.contains(asker),
            );
            let weight: usize = jobs.iter().map(|(_, weight)| usize::from(*weight)).sum();
            assert!(jobs.len() <= 1 || weight <= ROOM, "{jobs:?}");
            self.is_running = !jobs.is_empty();
            let runs = self.queue.running.iter();
            let served: HashSet<usize> = runs
                .flat_map(|(entry, _)| entry.askers.iter().copied())
                .collect();
            self.overtaken.retain(|asker, _| !served.contains(asker));
            if self.runs_batch() {
                self.overtaken
                    .values_mut()
                    .for_each(|batches| *batches += 1);
            }
            jobs.len()
        }

        fn end(&mut self) {
            let handed = self.queue.finish();
            self.answered.extend(handed.into_iter().flatten());
            self.is_running = false;
        }
    }

    proptest! {
        #[test]
        fn nobody_is_lost_answered_twice_or_behind_a_second_batch(
            steps in prop::collection::vec(step(), 0..120)
        ) {
            let limits = Limits { interactive: IN_A_ROW, bulk: 5 };
            let mut asked = Asked {
                queue: Scheduler::new(limits),
                admitted: Vec::new(),
                gone: HashSet::new(),
                answered: Vec::new(),
                overtaken: Default::default(),
                is_running: false,
            };
            for step in steps {
                match step {
                    Step::Admit(key, priority) => {
                        let asker = asked.admitted.len();
                        let is_gone = |asker: &usize| asked.gone.contains(asker);
                        let admitted = asked.queue.admit(key, key, asker, priority, is_gone);
                        if admitted.is_ok() {
                            asked.admitted.push(priority);
                            let waits = asked.queue.interactive.iter();
                            if waits.flat_map(|entry| &entry.askers).any(|a| *a == asker) {
                                asked.overtaken.insert(asker, usize::from(asked.runs_batch()));
                            }
                        }
                    }
                    Step::Leave(index) if !asked.admitted.is_empty() => {
                        let asker = index.index(asked.admitted.len());
                        asked.gone.insert(asker);
                        asked.overtaken.remove(&asker);
                    }
                    Step::Leave(_) => {}
                    Step::Begin if !asked.is_running => {
                        asked.begin();
                    }
                    Step::Begin => {}
                    Step::End => asked.end(),
                }
                let waiting = |line: &VecDeque<Entry<u8, u8, usize>>| line.len();
                prop_assert!(waiting(&asked.queue.interactive) <= limits.interactive);
                prop_assert!(waiting(&asked.queue.bulk) <= limits.bulk);
                prop_assert!(asked.overtaken.values().all(|batches| *batches <= 1));
            }
            asked.end();
            // Whatever waits comes to its turn, and the queue comes to its end.
            let most = 2 * asked.queue.open(Priority::Bulk) + asked.queue.open(Priority::Interactive);
            for _ in 0..most {
                asked.begin();
                asked.end();
            }
            prop_assert_eq!(asked.begin(), 0);
            let once: HashSet<usize> = asked.answered.iter().copied().collect();
            prop_assert_eq!(once.len(), asked.answered.len());
            let mut all = 0..asked.admitted.len();
            prop_assert!(all.all(|a| once.contains(&a) || asked.gone.contains(&a)));
        }
    }
}
