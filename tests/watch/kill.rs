//! `kill -9` at random moments of writing, indexing and undoing in a watched folder, through every
//! sink that writes: the same notes, index, ledger and program all along.
//!
//! Every note is at every moment as it was or as it should be; what was taken back does not return;
//! in the end each note has its tags once, the index knows all of them, and all can be taken back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::User;

/// How many rounds each sink has, where `GLIZNET_KILL_ROUNDS` does not say otherwise.
const ROUNDS: usize = 6;
/// Notes that a round adds.
const NOTES: usize = 3;
/// Beside a note, or around it.
const TAGS: [&str; 2] = ["garden", "tax"];

struct Rounds {
    user: User,
    sink: &'static str,
    random: u64,
    /// What a person wrote, by note.
    written: BTreeMap<String, String>,
}

impl Rounds {
    /// A number below `end`, the next of a row that the sink decides.
    fn next(&mut self, end: u64) -> u64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % end
    }

    fn put(&mut self, name: String, text: String) {
        self.user.write(&name, &text);
        self.written.insert(name, text);
    }

    /// Kills the daemon, and looks at the notes before another one does.
    fn kill(&self) -> usize {
        let pid = self.user.home.status()["pid"].clone();
        self.user.home.kill(&pid);
        let proc = format!("/proc/{pid}/exe");
        self.user
            .until("its end", || Path::new(&proc).exists(), |is| !is);
        let left = self.check();
        // A dying daemon may still be met.
        let status = || -> Value {
            self.user.home.run(&["watch", "list"]);
            let (shown, _) = self.user.home.run(&["status", "--json"]);
            serde_json::from_str(&shown).unwrap_or(Value::Null)
        };
        let is_new = |now: &Value| now["pid"] != pid && !now.is_null();
        self.user.until("a new one", status, is_new);
        left
    }

    /// The tags that gliznet has put at a note; how its text differs from what a person wrote.
    fn tags(&self, name: &str) -> BTreeSet<String> {
        let (text, was) = (self.user.read(name), &self.written[name]);
        let tags: Vec<String> = match self.sink {
            "frontmatter" => {
                let head = text.strip_suffix(was.as_str());
                let head = head.unwrap_or_else(|| panic!("{name} is damaged: {text:?}"));
                let lines = head.lines().filter_map(|line| line.strip_prefix("  - "));
                let tags: Vec<String> = lines.map(str::to_owned).collect();
                let expected = match tags.is_empty() {
                    true => String::new(),
                    false => format!("---\ntags:\n  - {}\n---\n\n", tags.join("\n  - ")),
                };
                assert_eq!(head, expected, "{name}");
                tags
            }
            sink => {
                assert_eq!(text, *was, "{name} is not written into");
                match sink {
                    "xattr" => attribute(&self.user.path(name)),
                    _ => self.beside(name),
                }
            }
        };
        let all: BTreeSet<String> = tags.iter().cloned().collect();
        assert_eq!(all.len(), tags.len(), "{name} has a tag twice: {tags:?}");
        all
    }

    fn beside(&self, name: &str) -> Vec<String> {
        let sidecar = self.user.path(".gliznet-tags.jsonl");
        let lines = std::fs::read_to_string(sidecar).unwrap_or_default();
        let rows = lines.lines().map(|line| {
            let row: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line:?}"));
            row
        });
        let mut of_note = rows.filter(|row| row["file"] == name);
        let tags = of_note.next().map(|row| row["tags"].clone());
        assert_eq!(of_note.next(), None, "{name} stands there twice");
        let tags = tags.and_then(|tags| tags.as_array().cloned());
        let tags = tags.unwrap_or_default().into_iter();
        tags.map(|tag| tag.as_str().unwrap().to_owned()).collect()
    }

    /// Every note is as it was or as it should be; how many are as they should be.
    fn check(&self) -> usize {
        let notes = self.written.keys().map(|name| self.tags(name));
        let whole = notes.filter(|tags| {
            assert!(
                tags.is_empty() || tags.len() == TAGS.len(),
                "half of a write: {tags:?}"
            );
            !tags.is_empty()
        });
        whole.count()
    }
}

fn attribute(path: &Path) -> Vec<String> {
    let bytes = xattr::get(path, "user.xdg.tags")
        .unwrap()
        .unwrap_or_default();
    let text = String::from_utf8(bytes).unwrap();
    let tags = text.split(',').filter(|tag| !tag.is_empty());
    tags.map(str::to_owned).collect()
}

fn kill_at_random(sink: &'static str, seed: u64) {
    let rounds = std::env::var("GLIZNET_KILL_ROUNDS");
    let rounds = rounds.map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let mut all = Rounds {
        user: User::new(),
        sink,
        random: seed,
        written: BTreeMap::new(),
    };
    all.user.watch(&["--sink", sink]);
    let mut taken_back: BTreeSet<String> = BTreeSet::new();
    let (mut in_writing, mut in_undoing) = (0, 0);
    for round in 0..rounds {
        for note in 0..NOTES {
            all.put(
                format!("{round}-{note}.md"),
                format!("Note {round} {note}.\n"),
            );
        }
        let pause = 80 + all.next(250);
        std::thread::sleep(Duration::from_millis(pause));
        let before = all.kill();
        let tagged = round * NOTES - taken_back.len();
        in_writing += usize::from((tagged + 1..tagged + NOTES).contains(&before));
        all.user.settled();
        assert_eq!(
            all.check(),
            all.written.len() - taken_back.len(),
            "round {round}"
        );
        if round % 3 == 2 {
            let mut undo = all.user.home.gliznet(&["undo"]);
            let mut undo = undo.stdout(Stdio::null()).spawn().unwrap();
            let pause = all.next(120);
            std::thread::sleep(Duration::from_millis(pause));
            let _ = undo.kill(); // It may have ended.
            undo.wait().unwrap();
            all.kill();
            all.user.settled();
            let bare: BTreeSet<String> = {
                let names = all.written.keys().filter(|name| all.tags(name).is_empty());
                names.cloned().collect()
            };
            assert!(
                taken_back.is_subset(&bare),
                "what was taken back has returned"
            );
            in_undoing += usize::from((1..NOTES).contains(&(bare.len() - taken_back.len())));
            taken_back = bare;
        }
    }
    let list = all.user.settled();
    let n = all.written.len();
    let folder = &list["folders"][0];
    assert_eq!(
        (&folder["notes"], &folder["tagged"]),
        (&n.into(), &n.into()),
        "{list}"
    );
    assert_eq!(all.user.find(&TAGS).len(), n);
    assert_eq!(
        all.user.find(&["garden", "--written"]).len(),
        n - taken_back.len()
    );
    let (shown, code) = all.user.home.run(&["undo", "--since", "1970-01-02"]);
    assert_eq!(code, 0, "{shown}");
    assert_eq!(all.check(), 0, "{shown}");
    let left: BTreeSet<String> = std::fs::read_dir(&all.user.notes)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(
        left,
        all.written.keys().cloned().collect(),
        "nothing is left lying about"
    );
    anstream::eprintln!(
        "{sink}: {rounds} rounds, killed in the middle of {in_writing} writings and {in_undoing} undoings"
    );
}

#[test]
fn killed_at_any_moment_no_front_matter_is_damaged_or_doubled() {
    kill_at_random("frontmatter", 1);
}

#[test]
fn killed_at_any_moment_no_sidecar_is_damaged_or_doubled() {
    kill_at_random("sidecar", 2);
}

#[test]
fn killed_at_any_moment_no_attribute_is_damaged_or_doubled() {
    kill_at_random("xattr", 3);
}
