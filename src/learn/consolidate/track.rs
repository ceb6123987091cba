//! How often each version had to be corrected: the journal's entries in, a reason to go back out.
//!
//! Invariant: like is compared with like: only verdicts that came the same way count against each
//! other, and what was brought from elsewhere counts for nobody. Pure.

use std::collections::BTreeMap;

use super::alarm::{Record, rings};
use crate::correction::Source;
use crate::learn::journal::Entry;

/// What is known of all versions.
#[derive(Clone, Debug, Default)]
pub struct Track {
    /// By the model's name with its fingerprint, as corrections have it, and by where they came from.
    heard: BTreeMap<(String, Source), Vec<Heard>>,
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    time: u64,
    was_corrected: bool,
}

/// A version and that which served before it.
#[derive(Clone, Copy, Debug)]
pub struct Rivals<'a> {
    /// The version that serves, as `name+2@fingerprint`.
    pub now: &'a str,
    /// How the name of the one before begins: `name+1@`.
    pub before: &'a str,
    /// Verdicts of this second and earlier ones were looked at already.
    pub since: u64,
}

impl Track {
    /// A correction was made.
    pub fn hear(&mut self, entry: &Entry) {
        let correction = &entry.correction;
        let (Some(shown), Some(judged)) = (&correction.shown, correction.judged()) else {
            return;
        };
        if correction.source == Source::Import {
            return;
        }
        let key = (shown.model.clone(), correction.source);
        let heard = self.heard.entry(key).or_default();
        // What was suggested and left as it is was right.
        let right = judged.suggested.saturating_sub(judged.wrong);
        let wrong = judged.wrong + judged.missing;
        let all = std::iter::repeat_n(false, right).chain(std::iter::repeat_n(true, wrong));
        heard.extend(all.map(|was_corrected| Heard {
            time: entry.time,
            was_corrected,
        }));
    }

    /// Why the version that serves should not, in words.
    pub fn objection(&self, rivals: &Rivals) -> Option<String> {
        Source::ALL.into_iter().find_map(|source| {
            let before = self.record(source, |model| model.starts_with(rivals.before));
            let now = self.heard.get(&(rivals.now.to_owned(), source))?;
            let now = now.iter().filter(|heard| heard.time > rivals.since);
            let verdicts: Vec<bool> = now.map(|heard| heard.was_corrected).collect();
            let of_now = Record {
                judged: verdicts.len(),
                corrected: verdicts.iter().filter(|corrected| **corrected).count(),
            };
            rings(before, verdicts).then(|| {
                format!(
                    "{} of {} tags had to be corrected, {} of {} under the version before",
                    of_now.corrected, of_now.judged, before.corrected, before.judged
                )
            })
        })
    }

    fn record(&self, source: Source, is_it: impl Fn(&str) -> bool) -> Record {
        let mut record = Record::default();
        for ((model, from), heard) in &self.heard {
            if *from == source && is_it(model) {
                record.judged += heard.len();
                record.corrected += heard.iter().filter(|heard| heard.was_corrected).count();
            }
        }
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::correction::{Correction, Shown};
    use crate::document::Format;

    /// A verdict on three suggestions, of which so many were wrong.
    fn entry(time: u64, model: &str, wrong: usize, source: Source) -> Entry {
        let names = ["a", "b", "c"].map(str::to_owned);
        Entry {
            sequence: time,
            time,
            correction: Correction {
                document: None,
                text: format!("text {time}"),
                format: Format::Plain,
                labels: names.to_vec(),
                accepted: names[wrong..].to_vec(),
                rejected: names[..wrong].to_vec(),
                descriptions: Default::default(),
                source,
                shown: Some(Shown {
                    model: model.to_owned(),
                    scores: Vec::new(),
                    suggested: names.to_vec(),
                }),
            },
        }
    }

    fn track(times: std::ops::Range<u64>, model: &str, wrong: impl Fn(u64) -> usize) -> Track {
        let mut track = Track::default();
        for time in times {
            track.hear(&entry(time, model, wrong(time), Source::Editor));
        }
        track
    }

    const RIVALS: Rivals = Rivals {
        now: "m+2@bbbb",
        before: "m+1@",
        since: 0,
    };

    #[test]
    fn a_version_that_is_corrected_more_often_is_objected_to_with_figures() {
        let mut track = track(1..21, "m+1@aaaa", |time| usize::from(time % 4 == 0));
        assert_eq!(track.objection(&RIVALS), None);
        for time in 21..29 {
            track.hear(&entry(time, "m+2@bbbb", 2, Source::Editor));
        }
        let objection = track.objection(&RIVALS).unwrap();
        let figures = "16 of 24 tags had to be corrected, 5 of 60 under the version before";
        assert_eq!(objection, figures);
        // Whoever chose it in spite of that is not contradicted by the same verdicts.
        let since = Rivals {
            since: 28,
            ..RIVALS
        };
        assert_eq!(track.objection(&since), None);
    }

    #[test]
    fn other_ways_to_correct_and_other_versions_do_not_count() {
        let mut track = track(1..21, "m+1@aaaa", |_| 0);
        for time in 21..60 {
            track.hear(&entry(time, "m+2@bbbb", 3, Source::Import));
            track.hear(&entry(time, "m+2@bbbb", 3, Source::CommandLine));
            track.hear(&entry(time, "m+12@cccc", 3, Source::Editor));
        }
        assert_eq!(track.objection(&RIVALS), None);
    }
}
