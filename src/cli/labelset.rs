//! `gliznet labelset`: which label sets there are, what is in them, what is wrong with them.
//!
//! Input: bundled sets, the user's folder of sets, files. Output: tables for people, JSON for
//! scripts. Invariant: a set of the user goes before a bundled one of the same name.
//! Knows nothing of models; `gliznet tag` takes its set from `load`.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::{Outcome, UsageError};
use crate::config::{ConfigError, Folders};
use crate::desk::{called_so, of_name};
use crate::label::{self, LabelSet, LabelSetFault};

pub(super) mod change;
mod check;
mod list;
mod renamed;
mod show;
pub(super) mod tags;
mod vault;

pub(super) use renamed::renamed;

/// Lists, checks, derives and changes label sets.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(list::Args),
    Show(show::Args),
    Check(check::Args),
    FromVault(vault::Args),
    Add(change::Add),
    Rename(change::Rename),
    Merge(change::Merge),
    Drop(change::Drop),
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    // Without a home folder there are no sets of one's own; the bundled ones are still there.
    let folders = match Folders::of_this_user() {
        Ok(folders) => Some(folders),
        Err(ConfigError::NoHome) => None,
        Err(error) => return Err(error.into()),
    };
    // One `.toml` a set; it need not exist.
    let user_dir = folders.as_ref().map(|of| of.config.join("labelsets"));
    let user_dir = user_dir.as_deref();
    let place = change::Place {
        user_dir,
        data: folders.as_ref().map(|of| of.data.as_path()),
    };
    let out: &mut dyn Write = &mut anstream::stdout().lock();
    match &args.command {
        Command::List(args) => list::run(args, user_dir, out),
        Command::Show(args) => show::run(args, user_dir, out),
        Command::Check(args) => check::run(args, user_dir, out),
        Command::FromVault(args) => vault::run(args, out),
        Command::Add(args) => change::add(args, place),
        Command::Rename(args) => change::rename(args, place),
        Command::Merge(args) => change::merge(args, place),
        Command::Drop(args) => change::remove(args, place),
    }
}

/// The label set that `--labelset` means: a file where there is one of that path or where it ends
/// in `.toml`, else a set of the user, else a bundled one.
pub(crate) fn load(name_or_file: &str, user_dir: Option<&Path>) -> anyhow::Result<LabelSet> {
    find(name_or_file, user_dir)?.parse()
}

/// A label set that is there, read but not parsed.
#[derive(Debug)]
struct Source {
    /// The stem of its file.
    name: String,
    /// `None` where it is bundled.
    path: Option<PathBuf>,
    toml: String,
}

/// A label set's file is no text from this line on.
#[derive(Debug, thiserror::Error)]
#[error("{}:{line}: {NOT_UTF8}", .path.display())]
struct NotUtf8 {
    path: PathBuf,
    line: usize,
}

const NOT_UTF8: &str = "not UTF-8; save the file as UTF-8";

impl Source {
    fn read(path: &Path) -> anyhow::Result<Source> {
        let bytes = read_small(path).with_context(|| path.display().to_string())?;
        let name = path
            .file_stem()
            .unwrap_or(path.as_os_str())
            .to_string_lossy()
            .into_owned();
        let toml = String::from_utf8(bytes).map_err(|error| {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = good.iter().filter(|&&byte| byte == b'\n').count() + 1;
            let path = path.to_path_buf();
            NotUtf8 { path, line }
        })?;
        Ok(Source {
            name,
            path: Some(path.to_path_buf()),
            toml,
        })
    }

    fn parse(&self) -> anyhow::Result<LabelSet> {
        let mut set = LabelSet::parse(&self.toml).map_err(|faults| self.faulty(&faults))?;
        if set.name.is_empty() {
            set.name.clone_from(&self.name);
        }
        Ok(set)
    }

    fn place(&self) -> String {
        match &self.path {
            Some(path) => path.display().to_string(),
            None => format!("bundled label set {}", self.name),
        }
    }

    fn faulty(&self, faults: &[LabelSetFault]) -> anyhow::Error {
        let place = self.place();
        let lines: Vec<String> = faults.iter().map(|fault| located(&place, fault)).collect();
        anyhow::anyhow!("the label set cannot be used\n{}", lines.join("\n"))
    }
}

/// No label set that somebody wrote is larger, and a file of any size must not fill the memory.
const MOST_BYTES: u64 = 16 << 20;

fn read_small(path: &Path) -> anyhow::Result<Vec<u8>> {
    let metadata = fs::metadata(path).map_err(with_cure)?;
    if metadata.is_dir() {
        anyhow::bail!("is a folder; name a .toml file in it");
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(with_cure)?;
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        anyhow::bail!(
            "larger than {} MiB; a label set is a small text file",
            MOST_BYTES >> 20
        );
    }
    Ok(bytes)
}

fn with_cure(error: io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::NotFound => anyhow::anyhow!("no such file or folder; check the path"),
        io::ErrorKind::PermissionDenied => {
            anyhow::anyhow!("may not be read; change its permissions")
        }
        _ => error.into(),
    }
}

/// `path:line: fact; cure`, where editors and terminals look for it.
fn located(place: &str, fault: &LabelSetFault) -> String {
    format!("{place}:{}: {}", fault.line, fault.problem)
}

fn find(name_or_file: &str, user_dir: Option<&Path>) -> anyhow::Result<Source> {
    let path = Path::new(name_or_file);
    let is_toml = path
        .extension()
        .is_some_and(|ext| ext.eq_ignore_ascii_case("toml"));
    // No set is called as a path is.
    if path.is_file() || is_toml || path.components().count() > 1 {
        if !path.exists() {
            let error = with_cure(io::ErrorKind::NotFound.into());
            return Err(UsageError(format!("{}: {error}", path.display())).into());
        }
        return Source::read(path);
    }
    let files = user_files(user_dir)?;
    if let Some(path) = of_name(&files, name_or_file) {
        return Source::read(path);
    }
    let mut bundled = bundled_sources();
    if let Some(source) = bundled.find(|source| source.name.eq_ignore_ascii_case(name_or_file)) {
        return Ok(source);
    }
    Err(unknown(name_or_file, &files))
}

fn unknown(name: &str, files: &[PathBuf]) -> anyhow::Error {
    let stems = files.iter().filter_map(|path| path.file_stem()?.to_str());
    let mut names: Vec<&str> = stems
        .chain(label::bundled().iter().map(|(name, _)| *name))
        .collect();
    names.sort_unstable();
    names.dedup();
    let cure = match (
        called_so(name, files),
        label::nearest(name, names.iter().copied()),
    ) {
        (Some(file), _) => file,
        (None, Some(nearest)) => format!("did you mean `{nearest}`?"),
        (None, None) => format!(
            "there are {}; or give the path of a .toml file",
            names.join(", ")
        ),
    };
    UsageError(format!("no label set is called `{name}`; {cure}")).into()
}

fn bundled_sources() -> impl Iterator<Item = Source> {
    label::bundled().iter().map(|(name, toml)| Source {
        name: (*name).to_owned(),
        path: None,
        toml: (*toml).to_owned(),
    })
}

/// The user's sets in alphabetical order; none where the folder does not exist.
fn user_files(user_dir: Option<&Path>) -> anyhow::Result<Vec<PathBuf>> {
    let Some(dir) = user_dir.filter(|dir| dir.is_dir()) else {
        return Ok(Vec::new());
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let path = entry.with_context(|| dir.display().to_string())?.path();
        if path
            .extension()
            .is_some_and(|ext| ext.eq_ignore_ascii_case("toml"))
            && path.is_file()
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// `1 label`, `2 labels`.
fn counted(n: usize, thing: &str) -> String {
    if n == 1 {
        format!("1 {thing}")
    } else {
        format!("{n} {thing}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user_dir(sets: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, toml) in sets {
            let mut file = fs::File::create(dir.path().join(name)).unwrap();
            file.write_all(toml.as_bytes()).unwrap();
        }
        dir
    }

    #[test]
    fn a_set_is_loaded_by_name_or_path() {
        let dir = user_dir(&[("mine.toml", "[[label]]\nname = 'a'\n")]);
        assert_eq!(load("mine", Some(dir.path())).unwrap().name, "mine");
        assert_eq!(load("GTD", Some(dir.path())).unwrap().name, "gtd");
        let path = dir.path().join("mine.toml");
        assert_eq!(
            load(path.to_str().unwrap(), None).unwrap().labels().len(),
            1
        );
    }

    #[test]
    fn the_users_set_goes_before_the_bundled_one() {
        let dir = user_dir(&[("gtd.toml", "[[label]]\nname = 'only'\n")]);
        assert_eq!(
            load("gtd", Some(dir.path())).unwrap().labels()[0].name,
            "only"
        );
    }

    #[test]
    fn an_unknown_name_is_a_usage_error_with_the_nearest_name() {
        let dir = user_dir(&[("garden.toml", "")]);
        let error = load("gardne", Some(dir.path())).unwrap_err();
        assert!(error.is::<UsageError>());
        assert_eq!(
            error.to_string(),
            "no label set is called `gardne`; did you mean `garden`?"
        );
        let all = load("xyz", None).unwrap_err().to_string();
        assert!(all.contains("emotions, gtd, journal"), "{all}");
    }

    #[test]
    fn a_set_that_calls_itself_otherwise_is_named_with_its_file() {
        let dir = user_dir(&[
            ("broken.toml", "name = 'Plants'\nlabel = 3\n"),
            ("garden.toml", "name = 'Plants'\n[[label]]\nname = 'a'\n"),
        ]);
        let error = load("plants", Some(dir.path())).unwrap_err();
        let path = dir.path().join("garden.toml");
        let said = format!(
            "no label set is called `plants`; {} calls itself so, and is found by the name of its file: `garden`",
            path.display()
        );
        assert_eq!(error.to_string(), said);
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named_with_all_its_lines() {
        let dir = user_dir(&[(
            "bad.toml",
            "thresold = 1\nname = ''\n[[label]]\nname = 'a'\n",
        )]);
        let error = format!("{:#}", load("bad", Some(dir.path())).unwrap_err());
        let path = dir.path().join("bad.toml").display().to_string();
        assert!(
            error.contains(&format!("\n{path}:1: unknown key `thresold`")),
            "{error}"
        );
        assert!(
            error.contains(&format!("\n{path}:2: `name` is empty")),
            "{error}"
        );

        let missing = format!("{:#}", load("nowhere/x.toml", None).unwrap_err());
        assert!(missing.starts_with("nowhere/x.toml: "), "{missing}");
    }

    #[test]
    fn a_file_that_is_not_utf8_is_refused_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("latin.toml");
        let mut file = fs::File::create(&path).unwrap();
        file.write_all(b"[[label]]\nname = \"caf\xe9\"\n").unwrap();
        let error = load(path.to_str().unwrap(), None).unwrap_err().to_string();
        assert!(
            error.ends_with("latin.toml:2: not UTF-8; save the file as UTF-8"),
            "{error}"
        );
    }
}
