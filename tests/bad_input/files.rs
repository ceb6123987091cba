//! Files and folders that cannot be read, or hold something else than text.

use expect_test::{Expect, expect};

use super::gliznet::{Gliznet, Ran};
use super::tagging::tag_args;
use super::text_form::headings;

const LABELS: [&str; 2] = ["--labels", "bread,milk"];

/// Tags a bad file between two good ones: both are tagged, and the bad one is named.
fn check(user: &Gliznet, bad: &str, said: Expect) {
    user.write("a.md", b"Bread from the oven.");
    user.write("z.md", b"Milk from the cow.");
    let ran = user.tag(&[&["a.md", bad, "z.md"], &LABELS[..]].concat());
    said.assert_eq(&ran.err);
    assert_eq!(headings(&ran), ["a.md", "z.md"]);
    assert_eq!(ran.code, 1);
}

/// Tags what is odd but no fault.
fn tagged(user: &Gliznet, args: &[&str]) -> Ran {
    let ran = user.tag(&[args, &LABELS[..]].concat());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:#?}");
    ran
}

#[test]
fn a_missing_file_is_named_and_the_rest_is_tagged() {
    check(
        &Gliznet::new(),
        "nope.md",
        expect![[r#"
            gliznet: nope.md: no such file or folder; check the path
        "#]],
    );
}

#[test]
fn an_empty_folder_and_a_pattern_without_match_are_named() {
    let user = Gliznet::new();
    std::fs::create_dir(user.path("empty")).unwrap();
    check(
        &user,
        "empty",
        expect![[r#"
            gliznet: empty: no text files in this folder; name a file to read it whatever it is called
        "#]],
    );
    check(
        &user,
        "notes/*.md",
        expect![[r#"
            gliznet: notes/*.md: no file matches; check the pattern, hidden and ignored files are left out
        "#]],
    );
    check(
        &user,
        "x[",
        expect![[r#"
            gliznet: x[: no such file, and no pattern (unclosed character class; missing ']'); check the path
        "#]],
    );
}

#[test]
fn binary_files_are_named_by_what_they_are() {
    let user = Gliznet::new();
    user.write("photo.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
    user.write("data.bin", b"a\0b\0\0\0\x01\0\x02");
    check(
        &user,
        "photo.png",
        expect![[r#"
            gliznet: photo.png: this is not text but a PNG image; leave it out, or convert it to text first
        "#]],
    );
    check(
        &user,
        "data.bin",
        expect![[r#"
            gliznet: data.bin: this is not text but binary data with NUL bytes; leave it out, or convert it to text first
        "#]],
    );
}

#[test]
fn standard_input_is_named_like_a_file() {
    let ran = Gliznet::new().tag_input(&LABELS, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
    expect![[r#"
        gliznet: standard input: this is not text but a PNG image; leave it out, or convert it to text first
    "#]]
    .assert_eq(&ran.err);
    assert_eq!(ran.code, 1);
}

#[test]
fn a_json_reader_finds_the_failure_where_the_tags_would_be() {
    let user = Gliznet::with(&[("a.md", "Bread."), ("z.md", "Milk.")]);
    for format in ["json", "jsonl"] {
        let ran = user.tag(&[
            "a.md", "nope.md", "z.md", "--labels", "a", "--format", format,
        ]);
        let rows = match format {
            "json" => serde_json::from_str(&ran.out).unwrap(),
            _ => ran.rows(),
        };
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[1]["path"], "nope.md");
        let error = "nope.md: no such file or folder; check the path";
        assert_eq!(rows[1]["error"], error);
        assert_eq!((ran.said(), ran.code), (format!("{error}\n"), 1));
    }
}

#[test]
fn other_encodings_and_bytes_that_mean_nothing_are_read() {
    let user = Gliznet::new();
    user.write(
        "latin.md",
        b"Caf\xe9 au lait, tr\xe8s bon. L\xe0-bas on est \xe0 l'aise.\n",
    );
    user.write(
        "broken.md",
        b"Mostly UTF-8: \xc3\xa9t\xc3\xa9, and one byte \xff that is not.\n",
    );
    user.write("sixteen.md", b"\xff\xfeb\0r\0e\0a\0d\0");
    user.write(
        "nul.md",
        format!("{}\0{}", "words ".repeat(40), "words ".repeat(40)).as_bytes(),
    );
    let ran = tagged(
        &user,
        &["latin.md", "broken.md", "sixteen.md", "nul.md", "--all"],
    );
    let expected = ["latin.md", "broken.md", "sixteen.md", "nul.md"];
    assert_eq!(headings(&ran), expected);
    assert!(!ran.out.contains("nothing to read"), "{}", ran.out);
}

#[test]
fn a_file_without_text_is_no_fault() {
    let user = Gliznet::with(&[
        ("empty.md", ""),
        ("blank.txt", " \n\t\n\n"),
        ("front.md", "---\ntags: [old]\n---\n"),
    ]);
    expect![[r#"
        empty.md
          nothing to read
        blank.txt
          nothing to read
        front.md
          nothing to read
    "#]]
    .assert_eq(&tagged(&user, &["empty.md", "blank.txt", "front.md"]).out);
    let rows = tagged(&user, &["empty.md", "--format", "jsonl"]).rows();
    assert_eq!(rows[0]["windows"], 0);
    assert_eq!(rows[0]["unscored"], serde_json::json!(["bread", "milk"]));
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_nowhere_is_named_and_left_out_of_folders() {
    let user = Gliznet::new();
    std::os::unix::fs::symlink("gone.md", user.path("link.md")).unwrap();
    check(
        &user,
        "link.md",
        expect![[r#"
            gliznet: link.md: a link to gone.md, which is not there; mend or remove the link
        "#]],
    );
    assert_eq!(headings(&tagged(&user, &["."])), ["./a.md", "./z.md"]);
}

#[cfg(unix)]
#[test]
fn what_may_not_be_read_is_named() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;

    let user = Gliznet::with(&[
        ("a.md", "Bread."),
        ("shut/b.md", "Milk."),
        ("secret.md", "Oats."),
    ]);
    let mode = |name: &str, mode: u32| {
        std::fs::set_permissions(user.path(name), PermissionsExt::from_mode(mode)).unwrap();
    };
    mode("shut", 0o000);
    mode("secret.md", 0o000);
    let mut command = user.command(&tag_args(&[".", "--labels", "bread"]));
    if std::fs::read(user.path("secret.md")).is_ok() {
        // Nothing is shut for root: somebody else has to run the program.
        mode("..", 0o755);
        command.uid(65534);
    }
    let output = command.output();
    mode("shut", 0o755); // So that the folder can be removed.
    let ran = match output {
        Ok(output) => Ran::from(output),
        Err(error) => {
            return anstream::eprintln!("skipped: nobody may not run the program: {error}");
        }
    };
    if ran.said().contains("bert-cosine-proj") {
        return anstream::eprintln!("skipped: nobody may not read the checkpoint: {}", ran.err);
    }
    assert_eq!(headings(&ran), ["./a.md"], "{ran:#?}");
    let mut said: Vec<&str> = ran.err.lines().collect();
    said.sort_unstable();
    let expected = [
        "gliznet: ./secret.md: may not be read; change its permissions",
        "gliznet: ./shut: may not be read; change its permissions",
    ];
    assert_eq!(said, expected);
    assert_eq!(ran.code, 1);
}

/// Runs until all but standard input is tagged, and looks at the memory the program has used by then.
#[cfg(target_os = "linux")]
#[test]
fn of_a_file_of_100_mb_only_the_beginning_is_read_and_held() {
    use std::io::{BufRead, BufReader, Write};
    use std::process::Stdio;

    let user = Gliznet::new();
    let paragraph = "Bread and milk, and the weather in the mountains.\n\n".repeat(20_000);
    let mut file = std::fs::File::create(user.path("huge.txt")).unwrap();
    for _ in 0..100 {
        file.write_all(paragraph.as_bytes()).unwrap();
    }
    drop(file);
    let args = ["huge.txt", "-", "--labels", "bread", "--format", "jsonl"];
    let mut child = user
        .command(&tag_args(&args))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut row = String::new();
    stdout.read_line(&mut row).unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));

    let row: serde_json::Value = serde_json::from_str(&row).unwrap();
    assert_eq!(
        (&row["path"], &row["cut"]),
        (&"huge.txt".into(), &true.into())
    );
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let kilobytes: u64 = peak.trim_end_matches("kB").trim().parse().unwrap();
    assert!(kilobytes < 250_000, "{kilobytes} kB for a file of 100 MB");
}

#[test]
fn a_text_that_was_cut_says_so() {
    let user = Gliznet::with(&[("long.txt", &"Bread and milk. ".repeat(20_000))]);
    let ran = tagged(&user, &["long.txt"]);
    let last = ran.out.lines().last();
    assert_eq!(last, Some("  only the beginning was read (16 windows)"));
}

#[cfg(unix)]
#[test]
fn a_name_that_is_not_utf8_or_moves_the_cursor_does_no_harm() {
    use std::os::unix::ffi::OsStrExt;

    let user = Gliznet::new();
    let odd = std::ffi::OsStr::from_bytes(b"caf\xe9\x1b[2J.md");
    if let Err(error) = std::fs::write(user.path("").join(odd), "Bread.") {
        return anstream::eprintln!("skipped: this file system takes no such name: {error}");
    }
    let mut command = user.command(&tag_args(&LABELS));
    let ran = Ran::from(command.arg(odd).output().unwrap());
    assert_eq!(headings(&ran), ["caf\u{fffd}\u{fffd}[2J.md"]);
    assert_eq!(
        headings(&tagged(&user, &["."])),
        ["./caf\u{fffd}\u{fffd}[2J.md"]
    );
}
