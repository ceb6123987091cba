//! `gliznet tag` with the tiny checkpoint, for tests that are not about a model.

use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use super::gliznet::{Gliznet, Ran, tiny};

/// The arguments of `tag`, with the tiny checkpoint on one thread.
pub(crate) fn tag_args<'a>(args: &[&'a str]) -> Vec<&'a str> {
    let model = tiny().to_str().unwrap();
    let model = ["tag", "--model", model, "--threads", "1"];
    model.into_iter().chain(args.iter().copied()).collect()
}

impl Gliznet {
    /// Runs `gliznet tag ARGS`.
    pub(crate) fn tag(&self, args: &[&str]) -> Ran {
        self.run(&tag_args(args))
    }

    /// The same with `input` on standard input.
    pub(crate) fn tag_input(&self, args: &[&str], input: &[u8]) -> Ran {
        let mut command = self.command(&tag_args(args));
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        std::thread::scope(|scope| {
            // The program may end before it has read all: that is its right, and no fault here.
            scope.spawn(move || stdin.write_all(input).ok());
            Ran::from(child.wait_with_output().unwrap())
        })
    }
}

impl Ran {
    /// Each line of standard output, read as JSON.
    pub(crate) fn rows(&self) -> Vec<Value> {
        let row = |line| {
            let error = |error| panic!("{error}: {line}\n{self:#?}");
            serde_json::from_str(line).unwrap_or_else(error)
        };
        self.out.lines().map(row).collect()
    }

    /// Standard error without the program's name before each line.
    pub(crate) fn said(&self) -> String {
        self.err.replace("gliznet: ", "")
    }
}
