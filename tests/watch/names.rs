//! Notes that take each other's names, notes that others hold, and folders that are not written.

use std::io::Write;

use crate::User;

#[test]
fn a_note_whose_name_another_one_takes_at_once_keeps_its_past_and_says_nothing() {
    let user = User::new();
    user.watch(&["--sink", "frontmatter"]);
    user.write("today.md", "---\ntitle: One\n---\nRoses.\n");
    user.until_tagged("today.md");
    user.settled();
    std::fs::rename(user.path("today.md"), user.path("monday.md")).unwrap();
    user.write("today.md", "---\ntitle: Two\n---\nTaxes.\n");
    user.until_tagged("today.md");
    let without = user.read("monday.md").replace("  - tax\n", "");
    user.settled();
    assert_eq!(user.home.status()["journal"]["corrections"], 0);
    // The old note is known to be tagged by us: what a person takes out of it is a correction.
    user.write("monday.md", &without);
    let corrections = || user.home.status()["journal"]["corrections"].clone();
    user.until("correction", corrections, |count| *count == 1);
    assert!(user.read("today.md").contains("- tax"));
}

#[test]
fn a_new_note_with_the_name_of_one_that_was_removed_gets_its_tags() {
    let user = User::new();
    user.watch(&["--sink", "frontmatter"]);
    user.write("a.md", "---\ntitle: One\n---\nRoses.\n");
    user.write("b.md", "---\ntitle: Two\n---\nTaxes.\n");
    user.until_tagged("a.md");
    user.settled();
    std::fs::remove_file(user.path("a.md")).unwrap();
    let found = || user.find(&["garden"]);
    user.until("gone", found, |found| found.len() == 1);
    user.write("a.md", "---\ntitle: Three\n---\nTrains.\n");
    user.until_tagged("a.md");
    user.settled();
    assert_eq!(user.home.status()["journal"]["corrections"], 0);
}

#[test]
fn a_note_that_another_program_holds_is_named_and_not_waited_for() {
    let user = User::new();
    user.write("a.md", "Roses.\n");
    user.write(".a.md.swp", "");
    user.write("b.md", "Taxes.\n");
    user.watch(&["--sink", "frontmatter"]);
    user.until_tagged("b.md");
    let (shown, code) = user.home.run(&["watch", "run-once"]);
    assert_eq!(code, 1, "{shown}");
    assert!(shown.contains(".a.md.swp"), "{shown}");
    let (list, _) = user.home.run(&["watch", "list"]);
    assert!(
        list.contains(".a.md.swp") && list.contains("1 wait"),
        "{list}"
    );
    std::fs::remove_file(user.path(".a.md.swp")).unwrap();
    user.until_tagged("a.md");
    let (shown, code) = user.home.run(&["watch", "run-once"]);
    assert_eq!(code, 0, "{shown}");
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_program_goes_on_writing_is_not_lost() {
    let user = User::new();
    user.watch(&["--sink", "frontmatter"]);
    let mut log = std::fs::File::create(user.path("log.md")).unwrap();
    log.write_all(b"Roses.\n").unwrap();
    let list = || user.home.run(&["watch", "list"]).0;
    user.until("said", list, |list| list.contains("open for writing"));
    log.write_all(b"Second line.\n").unwrap();
    drop(log);
    user.until_tagged("log.md");
    assert!(user.read("log.md").ends_with("Roses.\nSecond line.\n"));
}

#[test]
fn a_folder_further_down_may_forbid_to_be_written() {
    let user = User::new();
    user.write("private/gliznet.toml", "sink = 'suggest'\n");
    user.write("private/a.md", "Roses.\n");
    user.write("b.md", "Taxes.\n");
    user.watch(&["--sink", "frontmatter"]);
    user.until_tagged("b.md");
    user.settled();
    assert_eq!(user.read("private/a.md"), "Roses.\n");
    assert_eq!(user.find(&["garden"]).len(), 2);
}

#[test]
fn a_line_of_a_sidecar_follows_its_note() {
    let user = User::new();
    user.watch(&["--sink", "sidecar"]);
    user.write("a.txt", "Roses.\n");
    let sidecar = || {
        let text = std::fs::read_to_string(user.path(".gliznet-tags.jsonl"));
        text.unwrap_or_default()
    };
    user.until("tagged", sidecar, |text| text.contains("a.txt"));
    user.settled();
    std::fs::rename(user.path("a.txt"), user.path("b.txt")).unwrap();
    user.until("moved", sidecar, |text| {
        text.contains("b.txt") && !text.contains("a.txt")
    });
    let before = sidecar();
    user.write("b.txt", "More roses.\n");
    user.settled();
    assert_eq!(sidecar(), before);
    assert_eq!(user.home.status()["journal"]["corrections"], 0);
}
