//! The JSON that `gliznet tag` writes. A rename inside cannot change it.

use serde::Serialize;
use serde_json::Value;

use crate::correction::Verdict;
use crate::desk::decision::Decision;
use crate::desk::protocol::Origin;
use crate::engine::Prediction;
use crate::engine::explain::Evidence;
use crate::label::LabelSet;
use crate::score::Score;

/// One tagged document.
#[derive(Serialize)]
pub(super) struct Tagged<'a> {
    /// The id of an input line; absent for files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<&'a Value>,
    /// The file; absent for input lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<&'a str>,
    pub(super) tags: Vec<TagRecord<'a>>,
    /// With `--all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scores: Option<Vec<ScoreRecord<'a>>>,
    /// Names of labels that were not scored.
    pub(super) unscored: Vec<String>,
    pub(super) windows: usize,
    /// The text is longer than what was read; absent where it is not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) cut: bool,
    pub(super) model: &'a str,
    /// The label that fits best where none fits well enough, for people.
    #[serde(skip)]
    pub(super) nearest: Option<(&'a str, f32)>,
    /// With `--write`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) written: Option<WrittenRecord>,
}

/// What was done to a file, or would be.
#[derive(Serialize)]
pub(super) struct WrittenRecord {
    /// Absent in a dry run, and where nothing was written yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) run: Option<u64>,
    pub(super) added: Vec<String>,
    pub(super) removed: Vec<String>,
    /// Tags that this file has no place for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) unwritable: Vec<String>,
    /// Of a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) diff: Option<String>,
}

#[derive(Serialize)]
pub(super) struct TagRecord<'a> {
    pub(super) label: &'a str,
    /// Absent where the model could not score a label that a person gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) score: Option<f32>,
    /// Who says so, where it is not the model.
    #[serde(skip_serializing_if = "is_of_model")]
    pub(super) origin: Origin,
    /// It stands in the document already, for people.
    #[serde(skip)]
    pub(super) stands: bool,
    /// With `--explain`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) evidence: Vec<EvidenceRecord<'a>>,
}

fn is_of_model(origin: &Origin) -> bool {
    *origin == Origin::Model
}

#[derive(Serialize)]
pub(super) struct EvidenceRecord<'a> {
    pub(super) sentence: &'a str,
    /// 1-based line in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) line: Option<usize>,
}

#[derive(Serialize)]
pub(super) struct ScoreRecord<'a> {
    pub(super) label: &'a str,
    pub(super) logit: f32,
    pub(super) score: f32,
}

/// A file that could not be tagged.
#[derive(Serialize)]
pub(super) struct FailedFile<'a> {
    /// Absent for standard input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<&'a str>,
    pub(super) error: &'a str,
}

/// A line that could not be tagged.
#[derive(Serialize)]
pub(super) struct FailedLine<'a> {
    /// Null where it could not be read.
    pub(super) id: &'a Value,
    pub(super) line: usize,
    pub(super) error: &'a str,
}

/// What is said of a tag besides its score.
pub(super) struct Explained {
    pub(super) evidence: Vec<(Evidence, Option<usize>)>,
}

impl<'a> Tagged<'a> {
    pub(super) fn new(
        prediction: &Prediction,
        set: &'a LabelSet,
        tags: &[Decision],
        all: bool,
        model: &'a str,
    ) -> Tagged<'a> {
        let name = |label| set.label(label).name.as_str();
        Tagged {
            id: None,
            path: None,
            tags: tags
                .iter()
                .map(|tag| TagRecord {
                    label: name(tag.label),
                    score: tag.score.map(Score::value),
                    origin: tag.origin,
                    stands: false,
                    evidence: Vec::new(),
                })
                .collect(),
            scores: all.then(|| {
                let record = |s: &crate::tag::LabelScore| ScoreRecord {
                    label: name(s.label),
                    logit: s.logit.value(),
                    score: s.score.value(),
                };
                prediction.scores.iter().map(record).collect()
            }),
            unscored: prediction
                .unscored
                .iter()
                .map(|u| name(u.label).to_owned())
                .collect(),
            windows: prediction.windows,
            cut: prediction.cut,
            model,
            nearest: None,
            written: None,
        }
    }

    /// Adds what a person wants to know besides: which tags the document has already, and where
    /// there is none, which label came nearest.
    pub(super) fn compare(
        &mut self,
        prediction: &Prediction,
        set: &'a LabelSet,
        held: &[String],
        said: Option<&Verdict>,
    ) {
        for tag in &mut self.tags {
            tag.stands = held
                .iter()
                .any(|held| set.find(held) == set.find(tag.label));
        }
        if self.tags.is_empty() {
            let open = prediction.scores.iter().filter(|scored| {
                let label = set.label(scored.label);
                !label.manual && said.is_none_or(|said| said.of(label).is_none())
            });
            let best = open.max_by(|a, b| a.score.value().total_cmp(&b.score.value()));
            self.nearest = best.map(|best| {
                let name = set.label(best.label).name.as_str();
                (name, best.score.value())
            });
        }
    }

    /// Adds the sentences that speak for each tag.
    pub(super) fn explain(&mut self, explained: &'a [Explained]) {
        for (tag, explained) in self.tags.iter_mut().zip(explained) {
            let record = |(evidence, line): &'a (Evidence, Option<usize>)| EvidenceRecord {
                sentence: &evidence.sentence,
                line: *line,
            };
            tag.evidence = explained.evidence.iter().map(record).collect();
        }
    }
}
