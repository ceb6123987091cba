//! Whose a tag is, whatever happens between two runs.

use std::path::Path;

use gliznet::sink::{Cause, Ledger, Mode, Run, Sink, Wish};

use crate::{Vault, everything, hash, wishes};

#[test]
fn a_second_write_changes_nothing_not_even_the_time() {
    for sink in [Sink::Frontmatter, Sink::Xattr, Sink::Sidecar] {
        let vault = Vault::new();
        let path = vault.put("a.md", "Text\n");
        assert!(
            vault.write(sink, "a.md", &["b", "a"]).unwrap().changed,
            "{sink}"
        );
        let before = (
            std::fs::read(&path).unwrap(),
            path.metadata().unwrap().modified().unwrap(),
        );
        let again = vault.write(sink, "a.md", &["a", "b"]).unwrap();
        assert!(!again.changed && again.added.is_empty(), "{sink}");
        let after = (
            std::fs::read(&path).unwrap(),
            path.metadata().unwrap().modified().unwrap(),
        );
        assert_eq!(before, after, "{sink}");
        assert_eq!(vault.ledger.runs().unwrap().len(), 1, "{sink}");
    }
}

#[test]
fn each_sink_has_its_place() {
    let vault = Vault::new();
    vault.put("a.md", "Text\n");
    let written = vault.write(Sink::Frontmatter, "a.md", &["garden"]).unwrap();
    let text = "---\ntags:\n  - garden\n---\n\nText\n";
    assert_eq!(
        (vault.get("a.md").as_str(), written.after),
        (text, hash(text))
    );
    vault.put("b.txt", "Text\n");
    let written = vault
        .write(Sink::Sidecar, "b.txt", &["garden", "tax"])
        .unwrap();
    assert_eq!(
        written.after,
        hash("Text\n"),
        "the note itself is untouched"
    );
    let line = "{\"file\":\"b.txt\",\"tags\":[\"garden\",\"tax\"]}\n";
    assert_eq!(vault.get(".gliznet-tags.jsonl"), line);
    vault.write(Sink::Sidecar, "b.txt", &[]).unwrap();
    assert_eq!(vault.files(), ["a.md", "b.txt"], "an empty sidecar goes");
}

#[cfg(target_os = "linux")]
#[test]
fn an_attribute_keeps_what_a_person_put_there() {
    let vault = Vault::new();
    let path = vault.put("a.pdf", "no text");
    let tags = || xattr::get(&path, "user.xdg.tags").unwrap();
    xattr::set(&path, "user.xdg.tags", b"mine, urgent").unwrap();
    vault
        .write(Sink::Xattr, "a.pdf", &["garden", "Urgent"])
        .unwrap();
    assert_eq!(tags().unwrap(), b"mine,urgent,garden");
    vault.write(Sink::Xattr, "a.pdf", &["tax"]).unwrap();
    assert_eq!(tags().unwrap(), b"mine,urgent,tax");
    assert_eq!(vault.undo(&everything()), [""; 0]);
    assert_eq!(tags().unwrap(), b"mine, urgent", "byte for byte");
    vault.put("a.md", "Text");
    vault.write(Sink::Xattr, "a.md", &["a"]).unwrap();
    vault.undo(&everything());
    assert_eq!(
        xattr::get(vault.path("a.md"), "user.xdg.tags").unwrap(),
        None
    );
}

#[test]
fn a_tag_that_a_person_took_out_never_returns() {
    let vault = Vault::new();
    vault.put("a.md", "---\ntags: [mine]\n---\n");
    vault
        .write(Sink::Frontmatter, "a.md", &["a", "b", "mine"])
        .unwrap();
    assert_eq!(vault.get("a.md"), "---\ntags: [mine, a, b]\n---\n");
    vault.put("a.md", "---\ntags: [mine, b]\n---\n");
    let provenance = vault.ledger.provenance(&vault.path("a.md")).unwrap();
    assert_eq!(
        (provenance.machine, provenance.withdrawn),
        (vec!["b".to_owned()], vec!["a".to_owned()])
    );
    let written = vault
        .write(Sink::Frontmatter, "a.md", &["a", "b", "c"])
        .unwrap();
    assert_eq!(
        (written.withdrawn, written.added),
        (vec!["a".to_owned()], vec!["c".to_owned()])
    );
    assert_eq!(vault.get("a.md"), "---\ntags: [mine, b, c]\n---\n");
    // Not after a restart, not in another place, and not for a person who asks for tags again.
    let (ledger, faults) = Ledger::open(vault.data.path()).unwrap();
    assert_eq!(faults, [""; 0]);
    let vault = Vault { ledger, ..vault };
    vault
        .write(Sink::Frontmatter, "a.md", &["a", "b", "c"])
        .unwrap();
    assert!(!vault.write(Sink::Sidecar, "a.md", &["a"]).unwrap().changed);
    let run = Run::new(Cause::Person, Sink::Frontmatter, String::new(), 1_000);
    assert!(
        !vault
            .write_in(&run, "a.md", &["a", "b", "c"])
            .unwrap()
            .changed
    );
    // A person who writes it again has it.
    vault.put("a.md", "---\ntags: [mine, b, c, a]\n---\n");
    let written = vault.write(Sink::Frontmatter, "a.md", &[]).unwrap();
    assert_eq!(written.removed, ["b", "c"]);
    assert_eq!(vault.get("a.md"), "---\ntags: [mine, a]\n---\n");
}

#[test]
fn a_tag_that_a_person_had_written_is_the_persons() {
    let vault = Vault::new();
    vault.put(
        "a.md",
        "---\ntags:\n- Machine Learning\n---\nOn #gardens.\n",
    );
    let tags = ["machine-learning", "gardens", "tax"];
    assert_eq!(
        vault.write(Sink::Frontmatter, "a.md", &tags).unwrap().added,
        ["tax"]
    );
    let removed = vault.write(Sink::Frontmatter, "a.md", &[]).unwrap().removed;
    assert_eq!(removed, ["tax"]);
    assert_eq!(
        vault.get("a.md"),
        "---\ntags:\n- Machine Learning\n---\nOn #gardens.\n"
    );
}

#[test]
fn what_was_undone_does_not_come_back_by_itself() {
    let vault = Vault::new();
    vault.put("a.md", "Text");
    vault.write(Sink::Frontmatter, "a.md", &["a"]).unwrap();
    assert_eq!(vault.undo(&everything()), [""; 0]);
    vault.put("a.md", "More text");
    assert!(
        !vault
            .write(Sink::Frontmatter, "a.md", &["a"])
            .unwrap()
            .changed
    );
    let provenance = vault.ledger.provenance(&vault.path("a.md")).unwrap();
    assert_eq!(provenance.undone, ["a"]);
    let run = Run::new(Cause::Person, Sink::Frontmatter, String::new(), 1_000);
    assert!(
        vault.write_in(&run, "a.md", &["a"]).unwrap().changed,
        "a person may ask for it"
    );
}

#[test]
fn what_a_person_said_before_does_not_bring_back_what_was_taken_out_since() {
    let vault = Vault::new();
    let path = vault.put("a.md", "---\ntags: [mine]\n---\n");
    let write = |time: u64, cause: Cause, said: u64| {
        let run = Run::new(cause, Sink::Frontmatter, "m".to_owned(), time);
        let mut tags = wishes(&["a"]);
        tags[0].said = Some(said);
        let wish = Wish {
            path: &path,
            seen: hash(vault.get("a.md")),
            tags: &tags,
            labels: None,
            set: None,
            in_crowd: false,
        };
        vault.ledger.write(&run, &wish).unwrap().added.len()
    };
    // Written for what was said; and then a person takes it out, within the same second.
    assert_eq!(write(5, Cause::Person, 5), 1);
    vault.put("a.md", "---\ntags: [mine]\n---\n");
    for time in [5, 9] {
        assert_eq!(write(time, Cause::Person, 5), 0, "{time}");
    }
    assert_eq!(write(9, Cause::Person, 8), 1, "said again later");
    let undone = vault.ledger.undo(&everything(), 12, Mode::Do).unwrap();
    assert!(undone.files.iter().any(|file| file.outcome.is_ok()));
    // It stays so when older runs are forgotten.
    vault.ledger.prune(99).unwrap();
    assert_eq!(write(20, Cause::Watch, 8), 0, "said before it was undone");
    assert_eq!(write(20, Cause::Watch, 12), 1, "said since");
}

#[test]
fn tags_of_labels_that_were_not_asked_about_stay() {
    let vault = Vault::new();
    let path = vault.put("a.md", "Text");
    vault.write(Sink::Frontmatter, "a.md", &["a", "b"]).unwrap();
    let labels = ["b", "c"].map(str::to_owned);
    let tags = wishes(&["c"]);
    let wish = Wish {
        path: &path,
        seen: hash(std::fs::read(&path).unwrap()),
        tags: &tags,
        labels: Some(&labels),
        set: None,
        in_crowd: false,
    };
    let run = Run::new(Cause::Person, Sink::Frontmatter, String::new(), 1_000);
    let written = vault.ledger.write(&run, &wish).unwrap();
    assert_eq!(
        (written.added, written.removed),
        (vec!["c".to_owned()], vec!["b".to_owned()])
    );
}

#[test]
fn what_is_known_follows_a_file_and_a_folder() {
    let vault = Vault::new();
    vault.put("in/a.md", "Text");
    vault.write(Sink::Frontmatter, "in/a.md", &["a"]).unwrap();
    let folder = |from: &str, to: &str| {
        std::fs::rename(vault.path(from), vault.path(to)).unwrap();
        vault
            .ledger
            .moved(&vault.path(from), &vault.path(to))
            .unwrap();
    };
    folder("in/a.md", "in/b.md");
    folder("in", "out");
    let (ledger, _) = Ledger::open(vault.data.path()).unwrap();
    let machine = |path: &str| ledger.provenance(&vault.path(path)).unwrap().machine;
    assert_eq!(
        (machine("in/a.md"), machine("out/b.md")),
        (vec![], vec!["a".to_owned()])
    );
    assert_eq!(vault.undo(&everything()), [""; 0]);
    assert_eq!(vault.get("out/b.md"), "Text");
}

#[test]
fn an_editor_may_make_the_change_and_it_is_known_and_undone() {
    let vault = Vault::new();
    let path = vault.put("a.md", "old text on disk");
    let text = "---\ntags: [mine]\n---\nNew text\n";
    let tags = wishes(&["a"]);
    let wish = Wish {
        path: &path,
        seen: hash("whatever"),
        tags: &tags,
        labels: None,
        set: None,
        in_crowd: false,
    };
    let run = Run::new(Cause::Watch, Sink::Frontmatter, "m".to_owned(), 1_000);
    let change = vault.ledger.change(&run, &wish, text).unwrap();
    assert_eq!(change.added, ["a"]);
    let mut edited = text.to_owned();
    for edit in change.edits.iter().rev() {
        edited.replace_range(edit.span.range(), &edit.text);
    }
    assert_eq!(edited, "---\ntags: [mine, a]\n---\nNew text\n");
    assert_eq!(
        run.id(),
        None,
        "nothing is recorded before the editor has done it"
    );
    vault.ledger.applied(&run, &wish, text, &change).unwrap();
    vault.put("a.md", edited + "and more\n");
    assert_eq!(vault.ledger.provenance(&path).unwrap().machine, ["a"]);
    assert_eq!(vault.undo(&everything()), [""; 0]);
    assert_eq!(vault.get("a.md"), text.to_owned() + "and more\n");
}

#[test]
fn one_run_has_many_files_and_two_ledgers_count_in_one_row() {
    let vault = Vault::new();
    let (other, _) = Ledger::open(vault.data.path()).unwrap();
    let run = Run::new(Cause::Person, Sink::Frontmatter, "m".to_owned(), 1_000);
    for name in ["a.md", "b.md", "c.org"] {
        vault.put(name, "Text");
        vault.write_in(&run, name, &["x", "y"]).unwrap();
    }
    let second = Vault {
        ledger: other,
        ..Vault::new()
    };
    second.put("d.md", "Text");
    second.write(Sink::Frontmatter, "d.md", &["x"]).unwrap();
    let runs = vault.ledger.runs().unwrap();
    let shown: Vec<(u64, usize, usize)> = runs.iter().map(|r| (r.id.0, r.files, r.added)).collect();
    assert_eq!(shown, [(1, 3, 6), (2, 1, 1)]);
    assert_eq!(run.id().map(|id| id.0), Some(1));
}

#[test]
fn a_link_and_its_target_are_one_file() {
    let vault = Vault::new();
    let target = vault.put("deep/a.md", "Text");
    #[cfg(unix)]
    std::os::unix::fs::symlink(&target, vault.path("link.md")).unwrap();
    vault.write(Sink::Frontmatter, "link.md", &["a"]).unwrap();
    assert!(
        vault
            .path("link.md")
            .symlink_metadata()
            .unwrap()
            .is_symlink()
    );
    assert_eq!(vault.ledger.provenance(&target).unwrap().machine, ["a"]);
    assert!(vault.get("deep/a.md").contains("- a"));
}

#[test]
fn a_preview_writes_nothing() {
    let vault = Vault::new();
    let path = vault.put("a.md", "Text");
    let tags = wishes(&["a"]);
    let wish = Wish {
        path: &path,
        seen: hash("Text"),
        tags: &tags,
        labels: None,
        set: None,
        in_crowd: false,
    };
    let run = Run::new(Cause::Person, Sink::Frontmatter, "m".to_owned(), 1_000);
    let preview = vault.ledger.preview(&run, &wish).unwrap();
    assert_eq!(preview.after, b"---\ntags:\n  - a\n---\n\nText");
    assert_eq!(
        (vault.get("a.md").as_str(), preview.added.len()),
        ("Text", 1)
    );
    assert_eq!(vault.ledger.runs().unwrap(), []);
}

#[test]
fn the_ledger_holds_all_that_was_written() {
    let vault = Vault::new();
    vault.put("a.md", "Text");
    vault.write(Sink::Frontmatter, "a.md", &["a"]).unwrap();
    let lines = std::fs::read_to_string(vault.data.path().join("runs.jsonl")).unwrap();
    let kinds: Vec<String> = lines
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["kind"].to_string())
        .collect();
    assert_eq!(kinds, ["\"run\"", "\"write\"", "\"outcome\""]);
    assert!(!Path::new(&vault.path(".gliznet-tmp-1")).exists());
}
