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

#[test]
fn what_a_person_took_out_before_the_first_look_does_not_come_back() {
    let user = User::new();
    let names: Vec<String> = (0..20).map(|i| format!("{i}.md")).collect();
    for name in &names {
        user.write(name, "---\ntags: [mine]\n---\nRoses.\n");
    }
    let (shown, code) = user.home.run(&["tag", "--write", "."]);
    assert_eq!(code, 0, "{shown}");
    let without = "---\ntags: [mine, garden]\n---\nRoses.\n";
    assert_ne!(user.read("3.md"), without);
    user.write("3.md", without);
    user.watch(&["--sink", "frontmatter"]);
    user.settled();
    assert_eq!(user.read("3.md"), without);
    // Nor after the index was lost.
    user.home.run(&["stop"]);
    std::fs::remove_dir_all(user.home.path("cache")).unwrap();
    std::fs::create_dir(user.home.path("cache")).unwrap();
    user.write("4.md", without);
    user.settled();
    assert_eq!(
        (user.read("3.md"), user.read("4.md")),
        (without.to_owned(), without.to_owned())
    );
    assert!(user.read("5.md").contains("tax"));
}

#[test]
fn a_new_note_has_nothing_of_the_verdicts_on_another_of_its_name() {
    let user = User::new();
    user.watch(&["--sink", "frontmatter"]);
    user.write("a.md", "Roses want pruning.\n");
    user.write("b.md", "Taxes are due.\n");
    user.until_tagged("a.md");
    user.until_tagged("b.md");
    for name in ["a.md", "b.md"] {
        let (shown, code) = user.home.run(&["correct", name, "--remove", "tax"]);
        assert_eq!(code, 0, "{shown}");
        let text = || user.read(name);
        user.until("out", text, |text| !text.contains("- tax"));
    }
    user.settled();
    std::fs::remove_file(user.path("a.md")).unwrap();
    user.until("gone", || user.find(&["garden"]), |found| found.len() == 1);
    user.write("a.md", "---\ntitle: New\n---\nTrains are late again.\n");
    user.until_tagged("a.md");
    assert!(user.read("a.md").contains("- tax"), "{}", user.read("a.md"));
    // Nor has one that is moved over it.
    user.write("c.md", "---\ntitle: Newer\n---\nBoats go by.\n");
    user.until_tagged("c.md");
    user.settled();
    std::fs::rename(user.path("c.md"), user.path("b.md")).unwrap();
    let ledger = || std::fs::read_to_string(user.home.path("data/runs.jsonl")).unwrap();
    user.until("moved", ledger, |lines| lines.contains("\"moved\""));
    user.settled();
    let text = user.read("b.md") + "And more of them.\n";
    user.write("b.md", &text);
    user.settled();
    assert_eq!(user.read("b.md"), text);
}

#[test]
fn notes_that_change_names_keep_each_its_own_past() {
    let user = User::new();
    user.watch(&["--sink", "frontmatter"]);
    for (name, text) in [("a.md", "Roses.\n"), ("b.md", "Taxes are due.\n")] {
        user.write(name, text);
        user.until_tagged(name);
    }
    user.settled();
    for (from, to) in [("a.md", "x.md"), ("b.md", "a.md"), ("x.md", "b.md")] {
        std::fs::rename(user.path(from), user.path(to)).unwrap();
    }
    let renamed = || std::fs::read_to_string(user.home.path("data/runs.jsonl")).unwrap();
    user.until("moved", renamed, |lines| {
        lines.matches("\"moved\"").count() == 3
    });
    user.settled();
    let (shown, code) = user.home.run(&["undo", "--since", "1 hour ago"]);
    assert_eq!(code, 0, "{shown}");
    assert_eq!(user.read("a.md"), "Taxes are due.\n");
    assert_eq!(user.read("b.md"), "Roses.\n");
}

/// Two notes of which one was told that a tag does not fit it.
fn one_was_corrected() -> User {
    let user = User::new();
    user.watch(&["--sink", "frontmatter"]);
    for (name, text) in [("a.md", "Roses.\n"), ("b.md", "Taxes are due.\n")] {
        user.write(name, text);
        user.until_tagged(name);
    }
    user.settled();
    let (shown, code) = user.home.run(&["correct", "b.md", "--remove", "tax"]);
    assert_eq!(code, 0, "{shown}");
    user.until("out", || user.read("b.md"), |text| !text.contains("- tax"));
    user.settled();
    user
}

#[cfg(target_os = "linux")]
#[test]
fn notes_that_exchange_their_names_at_once_keep_each_its_own_past() {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    let user = one_was_corrected();
    let (a, b) = (user.path("a.md"), user.path("b.md"));
    renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).unwrap();
    let renamed = || std::fs::read_to_string(user.home.path("data/runs.jsonl")).unwrap();
    user.until("moved", renamed, |lines| {
        lines.matches("\"moved\"").count() == 3
    });
    user.settled();
    assert!(!renamed().contains("\"gone\""));
    for name in ["a.md", "b.md"] {
        user.write(name, &(user.read(name) + "More of them.\n"));
    }
    user.settled();
    assert!(!user.read("a.md").contains("- tax") && user.read("b.md").contains("- tax"));
    let (shown, _) = user.home.run(&["journal", "show"]);
    assert!(shown.contains("a.md") && !shown.contains("b.md"), "{shown}");
    // The tag is known to be ours under the other name, too.
    let (shown, code) = user.home.run(&["correct", "b.md", "--remove", "tax"]);
    assert_eq!(code, 0, "{shown}");
    user.until("out", || user.read("b.md"), |text| !text.contains("- tax"));
}

#[cfg(unix)]
#[test]
fn notes_that_exchanged_their_names_while_no_daemon_ran_keep_each_its_own_past() {
    let user = one_was_corrected();
    let (one, other) = (user.read("a.md"), user.read("b.md"));
    user.home.run(&["stop"]);
    let outside = user.home.path("outside.md");
    std::fs::rename(user.path("a.md"), &outside).unwrap();
    std::fs::rename(user.path("b.md"), user.path("a.md")).unwrap();
    std::fs::rename(&outside, user.path("b.md")).unwrap();
    user.settled();
    assert_eq!((user.read("a.md"), user.read("b.md")), (other, one));
    let (shown, _) = user.home.run(&["journal", "show"]);
    assert!(shown.contains("a.md") && !shown.contains("b.md"), "{shown}");
    // All of the tags are known to be ours under the other names, too.
    let (shown, code) = user.home.run(&["undo", "--since", "2000-01-01"]);
    assert_eq!(code, 0, "{shown}");
    assert_eq!(user.read("a.md"), "Taxes are due.\n");
    assert_eq!(user.read("b.md"), "Roses.\n");
}

#[test]
fn a_note_that_was_moved_over_another_and_back_has_nothing_of_it() {
    let user = one_was_corrected();
    std::fs::rename(user.path("a.md"), user.path("b.md")).unwrap();
    std::fs::rename(user.path("b.md"), user.path("a.md")).unwrap();
    let found = || user.find(&["garden", "--written"]);
    user.until("gone", found, |found| *found == ["\"a.md\""]);
    user.write("a.md", &(user.read("a.md") + "More of them.\n"));
    user.settled();
    assert!(user.read("a.md").contains("- tax"));
    let lines = std::fs::read_to_string(user.home.path("data/runs.jsonl")).unwrap();
    assert!(!lines.contains("\"moved\""), "{lines}");
}

#[test]
fn a_note_that_is_back_as_it_was_is_known_again() {
    let user = User::new();
    user.watch(&["--sink", "frontmatter"]);
    for name in ["a.md", "b.md"] {
        user.write(name, "---\ntags: [mine]\n---\nRoses.\n");
        user.until(name, || user.read(name), |text| text.contains("tax"));
    }
    user.settled();
    let text = user.read("a.md");
    std::fs::remove_file(user.path("a.md")).unwrap();
    let ledger = || std::fs::read_to_string(user.home.path("data/runs.jsonl")).unwrap();
    user.until("gone", ledger, |lines| lines.contains("\"gone\""));
    user.write("a.md", &text);
    user.until("back", ledger, |lines| lines.contains("\"back\""));
    // What is ours goes when it fits no more.
    let (shown, code) = user.home.run(&["correct", "a.md", "--remove", "tax"]);
    assert_eq!(code, 0, "{shown}");
    user.until("out", || user.read("a.md"), |text| !text.contains("tax"));
    assert!(
        user.read("a.md").contains("mine, garden"),
        "{}",
        user.read("a.md")
    );
}

#[test]
fn what_was_accepted_and_then_undone_does_not_come_back_by_itself() {
    let user = User::new();
    let settings = std::fs::read_to_string(user.home.path("config/gliznet.toml")).unwrap();
    user.home
        .configure(&settings.replace("threshold = 0.0", "threshold = 1.0"));
    user.write("a.md", "---\ntags: [mine]\n---\nRoses.\n");
    user.watch(&["--sink", "frontmatter"]);
    user.settled();
    let (shown, code) = user.home.run(&["correct", "a.md", "--add", "tax"]);
    assert_eq!(code, 0, "{shown}");
    user.until("written", || user.read("a.md"), |text| text.contains("tax"));
    user.settled();
    let (shown, code) = user.home.run(&["undo"]);
    assert_eq!(code, 0, "{shown}");
    let before = "---\ntags: [mine]\n---\nRoses.\n";
    assert_eq!(user.read("a.md"), before);
    user.settled();
    user.home.run(&["stop"]);
    user.settled();
    assert_eq!(user.read("a.md"), before);
    let (shown, code) = user.home.run(&["correct", "a.md", "--add", "tax"]);
    assert_eq!(code, 0, "{shown}");
    user.until("again", || user.read("a.md"), |text| text.contains("tax"));
}
