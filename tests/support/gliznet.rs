//! A user of `gliznet` with folders of their own: runs the real binary, gives back what they see.
//!
//! Every runner has its own home, so that the tester's settings, models and label sets stay out,
//! and its own working folder, so that paths in messages are the same on every machine.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A user with empty folders.
pub(crate) struct Gliznet {
    home: tempfile::TempDir,
}

/// What a run has left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Gliznet {
    pub(crate) fn new() -> Gliznet {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("here")).unwrap();
        Gliznet { home }
    }

    /// The same, with these files in the working folder.
    pub(crate) fn with(files: &[(&str, &str)]) -> Gliznet {
        let user = Gliznet::new();
        for (name, text) in files {
            user.write(name, text.as_bytes());
        }
        user
    }

    /// A path in the working folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join("here").join(name)
    }

    /// Writes a file in the working folder, and the folders it needs.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// The program in the working folder and a clean environment.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gliznet"));
        let home = self.home.path();
        command
            .args(args)
            .env_clear()
            .env("HOME", home)
            .env("GLIZNET_CONFIG_DIR", home.join("config"))
            .env("GLIZNET_DATA_DIR", home.join("data"))
            .env("GLIZNET_CACHE_DIR", home.join("cache"))
            .current_dir(home.join("here"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs `gliznet ARGS`.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::from(self.command(args).output().unwrap())
    }
}

const TINY: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/fixtures/parity/bert-cosine-proj"
);

/// A checkpoint of random weights that loads in no time.
pub(crate) fn tiny() -> &'static Path {
    Path::new(TINY)
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}
