//! Settings of any kind are read, and changed without harm.
#![no_main]

use gliznet::document::Format;
use gliznet::frontmatter::{add_tag, occurrences, read, rename_tag, tag_at_cursor};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &str, &str)| {
    let (format, source, tag) = input;
    let format = Format::ALL[usize::from(format) % Format::ALL.len()];
    let n_tags = read(source, format).map_or(0, |found| found.tags.len());
    let found = occurrences(source, format);
    for (_, span) in &found {
        assert!(source.get(span.range()).is_some());
    }
    if let Ok(edit) = add_tag(source, format, tag) {
        let mut after = source.to_owned();
        after.replace_range(edit.span.range(), &edit.text);
        let now = read(&after, format).expect("it has settings now");
        assert_eq!(now.tags.len(), n_tags + 1);
    }
    if let Some((name, _)) = found.first()
        && let Ok(edits) = rename_tag(source, format, name, tag)
    {
        let mut after = source.to_owned();
        for edit in edits.iter().rev() {
            after.replace_range(edit.span.range(), &edit.text);
        }
        assert!(read(&after, format).map_or(0, |found| found.tags.len()) <= n_tags);
    }
    for at in 0..=source.len() {
        let _ = tag_at_cursor(source, format, at);
    }
});
