//! Files that cannot be written are left alone, and it is said why.

use std::path::Path;

use gliznet::sink::{Cause, Run, Sink, SinkError, Wish};

use crate::{Vault, everything, hash, wishes};

fn refused(vault: &Vault, name: impl AsRef<Path>) -> String {
    let before = std::fs::read(vault.path(&name)).ok();
    let error = vault.write(Sink::Frontmatter, &name, &["a"]).unwrap_err();
    assert_eq!(std::fs::read(vault.path(&name)).ok(), before);
    assert_eq!(vault.ledger.runs().unwrap(), [], "nothing was written");
    error.to_string()
}

#[test]
fn broken_settings_are_left_alone() {
    let vault = Vault::new();
    vault.put("a.md", "---\ntags: [a, b\n---\nText");
    let error = refused(&vault, "a.md");
    assert!(
        error.contains("a.md: its front matter is broken (line"),
        "{error}"
    );
    vault.put("a.txt", "Text");
    assert!(refused(&vault, "a.txt").ends_with("use the sink `sidecar` or `xattr`"));
}

#[test]
fn what_is_no_text_or_no_file_is_refused() {
    let vault = Vault::new();
    vault.put("a.md", b"\x89PNG\r\n\x1a\n\0\0\0\0");
    assert!(refused(&vault, "a.md").contains("this is not text"));
    std::fs::create_dir(vault.path("dir.md")).unwrap();
    let error = vault
        .write(Sink::Frontmatter, "dir.md", &["a"])
        .unwrap_err();
    assert!(matches!(error, SinkError::NoFile(_)), "{error}");
    let error = vault
        .write(Sink::Frontmatter, "missing.md", &["a"])
        .unwrap_err();
    assert!(error.is_stale(), "{error}");
}

#[cfg(unix)]
#[test]
fn a_pipe_is_not_waited_for() {
    let vault = Vault::new();
    let made = std::process::Command::new("mkfifo")
        .arg(vault.path("a.md"))
        .status();
    assert!(made.unwrap().success());
    let error = vault.write(Sink::Frontmatter, "a.md", &["a"]).unwrap_err();
    assert!(matches!(error, SinkError::NoFile(_)), "{error}");
}

#[test]
fn four_gigabytes_are_refused_before_they_are_read() {
    let vault = Vault::new();
    let file = std::fs::File::create(vault.path("a.md")).unwrap();
    // Takes no room on disk; and one byte too many is not told as what is allowed.
    for (bytes, told) in [(4 << 30, 4096), ((16 << 20) + 1, 17)] {
        file.set_len(bytes).unwrap();
        let error = vault.write(Sink::Frontmatter, "a.md", &["a"]).unwrap_err();
        let is_told = matches!(&error, SinkError::TooLarge { megabytes, .. } if *megabytes == told);
        assert!(is_told, "{error}");
    }
}

#[test]
fn a_file_that_changed_since_it_was_tagged_is_left_alone() {
    let vault = Vault::new();
    let path = vault.put("a.md", "New text");
    let tags = wishes(&["a"]);
    let wish = Wish {
        path: &path,
        seen: hash("Old text"),
        tags: &tags,
        labels: None,
        set: None,
        in_crowd: false,
    };
    let run = Run::new(Cause::Watch, Sink::Frontmatter, "m".to_owned(), 1);
    let error = vault.ledger.write(&run, &wish).unwrap_err();
    assert!(error.is_stale(), "{error}");
    assert_eq!((vault.get("a.md").as_str(), run.id()), ("New text", None));
}

#[cfg(unix)]
#[test]
fn a_read_only_file_and_one_of_two_names_are_left_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let vault = Vault::new();
    let path = vault.put("a.md", "Text");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444)).unwrap();
    assert!(refused(&vault, "a.md").contains("it may not be written; change its permissions"));
    let path = vault.put("b.md", "Text");
    std::fs::hard_link(&path, vault.path("c.md")).unwrap();
    assert!(refused(&vault, "b.md").contains("it is 2 files in one"));
    assert_eq!(
        vault.files(),
        ["a.md", "b.md", "c.md"],
        "no temporary file stays"
    );
}

#[cfg(unix)]
#[test]
fn what_was_written_in_a_folder_that_cannot_be_synced_is_known_and_undone() {
    use std::os::unix::fs::PermissionsExt as _;
    let vault = Vault::new();
    let path = vault.put("closed/a.md", "Text");
    let permit = |mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(vault.path("closed"), permissions).unwrap();
    };
    permit(0o300);
    let written = vault.write(Sink::Frontmatter, "closed/a.md", &["a"]);
    permit(0o700);
    // The superuser may read every folder.
    if let Err(error) = written {
        let error = error.to_string();
        assert!(error.contains("a.md: was changed, and may"), "{error}");
    }
    assert!(vault.get("closed/a.md").contains("- a"));
    assert_eq!(vault.ledger.provenance(&path).unwrap().machine, ["a"]);
    assert_eq!(vault.undo(&everything()), [""; 0]);
    assert_eq!(vault.get("closed/a.md"), "Text");
}

#[cfg(unix)]
#[test]
fn permissions_attributes_and_odd_names_survive() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let vault = Vault::new();
    for name in [
        &b"line\nbreak.md"[..],
        b"bad\xff\xfe.md",
        b"\x1b[2J.md",
        b" .md",
    ] {
        let name = Path::new(OsStr::from_bytes(name));
        let path = vault.put(name, "Text");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let owner = |path: &Path| {
            path.metadata()
                .map(|m| (m.uid(), m.gid(), m.mode()))
                .unwrap()
        };
        let before = owner(&path);
        xattr::set(&path, "user.comment", b"keep me").unwrap();
        for sink in [Sink::Frontmatter, Sink::Sidecar] {
            assert!(vault.write(sink, name, &["a"]).unwrap().changed);
        }
        assert_eq!(owner(&path), before);
        assert_eq!(
            xattr::get(&path, "user.comment").unwrap().unwrap(),
            b"keep me"
        );
        assert_eq!(vault.ledger.provenance(&path).unwrap().machine, ["a"]);
    }
    assert_eq!(vault.undo(&everything()), [""; 0]);
    assert_eq!(vault.files().len(), 4);
    for entry in std::fs::read_dir(vault.notes.path()).unwrap() {
        assert_eq!(std::fs::read(entry.unwrap().path()).unwrap(), b"Text");
    }
}

#[test]
fn a_tag_without_a_place_does_not_hinder_the_others() {
    let vault = Vault::new();
    vault.put("a.org", "Text");
    let written = vault
        .write(Sink::Frontmatter, "a.org", &["a", "b:c", "d e"])
        .unwrap();
    assert_eq!(
        (written.added.join(" "), written.unwritable.join(" ")),
        ("a d e".to_owned(), "b:c".to_owned())
    );
    assert_eq!(vault.get("a.org"), "#+FILETAGS: :a:d_e:\nText");
    assert!(
        !vault
            .write(Sink::Frontmatter, "a.org", &["a", "b:c", "d e"])
            .unwrap()
            .changed
    );
}
