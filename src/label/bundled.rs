//! The label sets that come with the program.

/// Name and TOML source of every bundled set, in alphabetical order.
///
/// The name is the stem of its file in `labelsets/`.
pub fn bundled() -> &'static [(&'static str, &'static str)] {
    &[
        ("emotions", include_str!("../../labelsets/emotions.toml")),
        ("gtd", include_str!("../../labelsets/gtd.toml")),
        ("journal", include_str!("../../labelsets/journal.toml")),
        (
            "news-topics",
            include_str!("../../labelsets/news-topics.toml"),
        ),
        ("notes-fr", include_str!("../../labelsets/notes-fr.toml")),
        ("paperwork", include_str!("../../labelsets/paperwork.toml")),
        (
            "personal-notes",
            include_str!("../../labelsets/personal-notes.toml"),
        ),
        (
            "reading-notes",
            include_str!("../../labelsets/reading-notes.toml"),
        ),
        ("recipes", include_str!("../../labelsets/recipes.toml")),
        (
            "research-notes",
            include_str!("../../labelsets/research-notes.toml"),
        ),
        (
            "software-engineering",
            include_str!("../../labelsets/software-engineering.toml"),
        ),
        (
            "support-tickets",
            include_str!("../../labelsets/support-tickets.toml"),
        ),
    ]
}
