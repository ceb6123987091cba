//! What is gone though no person took it out: a checkout, a script, a lost attribute, another file.

use gliznet::sink::{Cause, Ledger, Run, Sink, Wish};

use crate::{Vault, everything, hash, wishes};

#[test]
fn what_is_gone_with_all_that_held_it_was_taken_out_by_nobody() {
    let vault = Vault::new();
    let path = vault.put("a.md", "Text");
    vault.write(Sink::Frontmatter, "a.md", &["a", "b"]).unwrap();
    vault.put("a.md", "Text, made anew by a script");
    let provenance = vault.ledger.provenance(&path).unwrap();
    assert_eq!(provenance, gliznet::sink::Provenance::default());
    let written = vault.write(Sink::Frontmatter, "a.md", &["a"]).unwrap();
    assert_eq!(
        (written.added, written.withdrawn),
        (vec!["a".to_owned()], vec![])
    );
    // `b` is known no more, so its absence says nothing later on either.
    vault.write(Sink::Frontmatter, "a.md", &["a", "b"]).unwrap();
    assert!(vault.get("a.md").contains("- b"));

    vault.write(Sink::Sidecar, "a.md", &["x"]).unwrap();
    std::fs::remove_file(vault.path(".gliznet-tags.jsonl")).unwrap();
    let written = vault.write(Sink::Sidecar, "a.md", &["x"]).unwrap();
    assert_eq!(written.added, ["x"]);
    vault.put(".gliznet-tags.jsonl", "{\"file\":\"a.md\",\"tags\":[]}\n");
    let written = vault.write(Sink::Sidecar, "a.md", &["x"]).unwrap();
    assert_eq!(written.withdrawn, ["x"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_lost_attribute_is_written_again_and_one_that_a_person_changed_is_not() {
    let vault = Vault::new();
    let path = vault.put("a.md", "Text");
    vault.write(Sink::Xattr, "a.md", &["a", "b"]).unwrap();
    vault.put("new.md", "Text, saved anew");
    std::fs::rename(vault.path("new.md"), &path).unwrap();
    let written = vault.write(Sink::Xattr, "a.md", &["a", "b"]).unwrap();
    assert_eq!(written.added, ["a", "b"]);
    xattr::set(&path, "user.xdg.tags", b"b").unwrap();
    let written = vault.write(Sink::Xattr, "a.md", &["a", "b"]).unwrap();
    assert_eq!(
        (written.added, written.withdrawn),
        (vec![], vec!["a".to_owned()])
    );
    xattr::set(&path, "user.xdg.tags", b"").unwrap();
    let written = vault.write(Sink::Xattr, "a.md", &["a", "b"]).unwrap();
    assert_eq!(
        (written.added, written.withdrawn),
        (vec![], vec!["b".to_owned()]),
        "who empties it takes the tags out"
    );
}

#[test]
fn a_checkout_bars_no_tags_now_or_later() {
    let vault = Vault::new();
    let path = vault.put("a.md", "---\ntitle: x\n---\nText");
    vault.write(Sink::Frontmatter, "a.md", &["a", "b"]).unwrap();
    vault.put("a.md", "---\ntitle: x\n---\nText");
    let run = Run::new(Cause::Watch, Sink::Frontmatter, "m".to_owned(), 1_000);
    let tags = wishes(&["a"]);
    let wish = Wish {
        path: &path,
        seen: hash(vault.get("a.md")),
        tags: &tags,
        labels: None,
        set: None,
        in_crowd: true,
    };
    let written = vault.ledger.write(&run, &wish).unwrap();
    assert_eq!(
        (written.added, written.withdrawn),
        (vec!["a".to_owned()], vec![])
    );
    let written = vault.write(Sink::Frontmatter, "a.md", &["a", "b"]).unwrap();
    assert_eq!(
        (written.added, written.withdrawn),
        (vec!["b".to_owned()], vec![])
    );
}

#[test]
fn a_new_file_inherits_nothing_from_one_of_its_name_that_is_gone() {
    let vault = Vault::new();
    let path = vault.put("a.md", "---\nx: 1\n---\nText");
    vault.write(Sink::Frontmatter, "a.md", &["a", "b"]).unwrap();
    let without = vault.get("a.md").replace("  - a\n", "");
    vault.put("a.md", &without);
    let written = vault.write(Sink::Frontmatter, "a.md", &["a", "b"]).unwrap();
    assert_eq!(written.withdrawn, ["a"]);
    std::fs::remove_file(&path).unwrap();
    vault.ledger.gone(&[(path.clone(), None)]).unwrap();
    // It is known after a restart too.
    let (ledger, faults) = Ledger::open(vault.data.path()).unwrap();
    assert_eq!(faults, [""; 0]);
    let vault = Vault { ledger, ..vault };
    vault.put("a.md", "---\nx: 1\n---\nAnother text");
    let written = vault.write(Sink::Frontmatter, "a.md", &["a", "b"]).unwrap();
    assert_eq!(written.added, ["a", "b"]);
}

#[test]
fn a_file_that_is_back_as_it_was_has_its_past_again() {
    let vault = Vault::new();
    let path = vault.put("a.md", "---\ntags: [mine]\n---\nText");
    vault.write(Sink::Frontmatter, "a.md", &["a", "b"]).unwrap();
    vault.put("a.md", "---\ntags: [mine, b]\n---\nText");
    vault.write(Sink::Frontmatter, "a.md", &["a", "b"]).unwrap();
    let known = vault.ledger.provenance(&path).unwrap();
    let text = vault.get("a.md");
    std::fs::remove_file(&path).unwrap();
    let gone = [(path.clone(), Some(hash(&text)))];
    vault.ledger.gone(&gone).unwrap();
    vault.put("a.md", "---\ntags: [b]\n---\nAnother text");
    let other = vault.ledger.provenance(&path).unwrap();
    assert_eq!(other, gliznet::sink::Provenance::default());
    vault.put("a.md", &text);
    assert_eq!(vault.ledger.provenance(&path).unwrap(), known);
    let (ledger, faults) = Ledger::open(vault.data.path()).unwrap();
    assert_eq!(faults, [""; 0]);
    let vault = Vault { ledger, ..vault };
    let written = vault.write(Sink::Frontmatter, "a.md", &["a"]).unwrap();
    assert_eq!(
        (written.added, written.removed),
        (vec![], vec!["b".to_owned()])
    );
    // Another one that has been given tags since has taken its place for good.
    std::fs::remove_file(&path).unwrap();
    vault.ledger.gone(&gone).unwrap();
    vault.put("a.md", "---\nx: 1\n---\nAnother text");
    vault.write(Sink::Frontmatter, "a.md", &["a"]).unwrap();
    vault.put("a.md", &text);
    let removed = vault.write(Sink::Frontmatter, "a.md", &[]).unwrap().removed;
    assert_eq!(removed, [""; 0]);
}

#[test]
fn whoever_only_asks_knows_a_file_that_is_back_too() {
    let vault = Vault::new();
    let path = vault.put("a.md", "---\ntags: [mine]\n---\nText");
    vault.write(Sink::Frontmatter, "a.md", &["a", "b"]).unwrap();
    vault.put("a.md", "---\ntags: [mine, b]\n---\nText");
    vault.write(Sink::Frontmatter, "a.md", &["a", "b"]).unwrap();
    let text = vault.get("a.md");
    std::fs::remove_file(&path).unwrap();
    let gone = [(path.clone(), Some(hash(&text)))];
    for is_shown in [true, false] {
        vault.ledger.gone(&gone).unwrap();
        let ours = || vault.ledger.machine_tags_in(Sink::Frontmatter).unwrap();
        assert!(ours().is_empty());
        vault.put("a.md", &text);
        if is_shown {
            let run = Run::new(Cause::Person, Sink::Frontmatter, "m".to_owned(), 1);
            let wish = Wish {
                path: &path,
                seen: hash(&text),
                tags: &wishes(&["a"]),
                labels: None,
                set: None,
                in_crowd: false,
            };
            // It took out `a`, and `b` fits no more.
            let preview = vault.ledger.preview(&run, &wish).unwrap();
            assert_eq!(preview.after, b"---\ntags: [mine]\n---\nText");
        }
        assert_eq!(ours().into_values().collect::<Vec<_>>(), [["b"]]);
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_file_that_takes_the_place_of_another_has_nothing_of_its_past() {
    for is_known in [false, true] {
        let vault = Vault::new();
        let path = vault.put("a.md", "---\nx: 1\n---\nText");
        vault.write(Sink::Frontmatter, "a.md", &["a", "b"]).unwrap();
        let new = vault.put("new.md", "---\ntags: [a]\n---\nAnother text");
        if is_known {
            vault.write(Sink::Frontmatter, "new.md", &["c"]).unwrap();
        }
        std::fs::rename(&new, &path).unwrap();
        vault.ledger.moved(&new, &path).unwrap();
        let provenance = vault.ledger.provenance(&path).unwrap();
        let machine = if is_known {
            vec!["c".to_owned()]
        } else {
            vec![]
        };
        assert_eq!(
            (provenance.machine, provenance.withdrawn),
            (machine, vec![])
        );
        let written = vault.write(Sink::Frontmatter, "a.md", &["b"]).unwrap();
        assert_eq!(
            (written.added, written.withdrawn),
            (vec!["b".to_owned()], vec![])
        );
        // A person wrote that one.
        assert_eq!(vault.get("a.md"), "---\ntags: [a, b]\n---\nAnother text");
    }
}

#[test]
fn what_has_followed_a_file_stays_where_a_daemon_was_ended_before_its_index_was_kept() {
    let vault = Vault::new();
    vault.put("in/a.md", "Text");
    vault.write(Sink::Frontmatter, "in/a.md", &["a"]).unwrap();
    let (old, new) = (vault.path("in"), vault.path("out"));
    std::fs::rename(&old, &new).unwrap();
    for _ in 0..2 {
        vault.ledger.moved_with_tags(&old, &new).unwrap();
    }
    let provenance = vault.ledger.provenance(&vault.path("out/a.md")).unwrap();
    assert_eq!(provenance.machine, ["a"]);
    assert_eq!(vault.undo(&everything()), [""; 0]);
    assert_eq!(vault.get("out/a.md"), "Text");
}

#[test]
fn a_line_of_a_sidecar_is_not_left_to_the_next_file_of_its_name() {
    let vault = Vault::new();
    let path = vault.put("a.txt", "Text");
    vault.put("b.txt", "Text");
    vault.put(
        ".gliznet-tags.jsonl",
        "{\"file\":\"a.txt\",\"tags\":[\"mine\"]}\n",
    );
    vault.write(Sink::Sidecar, "a.txt", &["x"]).unwrap();
    vault.write(Sink::Sidecar, "b.txt", &["x"]).unwrap();
    std::fs::remove_file(&path).unwrap();
    vault.ledger.gone(&[(path.clone(), None)]).unwrap();
    let b = "{\"file\":\"b.txt\",\"tags\":[\"x\"]}\n";
    let a = "{\"file\":\"a.txt\",\"tags\":[\"mine\"]}\n";
    assert_eq!(vault.get(".gliznet-tags.jsonl"), format!("{a}{b}"));
    // Nobody took out what went with the file, should that be back.
    let gone = [(vault.put("a.txt", "Text"), Some(hash("Text")))];
    vault.write(Sink::Sidecar, "a.txt", &["x"]).unwrap();
    vault.ledger.gone(&gone).unwrap();
    let written = vault.write(Sink::Sidecar, "a.txt", &["x"]).unwrap();
    assert_eq!(
        (written.added, written.withdrawn),
        (vec!["x".to_owned()], vec![])
    );
    vault.ledger.gone(&gone).unwrap();
    // Another file is moved over one that has a line.
    let new = vault.put("c.txt", "Another text");
    std::fs::rename(&new, vault.path("b.txt")).unwrap();
    vault.ledger.moved(&new, &vault.path("b.txt")).unwrap();
    assert_eq!(vault.get(".gliznet-tags.jsonl"), a);
}
