//! A review while it runs: keys in, verdicts out.
//!
//! Invariant: every verdict is given out once, and the last one only when the next is made or the
//! person leaves, so that undo takes it back as if it had not been. Pure; draws nothing.

use crate::desk::protocol::review::{ReviewLabel, ReviewRecord};
use crate::label::lower;
use crate::learn::review::Why;

/// Labels that are shown with a number to press.
pub(super) const LISTED: usize = 9;

/// What a person pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Char(char),
    Enter,
    Escape,
    Backspace,
    Up,
    Down,
}

/// What a person says of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Its place in the queue.
    pub(super) item: usize,
    pub(super) accepted: Vec<String>,
    pub(super) rejected: Vec<String>,
}

/// What follows from a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Stay,
    /// This verdict stands from now on.
    Record(Verdict),
    /// The person leaves; the last verdict stands.
    Leave(Option<Verdict>),
}

/// A review.
pub(super) struct Review {
    queue: Vec<ReviewRecord>,
    /// One tick for each label of the document that is looked at.
    ticks: Vec<bool>,
    /// Labels that the person looked for, after those that are listed anyway.
    added: Vec<usize>,
    at: usize,
    scroll: usize,
    /// What is typed to find a label.
    search: Option<String>,
    held: Option<Verdict>,
    /// The documents before, and whether each was judged.
    past: Vec<(usize, bool)>,
    note: Option<&'static str>,
}

impl Review {
    pub(super) fn new(queue: Vec<ReviewRecord>) -> Review {
        let mut review = Review {
            queue,
            ticks: Vec::new(),
            added: Vec::new(),
            at: 0,
            scroll: 0,
            search: None,
            held: None,
            past: Vec::new(),
            note: None,
        };
        review.show(0);
        review
    }

    /// The document that is looked at; none at the end.
    pub(super) fn item(&self) -> Option<&ReviewRecord> {
        self.queue.get(self.at)
    }

    /// The document at a place of the queue.
    pub(super) fn record(&self, item: usize) -> &ReviewRecord {
        &self.queue[item]
    }

    /// Which document it is, from 1, and of how many.
    pub(super) fn place(&self) -> (usize, usize) {
        (self.at + 1, self.queue.len())
    }

    /// How many lines of the text are above the screen.
    pub(super) fn scroll(&self) -> usize {
        self.scroll
    }

    /// What is typed to find a label.
    pub(super) fn search(&self) -> Option<&str> {
        self.search.as_deref()
    }

    /// What the person should know of the last key.
    pub(super) fn note(&self) -> Option<&'static str> {
        self.note
    }

    /// How many documents have a verdict.
    pub(super) fn judged(&self) -> usize {
        self.past.iter().filter(|(_, judged)| *judged).count()
    }

    /// The labels that are shown, in the order of their numbers, and whether each is ticked.
    pub(super) fn listed(&self) -> Vec<(&ReviewLabel, bool)> {
        let Some(item) = self.item() else {
            return Vec::new();
        };
        let all = self.numbered(item).into_iter();
        all.map(|idx| (&item.labels[idx], self.ticks[idx]))
            .collect()
    }

    /// Indices of the listed labels: every suggestion first, then the next best, then added ones.
    fn numbered(&self, item: &ReviewRecord) -> Vec<usize> {
        let suggested = item.labels.iter().take_while(|label| label.suggested);
        let listed = suggested.count().max(LISTED.min(item.labels.len()));
        let added = self.added.iter().copied().filter(|idx| *idx >= listed);
        (0..listed).chain(added).collect()
    }

    /// The labels that what is typed may mean, best first: those that begin with it, then those
    /// that hold it.
    pub(super) fn found(&self) -> Vec<&ReviewLabel> {
        let labels = self.item().map_or(&[][..], |item| &item.labels);
        self.matches().into_iter().map(|idx| &labels[idx]).collect()
    }

    fn matches(&self) -> Vec<usize> {
        let (Some(item), Some(typed)) = (self.item(), &self.search) else {
            return Vec::new();
        };
        let typed = lower(typed);
        let rank = |label: &ReviewLabel| {
            let name = lower(&label.label);
            name.find(&typed).map(|at| at > 0)
        };
        let ranked = item.labels.iter().enumerate();
        let mut ranked: Vec<(bool, usize)> = ranked
            .filter_map(|(idx, label)| Some((rank(label)?, idx)))
            .collect();
        ranked.sort();
        ranked.into_iter().map(|(_, idx)| idx).collect()
    }

    pub(super) fn press(&mut self, key: Key) -> Step {
        self.note = None;
        if self.search.is_some() {
            self.type_in(key);
            return Step::Stay;
        }
        match key {
            Key::Char('q') | Key::Escape => return Step::Leave(self.held.take()),
            Key::Char('u') | Key::Backspace => self.undo(),
            _ if self.item().is_none() => {}
            Key::Enter | Key::Char('y') => return self.judge(),
            Key::Char('n') => {
                self.ticks.fill(false);
                return self.judge();
            }
            Key::Char('s' | ' ') => self.go_on(false),
            Key::Char('a' | '/') => self.search = Some(String::new()),
            Key::Char(digit @ '1'..='9') => self.toggle(digit as usize - '1' as usize),
            Key::Up | Key::Char('k') => self.scroll = self.scroll.saturating_sub(1),
            Key::Down | Key::Char('j') => self.scroll += 1,
            Key::Char(_) => self.note = Some("no such key; the last line shows those there are"),
        }
        Step::Stay
    }

    fn toggle(&mut self, number: usize) {
        let Some(item) = self.item() else {
            return;
        };
        match self.numbered(item).get(number) {
            Some(idx) => self.ticks[*idx] = !self.ticks[*idx],
            None => self.note = Some("there is no label of that number"),
        }
    }

    fn type_in(&mut self, key: Key) {
        let first = self.matches().first().copied();
        let Some(typed) = &mut self.search else {
            return;
        };
        match key {
            Key::Char(c) => typed.push(c),
            Key::Backspace => {
                if typed.pop().is_none() {
                    self.search = None;
                }
            }
            Key::Escape => self.search = None,
            Key::Enter => match first {
                Some(idx) => {
                    self.ticks[idx] = true;
                    if !self.added.contains(&idx) {
                        self.added.push(idx);
                    }
                    self.search = None;
                }
                None => self.note = Some("no label of the set is called so"),
            },
            Key::Up | Key::Down => {}
        }
    }

    /// What is ticked fits; what was suggested, listed and is not ticked, does not.
    fn judge(&mut self) -> Step {
        let Some(item) = self.item() else {
            return Step::Stay;
        };
        let (mut accepted, mut rejected) = (Vec::new(), Vec::new());
        for idx in self.numbered(item) {
            let name = item.labels[idx].label.clone();
            match self.ticks[idx] {
                true => accepted.push(name),
                false => rejected.push(name),
            }
        }
        if accepted.is_empty() && rejected.is_empty() {
            self.go_on(false); // A set without labels leaves nothing to say.
            return Step::Stay;
        }
        let verdict = Verdict {
            item: self.at,
            accepted,
            rejected,
        };
        self.go_on(true);
        match self.held.replace(verdict) {
            Some(before) => Step::Record(before),
            None => Step::Stay,
        }
    }

    fn undo(&mut self) {
        let Some((item, judged)) = self.past.pop() else {
            self.note = Some("there is nothing to undo");
            return;
        };
        if judged && self.held.take().is_none() {
            self.note = Some("that verdict is recorded; judge again, and the later one holds");
        }
        self.show(item);
    }

    fn go_on(&mut self, judged: bool) {
        self.past.push((self.at, judged));
        self.show(self.at + 1);
    }

    fn show(&mut self, at: usize) {
        self.at = at;
        self.scroll = 0;
        self.added.clear();
        let labels = self.queue.get(at).map_or(&[][..], |item| &item.labels);
        self.ticks = labels.iter().map(|label| label.suggested).collect();
    }
}

/// Why a document is shown, in words.
pub(super) fn reason(item: &ReviewRecord) -> String {
    match item.why {
        Why::Unsure => "the model is unsure".to_owned(),
        Why::Different => "nothing like it was judged yet".to_owned(),
        Why::Random => "drawn by chance".to_owned(),
        Why::Again => match item.again.first() {
            Some(said) if said.fits => {
                format!("again: you gave {}, but not to notes like it", said.label)
            }
            Some(said) => format!(
                "again: you refused {}, but not on notes like it",
                said.label
            ),
            None => "again: you judged notes like it otherwise".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str) -> ReviewRecord {
        let label = |(label, suggested): &(&str, bool)| ReviewLabel {
            label: (*label).to_owned(),
            score: Some(0.5),
            suggested: *suggested,
        };
        let mut labels: Vec<ReviewLabel> = [("garden", true), ("tax", true), ("work", false)]
            .iter()
            .map(label)
            .collect();
        labels.extend((0..10).map(|n| label(&(["l", &n.to_string()].concat().as_str(), false))));
        ReviewRecord {
            uri: format!("file:///{name}"),
            name: name.to_owned(),
            title: None,
            format: "markdown".to_owned(),
            text: "Roses.".to_owned(),
            why: Why::Unsure,
            again: Vec::new(),
            labels,
        }
    }

    fn review() -> Review {
        Review::new(vec![record("a.md"), record("b.md")])
    }

    fn press(review: &mut Review, keys: &str) -> Vec<Step> {
        let key = |c| match c {
            '\n' => Key::Enter,
            c => Key::Char(c),
        };
        keys.chars().map(|c| review.press(key(c))).collect()
    }

    #[test]
    fn one_key_says_that_all_is_right_and_digits_change_what_is() {
        let mut review = review();
        assert_eq!(press(&mut review, "\n"), [Step::Stay]);
        let steps = press(&mut review, "23\n");
        let Step::Record(first) = &steps[2] else {
            panic!("{steps:?}");
        };
        assert_eq!(
            (first.item, &first.accepted[..]),
            (0, &["garden".to_owned(), "tax".to_owned()][..])
        );
        assert_eq!(first.rejected.len(), LISTED - 2);
        assert!(review.item().is_none());
        let Step::Leave(Some(second)) = review.press(Key::Char('q')) else {
            panic!("the last verdict is lost");
        };
        assert_eq!(second.accepted, ["garden", "work"]);
        assert!(second.rejected.contains(&"tax".to_owned()));
    }

    #[test]
    fn undo_takes_the_last_verdict_back_before_anybody_heard_of_it() {
        let mut review = review();
        press(&mut review, "n");
        assert_eq!(review.judged(), 1);
        press(&mut review, "u");
        assert_eq!((review.place(), review.judged()), ((1, 2), 0));
        assert!(review.listed()[0].1, "the ticks are as they were");
        assert_eq!(press(&mut review, "s"), [Step::Stay]);
        assert_eq!(press(&mut review, "q"), [Step::Leave(None)]);
    }

    #[test]
    fn a_recorded_verdict_can_be_given_anew() {
        let mut review = review();
        press(&mut review, "\n\n");
        press(&mut review, "uu");
        assert_eq!(review.place(), (1, 2));
        assert!(review.note().is_some_and(|note| note.contains("recorded")));
        press(&mut review, "u");
        assert_eq!(review.note(), Some("there is nothing to undo"));
    }

    #[test]
    fn a_label_that_is_not_listed_is_found_by_typing() {
        let mut review = review();
        press(&mut review, "/L9");
        assert_eq!(review.found()[0].label, "l9");
        press(&mut review, "\n");
        let (label, is_ticked) = *review.listed().last().unwrap();
        assert_eq!((label.label.as_str(), is_ticked), ("l9", true));
        press(&mut review, "/zzz\n");
        assert!(review.note().is_some());
        review.press(Key::Escape);
        assert_eq!(review.search(), None);
        let _ = press(&mut review, "\n");
        let Step::Leave(Some(verdict)) = review.press(Key::Escape) else {
            panic!("no verdict");
        };
        assert_eq!(verdict.accepted, ["garden", "tax", "l9"]);
    }
}
