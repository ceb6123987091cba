//! A disk that is full, and one that may not be written: nothing is lost, and it is said.

#[cfg(target_os = "linux")]
use std::process::Command;

#[cfg(target_os = "linux")]
use crate::gliznet::{Gliznet, Ran, tiny};

#[cfg(target_os = "linux")]
fn in_a_file_system_of_our_own(user: &Gliznet, script: &str) -> Option<Ran> {
    let mut command = user.command(&[]);
    let environment: Vec<_> = command
        .get_envs()
        .map(|(k, v)| (k.to_owned(), v.map(ToOwned::to_owned)))
        .collect();
    let here = command.get_current_dir().map(ToOwned::to_owned).unwrap();
    command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
    command.arg(env!("CARGO_BIN_EXE_gliznet")).arg(tiny());
    command
        .env_clear()
        .current_dir(here)
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
    for (name, value) in environment {
        command.env(name, value.unwrap());
    }
    let ran = match command.output() {
        Ok(output) => Ran::from(output),
        Err(error) => return skip(&format!("no unshare: {error}")),
    };
    match ran.code == 77 || ran.err.starts_with("unshare:") {
        true => skip(&ran.err),
        false => Some(ran),
    }
}

#[cfg(target_os = "linux")]
fn skip(reason: &str) -> Option<Ran> {
    anstream::eprintln!("skipped: no file system of our own ({})", reason.trim());
    None
}

#[cfg(target_os = "linux")]
const TAG: &str =
    "\"$0\" tag --write --model \"$1\" --labels garden --threshold 0 --format jsonl notes";

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_the_notes_as_they_are() {
    let user = Gliznet::new();
    // Notes that fit once but not twice, and one small one that can still be written.
    let script = format!(
        "mkdir notes && mount -t tmpfs -o size=400k none notes || exit 77
        for n in 1 2; do yes 'Some words of a note.' | head -c 150000 > notes/$n.md; done
        head -c 90000 /dev/zero | tr '\\0' 'y' > notes/fill
        cksum notes/1.md notes/2.md
        {TAG}; code=$?
        cksum notes/1.md notes/2.md; ls -A notes; exit $code"
    );
    let Some(ran) = in_a_file_system_of_our_own(&user, &script) else {
        return;
    };
    assert_eq!(ran.code, 1, "{ran:?}");
    let sums: Vec<&str> = ran
        .out
        .lines()
        .filter(|line| line.ends_with(".md") && line.contains("150000"))
        .collect();
    assert_eq!(sums[..2], sums[2..], "{ran:?}");
    assert!(
        ran.err
            .contains("notes/1.md: cannot be written (No space left on device"),
        "{ran:?}"
    );
    assert!(
        ran.err.contains("make room; nothing was changed"),
        "{ran:?}"
    );
    assert!(
        ran.out.ends_with("1.md\n2.md\nfill\n"),
        "no temporary file stays: {ran:?}"
    );
    assert_eq!(user.run(&["log", "--format", "json"]).out, "[]\n");
}

#[cfg(target_os = "linux")]
#[test]
fn without_room_for_the_ledger_nothing_is_written() {
    let user = Gliznet::with(&[("notes/a.md", "Text\n")]);
    let script = format!(
        "mkdir -p ../data && mount -t tmpfs -o size=8k none ../data || exit 77
        head -c 8192 /dev/zero > ../data/fill 2>/dev/null
        {TAG}"
    );
    let Some(ran) = in_a_file_system_of_our_own(&user, &script) else {
        return;
    };
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.err
            .contains("runs.jsonl: cannot record what is written"),
        "{ran:?}"
    );
    assert_eq!(std::fs::read(user.path("notes/a.md")).unwrap(), b"Text\n");
}

#[cfg(target_os = "linux")]
#[test]
fn a_read_only_disk_is_said() {
    let user = Gliznet::with(&[("notes/a.md", "Text\n")]);
    let script =
        format!("mount --bind notes notes && mount -o remount,bind,ro notes || exit 77; {TAG}");
    let Some(ran) = in_a_file_system_of_our_own(&user, &script) else {
        return;
    };
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.err.contains("notes/a.md: it may not be written"),
        "{ran:?}"
    );
    assert_eq!(std::fs::read(user.path("notes/a.md")).unwrap(), b"Text\n");
}
