//! A user of `gliznet model` with empty folders, and the Hub on loopback that they talk to.
//!
//! Runs the real binary in a clean environment; gives back what a user sees, with the folders and
//! addresses that differ from run to run replaced by `HOME` and `HUB`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use expect_test::Expect;

use super::hub_server::HubServer;

pub(crate) const REPO: &str = "gliznet/tiny";
pub(crate) const WEIGHTS: &str = "model.safetensors";

/// A user with empty folders, and the Hub they talk to.
pub(crate) struct User {
    pub(crate) home: tempfile::TempDir,
    pub(crate) hub: HubServer,
}

pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// The output's line about a model, whatever other models widen its columns.
    pub(crate) fn line_about(&self, name: &str) -> String {
        let line = self.out.lines().find(|line| line.contains(name));
        let words: Vec<&str> = line.unwrap_or_default().split_whitespace().collect();
        words.join(" ")
    }
}

impl User {
    pub(crate) fn new() -> User {
        User::with(tiny())
    }

    pub(crate) fn with(files: BTreeMap<String, Vec<u8>>) -> User {
        User {
            home: tempfile::tempdir().unwrap(),
            hub: HubServer::start(REPO, files),
        }
    }

    pub(crate) fn models(&self) -> PathBuf {
        self.home.path().join("data/models")
    }

    pub(crate) fn part(&self) -> PathBuf {
        self.models().join(".incoming/tiny/model.safetensors.part")
    }

    /// The program in a clean environment, so that the tester's own token and proxy stay out.
    pub(crate) fn environment<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let home = self.home.path();
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home)
            .env("GLIZNET_CONFIG_DIR", home.join("config"))
            .env("GLIZNET_DATA_DIR", home.join("data"))
            .env("GLIZNET_CACHE_DIR", home.join("cache"))
            .env("HF_ENDPOINT", self.hub.endpoint())
            .current_dir(home)
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.run_with(args, &[])
    }

    pub(crate) fn run_with(&self, args: &[&str], env: &[(&str, &str)]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gliznet"));
        self.environment(command.arg("model").args(args));
        self.ran(command.envs(env.iter().copied()).output().unwrap())
    }

    /// The same, where no file may grow beyond so many blocks (of 512 or 1,024 bytes).
    #[cfg(unix)]
    pub(crate) fn run_limited(&self, blocks: &str, args: &[&str]) -> Ran {
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -f $0; exec \"$@\"", blocks]);
        command.arg(env!("CARGO_BIN_EXE_gliznet"));
        self.environment(command.arg("model").args(args));
        self.ran(command.output().unwrap())
    }

    pub(crate) fn start(&self, args: &[&str]) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gliznet"));
        self.environment(command.arg("model").args(args));
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    pub(crate) fn ran(&self, output: Output) -> Ran {
        let home = self.home.path().canonicalize().unwrap();
        let tidy = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap();
            let text = text.replace(&home.display().to_string(), "HOME");
            let text = text.replace(&self.home.path().display().to_string(), "HOME");
            text.replace(&self.hub.endpoint(), "HUB")
        };
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: tidy(output.stdout),
            err: tidy(output.stderr),
        }
    }

    pub(crate) fn check_installed(&self, name: &str, files: &BTreeMap<String, Vec<u8>>) {
        let folder = self.models().join(name);
        for (file, content) in files {
            assert!(
                std::fs::read(folder.join(file)).unwrap() == *content,
                "{file} differs"
            );
        }
        let count = std::fs::read_dir(&folder).unwrap().count();
        assert_eq!(
            count,
            files.len() + 1,
            "the files and source.json, nothing else"
        );
        assert!(!self.models().join(".incoming").join(name).exists());
    }

    /// A pull that fails: exit code 1, the last line of what is said, nothing installed.
    pub(crate) fn fails(&self, args: &[&str], said: Expect) {
        self.fails_with(args, &[], said);
    }

    pub(crate) fn fails_with(&self, args: &[&str], env: &[(&str, &str)], said: Expect) {
        let ran = self.run_with(args, env);
        said.assert_eq(ran.err.lines().last().unwrap_or_default());
        assert_eq!((ran.code, ran.out.as_str()), (1, ""));
        self.check_nothing_installed();
    }

    pub(crate) fn check_nothing_installed(&self) {
        assert!(!self.models().join("tiny").exists());
    }

    /// Waits until some of the weights are here, while the server sends them slowly.
    pub(crate) fn wait_for_part(&self) {
        while std::fs::metadata(self.part()).map_or(0, |m| m.len()) < 10_000 {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn ranges_of_weights(&self) -> Vec<Option<String>> {
        let seen = self.hub.take_seen();
        seen.into_iter()
            .filter(|s| s.path.starts_with("/cdn/"))
            .map(|s| s.range)
            .collect()
    }
}

pub(crate) fn tiny() -> BTreeMap<String, Vec<u8>> {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parity/bert-cosine-proj");
    let names = [
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        WEIGHTS,
    ];
    let read = |name: &str| (name.to_owned(), std::fs::read(folder.join(name)).unwrap());
    let mut files: BTreeMap<String, Vec<u8>> = names.map(read).into();
    files.insert("README.md".to_owned(), b"# Tiny\n".to_vec());
    files
}
