//! Who is served next: requests in, one job at a time out.
//!
//! Interactive jobs overtake bulk ones; equal jobs are one job with several askers; a full queue
//! refuses; a job that nobody waits for any more is never run.
//! Invariant: every asker that was admitted is handed back exactly once, by `finish`, or was gone.
//! Knows nothing of models, channels, threads or clocks.

use std::collections::VecDeque;

/// After so many interactive jobs in a row, one bulk job runs, so that bulk work ends some day.
const IN_A_ROW: usize = 8;

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
    running: Option<(Entry<K, (), A>, Priority)>,
    /// Interactive jobs begun since the last bulk one.
    streak: usize,
}

impl<K: Clone + Eq, J, A> Scheduler<K, J, A> {
    /// An empty queue.
    pub fn new(limits: Limits) -> Scheduler<K, J, A> {
        Scheduler {
            limits,
            interactive: VecDeque::new(),
            bulk: VecDeque::new(),
            running: None,
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
        if let Some((running, urgency)) = &mut self.running
            && running.key == key
        {
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

    /// The job to run now. Call `finish` when it has ended.
    pub fn next(&mut self, is_gone: impl Fn(&A) -> bool) -> Option<(K, J)> {
        self.drop_gone(Priority::Interactive, &is_gone);
        self.drop_gone(Priority::Bulk, &is_gone);
        let bulk_is_due = self.streak >= IN_A_ROW && !self.bulk.is_empty();
        let (entry, priority) = if bulk_is_due || self.interactive.is_empty() {
            self.streak = 0;
            (self.bulk.pop_front()?, Priority::Bulk)
        } else {
            self.streak += 1;
            (self.interactive.pop_front()?, Priority::Interactive)
        };
        let Entry { key, job, askers } = entry;
        let running = Entry {
            key: key.clone(),
            job: (),
            askers,
        };
        self.running = Some((running, priority));
        Some((key, job))
    }

    /// Ends the running job and hands back all who wait for it, those who joined late too.
    pub fn finish(&mut self) -> Vec<A> {
        self.running
            .take()
            .map(|(running, _)| running.askers)
            .unwrap_or_default()
    }

    /// Empties the queue and hands back all who waited in it.
    pub fn clear(&mut self) -> Vec<A> {
        let waiting = self.interactive.drain(..).chain(self.bulk.drain(..));
        waiting.flat_map(|entry| entry.askers).collect()
    }

    /// How many jobs of a priority are not done: those that wait, and the running one.
    pub fn open(&self, priority: Priority) -> usize {
        let line = match priority {
            Priority::Interactive => &self.interactive,
            Priority::Bulk => &self.bulk,
        };
        let runs = |(_, of): &(_, Priority)| *of == priority;
        line.len() + usize::from(self.running.as_ref().is_some_and(runs))
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

    fn order(queue: &mut Scheduler<&'static str, (), u32>) -> Vec<&'static str> {
        let mut order = Vec::new();
        while let Some((key, ())) = queue.next(NOBODY) {
            order.push(key);
            queue.finish();
        }
        order
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
        let mut begun = Vec::new();
        let notes = [
            "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m",
        ];
        for note in notes {
            queue
                .admit(note, (), 0, Priority::Interactive, NOBODY)
                .unwrap();
            begun.extend(queue.next(NOBODY).map(|(key, ())| key));
            queue.finish();
        }
        assert_eq!(
            begun.iter().position(|key| *key == "folder"),
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
        assert_eq!(queue.next(NOBODY), Some(("a", ())));
        queue
            .admit("a", (), 3, Priority::Interactive, NOBODY)
            .unwrap();
        assert_eq!(queue.open(Priority::Interactive), 1);
        assert_eq!(queue.finish(), [1, 2, 3]);
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
        assert_eq!(queue.next(NOBODY), Some(("a", ())));
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
        assert_eq!(queue.next(|asker| *asker == 1), Some(("b", ())));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Admit(u8, Priority),
        Leave(prop::sample::Index),
        Run,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0u8..6, any::<bool>()).prop_map(|(key, bulk)| {
                let priority = if bulk {
                    Priority::Bulk
                } else {
                    Priority::Interactive
                };
                Step::Admit(key, priority)
            }),
            any::<prop::sample::Index>().prop_map(Step::Leave),
            Just(Step::Run),
        ]
    }

    proptest! {
        #[test]
        fn every_admitted_asker_is_answered_once_or_has_left(
            steps in prop::collection::vec(step(), 0..80)
        ) {
            let limits = Limits { interactive: 3, bulk: 2 };
            let mut queue: Scheduler<u8, (), usize> = Scheduler::new(limits);
            let (mut admitted, mut gone) = (Vec::new(), HashSet::new());
            let mut answered = Vec::new();
            for step in steps {
                match step {
                    Step::Admit(key, priority) => {
                        let asker = admitted.len();
                        let is_gone = |asker: &usize| gone.contains(asker);
                        if queue.admit(key, (), asker, priority, is_gone).is_ok() {
                            admitted.push(asker);
                        }
                    }
                    Step::Leave(index) if !admitted.is_empty() => {
                        gone.insert(index.index(admitted.len()));
                    }
                    Step::Leave(_) => {}
                    Step::Run => {
                        if queue.next(|asker| gone.contains(asker)).is_some() {
                            answered.extend(queue.finish());
                        }
                    }
                }
                prop_assert!(queue.open(Priority::Interactive) <= limits.interactive);
                prop_assert!(queue.open(Priority::Bulk) <= limits.bulk);
            }
            while queue.next(|asker| gone.contains(asker)).is_some() {
                answered.extend(queue.finish());
            }
            let once: HashSet<_> = answered.iter().copied().collect();
            prop_assert_eq!(once.len(), answered.len());
            prop_assert!(admitted.iter().all(|a| once.contains(a) || gone.contains(a)));
        }
    }
}
