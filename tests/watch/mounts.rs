//! Disks and limits of our own: a disk that is full, read-only, away and back; and a system that
//! tells of no more folders. Where the system gives no name spaces, these are skipped, which is said.

#![cfg(target_os = "linux")]

use std::process::Command;

use crate::User;

/// What every script begins with: `g` is the program, `until` waits for a command to succeed.
const HEAD: &str = r#"
g() { "$GLIZNET" "$@"; }
until_() {
    n=0
    until eval "$1"; do
        n=$((n + 1))
        if [ $n -gt 300 ]; then echo "never: $1"; g watch list; g stop; exit 1; fi
        sleep 0.2
    done
}
"#;

/// Runs a script as the root of name spaces of its own, in the folder of notes, and ends the daemon
/// that it started. Gives what it printed; none where there are no such name spaces.
fn alone(user: &User, script: &str) -> Option<String> {
    let template = user.home.gliznet(&[]);
    let mut command = Command::new("unshare");
    let script = format!("{HEAD}{script}\ng stop");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]);
    command.current_dir(user.home.path("."));
    for (name, value) in template.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.env("GLIZNET", env!("CARGO_BIN_EXE_gliznet"));
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => return skip(&format!("no unshare: {error}")),
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.code() == Some(77) || said.starts_with("unshare:") {
        return skip(&said);
    }
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{shown}\n{said}");
    Some(shown)
}

fn skip(reason: &str) -> Option<String> {
    anstream::eprintln!("skipped: no name spaces of our own ({})", reason.trim());
    None
}

#[test]
fn a_full_disk_leaves_a_note_as_it_is_until_there_is_room() {
    let user = User::new();
    let script = r"
        mount -t tmpfs -o size=400k none notes || exit 77
        yes 'Some words of a note.' | head -c 150000 > notes/a.md
        cksum < notes/a.md
        head -c 200000 /dev/zero > notes/fill 2>/dev/null
        g watch add notes --settle 0.1 --sink frontmatter > /dev/null
        until_ 'g watch list | grep -q \'No space left\''
        g watch list
        cksum < notes/a.md
        ls -A notes
        rm notes/fill
        g watch run-once > /dev/null
        until_ 'grep -q garden notes/a.md'
        tail -c 150000 notes/a.md | cksum
    "
    .replace("\\'", "'\"'\"'");
    let Some(shown) = alone(&user, &script) else {
        return;
    };
    let sums: Vec<&str> = shown
        .lines()
        .filter(|line| line.ends_with("150000"))
        .collect();
    assert_eq!(sums.len(), 3, "{shown}");
    assert!(sums.iter().all(|sum| *sum == sums[0]), "{shown}");
    assert!(shown.contains("make room; nothing was changed"), "{shown}");
    assert!(
        shown.contains("a.md\nfill\n"),
        "no temporary file stays: {shown}"
    );
}

#[test]
fn a_read_only_disk_is_said_and_written_to_when_it_may_be() {
    let user = User::new();
    user.write("a.md", "Roses.\n");
    let script = r"
        mount --bind notes notes && mount -o remount,bind,ro notes || exit 77
        g watch add notes --settle 0.1 --sink frontmatter > /dev/null
        until_ 'g watch list | grep -q \'may not be written\''
        cat notes/a.md
        mount -o remount,bind,rw notes
        g watch run-once > /dev/null
        until_ 'grep -q garden notes/a.md'
    "
    .replace("\\'", "'\"'\"'");
    let Some(shown) = alone(&user, &script) else {
        return;
    };
    assert!(shown.contains("Roses.\n"), "{shown}");
    assert!(user.read("a.md").ends_with("Roses.\n"), "{shown}");
}

#[test]
fn a_label_set_on_a_read_only_disk_is_left_alone_and_no_permission_is_blamed() {
    let user = User::new();
    let script = r#"
        printf '[[label]]\nname = "a"\n' > set.toml
        mount --bind set.toml set.toml && mount -o remount,bind,ro set.toml || exit 77
        g labelset add ./set.toml b 2>&1 && exit 1
        cat set.toml
    "#;
    let Some(shown) = alone(&user, script) else {
        return;
    };
    assert!(shown.contains("(Read-only file system"), "{shown}");
    assert!(shown.contains("name = \"a\"\n"), "{shown}");
    assert!(!shown.contains("name = \"b\""), "{shown}");
}

#[test]
fn a_permission_that_is_lost_is_said_with_its_cure_and_the_rest_goes_on() {
    let user = User::new();
    // The root of a name space may do everything; without these two rights it is like anybody.
    let script = r#"
        g() {
            setpriv --bounding-set -dac_override,-dac_read_search \
                --inh-caps -dac_override,-dac_read_search "$GLIZNET" "$@"
        }
        command -v setpriv > /dev/null || exit 77
        echo Roses. > notes/a.md
        chmod 000 notes/a.md
        mkdir notes/closed
        chmod 000 notes/closed
        g watch add notes --settle 0.1 --sink frontmatter > /dev/null
        until_ 'g watch list | grep -q a.md'
        g watch list
        chmod 644 notes/a.md
        until_ 'grep -q garden notes/a.md'
        chmod 555 notes
        echo Taxes. > notes/b.md
        until_ 'g watch list | grep -q b.md'
        g watch list; cat notes/b.md
        chmod 755 notes
        g watch run-once > /dev/null
        until_ 'grep -q garden notes/b.md'
        chmod 755 notes/closed
        echo Travels. > notes/closed/c.md
        until_ 'grep -q garden notes/closed/c.md'
        g watch list
        ls -A notes
    "#;
    let Some(shown) = alone(&user, script) else {
        return;
    };
    for said in [
        "notes/a.md: it may not be read; change its permissions",
        "notes/closed: cannot be looked into",
        "notes/b.md: cannot be written (Permission denied",
        "\nTaxes.\n",
        "3 notes, 3 up to date",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    assert!(
        !shown.contains("polling"),
        "the others are heard of: {shown}"
    );
    assert!(
        shown.contains("a.md\nb.md\nclosed\n"),
        "no temporary file stays: {shown}"
    );
}

#[test]
fn a_disk_that_is_unmounted_is_waited_for_with_what_is_known_of_it() {
    let user = User::new();
    let script = r"
        mkdir disk && mount -t tmpfs none disk && mount --bind disk notes || exit 77
        echo Roses. > notes/a.md
        g watch add notes --settle 0.1 > /dev/null
        until_ 'g find garden > /dev/null'
        umount notes
        until_ 'g watch list | grep -q waiting'
        g watch list; g find garden
        mount --bind disk notes
        until_ 'g watch list | grep -q watching'
        echo Taxes. > notes/b.md
        until_ '[ $(g find garden | wc -l) = 2 ]'
        g status --json
    ";
    let Some(shown) = alone(&user, script) else {
        return;
    };
    assert!(shown.contains("1 note, 1 up to date"), "{shown}");
    assert!(shown.contains("notes/a.md"), "still found: {shown}");
    assert!(shown.contains("what is known of it is kept"), "{shown}");
}

#[test]
fn where_the_limit_of_inotify_is_reached_it_is_said_with_the_cure_and_looked_for() {
    let user = User::new();
    let script = r"
        echo 3 > /proc/sys/user/max_inotify_watches || exit 77
        mkdir -p notes/1 notes/2 notes/3 notes/4 notes/5
        g watch add notes --settle 0.1 > /dev/null
        until_ 'g watch list | grep -q polling'
        g status
        echo Roses. > notes/5/a.md
        until_ 'g find garden > /dev/null'
        echo Taxes. > notes/1/b.md
        until_ '[ $(g find garden | wc -l) = 2 ]'
    ";
    let Some(shown) = alone(&user, script) else {
        return;
    };
    let cure = "sysctl fs.inotify.max_user_watches";
    assert!(shown.contains(cure), "status says it: {shown}");
    let log = std::fs::read_dir(user.home.path("run")).unwrap();
    let logs = log.filter_map(|entry| std::fs::read_to_string(entry.unwrap().path()).ok());
    assert!(
        logs.collect::<String>().contains(cure),
        "and so does the log"
    );
}
