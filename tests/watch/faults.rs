//! What goes wrong around a watched folder: locked indexes, jumping clocks, files that change while
//! they are tagged, settings that somebody edits.

use std::fs::File;
use std::time::{Duration, SystemTime};

use crate::User;

/// What the daemon says is wrong with all folders.
fn fault(user: &User) -> String {
    let (list, _) = user.home.run(&["watch", "list", "--json"]);
    match serde_json::from_str::<serde_json::Value>(&list) {
        Ok(list) => list["fault"].as_str().unwrap_or_default().to_owned(),
        Err(_) => list, // The list of folders itself cannot be read.
    }
}

#[test]
fn an_index_that_another_process_has_is_waited_for_and_said() {
    let user = User::new();
    user.write("a.md", "Roses.\n");
    let lock = File::create(user.home.path("cache/index.lock")).unwrap();
    lock.lock().unwrap();
    user.watch(&[]);
    user.until(
        "said",
        || fault(&user),
        |fault| fault.contains("another gliznet"),
    );
    let status = user.home.status()["watch"]["faults"].to_string();
    assert!(status.contains("gliznet stop"), "the cure: {status}");
    drop(lock);
    user.until("opened", || fault(&user), String::is_empty);
    user.until(
        "tagged",
        || user.find(&["garden"]),
        |found| found.len() == 1,
    );
}

#[test]
fn where_the_system_does_not_tell_changes_are_looked_for() {
    let user = User::new();
    user.write("a.md", "Roses.\n");
    user.watch(&["--poll"]);
    user.until("a", || user.find(&["garden"]), |found| found.len() == 1);
    user.write("sub/b.md", "Taxes.\n");
    std::fs::remove_file(user.path("a.md")).unwrap();
    user.until(
        "b",
        || user.find(&["garden"]),
        |found| *found == ["\"sub/b.md\""],
    );
    let (list, _) = user.home.run(&["watch", "list"]);
    assert!(list.contains("polling"), "{list}");
}

#[test]
fn a_clock_that_jumps_neither_hides_a_change_nor_makes_one() {
    let user = User::new();
    user.watch(&[]);
    for name in ["past.md", "future.md"] {
        user.write(name, "Roses want pruning.\n");
    }
    user.until("both", || user.find(&["garden"]), |found| found.len() == 2);
    let misses = || user.home.status()["cache"]["misses"].as_u64().unwrap();
    user.settled();
    let before = misses();
    let day = Duration::from_secs(24 * 3_600);
    let now = SystemTime::now();
    let set = |name: &str, time: SystemTime| {
        let file = File::options().write(true).open(user.path(name)).unwrap();
        file.set_modified(time).unwrap();
    };
    set("past.md", now - 9_000 * day);
    set("future.md", now + 9_000 * day);
    user.settled();
    assert_eq!(
        misses(),
        before,
        "the same bytes at another time are the same note"
    );
    // As long as before, and older or newer than anything that was seen.
    user.write("past.md", "Taxes want paying!!\n");
    set("past.md", now - 9_001 * day);
    user.write("future.md", "Trains want time!!!\n");
    set("future.md", now + 8_999 * day);
    user.until("read again", misses, |now| *now >= before + 3);
}

#[test]
fn notes_that_change_while_they_are_tagged_end_as_they_were_written_last() {
    let user = User::new();
    let n = 120;
    let text =
        |i: usize, state: &str| format!("{state} {i}. {}\n", "Roses want pruning. ".repeat(40));
    for i in 0..n {
        user.write(&format!("{i}.md"), &text(i, "First"));
    }
    user.watch(&["--sink", "frontmatter"]);
    for i in 0..n {
        let path = user.path(&format!("{i}.md"));
        match i % 4 {
            0 => std::fs::remove_file(path).unwrap(),
            1 => std::fs::write(path, text(i, "Second")).unwrap(),
            2 => {
                user.write("new.tmp", &text(i, "Third"));
                std::fs::rename(user.path("new.tmp"), path).unwrap();
            }
            _ => {}
        }
        std::thread::sleep(Duration::from_millis(3));
    }
    let left = n - n / 4;
    let folder = || user.settled()["folders"][0].clone();
    user.until("all", folder, |f| f["notes"] == left && f["tagged"] == left);
    for i in 0..n {
        let state = ["", "Second", "Third", "First"][i % 4];
        let path = user.path(&format!("{i}.md"));
        if state.is_empty() {
            assert!(!path.exists(), "{i} has come back");
            continue;
        }
        let now = std::fs::read_to_string(path).unwrap();
        assert!(now.ends_with(&text(i, state)), "{i}: {now}");
        // Who wrote over tags has taken them out, and then they do not return.
        assert!(now.matches("  - garden").count() <= 1, "{now}");
        if state == "First" {
            assert_eq!(now.matches("  - garden").count(), 1, "{now}");
        }
    }
    let all = std::fs::read_dir(&user.notes).unwrap().count();
    assert_eq!(all, left, "nothing is left lying about");
}

#[test]
fn the_list_of_folders_may_be_edited_by_hand() {
    let user = User::new();
    user.write("a.md", "Roses.\n");
    user.watch(&[]);
    user.settled();
    let file = user.home.path("config/watch.toml");
    let settings = std::fs::read_to_string(&file).unwrap();
    let line = "sink = \"suggest\"";
    assert!(settings.contains(line), "{settings}");
    std::fs::write(&file, settings.replace(line, "sink = \"paper\"")).unwrap();
    user.until(
        "the fault",
        || fault(&user),
        |fault| fault.contains("watch.toml"),
    );
    assert_eq!(user.find(&["garden"]).len(), 1, "what held before holds on");
    std::fs::write(&file, settings.replace(line, "sink = \"frontmatter\"")).unwrap();
    user.until_tagged("a.md");
    user.until("mended", || fault(&user), String::is_empty);
}

#[test]
fn a_folder_whose_labels_cannot_be_read_is_named_by_the_status_too() {
    let user = User::new();
    user.write("gliznet.toml", "labelset = \"nowhere\"\n");
    user.write("a.md", "Roses.\n");
    user.watch(&[]);
    user.settled();
    let faults = || user.home.status()["watch"]["faults"].to_string();
    user.until("said", faults, |faults| faults.contains("nowhere"));
}
