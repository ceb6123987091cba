//! One row as it is shown in one step: a row and random numbers in, labels with their targets out.
//!
//! Invariant: the same numbers give the same example; a correction gets no label that it does not
//! speak of; a label that the row has is never among the wrong ones, however it is spelled there.
//!
//! Length: more than half is tests of one choice each, over the same rows and files.

use std::collections::HashSet;

use super::corpus::{Space, TrainRow};
use super::recipe::{Assumed, LabelRecipe};
use crate::label::fold;
use crate::model::loss::UNKNOWN;
use crate::model::random::Random;

/// How many labels of a file are looked at for one that is alike.
const LOOKED_AT: usize = 200;

/// Labels in the order in which they are shown, with their targets.
pub(super) type Shown = Vec<(String, f32)>;

/// Chooses the labels for `row`.
pub(super) fn shown(
    row: &TrainRow,
    spaces: &[Space],
    recipe: &LabelRecipe,
    random: &mut Random,
) -> Shown {
    let space = &spaces[row.space];
    let n = recipe.min + random.below(recipe.max - recipe.min + 1);
    let mut labels = row.labels.clone();
    random.shuffle(&mut labels);
    labels.truncate(recipe.max_true.min(n));
    if !row.is_correction && random.chance(recipe.none_apply) {
        labels.clear();
    }
    let name = |label: u32| space.labels[label as usize].clone();
    let mut shown: Shown = labels.iter().map(|label| (name(*label), 1.0)).collect();
    let mut denied = row.not_labels.clone();
    random.shuffle(&mut denied);
    let wanted = n - shown.len();
    let mut used = row.labels.clone();
    let take = |label: u32, target: f32, used: &mut Vec<u32>, shown: &mut Shown| {
        if !used.contains(&label) {
            used.push(label);
            shown.push((name(label), target));
        }
    };
    if row.is_correction {
        for label in denied.into_iter().take(wanted) {
            take(label, 0.0, &mut used, &mut shown);
        }
    } else {
        let assumed = match recipe.assumed {
            Assumed::Wrong => recipe.smoothing as f32,
            Assumed::Unknown => UNKNOWN,
        };
        let target = |label: u32| match row.not_labels.contains(&label) {
            true => 0.0,
            false => assumed,
        };
        let n_foreign = (wanted as f64 * recipe.foreign).round() as usize;
        let n_hard = ((wanted as f64 * recipe.hard).round() as usize).min(wanted - n_foreign);
        let start = shown.len();
        for label in denied.iter().take(n_hard) {
            take(*label, 0.0, &mut used, &mut shown);
        }
        while shown.len() < start + n_hard && !row.labels.is_empty() {
            let Some(label) = alike(row, space, &used, random) else {
                break; // The file has no other.
            };
            take(label, target(label), &mut used, &mut shown);
        }
        for _ in 0..4 * wanted {
            if shown.len() >= n - n_foreign {
                break;
            }
            let label = random.below(space.labels.len()) as u32;
            take(label, target(label), &mut used, &mut shown);
        }
        for label in denied {
            if shown.len() < n - n_foreign {
                take(label, 0.0, &mut used, &mut shown);
            }
        }
        let most = n.min(shown.len() + n_foreign);
        foreign(row, spaces, most, &mut shown, random);
    }
    if recipe.shuffle {
        random.shuffle(&mut shown);
    }
    restyle(&mut shown, recipe, random);
    once(&mut shown);
    shown
}

/// Keeps one of labels that are spelled alike now: the one that fits, else the first.
fn once(shown: &mut Shown) {
    let fits = |shown: &Shown, name: &str| shown.iter().any(|(n, t)| n == name && *t == 1.0);
    let mut seen = HashSet::new();
    let all = std::mem::take(shown);
    for (name, target) in &all {
        if (*target == 1.0 || !fits(&all, name)) && seen.insert(name.as_str()) {
            shown.push((name.clone(), *target));
        }
    }
}

/// Of some labels of the file that are not `used`, the one most like a true label of the row.
fn alike(row: &TrainRow, space: &Space, used: &[u32], random: &mut Random) -> Option<u32> {
    let model = row.labels[random.below(row.labels.len())];
    let n = space.labels.len();
    let candidates: Vec<u32> = if n <= LOOKED_AT {
        (0..n as u32).collect()
    } else {
        (0..LOOKED_AT).map(|_| random.below(n) as u32).collect()
    };
    let others = candidates.into_iter().filter(|label| !used.contains(label));
    others.max_by(|a, b| {
        space
            .likeness(model, *a)
            .total_cmp(&space.likeness(model, *b))
    })
}

/// Fills up to `n` labels from other files.
fn foreign(row: &TrainRow, spaces: &[Space], n: usize, shown: &mut Shown, random: &mut Random) {
    if spaces.len() < 2 {
        return;
    }
    let mut seen: HashSet<String> = shown.iter().map(|(name, _)| fold(name)).collect();
    // Another file may spell otherwise what fits.
    let own = &spaces[row.space].folded;
    seen.extend(row.labels.iter().map(|label| own[*label as usize].clone()));
    for _ in 0..4 * n {
        if shown.len() >= n {
            return;
        }
        let which = random.below(spaces.len());
        let labels = &spaces[which].labels;
        if which == row.space || labels.is_empty() {
            continue;
        }
        let at = random.below(labels.len());
        if seen.insert(spaces[which].folded[at].clone()) {
            shown.push((labels[at].clone(), 0.0));
        }
    }
}

/// Other spellings that users have for the same label.
fn restyle(shown: &mut Shown, recipe: &LabelRecipe, random: &mut Random) {
    if random.chance(recipe.case) {
        let style = random.below(3);
        for (name, _) in shown.iter_mut() {
            *name = match style {
                0 => name.to_lowercase(),
                1 => name.to_uppercase(),
                _ => capitalized(name),
            };
        }
    }
    if random.chance(recipe.separator) {
        let joint = ["_", "-"][random.below(2)];
        for (name, _) in shown.iter_mut() {
            *name = if name.contains(['_', '-']) {
                name.replace(['_', '-'], " ")
            } else {
                name.replace(' ', joint)
            };
        }
    }
}

fn capitalized(name: &str) -> String {
    let mut starts = true;
    let upper = name.chars().flat_map(|c| {
        let first = std::mem::replace(&mut starts, !c.is_alphanumeric()) && c.is_lowercase();
        let chars: Vec<char> = if first {
            c.to_uppercase().collect()
        } else {
            vec![c]
        };
        chars
    });
    upper.collect()
}

/// The part of a text that is read: at most `limit` tokens, from the start or from a random place.
pub(super) fn window(
    ids: &[u32],
    limit: usize,
    random_window: f64,
    random: &mut Random,
) -> Vec<u32> {
    let is_random = random.chance(random_window);
    let spare = ids.len().saturating_sub(limit);
    let start = if is_random && spare > 0 {
        random.below(spare + 1)
    } else {
        0
    };
    ids[start..ids.len().min(start + limit)].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spaces() -> Vec<Space> {
        let mut corpus: Vec<Space> = Vec::new();
        for labels in [
            &["tax", "taxes", "garden", "music", "food", "travel"][..],
            &["Mars", "Venus"],
        ] {
            let mut space = Space::default();
            labels.iter().for_each(|label| _ = space.number(label));
            corpus.push(space);
        }
        corpus
    }

    fn row(is_correction: bool) -> TrainRow {
        TrainRow {
            text: "t".into(),
            labels: vec![0],
            not_labels: vec![2],
            space: 0,
            is_correction,
        }
    }

    fn all(row: &TrainRow, recipe: &LabelRecipe) -> Vec<Shown> {
        (0..200)
            .map(|seed| shown(row, &spaces(), recipe, &mut Random::new(&[seed])))
            .collect()
    }

    fn plain() -> LabelRecipe {
        LabelRecipe {
            min: 4,
            max: 5,
            none_apply: 0.0,
            case: 0.0,
            separator: 0.0,
            smoothing: 0.1,
            ..LabelRecipe::default()
        }
    }

    #[test]
    fn a_row_is_shown_with_its_labels_and_wrong_ones_of_its_file() {
        for shown in all(&row(false), &plain()) {
            assert!((2..=5).contains(&shown.len()), "{shown:?}");
            let tax = shown.iter().find(|(name, _)| name == "tax").unwrap();
            assert_eq!(tax.1, 1.0);
            let denied = shown.iter().find(|(name, _)| name == "garden");
            assert!(denied.is_none_or(|(_, target)| *target == 0.0));
            let others = shown
                .iter()
                .filter(|(name, _)| name != "tax" && name != "garden");
            assert!(
                others.clone().all(|(_, target)| *target == 0.1),
                "{shown:?}"
            );
            assert!(
                shown
                    .iter()
                    .all(|(name, _)| name != "Mars" && name != "Venus")
            );
        }
    }

    #[test]
    fn look_alikes_are_preferred_when_hard_ones_are_wanted() {
        let recipe = LabelRecipe {
            min: 3,
            max: 3,
            hard: 1.0,
            ..plain()
        };
        let shown = all(&row(false), &recipe);
        assert!(
            shown
                .iter()
                .all(|shown| shown.iter().any(|(name, _)| name == "taxes"))
        );
    }

    #[test]
    fn there_are_as_many_look_alikes_as_are_wanted() {
        let mut space = Space::default();
        let names = [
            "tax",
            "taxes",
            "tax form",
            "tax return",
            "sea",
            "wind",
            "rain",
            "bread",
        ];
        names.iter().for_each(|label| _ = space.number(label));
        let recipe = LabelRecipe {
            min: 4,
            max: 4,
            hard: 1.0,
            ..plain()
        };
        let row = TrainRow {
            not_labels: Vec::new(),
            ..row(false)
        };
        for seed in 0..50 {
            let spaces = std::slice::from_ref(&space);
            let mut shown = shown(&row, spaces, &recipe, &mut Random::new(&[seed]));
            shown.sort_by(|a, b| a.0.cmp(&b.0));
            let names: Vec<&str> = shown.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["tax", "tax form", "tax return", "taxes"]);
        }
    }

    #[test]
    fn two_labels_that_are_spelled_alike_are_one_and_what_fits_stays() {
        let label = |name: &str, target| (name.to_owned(), target);
        let mut shown = vec![
            label("a", 0.0),
            label("b", 0.0),
            label("a", 1.0),
            label("b", 0.1),
        ];
        once(&mut shown);
        assert_eq!(shown, [label("b", 0.0), label("a", 1.0)]);
    }

    #[test]
    fn nothing_is_assumed_of_a_correction() {
        for shown in all(&row(true), &plain()) {
            let mut names: Vec<&str> = shown.iter().map(|(name, _)| name.as_str()).collect();
            names.sort_unstable();
            assert_eq!(names, ["garden", "tax"]);
        }
    }

    #[test]
    fn assumed_labels_may_be_unknown_and_foreign_ones_are_wrong() {
        let recipe = LabelRecipe {
            assumed: Assumed::Unknown,
            foreign: 0.5,
            min: 5,
            max: 5,
            ..plain()
        };
        for shown in all(&row(false), &recipe) {
            for (name, target) in &shown {
                let want = match name.as_str() {
                    "tax" => 1.0,
                    "garden" | "Mars" | "Venus" => 0.0,
                    _ => UNKNOWN,
                };
                assert_eq!(*target, want, "{name}");
            }
            assert!(
                shown
                    .iter()
                    .any(|(name, _)| name == "Mars" || name == "Venus")
            );
        }
    }

    #[test]
    fn what_fits_is_not_wrong_where_another_file_spells_it_otherwise() {
        let mut spaces = spaces();
        let names = ["Tax", "TAX-", "garden", "Garden", "Mars"];
        names.iter().for_each(|label| _ = spaces[1].number(label));
        let recipe = LabelRecipe {
            foreign: 1.0,
            min: 5,
            max: 5,
            ..plain()
        };
        for seed in 0..50 {
            let shown = shown(&row(false), &spaces, &recipe, &mut Random::new(&[seed]));
            let spelled: HashSet<String> = shown.iter().map(|(name, _)| fold(name)).collect();
            assert_eq!(spelled.len(), shown.len(), "{shown:?}");
            assert!(shown.contains(&("tax".to_owned(), 1.0)), "{shown:?}");
        }
    }

    #[test]
    fn none_may_apply() {
        let recipe = LabelRecipe {
            none_apply: 1.0,
            ..plain()
        };
        assert!(
            all(&row(false), &recipe)
                .iter()
                .flatten()
                .all(|(_, target)| *target != 1.0)
        );
    }

    #[test]
    fn capitals_start_words() {
        assert_eq!(
            capitalized("home-made food_and DRINK"),
            "Home-Made Food_And DRINK"
        );
    }

    #[test]
    fn a_window_is_never_longer_than_its_limit() {
        let ids: Vec<u32> = (0..10).collect();
        assert_eq!(window(&ids, 4, 0.0, &mut Random::new(&[1])), [0, 1, 2, 3]);
        let starts: Vec<u32> = (0..50)
            .map(|seed| window(&ids, 4, 1.0, &mut Random::new(&[seed]))[0])
            .collect();
        assert!(starts.contains(&0) && starts.contains(&6) && starts.iter().all(|s| *s <= 6));
    }
}
