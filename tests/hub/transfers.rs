//! Downloads that meet trouble: they go on where they stopped, within a pull and after it.

use std::process::Command;
use std::time::Duration;

use expect_test::expect;

use super::hub_server::Trouble;
use super::hub_user::{REPO, User, WEIGHTS, tiny};

#[test]
fn a_cut_connection_goes_on_from_the_byte_where_it_stopped() {
    let last = tiny()[WEIGHTS].len() - 1;
    for at in [1, 100_000, last] {
        let user = User::new();
        user.hub.cut(WEIGHTS, at, 1);
        let ran = user.run(&["pull", REPO]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let said = "model.safetensors: the connection was closed too early; trying again";
        assert!(ran.err.contains(said), "{}", ran.err);
        let ranges = [None, Some(format!("bytes={at}-"))];
        assert_eq!(user.ranges_of_weights(), ranges);
        user.check_installed("tiny", &tiny());
    }
}

#[test]
fn a_pull_that_gave_up_is_resumed_by_the_next_one() {
    let user = User::new();
    user.hub.cut(WEIGHTS, 100_000, 100);
    user.fails(&["pull", REPO], expect![
            "gliznet: model.safetensors: stopped after 100000 of 442792 bytes: the connection was closed too early; pull again to go on from there"
        ],
    );
    assert_eq!(std::fs::metadata(user.part()).unwrap().len(), 100_000);
    expect!["tiny: unfinished, 144.3 kB are here; `gliznet model pull gliznet/tiny` goes on"]
        .assert_eq(&user.run(&["list"]).line_about("tiny"));
    user.hub.heal();
    user.hub.take_seen();
    let ran = user.run(&["pull", REPO]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let paths = user.hub.take_seen();
    assert!(
        paths.iter().all(|s| !s.path.ends_with("config.json")),
        "small files were complete"
    );
    assert_eq!(
        paths.last().unwrap().range.as_deref(),
        Some("bytes=100000-")
    );
    user.check_installed("tiny", &tiny());
}

#[test]
fn a_killed_pull_is_resumed_and_a_second_one_beside_it_waits() {
    let user = User::new();
    user.hub.slow(WEIGHTS, 5_000, Duration::from_millis(50));
    let mut first = user.start(&["pull", REPO]);
    user.wait_for_part();
    user.fails(
        &["pull", REPO],
        expect!["gliznet: another `gliznet model pull` is fetching `tiny`; wait until it is done"],
    );
    first.kill().unwrap();
    first.wait().unwrap();
    user.check_nothing_installed();
    let have = std::fs::metadata(user.part()).unwrap().len();
    user.hub.heal();
    user.hub.take_seen();
    assert_eq!(user.run(&["pull", REPO]).code, 0);
    assert_eq!(user.ranges_of_weights(), [Some(format!("bytes={have}-"))]);
    user.check_installed("tiny", &tiny());
}

#[test]
fn a_server_without_ranges_sends_the_whole_again() {
    let user = User::new();
    user.hub.cut(WEIGHTS, 100_000, 1);
    user.hub.trouble(Trouble::NoRanges);
    assert_eq!(user.run(&["pull", REPO]).code, 0);
    user.check_installed("tiny", &tiny());
}

#[test]
fn a_slow_server_and_one_that_fails_first_are_borne() {
    let user = User::new();
    let pause = Duration::from_millis(10);
    user.hub.slow(WEIGHTS, 20_000, pause);
    for part in ["/api/", "tokenizer.json", "/cdn/"] {
        user.hub.fail(part, 500, "", 1);
    }
    let ran = user.run(&["pull", REPO]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(
        ran.err.matches("it answered 500; trying again").count(),
        3,
        "{}",
        ran.err
    );
    user.check_installed("tiny", &tiny());
}

#[test]
fn a_silent_server_is_left_after_a_while_and_the_part_kept() {
    use gliznet::model::hub::{HubError, Patience, Pull, Repository};
    let user = User::new();
    user.hub.slow(WEIGHTS, 50_000, Duration::from_secs(2));
    let folders = gliznet::config::Folders {
        config: user.home.path().join("config"),
        data: user.home.path().join("data"),
        cache: user.home.path().join("cache"),
    };
    let pull = Pull {
        repository: Repository::parse(REPO).unwrap(),
        name: None,
        endpoint: user.hub.endpoint(),
        token: None,
        offline: false,
        patience: Patience {
            silence: Duration::from_millis(200),
            wait: Duration::ZERO,
            attempts: 1,
            ..Patience::default()
        },
    };
    let store = gliznet::model::store::Store::new(&folders, None);
    let error = pull.run(&store, &mut |_| {}).unwrap_err();
    assert!(
        matches!(&error, HubError::Interrupted { have: 50_000, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("it fell silent"), "{error}");
    assert_eq!(std::fs::metadata(user.part()).unwrap().len(), 50_000);
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_grow_is_said_and_kept_for_resuming() {
    let user = User::new();
    let mut shell = Command::new("sh");
    // 200 blocks of 512 bytes (or of 1024, as bash counts them) hold the small files only.
    shell.args(["-c", "ulimit -f 200; exec \"$0\" model pull gliznet/tiny"]);
    shell.arg(env!("CARGO_BIN_EXE_gliznet"));
    let output = user.environment(&mut shell).output().unwrap();
    let ran = user.ran(output);
    expect!["gliznet: HOME/data/models/.incoming/tiny/model.safetensors.part: the file may not grow so large here (File too large (os error 27)); raise the limit (`ulimit -f`, the file system's) and pull again: what has been fetched is kept"].assert_eq(ran.err.lines().last().unwrap());
    assert_eq!(ran.code, 1);
    user.check_nothing_installed();
    let have = std::fs::metadata(user.part()).unwrap().len();
    assert!(have > 0);
    user.hub.take_seen();
    assert_eq!(user.run(&["pull", REPO]).code, 0);
    assert_eq!(user.ranges_of_weights(), [Some(format!("bytes={have}-"))]);
    user.check_installed("tiny", &tiny());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_and_what_came_is_kept() {
    let user = User::new();
    std::fs::create_dir_all(user.home.path().join("data")).unwrap();
    // A file system of our own, which ends with the process.
    let script = "mount -t tmpfs -o size=200k none data || exit 77
        \"$0\" model pull gliznet/tiny; code=$?
        ls data/models data/models/.incoming/tiny; exit $code";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
    command.arg(env!("CARGO_BIN_EXE_gliznet"));
    let ran = match user.environment(&mut command).output() {
        Ok(output) => user.ran(output),
        Err(error) => return skip(&format!("no unshare: {error}")),
    };
    if ran.code == 77 || ran.err.starts_with("unshare:") {
        return skip(&ran.err);
    }
    expect!["gliznet: HOME/data/models/.incoming/tiny/model.safetensors.part: the disk is full (No space left on device (os error 28)); make room and pull again: what has been fetched is kept"].assert_eq(ran.err.lines().last().unwrap());
    expect![[r#"
        data/models:

        data/models/.incoming/tiny:
        README.md
        config.json
        model.safetensors.part
        source.json
        tokenizer.json
        tokenizer_config.json
    "#]]
    .assert_eq(&ran.out);
    assert_eq!(ran.code, 1);
}

fn skip(reason: &str) {
    anstream::eprintln!(
        "skipped: no file system of our own to fill up ({})",
        reason.trim()
    );
}

#[cfg(unix)]
#[test]
fn of_a_file_that_does_not_end_no_more_is_taken_than_there_should_be() {
    let user = User::new();
    user.hub.trouble(Trouble::Longer {
        file: WEIGHTS,
        by: 16 << 20,
    });
    // All of it would not go into 4 MB.
    let ran = user.run_limited("4000", &["pull", REPO]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let said = ran.err.lines().last().unwrap();
    assert!(said.contains("the checksum is"), "{said}");
}
