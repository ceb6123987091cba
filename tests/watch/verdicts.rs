//! Verdicts that come to a folder while nobody watches it, or more at once than are waited for.

use crate::User;

/// Takes a tag out of a note by a verdict, and waits until it is out.
fn reject(user: &User, name: &str, label: &str) {
    let (shown, code) = user.home.run(&["correct", name, "--remove", label]);
    assert_eq!(code, 0, "{shown}");
    let line = format!("- {label}");
    user.until("out", || user.read(name), |text| !text.contains(&line));
}

/// All verdicts as they are carried to another machine.
fn exported(user: &User) -> String {
    let file = user.home.path("carried.jsonl");
    let (shown, code) = user
        .home
        .run(&["journal", "export", "--out", file.to_str().unwrap()]);
    assert_eq!(code, 0, "{shown}");
    std::fs::read_to_string(file).unwrap()
}

fn import(user: &User, lines: &str) {
    let file = user.home.path("imported.jsonl");
    std::fs::write(&file, lines).unwrap();
    let (shown, code) = user
        .home
        .run(&["journal", "import", file.to_str().unwrap()]);
    assert_eq!(code, 0, "{shown}");
}

#[test]
fn a_verdict_that_comes_while_no_daemon_runs_holds_in_a_watched_folder() {
    let user = User::new();
    user.watch(&["--sink", "frontmatter"]);
    user.write("a.md", "Roses want pruning.\n");
    user.until_tagged("a.md");
    user.settled();
    reject(&user, "a.md", "tax");
    let lines = exported(&user);
    let (shown, code) = user.home.run(&["journal", "forget", "a.md"]);
    assert_eq!(code, 0, "{shown}");
    let text = || user.read("a.md");
    user.until("back", text, |text| text.contains("- tax"));
    user.settled();
    user.home.run(&["stop"]);
    import(&user, &lines);
    user.settled();
    user.until("out", text, |text| !text.contains("- tax"));
    // And what is forgotten then holds no more.
    user.home.run(&["stop"]);
    let (shown, code) = user.home.run(&["journal", "forget", "a.md"]);
    assert_eq!(code, 0, "{shown}");
    user.settled();
    user.until("back", text, |text| text.contains("- tax"));
}

#[test]
fn a_verdict_that_starts_the_daemon_holds_in_a_watched_folder() {
    let user = User::new();
    user.watch(&["--sink", "frontmatter"]);
    user.write("a.md", "Roses want pruning.\n");
    user.until_tagged("a.md");
    user.settled();
    user.home.run(&["stop"]);
    reject(&user, "a.md", "tax");
}

#[test]
fn a_hundred_verdicts_at_once_reach_all_their_notes() {
    let user = User::new();
    for i in 0..100 {
        user.write(&format!("{i}.md"), &format!("Bed {i}. Roses.\n"));
    }
    user.watch(&["--sink", "frontmatter"]);
    user.settled();
    reject(&user, "0.md", "tax");
    let line = exported(&user);
    assert!(
        line.contains("/0.md\"") && line.contains("Bed 0."),
        "{line}"
    );
    let others = (1..100).map(|i| {
        line.replace("/0.md\"", &format!("/{i}.md\""))
            .replace("Bed 0.", &format!("Bed {i}."))
    });
    import(&user, &others.collect::<String>());
    let with_it = || {
        let names = (0..100).map(|i| format!("{i}.md"));
        names
            .filter(|name| user.read(name).contains("- tax"))
            .count()
    };
    user.until("out", with_it, |count| *count == 0);
}

#[test]
fn a_tag_that_left_the_sidecar_is_found_while_it_stands_in_the_note() {
    let user = User::new();
    user.watch(&["--sink", "frontmatter"]);
    user.write("a.md", "Roses want pruning.\n");
    user.until_tagged("a.md");
    user.settled();
    user.watch(&["--sink", "sidecar"]);
    user.settled();
    let beside = || std::fs::read_to_string(user.path(".gliznet-tags.jsonl")).unwrap_or_default();
    user.until("beside", beside, |lines| lines.contains("tax"));
    let (shown, code) = user.home.run(&["correct", "a.md", "--remove", "tax"]);
    assert_eq!(code, 0, "{shown}");
    user.until("out", beside, |lines| !lines.contains("tax"));
    user.settled();
    assert!(user.read("a.md").contains("- tax"));
    assert_eq!(user.find(&["tax", "--written"]), ["\"a.md\""]);
}
