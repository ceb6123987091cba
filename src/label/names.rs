//! A label set from bare names: `--labels a,b,c`, or the labels of one line of JSON.
//!
//! Input: names in order. Output: the set of the good ones, and a fault for each other one.
//! Invariant: every name is either in the set or has a fault.

use std::collections::HashMap;

use super::fault::is_misleading;
use super::{Label, LabelSet, NameFault, spelling};

pub(super) fn from_names<S: AsRef<str>>(
    names: impl IntoIterator<Item = S>,
) -> (Option<LabelSet>, Vec<NameFault>) {
    let mut labels = Vec::new();
    let mut faults = Vec::new();
    let mut positions: HashMap<String, usize> = HashMap::new();
    for (position, name) in (1..).zip(names) {
        let name = name.as_ref().trim();
        if name.is_empty() {
            faults.push(NameFault::Empty { position });
        } else if let Some(character) = name.chars().find(|&c| is_misleading(c)) {
            faults.push(NameFault::Invisible {
                position,
                name: name.to_owned(),
                character,
            });
        } else if let Some(&first) = positions.get(&spelling::lower(name)) {
            faults.push(NameFault::Duplicate {
                position,
                name: name.to_owned(),
                first,
            });
        } else {
            positions.insert(spelling::lower(name), position);
            labels.push(Label::named(name.to_owned()));
        }
    }
    if labels.is_empty() {
        faults.push(NameFault::NoLabels);
        return (None, faults);
    }
    (Some(LabelSet::new(labels)), faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(names: &[&str]) -> Vec<String> {
        let (_, faults) = from_names(names);
        faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_faulty_name_is_reported_with_its_position() {
        assert_eq!(
            faults(&["a", " ", "b", "A ", "c\u{7}", ""]),
            [
                "label 2 is empty; remove it or give it a name",
                "label 4 `A` repeats label 1; remove one",
                "label 5 `c\\u{7}` holds the invisible character U+0007; remove it",
                "label 6 is empty; remove it or give it a name",
            ]
        );
    }

    #[test]
    fn a_lenient_set_keeps_the_good_names_in_order() {
        let (set, faults) = from_names(["b", "", "a", "B"]);
        let set = set.unwrap();
        let names: Vec<_> = set
            .labels()
            .iter()
            .map(|label| label.name.as_str())
            .collect();
        assert_eq!(names, ["b", "a"]);
        assert_eq!(faults.len(), 2);
    }

    #[test]
    fn no_names_are_no_set() {
        assert_eq!(
            LabelSet::from_names([""; 0]),
            Err(vec![NameFault::NoLabels])
        );
        assert_eq!(
            LabelSet::from_names([" "]),
            Err(vec![NameFault::Empty { position: 1 }, NameFault::NoLabels])
        );
    }

    #[test]
    fn a_name_of_ten_thousand_characters_is_a_label() {
        let set = LabelSet::from_names(["long ".repeat(2_000), "short".to_owned()]).unwrap();
        assert_eq!(set.labels()[0].name.len(), 9_999);
    }
}
