//! What was written is taken back, byte for byte, or the file is left alone.

use gliznet::sink::{Cause, Ledger, Mode, Run, RunId, Sink, UndoSelection};

use crate::{Vault, everything};

fn of_run(run: u64) -> UndoSelection {
    UndoSelection {
        run: Some(RunId(run)),
        ..UndoSelection::default()
    }
}

#[test]
fn the_latest_run_is_taken_back_then_the_one_before_it() {
    let vault = Vault::new();
    vault.put("a.md", "Text");
    vault.write(Sink::Frontmatter, "a.md", &["a"]).unwrap();
    let one = vault.get("a.md");
    vault.write(Sink::Frontmatter, "a.md", &["a", "b"]).unwrap();
    let latest = UndoSelection::default();
    assert_eq!(vault.undo(&latest), [""; 0]);
    assert_eq!(vault.get("a.md"), one);
    assert_eq!(vault.undo(&latest), [""; 0]);
    assert_eq!(vault.get("a.md"), "Text");
    let nothing = vault.ledger.undo(&latest, 9, Mode::Do).unwrap();
    assert!(nothing.files.is_empty() && nothing.runs.is_empty());
}

#[test]
fn tags_that_a_run_took_out_come_back_as_the_machines() {
    let vault = Vault::new();
    vault.put("a.md", "---\ntags: [a, x] # why\n---\n");
    vault.write(Sink::Frontmatter, "a.md", &["b"]).unwrap();
    vault.write(Sink::Frontmatter, "a.md", &["c"]).unwrap();
    assert_eq!(vault.get("a.md"), "---\ntags: [a, x, c] # why\n---\n");
    assert_eq!(vault.undo(&of_run(2)), [""; 0]);
    assert_eq!(vault.get("a.md"), "---\ntags: [a, x, b] # why\n---\n");
    let provenance = vault.ledger.provenance(&vault.path("a.md")).unwrap();
    assert_eq!(
        (provenance.machine, provenance.undone),
        (vec!["b".to_owned()], vec!["c".to_owned()])
    );
}

#[test]
fn an_older_run_below_a_newer_one_is_refused_with_the_cure() {
    let vault = Vault::new();
    vault.put("a.md", "---\ntags: [a]\n---\n");
    vault.write(Sink::Frontmatter, "a.md", &["b"]).unwrap();
    vault.write(Sink::Frontmatter, "a.md", &["b", "c"]).unwrap();
    let now = vault.get("a.md");
    let faults = vault.undo(&of_run(1));
    assert!(
        faults[0].ends_with("undo that one first (`gliznet undo --run 2`)"),
        "{faults:?}"
    );
    assert_eq!(vault.get("a.md"), now);
    let both = UndoSelection {
        file: Some(vault.path("a.md")),
        ..UndoSelection::default()
    };
    assert_eq!(vault.undo(&both), [""; 0]);
    assert_eq!(vault.get("a.md"), "---\ntags: [a]\n---\n");
}

#[test]
fn edits_elsewhere_stay_and_edits_there_are_left_alone() {
    let vault = Vault::new();
    for name in ["kept.md", "changed.md", "gone.md", "reverted.md"] {
        vault.put(name, "---\ntitle: x\ntags:\n- mine\n---\nText\n");
    }
    let run = Run::new(Cause::Watch, Sink::Frontmatter, "m".to_owned(), 1_000);
    for name in ["kept.md", "changed.md", "gone.md", "reverted.md"] {
        vault.write_in(&run, name, &["a"]).unwrap();
    }
    let text = vault.get("kept.md");
    vault.put("kept.md", text.replace("title: x", "title: y") + "More\n");
    let changed = text.replace("- a\n", "- a\n- apple\n");
    vault.put("changed.md", &changed);
    std::fs::remove_file(vault.path("gone.md")).unwrap();
    vault.put("reverted.md", "---\ntitle: x\ntags:\n- mine\n---\nText\n");
    let mut faults = vault.undo(&UndoSelection::default());
    faults.sort();
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(
        faults[0].contains("changed.md: its tags have been changed since")
            && faults[0].ends_with("take `a` out by hand"),
        "{faults:?}"
    );
    assert!(faults[1].contains("gone.md: it is gone"), "{faults:?}");
    assert_eq!(
        vault.get("kept.md"),
        "---\ntitle: y\ntags:\n- mine\n---\nText\nMore\n"
    );
    assert_eq!(vault.get("changed.md"), changed);
    // What was not taken back still stands, and can be taken back when that is possible again.
    vault.put("changed.md", &text);
    assert_eq!(vault.undo(&of_run(1)), [""; 0]);
    assert_eq!(
        vault.get("changed.md"),
        "---\ntitle: x\ntags:\n- mine\n---\nText\n"
    );
}

#[test]
fn a_dry_undo_shows_what_would_be() {
    let vault = Vault::new();
    vault.put("a.md", "Text");
    vault.write(Sink::Frontmatter, "a.md", &["a"]).unwrap();
    let now = vault.get("a.md");
    let undone = vault.ledger.undo(&everything(), 9, Mode::Preview).unwrap();
    let back = undone.files[0].outcome.as_ref().unwrap();
    assert_eq!(
        (back.removed.join(","), back.preview.after.as_slice()),
        ("a".to_owned(), &b"Text"[..])
    );
    assert_eq!(vault.get("a.md"), now);
    assert_eq!(vault.undo(&everything()), [""; 0]);
}

#[cfg(unix)]
#[test]
fn a_dry_undo_names_the_files_that_could_not_be_written() {
    use std::os::unix::fs::PermissionsExt as _;
    let vault = Vault::new();
    let file = vault.put("a.md", "Text");
    vault.put("b.md", "Text");
    vault.write(Sink::Frontmatter, "a.md", &["a"]).unwrap();
    vault.write(Sink::Sidecar, "b.md", &["b"]).unwrap();
    let sidecar = vault.path(".gliznet-tags.jsonl");
    // One more line, so that the sidecar would be written and not removed.
    let more = format!(
        "{}{{\"file\":\"c.md\",\"tags\":[\"c\"]}}\n",
        vault.get(".gliznet-tags.jsonl")
    );
    std::fs::write(&sidecar, more).unwrap();
    for path in [&file, &sidecar] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o444)).unwrap();
    }
    for mode in [Mode::Preview, Mode::Do] {
        let undone = vault.ledger.undo(&everything(), 9, mode).unwrap();
        let faults = undone
            .files
            .into_iter()
            .map(|file| file.outcome.unwrap_err());
        let faults: Vec<String> = faults.collect();
        assert_eq!(faults.len(), 2, "{mode:?}");
        for fault in faults {
            assert!(fault.contains("it may not be written"), "{mode:?}: {fault}");
        }
    }
}

#[test]
fn conditions_add_up() {
    let vault = Vault::new();
    for (name, time) in [("a.md", 100), ("b.md", 200), ("c.md", 300)] {
        vault.put(name, "Text");
        let run = Run::new(Cause::Watch, Sink::Frontmatter, "m".to_owned(), time);
        vault.write_in(&run, name, &["a"]).unwrap();
    }
    let since = UndoSelection {
        since: Some(200),
        file: Some(vault.path("b.md")),
        run: None,
    };
    assert_eq!(vault.undo(&since), [""; 0]);
    let is_tagged = |name: &str| vault.get(name) != "Text";
    assert_eq!(["a.md", "b.md", "c.md"].map(is_tagged), [true, false, true]);
    let error = vault.ledger.undo(&of_run(9), 1, Mode::Do).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no run 9; `gliznet log` lists them"
    );
}

#[test]
fn a_tag_that_two_runs_have_put_in_is_named_once() {
    let vault = Vault::new();
    vault.put("a.txt", "Text");
    vault.write(Sink::Sidecar, "a.txt", &["x"]).unwrap();
    std::fs::remove_file(vault.path(".gliznet-tags.jsonl")).unwrap();
    vault.write(Sink::Sidecar, "a.txt", &["x", "y"]).unwrap();
    let undone = vault.ledger.undo(&everything(), 9, Mode::Do).unwrap();
    assert_eq!(undone.runs, [RunId(1), RunId(2)]);
    let back = undone.files[0].outcome.as_ref().unwrap();
    assert_eq!(back.removed, ["x", "y"]);
    assert_eq!(vault.files(), ["a.txt"]);
}

#[test]
fn a_line_of_a_sidecar_is_taken_back_among_others() {
    let vault = Vault::new();
    for name in ["a.txt", "b.txt", "c.txt"] {
        vault.put(name, "Text");
        vault.write(Sink::Sidecar, name, &["x"]).unwrap();
    }
    assert_eq!(vault.undo(&of_run(2)), [""; 0]);
    let left = "{\"file\":\"a.txt\",\"tags\":[\"x\"]}\n{\"file\":\"c.txt\",\"tags\":[\"x\"]}\n";
    assert_eq!(vault.get(".gliznet-tags.jsonl"), left);
    assert_eq!(vault.undo(&everything()), [""; 0]);
    assert_eq!(vault.files(), ["a.txt", "b.txt", "c.txt"]);
}

#[test]
fn a_forgotten_run_leaves_its_tags_with_the_machine_and_later_ones_are_taken_back() {
    let vault = Vault::new();
    // Another process has the ledger open all the time.
    let (other, _) = Ledger::open(vault.data.path()).unwrap();
    let run = |time| Run::new(Cause::Watch, Sink::Frontmatter, "m".to_owned(), time);
    vault.put("a.md", "Text");
    vault.put("b.md", "Text");
    let (first, second) = (run(10), run(20));
    vault.write_in(&first, "a.md", &["a"]).unwrap();
    vault.write_in(&first, "b.md", &["a"]).unwrap();
    let one = vault.get("a.md");
    vault.put("b.md", "---\ntags: []\n---\nText"); // A person takes it out.
    assert_eq!(other.runs().unwrap().len(), 1);
    vault.write_in(&second, "a.md", &["a", "b"]).unwrap();
    vault.write_in(&second, "b.md", &["a", "c"]).unwrap();
    let pruned = vault.ledger.prune(15).unwrap();
    assert_eq!((pruned.forgotten, pruned.kept), (1, 1));
    assert!(pruned.after < pruned.before, "{pruned:?}");
    let left: Vec<u64> = other.runs().unwrap().iter().map(|run| run.id.0).collect();
    assert_eq!(left, [2]);
    assert_eq!(vault.undo(&everything()), [""; 0]);
    assert_eq!(
        (vault.get("a.md"), vault.get("b.md")),
        (one, "---\ntags: []\n---\nText".to_owned())
    );
    let provenance = other.provenance(&vault.path("a.md")).unwrap();
    assert_eq!(provenance.machine, ["a"]);
    let third = run(40);
    vault.write_in(&third, "b.md", &["a"]).unwrap();
    assert_eq!(
        vault.get("b.md"),
        "---\ntags: []\n---\nText",
        "what a person took out never returns"
    );
    vault.write_in(&third, "a.md", &["d"]).unwrap();
    assert_eq!(vault.get("a.md"), "---\ntags:\n  - d\n---\n\nText");
    assert_eq!(third.id(), Some(RunId(4)), "numbers are given once");
    // Nothing is older: nothing is written anew.
    assert_eq!(vault.ledger.prune(15).unwrap().forgotten, 0);
}

#[test]
fn a_run_that_is_forgotten_while_it_writes_goes_on_and_is_taken_back() {
    let vault = Vault::new();
    let run = Run::new(Cause::Watch, Sink::Frontmatter, "m".to_owned(), 10);
    vault.put("a.md", "Text");
    vault.put("b.md", "Text");
    vault.write_in(&run, "a.md", &["a"]).unwrap();
    assert_eq!(vault.ledger.prune(99).unwrap().forgotten, 1);
    vault.write_in(&run, "b.md", &["b"]).unwrap();
    let runs = vault.ledger.runs().unwrap();
    assert_eq!((runs.len(), runs[0].id, runs[0].files), (1, RunId(1), 1));
    assert_eq!(vault.undo(&of_run(1)), [""; 0]);
    assert_eq!(vault.get("b.md"), "Text");
}

#[test]
fn a_run_of_which_nothing_is_left_does_not_stand_before_older_ones() {
    let vault = Vault::new();
    for name in ["old.md", "edited.md", "gone.md"] {
        vault.put(name, "Text");
    }
    vault.write(Sink::Frontmatter, "old.md", &["a"]).unwrap();
    let run = Run::new(Cause::Watch, Sink::Frontmatter, "m".to_owned(), 2_000);
    for name in ["edited.md", "gone.md"] {
        vault.write_in(&run, name, &["a", "b"]).unwrap();
    }
    let edited = vault.get("edited.md").replace("  - a\n", "");
    vault.put("edited.md", &edited);
    std::fs::remove_file(vault.path("gone.md")).unwrap();
    let latest = UndoSelection::default();
    let mut faults = vault.undo(&latest);
    faults.sort();
    assert!(faults[0].ends_with("take `b` out by hand"), "{faults:?}");
    assert!(faults[1].contains("gone.md: it is gone"), "{faults:?}");
    let edited = edited.replace("  - b\n", "");
    vault.put("edited.md", &edited);
    assert_eq!(vault.undo(&latest), [""; 0], "nothing of it stands");
    assert_eq!(vault.get("edited.md"), edited);
    assert_eq!(vault.undo(&latest), [""; 0]);
    assert_eq!(vault.get("old.md"), "Text");
}

#[test]
fn a_line_of_a_sidecar_is_taken_back_under_another_name() {
    let vault = Vault::new();
    vault.put("a.txt", "Text");
    vault.put("b.txt", "Text");
    for name in ["a.txt", "b.txt"] {
        vault.write(Sink::Sidecar, name, &["x"]).unwrap();
    }
    let (from, to) = (vault.path("a.txt"), vault.path("c.txt"));
    std::fs::rename(&from, &to).unwrap();
    vault.ledger.moved(&from, &to).unwrap();
    let left = "{\"file\":\"b.txt\",\"tags\":[\"x\"]}\n";
    let moved = "{\"file\":\"c.txt\",\"tags\":[\"x\"]}\n";
    assert_eq!(vault.get(".gliznet-tags.jsonl"), format!("{left}{moved}"));
    assert!(!vault.write(Sink::Sidecar, "c.txt", &["x"]).unwrap().changed);
    assert_eq!(vault.undo(&of_run(1)), [""; 0]);
    assert_eq!(vault.get(".gliznet-tags.jsonl"), left);
}

#[test]
fn tags_that_do_not_come_back_are_named_and_nothing_is_said_to_be_taken_back() {
    let vault = Vault::new();
    vault.put("a.md", "---\ntags: [mine]\n---\nText\n");
    vault.write(Sink::Frontmatter, "a.md", &["a", "b"]).unwrap();
    vault.write(Sink::Frontmatter, "a.md", &[]).unwrap();
    let edited = "---\ntags: [mine, other]\n---\nText\n";
    vault.put("a.md", edited);
    let latest = UndoSelection::default();
    let faults = vault.undo(&latest);
    assert!(
        faults[0].ends_with("; put `a`, `b` back by hand"),
        "{faults:?}"
    );
    assert_eq!(vault.get("a.md"), edited);
    // Both runs together have changed nothing.
    let both = vault.ledger.undo(&everything(), 9, Mode::Preview).unwrap();
    assert!(both.files[0].outcome.is_ok(), "{both:?}");
    vault.put("a.md", "---\ntags: [mine, other, a, b]\n---\nText\n");
    assert_eq!(vault.undo(&latest), [""; 0]);
    let faults = vault.undo(&latest);
    assert!(
        faults[0].ends_with("; take `a`, `b` out by hand"),
        "{faults:?}"
    );
}

#[test]
fn a_file_that_was_replaced_by_another_does_not_stand_before_older_runs() {
    let vault = Vault::new();
    let (kept, replaced) = (vault.put("a.md", "Text"), vault.put("b.md", "More"));
    vault.write(Sink::Frontmatter, "a.md", &["a"]).unwrap();
    vault.write(Sink::Frontmatter, "b.md", &["b"]).unwrap();
    std::fs::rename(&kept, &replaced).unwrap();
    vault.ledger.moved(&kept, &replaced).unwrap();
    let standing: Vec<usize> = vault
        .ledger
        .runs()
        .unwrap()
        .iter()
        .map(|run| run.standing)
        .collect();
    assert_eq!(standing, [1, 0]);
    assert_eq!(vault.undo(&UndoSelection::default()), [""; 0]);
    assert_eq!(vault.get("b.md"), "Text");
}

#[test]
fn files_that_have_changed_names_are_each_taken_back() {
    let vault = Vault::new();
    vault.put("a.md", "First");
    vault.put("b.md", "Second");
    vault.write(Sink::Frontmatter, "a.md", &["a"]).unwrap();
    vault.write(Sink::Frontmatter, "b.md", &["b"]).unwrap();
    for (from, to) in [("a.md", "x.md"), ("b.md", "a.md"), ("x.md", "b.md")] {
        let (from, to) = (vault.path(from), vault.path(to));
        std::fs::rename(&from, &to).unwrap();
        vault.ledger.moved(&from, &to).unwrap();
    }
    assert_eq!(vault.undo(&everything()), [""; 0]);
    assert_eq!(
        (vault.get("a.md"), vault.get("b.md")),
        ("Second".to_owned(), "First".to_owned())
    );
}
