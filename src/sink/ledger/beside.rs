//! Tags of the machine that a person took out where no file shows it: of attributes and sidecars.
//!
//! Input: what is known of a folder's files, and what stands beside them. Output: which tags are
//! gone. Invariant: where all is gone that tags stood in, nobody took them out. Opens no such file;
//! a sidecar is read once for all files of its folder.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::super::plan::is_among;
use super::super::store::Held;
use super::super::{Sink, SinkError, sidecar};
use super::{Ledger, canonical};

impl Ledger {
    /// The tags that gliznet put beside files in a folder and that a person has taken out there, of
    /// each file that has any.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn taken_out_beside(
        &self,
        folder: &Path,
    ) -> Result<HashMap<PathBuf, Vec<String>>, SinkError> {
        let folder = canonical(folder);
        let known = |sink| {
            let all = self.locked(|open| Ok(open.past.machine_tags(Some(sink))))?;
            let here = all.into_iter();
            let here = here.filter(|(path, _)| path.starts_with(&folder));
            Ok::<Vec<(PathBuf, Vec<String>)>, SinkError>(here.collect())
        };
        let mut sidecars: HashMap<PathBuf, HashMap<PathBuf, Vec<String>>> = HashMap::new();
        let mut gone: HashMap<PathBuf, Vec<String>> = HashMap::new();
        for (path, tags) in known(Sink::Sidecar)? {
            let dir = path.parent().unwrap_or(Path::new("/")).to_path_buf();
            let lines = sidecars.entry(dir).or_insert_with(|| {
                let held = Held::read(&path, Sink::Sidecar);
                held.map_or_else(|_| HashMap::new(), |held| sidecar::lines(&held.content))
            });
            let name = path.file_name().map(PathBuf::from).unwrap_or_default();
            if let Some(standing) = lines.get(&name) {
                missing(&mut gone, path, tags, standing);
            }
        }
        for (path, tags) in known(Sink::Xattr)? {
            let Ok(held) = Held::read(&path, Sink::Xattr) else {
                continue; // It is gone, or on a disk that is away.
            };
            if let (Ok((standing, _)), Ok(false)) = (held.standing(), held.is_bare()) {
                missing(&mut gone, path, tags, &standing);
            }
        }
        Ok(gone)
    }
}

fn missing(
    gone: &mut HashMap<PathBuf, Vec<String>>,
    path: PathBuf,
    tags: Vec<String>,
    standing: &[String],
) {
    let is_gone = |tag: &String| !is_among(tag, standing);
    let missing: Vec<String> = tags.into_iter().filter(is_gone).collect();
    if !missing.is_empty() {
        gone.entry(path).or_default().extend(missing);
    }
}
