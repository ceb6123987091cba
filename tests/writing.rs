//! `gliznet tag --write`, `undo` and `log`, as a person at a terminal meets them.

#![cfg(test)]

#[path = "support/gliznet.rs"]
mod gliznet;

mod writing {
    mod disk;
    mod kill;
}

use expect_test::{Expect, expect};

use crate::gliznet::{Gliznet, Ran, tiny};

const LABELS: &str = "garden,tax law";

/// Runs `gliznet tag --write` with a model to which every label fits.
fn write(user: &Gliznet, args: &[&str]) -> Ran {
    write_of(LABELS, user, args)
}

fn write_of(labels: &str, user: &Gliznet, args: &[&str]) -> Ran {
    user.run(
        &[
            &["tag", "--write", "--model"],
            &[tiny().to_str().unwrap()][..],
            &["--labels", labels, "--threshold", "0"],
            args,
        ]
        .concat(),
    )
}

#[track_caller]
fn check(ran: &Ran, code: i32, out: Expect, err: Expect) {
    assert_eq!(ran.code, code, "{ran:?}");
    out.assert_eq(&ran.out);
    err.assert_eq(&ran.err);
}

fn notes() -> Gliznet {
    Gliznet::with(&[
        ("notes/a.md", "# Title\nText of a note\n"),
        (
            "notes/b.md",
            "---\ntags: [mine, garden] # why\n---\nMore text\n",
        ),
    ])
}

#[test]
fn a_tag_that_stands_there_with_its_accents_stored_apart_is_not_written_again() {
    let apart = "---\ntags: [cafe\u{301}]\n---\nText\n";
    let user = Gliznet::with(&[("a.md", apart), ("b.md", "Text #cafe\u{301}\n")]);
    let ran = write_of("café", &user, &["a.md", "b.md"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{ran:?}");
    assert_eq!(std::fs::read_to_string(user.path("a.md")).unwrap(), apart);
}

#[test]
fn tags_are_written_listed_and_taken_back() {
    let user = notes();
    let ran = write(&user, &["notes"]);
    check(
        &ran,
        0,
        expect![[r#"
            notes/a.md  Title
              + garden
              + tax law
            notes/b.md
              + tax law
        "#]],
        expect![[r#"
            run 1: 2 of 2 files changed (3 tags); `gliznet undo --run 1` takes it back
        "#]],
    );
    let written = std::fs::read_to_string(user.path("notes/b.md")).unwrap();
    assert_eq!(
        written,
        "---\ntags: [mine, garden, tax law] # why\n---\nMore text\n"
    );
    check(
        &write(&user, &["notes"]),
        0,
        expect![""],
        expect![[r#"
            0 of 2 files changed; every file has its tags already
        "#]],
    );
    let log = user.run(&["log", "--format", "json"]);
    let runs: serde_json::Value = serde_json::from_str(&log.out).unwrap();
    assert_eq!(
        (runs[0]["run"].as_u64(), runs[0]["files"].as_u64()),
        (Some(1), Some(2))
    );
    assert_eq!(
        (runs[0]["by"].as_str(), runs[0]["added"].as_u64()),
        (Some("person"), Some(3))
    );
    let back = user.run(&["undo"]);
    let here = user.path("").canonicalize().unwrap();
    let out = back.out.replace(&here.display().to_string(), "HERE");
    check(
        &Ran { out, ..back },
        0,
        expect![[r#"
            HERE/notes/a.md
              - garden
              - tax law
            HERE/notes/b.md
              - tax law
        "#]],
        expect![[r#"
            run 1: 2 of 2 files taken back
        "#]],
    );
    let undone = std::fs::read_to_string(user.path("notes/a.md")).unwrap();
    assert_eq!(undone, "# Title\nText of a note\n");
    check(
        &user.run(&["undo"]),
        0,
        expect![""],
        expect![[r#"
            there is nothing to take back; `gliznet log` lists the runs
        "#]],
    );
    assert_eq!(user.run(&["log", "--prune", "2999-01-01"]).code, 0);
    let log = user.run(&["log"]).out;
    assert!(log.starts_with("no run is on record; "), "{log}");
}

#[test]
fn a_run_that_wrote_nothing_says_so_and_points_to_no_undo() {
    let user = Gliznet::with(&[
        ("folded.md", "---\ntags: >-\n  mine\n---\nText\n"),
        ("linked.md", "Text\n"),
    ]);
    let no_place = "2 tags have no place where the tags of their file stand; add them by hand, or \
                    write those tags as a list\n";
    for (dry, said) in [
        (
            &["--dry-run"][..],
            "0 of 1 file would change (0 tags); nothing was written\n",
        ),
        (&[], "0 of 1 file changed; nothing was written\n"),
    ] {
        let ran = write(&user, &[dry, &["folded.md"]].concat());
        assert_eq!((ran.code, ran.err), (0, format!("{said}{no_place}")));
    }
    std::fs::hard_link(user.path("linked.md"), user.path("also.md")).unwrap();
    for (dry, said) in [
        (&["--dry-run"][..], "would change (0 tags)"),
        (&[], "changed"),
    ] {
        let ran = write(&user, &[dry, &["linked.md"]].concat());
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
        let end = format!("0 of 1 file {said}; nothing was written\n");
        let refused = ran.err.contains("it is 2 files in one (hard links)");
        assert!(refused && ran.err.ends_with(&end), "{ran:?}");
    }
}

#[test]
#[cfg(unix)]
fn a_file_that_is_named_by_a_link_too_has_one_turn() {
    let user = Gliznet::with(&[("a.md", "---\ntags: [mine]\n---\nText\n")]);
    std::os::unix::fs::symlink("a.md", user.path("link.md")).unwrap();
    let ran = write(&user, &["a.md", "link.md"]);
    let said = "run 1: 1 of 1 file changed (2 tags); `gliznet undo --run 1` takes it back\n";
    assert_eq!((ran.code, ran.err.as_str()), (0, said));
}

#[test]
fn a_dry_run_shows_a_diff_that_patch_takes_and_writes_nothing() {
    let user = notes();
    let ran = write(&user, &["--dry-run", "notes/b.md"]);
    check(
        &ran,
        0,
        expect![[r#"
            --- a/notes/b.md
            +++ b/notes/b.md
            @@ -1,4 +1,4 @@
             ---
            -tags: [mine, garden] # why
            +tags: [mine, garden, tax law] # why
             ---
             More text
        "#]],
        expect![[r#"
            1 of 1 file would change (1 tag); nothing was written
        "#]],
    );
    let text = std::fs::read_to_string(user.path("notes/b.md")).unwrap();
    assert_eq!(text, "---\ntags: [mine, garden] # why\n---\nMore text\n");
    assert_eq!(
        user.run(&["log"]).out,
        "nothing was ever written; `gliznet tag --write` does that\n"
    );
}

#[test]
fn a_script_gets_what_was_written() {
    let user = notes();
    let ran = write(&user, &["--format", "jsonl", "notes"]);
    let lines: Vec<serde_json::Value> = ran
        .out
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(lines[0]["written"]["run"], 1);
    assert_eq!(lines[1]["written"]["added"], serde_json::json!(["tax law"]));
    let ran = write(&user, &["--sink", "stdout", "notes"]);
    let line: serde_json::Value = serde_json::from_str(ran.out.lines().next().unwrap()).unwrap();
    assert_eq!(
        (line["path"].as_str(), line["written"].is_null()),
        (Some("notes/a.md"), true)
    );
}

#[test]
fn the_settings_choose_the_sink_and_the_command_line_another() {
    let user = notes();
    user.write("gliznet.toml", b"sink = \"sidecar\"\n");
    assert_eq!(write(&user, &["notes"]).code, 0);
    let sidecar = std::fs::read_to_string(user.path("notes/.gliznet-tags.jsonl")).unwrap();
    assert!(
        sidecar.starts_with(
            "{\"file\":\"a.md\",\"tags\":[\"garden\",\"tax law\"]}\n{\"file\":\"b.md\""
        )
    );
    assert_eq!(
        write(&user, &["--sink", "frontmatter", "notes/a.md"]).code,
        0
    );
    let text = std::fs::read_to_string(user.path("notes/a.md")).unwrap();
    assert!(text.starts_with("---\ntags:\n"), "{text}");
    assert_eq!(write(&user, &["--sink", "suggest", "notes/a.md"]).code, 0);
    assert_eq!(user.run(&["undo", "--since", "2 days ago"]).code, 0);
    assert!(!user.path("notes/.gliznet-tags.jsonl").exists());
    user.write("gliznet.toml", b"sink = \"paper\"\n");
    assert!(
        write(&user, &["notes"])
            .err
            .contains("`sink`: `paper` is none of")
    );
}

#[test]
fn what_cannot_be_written_is_named_and_the_rest_is_written() {
    let user = notes();
    user.write("notes/broken.md", b"---\ntags: [a\n---\nText\n");
    user.write("notes/plain.txt", b"Text\n");
    let ran = write(&user, &["notes"]);
    assert_eq!(ran.code, 1);
    expect![[r#"
        gliznet: NOTES/broken.md: its front matter is broken (line 3: while parsing a flow sequence, expected ',' or ']') and was left alone; repair it first
        gliznet: NOTES/plain.txt: a plain document has no front matter; use the sink `sidecar` or `xattr`
        run 1: 2 of 4 files changed (3 tags); `gliznet undo --run 1` takes it back
    "#]]
    .assert_eq(&ran.err.replace(&*user.path("notes").to_string_lossy(), "NOTES"));
    let broken = std::fs::read(user.path("notes/broken.md")).unwrap();
    assert_eq!(broken, b"---\ntags: [a\n---\nText\n");
}

#[test]
fn a_key_that_the_user_named_holds_tags_too() {
    let user = notes();
    let text = "---\ntitle: x\nkeywords: [Garden]\n---\nText\n";
    user.write("notes/a.md", text.as_bytes());
    let settings = user.path("../config");
    std::fs::create_dir_all(&settings).unwrap();
    std::fs::write(settings.join("gliznet.toml"), "tag_keys = [\"Keywords\"]\n").unwrap();
    assert_eq!(write(&user, &["notes/a.md"]).code, 0);
    let written = std::fs::read_to_string(user.path("notes/a.md")).unwrap();
    assert_eq!(written, text.replace("[Garden]", "[Garden, tax law]"));
    assert_eq!(user.run(&["undo"]).code, 0);
    let back = std::fs::read_to_string(user.path("notes/a.md")).unwrap();
    assert_eq!(back, text);
}

#[test]
fn where_spaces_separate_tags_they_still_do_after_writing() {
    let user = notes();
    let text = "---\ntags: \"Garden roses\" # Jekyll\n---\nText\n";
    user.write("notes/a.md", text.as_bytes());
    let settings = user.path("../config");
    std::fs::create_dir_all(&settings).unwrap();
    std::fs::write(settings.join("gliznet.toml"), "tag_spaces = true\n").unwrap();
    assert_eq!(write_of("garden,tax", &user, &["notes/a.md"]).code, 0);
    let written = std::fs::read_to_string(user.path("notes/a.md")).unwrap();
    assert_eq!(written, text.replace("Garden roses", "Garden roses tax"));
    assert_eq!(write_of("garden,tax", &user, &["notes/a.md"]).code, 0);
    let again = std::fs::read_to_string(user.path("notes/a.md")).unwrap();
    assert_eq!(again, written);
    assert_eq!(user.run(&["undo"]).code, 0);
    let back = std::fs::read_to_string(user.path("notes/a.md")).unwrap();
    assert_eq!(back, text);
}

#[test]
fn mistakes_are_told_with_their_cure() {
    let user = notes();
    let ran = write(&user, &["-"]);
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (
            2,
            "gliznet: --write: standard input cannot be written into; name files or folders\n"
        )
    );
    let ran = user.run(&["undo", "--since", "soon"]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.err.contains("`soon` is no moment; write for example"),
        "{}",
        ran.err
    );
    write(&user, &["notes"]);
    let ran = user.run(&["undo", "--run", "7"]);
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (1, "gliznet: there is no run 7; `gliznet log` lists them\n")
    );
}

#[cfg(unix)]
#[test]
fn a_tag_rejected_in_an_editor_is_not_written() {
    let user = notes();
    let path = user.path("notes/a.md").canonicalize().unwrap();
    let line = serde_json::json!({
        "v": 1, "seq": 1, "time": 1, "document": format!("file://{}", path.display()), "text": "Text",
        "labels": ["garden", "tax law"], "accepted": [], "rejected": ["garden"],
    });
    let data = user.path("../data");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("corrections.jsonl"), format!("{line}\n")).unwrap();
    write(&user, &["notes"]);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("---\ntags:\n  - tax law\n---\n"), "{text}");
}
