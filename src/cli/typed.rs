//! Values of options as somebody types them: tags, numbers of things, shares.

use std::convert::Infallible;

use crate::score::Score;

/// A tag as somebody types it, without the `#` that many write before one.
fn tag_name(text: &str) -> String {
    let text = text.trim();
    match text.strip_prefix('#') {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => text.to_owned(),
    }
}

/// The tags of a list as somebody types it, with the commas of their own script.
pub(crate) fn tag_names(list: &str) -> impl Iterator<Item = String> {
    list.split([',', '，', '、', '،']).map(tag_name)
}

/// The same as an option's value.
pub(crate) fn tag(text: &str) -> Result<String, Infallible> {
    Ok(tag_name(text))
}

/// A number of things, as an option's value: none is no number that somebody means.
pub(crate) fn count(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "not a whole number of 1 or more".to_owned())
}

/// A number from 0 to 1, as an option's value.
pub(crate) fn unit_interval(text: &str) -> Result<f32, String> {
    let value: f32 = text
        .parse()
        .map_err(|_| "not a number; give one from 0 to 1".to_owned())?;
    Score::new(value)
        .map(Score::value)
        .ok_or_else(|| "not from 0 to 1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sign_of_a_tag_is_no_part_of_its_name() {
        let names = ["#pets", " #a/b ", "c#", "##x", "#"].map(tag_name);
        assert_eq!(names, ["pets", "a/b", "c#", "#x", "#"]);
        assert_eq!(tag_names("#a, #b").nth(1).unwrap(), "b");
    }

    #[test]
    fn labels_are_told_apart_by_the_commas_of_their_script() {
        let names = |list| tag_names(list).collect::<Vec<_>>();
        assert_eq!(names("庭、料理，#税"), ["庭", "料理", "税"]);
        assert_eq!(names("حديقة، طبخ"), ["حديقة", "طبخ"]);
        assert_eq!(names("salt and pepper,c#"), ["salt and pepper", "c#"]);
    }

    #[test]
    fn a_count_is_one_or_more() {
        assert_eq!(count("12"), Ok(12));
        for text in ["0", "-3", "1.5", "", "many"] {
            assert_eq!(count(text).unwrap_err(), "not a whole number of 1 or more");
        }
    }
}
