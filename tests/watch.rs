//! Watched folders, with the real daemon and real files: what is written, what is not, what
//! survives.
//!
//! Length: one user and one folder for all of them; a test is a sentence about both.

#![cfg(test)]
#![cfg(unix)]

#[path = "support/editor.rs"]
#[expect(dead_code, reason = "shared with other tests, each uses a part")]
mod editor;

mod watch {
    mod beside;
    mod editors;
    mod faults;
    mod kill;
    mod mounts;
    mod names;
    mod verdicts;
}

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use editor::Home;
use serde_json::Value;

const LABELS: [&str; 2] = ["garden", "tax"];
/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A user with a folder of notes, canonical as the daemon names it.
struct User {
    home: Home,
    notes: PathBuf,
}

impl User {
    fn new() -> User {
        let home = Home::new(&LABELS);
        let notes = home.path("notes").canonicalize().unwrap();
        User { home, notes }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.notes.join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Watches the folder; notes are read as soon as they were quiet for a moment.
    fn watch(&self, more: &[&str]) {
        let mut args = vec!["watch", "add", ".", "--settle", "0.1"];
        args.extend(more);
        let (shown, code) = self.home.run(&args);
        assert_eq!(code, 0, "{shown}");
    }

    /// Waits until something is true, and says what it was last.
    fn until<T: std::fmt::Debug>(&self, what: &str, ask: impl Fn() -> T, is: impl Fn(&T) -> bool) {
        let begin = Instant::now();
        loop {
            let now = ask();
            if is(&now) {
                return;
            }
            if begin.elapsed() > PATIENCE {
                let (list, _) = self.home.run(&["watch", "list"]);
                panic!("{what}: {now:?}\n{list}");
            }
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    fn until_tagged(&self, name: &str) {
        let text = || std::fs::read_to_string(self.path(name)).unwrap_or_default();
        self.until(name, text, |text| text.contains("tags:"));
    }

    /// Waits until there is nothing to do.
    fn settled(&self) -> Value {
        let (shown, _) = self.home.run(&["watch", "run-once"]);
        let (list, code) = self.home.run(&["watch", "list", "--json"]);
        assert_eq!(code, 0, "{shown}{list}");
        serde_json::from_str(&list).unwrap()
    }

    /// The paths that a search finds, below the folder.
    fn find(&self, args: &[&str]) -> Vec<String> {
        let mut all = vec!["find", "--format", "null-separated"];
        all.extend(args);
        let output = self.home.gliznet(&all).output().unwrap();
        let paths = output.stdout.split(|byte| *byte == 0);
        let paths = paths.filter(|path| !path.is_empty()).map(|path| {
            use std::os::unix::ffi::OsStrExt;
            let path = Path::new(std::ffi::OsStr::from_bytes(path));
            format!("{:?}", path.strip_prefix(&self.notes).unwrap())
        });
        paths.collect()
    }
}

#[test]
fn a_note_is_suggested_tags_by_default_and_not_written() {
    let user = User::new();
    user.write("old.md", "Roses want pruning.\n");
    user.watch(&[]);
    user.until("old", || user.find(&["garden"]), |found| found.len() == 1);
    user.write("new.md", "Taxes are due.\n");
    user.until("new", || user.find(&["garden"]), |found| found.len() == 2);
    assert_eq!(user.read("old.md"), "Roses want pruning.\n");
    assert!(user.find(&["garden", "--written"]).is_empty());
    let list = user.settled();
    assert_eq!(list["folders"][0]["notes"], 2);
    assert_eq!(list["folders"][0]["tagged"], 2);
}

#[test]
fn a_saved_note_gets_its_tags_once_and_keeps_its_text() {
    let user = User::new();
    user.watch(&["--sink", "frontmatter"]);
    user.write("a.md", "Roses want pruning.\n");
    user.until_tagged("a.md");
    let tagged = user.read("a.md");
    assert!(tagged.ends_with("\n\nRoses want pruning.\n"), "{tagged}");
    assert!(
        tagged.contains("- garden") && tagged.contains("- tax"),
        "{tagged}"
    );
    // Its own writing does not come back to it.
    let written = std::fs::metadata(user.path("a.md"))
        .unwrap()
        .modified()
        .unwrap();
    let misses = || user.home.status()["cache"]["misses"].clone();
    user.settled();
    let before = misses();
    user.settled();
    assert_eq!(misses(), before);
    assert_eq!(user.read("a.md"), tagged);
    let now = std::fs::metadata(user.path("a.md"))
        .unwrap()
        .modified()
        .unwrap();
    assert_eq!(now, written);
}

#[test]
fn an_editor_that_saves_by_renaming_is_followed() {
    let user = User::new();
    user.watch(&["--sink", "frontmatter"]);
    for round in 0..3 {
        user.write(".a.md.new", &format!("Round {round}.\n"));
        std::fs::rename(user.path(".a.md.new"), user.path("a.md")).unwrap();
        // The person takes what the editor had, which is without tags every time.
        if round == 0 {
            user.until_tagged("a.md");
        }
    }
    let list = user.settled();
    assert_eq!(list["folders"][0]["notes"], 1);
    // Nobody has taken out a tag, but all was written anew, so they are written again.
    let text = user.read("a.md");
    assert!(
        text.contains("- tax") && text.ends_with("Round 2.\n"),
        "{text}"
    );
    let (log, _) = user.home.run(&["journal", "stat"]);
    assert_eq!(user.home.status()["journal"]["corrections"], 0, "{log}");
}

#[test]
fn a_tag_that_a_person_took_out_is_a_correction_and_never_returns() {
    let user = User::new();
    user.watch(&["--sink", "frontmatter"]);
    user.write("a.md", "Roses want pruning.\n");
    user.until_tagged("a.md");
    user.settled();
    let without = user.read("a.md").replace("  - tax\n", "");
    user.write("a.md", &without);
    let corrections = || user.home.status()["journal"]["corrections"].clone();
    user.until("correction", corrections, |count| *count == 1);
    user.write("a.md", &without.replace("pruning", "pruning in March"));
    user.settled();
    user.home.run(&["stop"]);
    user.settled();
    assert!(!user.read("a.md").contains("tax"));
    assert!(user.read("a.md").contains("garden"));
    assert_eq!(corrections(), 1);
    assert!(user.find(&["tax"]).is_empty());
    let (shown, _) = user.home.run(&["journal", "list"]);
    assert!(!shown.is_empty());
}

#[test]
fn the_latest_word_on_a_tag_counts_whatever_its_label_was_called_meanwhile() {
    let user = User::new();
    let set = user.home.path("config/set.toml");
    let rename = |old: &str, new: &str| {
        let (shown, code) = user
            .home
            .run(&["labelset", "rename", set.to_str().unwrap(), old, new]);
        assert_eq!(code, 0, "{shown}");
    };
    user.write("a.md", "Roses want pruning.\n");
    user.home.run(&["correct", "a.md", "--remove", "garden"]);
    rename("garden", "beds");
    user.home.run(&["correct", "a.md", "--add", "beds"]);
    rename("beds", "garden");
    user.watch(&["--sink", "frontmatter"]);
    user.until_tagged("a.md");
    user.settled();
    let tagged = user.read("a.md");
    assert!(tagged.contains("  - garden\n"), "{tagged}");
    user.write("a.md", &tagged.replace("  - garden\n", ""));
    let corrections = || user.home.status()["journal"]["corrections"].clone();
    user.until("correction", corrections, |count| *count == 3);
    user.settled();
    assert!(!user.read("a.md").contains("garden"));
}

#[test]
fn a_rename_a_move_and_a_removal_are_followed() {
    let user = User::new();
    user.write("a.md", "Roses.\n");
    user.write("sub/b.md", "Taxes.\n");
    user.watch(&[]);
    user.until("all", || user.find(&["garden"]), |found| found.len() == 2);
    user.settled();
    let misses = || user.home.status()["cache"]["misses"].as_u64().unwrap();
    let before = misses();
    std::fs::rename(user.path("a.md"), user.path("sub/c.md")).unwrap();
    std::fs::rename(user.path("sub"), user.path("other")).unwrap();
    let expected = ["\"other/b.md\"", "\"other/c.md\""];
    user.until(
        "renamed",
        || user.find(&["garden"]),
        |found| *found == expected,
    );
    user.settled();
    assert_eq!(
        misses(),
        before,
        "a note that only moved is not asked about"
    );
    std::fs::remove_file(user.path("other/b.md")).unwrap();
    user.until(
        "removed",
        || user.find(&["garden"]),
        |found| found.len() == 1,
    );
}

#[test]
fn a_restart_asks_no_model_and_reads_only_what_changed() {
    let user = User::new();
    for i in 0..20 {
        user.write(&format!("{i}.md"), &format!("Note {i}.\n"));
    }
    user.watch(&[]);
    user.settled();
    assert_eq!(user.find(&["garden"]).len(), 20);
    user.home.run(&["stop"]);
    user.write("3.md", "Something else.\n");
    user.settled();
    assert_eq!(user.find(&["garden"]).len(), 20);
    let cache = user.home.status()["cache"].clone();
    // One question is looked up before it waits, and when its turn has come.
    assert!(
        cache["hits"] == 0 && cache["misses"].as_u64() <= Some(2),
        "{cache}"
    );
    assert_eq!(cache["entries"], 21);
}

#[test]
fn a_place_for_tags_that_is_chosen_while_the_daemon_starts_is_written_to_and_waited_for() {
    let user = User::new();
    user.write("a.md", "Roses want pruning.\n");
    user.watch(&[]);
    user.settled();
    user.home.run(&["stop"]);
    user.watch(&["--sink", "frontmatter"]);
    user.settled();
    let text = user.read("a.md");
    assert!(text.contains("- garden"), "{text}");
}

#[test]
fn what_is_left_out_is_left_out_and_odd_names_are_not() {
    use std::os::unix::ffi::OsStrExt;
    let user = User::new();
    user.watch(&["--sink", "frontmatter"]);
    user.write(".gliznetignore", "drafts/\n");
    user.write("drafts/a.md", "Text.\n");
    user.write(".obsidian/a.md", "Text.\n");
    user.write("node_modules/a.md", "Text.\n");
    user.write("a.sync-conflict-1.md", "Text.\n");
    user.write("a.png", "Text.\n");
    user.write("line\nbreak.md", "Text.\n");
    let odd = user.notes.join(std::ffi::OsStr::from_bytes(b"\xff.md"));
    std::fs::write(&odd, "Text.\n").unwrap();
    let huge = std::fs::File::create(user.path("huge.md")).unwrap();
    huge.set_len(4 << 30).unwrap();
    std::os::unix::fs::symlink("..", user.path("drafts/loop")).unwrap();
    std::os::unix::fs::symlink(".", user.path("loop")).unwrap();
    let list = user.settled();
    assert_eq!(
        user.find(&["garden"]),
        ["\"line\\nbreak.md\"", "\"\\xFF.md\""]
    );
    assert!(std::fs::read_to_string(&odd).unwrap().contains("tags:"));
    assert_eq!(user.read("drafts/a.md"), "Text.\n");
    assert!(
        list["folders"][0]["faults"].to_string().contains("huge.md"),
        "{list}"
    );
    // The rules may change.
    user.write(".gliznetignore", "");
    user.until_tagged("drafts/a.md");
}

#[test]
fn a_storm_of_changes_ends_in_the_right_state() {
    let user = User::new();
    user.watch(&[]);
    user.settled();
    for i in 0..6_000 {
        user.write(&format!("{}/{i}.md", i % 60), &format!("Note {}.\n", i % 7));
    }
    for i in (0..6_000).step_by(2) {
        std::fs::remove_file(user.path(&format!("{}/{i}.md", i % 60))).unwrap();
    }
    user.until(
        "storm",
        || user.settled()["folders"][0].clone(),
        |folder| folder["notes"] == 3_000 && folder["tagged"] == 3_000,
    );
}

#[test]
fn folders_that_were_removed_are_no_notes_that_wait() {
    let user = User::new();
    let folders: Vec<PathBuf> = (0..40).map(|n| user.path(&format!("old {n}"))).collect();
    for folder in &folders {
        std::fs::create_dir(folder).unwrap();
    }
    let (shown, code) = user.home.run(&["watch", "add", ".", "--settle", "30"]);
    assert_eq!(code, 0, "{shown}");
    user.settled();
    for folder in &folders {
        std::fs::remove_dir(folder).unwrap();
    }
    let list = || user.home.run(&["watch", "list", "--json"]).0;
    user.until("removed", list, |list| list.contains("\"busy\": true"));
    let watch = user.home.status()["watch"].clone();
    assert_eq!(watch["waiting"], 0, "{watch}");
}

#[test]
fn a_folder_that_goes_away_is_waited_for_with_what_is_known_of_it() {
    let user = User::new();
    user.write("a.md", "Roses.\n");
    user.watch(&[]);
    user.settled();
    let aside = user.home.path("aside");
    std::fs::rename(&user.notes, &aside).unwrap();
    let state = || user.home.status()["watch"]["faults"].to_string();
    let gone = || {
        let output = user
            .home
            .gliznet(&["watch", "list"])
            .current_dir("/")
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let begin = Instant::now();
    while !gone().contains("waiting") {
        assert!(begin.elapsed() < PATIENCE, "{}", gone());
    }
    assert!(gone().contains("1 note,"), "{}", gone());
    // An empty folder in its place is a disk that is not there yet.
    std::fs::create_dir(&user.notes).unwrap();
    std::thread::sleep(Duration::from_secs(6));
    assert!(gone().contains("waiting"), "{}", gone());
    std::fs::remove_dir(&user.notes).unwrap();
    std::fs::rename(&aside, &user.notes).unwrap();
    user.until(
        "back",
        || user.settled()["folders"][0]["state"].clone(),
        |s| *s == "watching",
    );
    let _ = state();
    user.write("b.md", "Taxes.\n");
    user.until(
        "heard again",
        || user.find(&["garden"]),
        |found| found.len() == 2,
    );
}

#[test]
fn two_daemons_on_one_folder_do_not_play_ping_pong() {
    let (user, other) = (User::new(), Home::new(&LABELS));
    user.watch(&["--sink", "frontmatter"]);
    let notes = user.notes.display().to_string();
    let args = [
        "watch",
        "add",
        &notes,
        "--settle",
        "0.1",
        "--sink",
        "frontmatter",
    ];
    let (shown, code) = other.run(&args);
    assert_eq!(code, 0, "{shown}");
    for i in 0..5 {
        user.write(&format!("{i}.md"), "Roses want pruning.\n");
        user.until_tagged(&format!("{i}.md"));
    }
    let all = || -> Vec<String> { (0..5).map(|i| user.read(&format!("{i}.md"))).collect() };
    user.settled();
    other.run(&["watch", "run-once"]);
    let before = all();
    for text in &before {
        assert_eq!(text.matches("garden").count(), 1, "{text}");
    }
    user.settled();
    other.run(&["watch", "run-once"]);
    assert_eq!(all(), before);
    for home in [&user.home, &other] {
        assert_eq!(home.status()["journal"]["corrections"], 0);
    }
}

#[test]
fn a_broken_index_is_made_anew_and_said() {
    let user = User::new();
    user.write("a.md", "Roses.\n");
    user.watch(&[]);
    user.settled();
    user.home.run(&["stop"]);
    for entry in std::fs::read_dir(user.home.path("cache/index-1")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::write(path, [7; 5_000]).unwrap();
        }
    }
    let list = user.settled();
    assert!(list["fault"].to_string().contains("made anew"), "{list}");
    assert_eq!(user.find(&["garden"]).len(), 1);
}

#[test]
fn who_is_asked_to_watch_a_whole_disk_asks_back() {
    let user = User::new();
    let (shown, code) = user.home.run(&["watch", "add", "/"]);
    assert_eq!(code, 1);
    assert!(shown.contains("--yes"), "{shown}");
    let (shown, _) = user.home.run(&["watch", "add", "no-such"]);
    assert!(shown.contains("no such folder"), "{shown}");
    user.watch(&[]);
    let (shown, code) = user.home.run(&["watch", "pause"]);
    assert!(code == 0 && shown.contains("paused"), "{shown}");
    user.write("a.md", "Roses.\n");
    assert!(user.find(&["garden"]).is_empty());
    user.settled();
    assert_eq!(user.find(&["garden"]).len(), 1);
    let (shown, code) = user.home.run(&["watch", "remove", "."]);
    assert!(
        code == 0 && shown.contains("no folder is watched"),
        "{shown}"
    );
}
