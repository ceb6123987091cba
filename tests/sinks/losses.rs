//! What is gone though no person took it out: a checkout, a script, a lost attribute, another file.

use gliznet::sink::{Cause, Ledger, Run, Sink, Wish};

use crate::{Vault, hash, wishes};

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
    vault.ledger.gone(std::slice::from_ref(&path)).unwrap();
    // It is known after a restart too.
    let (ledger, faults) = Ledger::open(vault.data.path()).unwrap();
    assert_eq!(faults, [""; 0]);
    let vault = Vault { ledger, ..vault };
    vault.put("a.md", "---\nx: 1\n---\nAnother text");
    let written = vault.write(Sink::Frontmatter, "a.md", &["a", "b"]).unwrap();
    assert_eq!(written.added, ["a", "b"]);
}
