//! An append-only file of lines that several processes write: what must not be lost is kept so.
//!
//! Input: whole lines. Output: their place, once they are on disk; and the lines of others.
//! Invariant: a line that was appended durably survives a crash at any later moment; bytes that
//! were never acknowledged (a torn last line) are set aside, not read. A file that is rewritten is
//! the old one or the new one, whenever the power goes. Knows not what lines say.
//! Length: reading, writing and replacing share one lock, and a third of it is tests.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::config::{make_private, private_options, sync_folder};

/// An open file of lines. Each process locks it while it writes.
#[derive(Debug)]
pub struct Lines {
    path: PathBuf,
    file: File,
    /// Bytes that were read or written here; what follows is another process's, or torn.
    length: u64,
    /// Somebody may put another file in this one's place.
    is_replaceable: bool,
    was_replaced: bool,
}

/// So many bytes are read at once.
const CHUNK: usize = 1 << 18;

/// What a look at new lines has found besides them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Caught {
    /// That the file's end was torn, and where it is kept now.
    pub torn: Option<String>,
    /// Another file stands in its place: these are all of its lines, and those before are gone.
    pub was_replaced: bool,
}

/// Lines that were not read before.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Whole lines.
    pub bytes: Vec<u8>,
    /// Where in the file they begin.
    pub start: u64,
    /// That the file's end was torn, and where it is kept now.
    pub torn: Option<String>,
    /// Another file stands in its place: these are all of its lines, and those before are gone.
    pub was_replaced: bool,
}

/// When an append returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// When the lines are on disk.
    Synced,
    /// At once: they can be found out again if they are lost.
    Written,
}

impl Lines {
    /// Opens the file, or begins it, and the folder that it is in.
    ///
    /// # Errors
    /// Either cannot be written.
    pub fn open(path: &Path) -> io::Result<Lines> {
        Ok(Lines {
            path: path.to_path_buf(),
            file: begun(path)?,
            length: 0,
            is_replaceable: false,
            was_replaced: false,
        })
    }

    /// As `open`, of a file that processes may `rewrite`.
    ///
    /// # Errors
    /// As of `open`.
    pub fn open_replaceable(path: &Path) -> io::Result<Lines> {
        Ok(Lines {
            is_replaceable: true,
            ..Lines::open(path)?
        })
    }

    /// Does something while no other process writes.
    ///
    /// # Errors
    /// The file cannot be locked.
    pub fn locked<T>(&mut self, act: impl FnOnce(&mut Lines) -> T) -> io::Result<T> {
        self.lock()?;
        let held = Held(self);
        Ok(act(held.0))
    }

    /// Keeps other processes from writing until `unlock`, or until this is dropped.
    ///
    /// # Errors
    /// The file cannot be locked.
    pub fn lock(&mut self) -> io::Result<()> {
        self.file.lock()?;
        let followed = self.follow();
        if followed.is_err() {
            let _ = self.unlock(); // Or others would wait for as long as this process lives.
        }
        followed
    }

    /// Opens and locks the file that stands in the place of the locked one, if one does.
    fn follow(&mut self) -> io::Result<()> {
        // What is written to a file that is not there any more is lost.
        while self.is_replaceable && !self.is_in_place()? {
            let file = begun(&self.path)?;
            file.lock()?;
            self.file = file;
            self.begin_again();
        }
        // Who copies another file into this one leaves it in its place.
        if self.is_replaceable && self.file.metadata()?.len() < self.length {
            self.begin_again();
        }
        Ok(())
    }

    /// All that stands in the file is to be read.
    fn begin_again(&mut self) {
        self.length = 0;
        self.was_replaced = true;
    }

    /// Lets other processes write.
    ///
    /// # Errors
    /// The file cannot be unlocked.
    pub fn unlock(&mut self) -> io::Result<()> {
        self.file.unlock()
    }

    /// Whether another file stands in the place of the one that was read, as `each_new` will say.
    pub fn is_replaced(&self) -> bool {
        self.was_replaced
    }

    /// Whether the open file is the one that has the path.
    fn is_in_place(&self) -> io::Result<bool> {
        let there = match std::fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            there => there?,
        };
        let here = self.file.metadata()?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            Ok((there.dev(), there.ino()) == (here.dev(), here.ino()))
        }
        // Who replaces a file leaves the old one empty, and the new one is not.
        #[cfg(not(unix))]
        Ok(there.len() == here.len())
    }

    /// Calls `visit` with each whole line that is new, its end included, and sets a torn end
    /// aside. Holds little of a long file. To be called with the lock held.
    ///
    /// # Errors
    /// The file cannot be read, or its end not be set aside.
    pub fn each_new(&mut self, mut visit: impl FnMut(&[u8])) -> io::Result<Caught> {
        let mut caught = Caught {
            was_replaced: std::mem::take(&mut self.was_replaced),
            ..Caught::default()
        };
        self.file.seek(SeekFrom::Start(self.length))?;
        let mut held: Vec<u8> = Vec::new();
        loop {
            let known = held.len();
            let read = (&self.file).take(CHUNK as u64).read_to_end(&mut held)?;
            if read == 0 {
                break;
            }
            // Of a line that is longer than a chunk only the new part is searched.
            let end = held[known..].iter().rposition(|byte| *byte == b'\n');
            let Some(whole) = end.map(|at| known + at + 1) else {
                continue;
            };
            let lines = held[..whole].split_inclusive(|byte| *byte == b'\n');
            lines.for_each(&mut visit);
            self.length += whole as u64;
            held.drain(..whole);
        }
        if !held.is_empty() {
            caught.torn = Some(self.cut_off(&held)?);
        }
        Ok(caught)
    }

    /// Takes a torn end from the file, and says where it is kept.
    fn cut_off(&mut self, torn: &[u8]) -> io::Result<String> {
        let aside = self.set_aside(torn)?;
        self.file.set_len(self.length)?;
        self.file.sync_all()?;
        Ok(format!(
            "{}: its end ({} bytes) was cut off while it was written, and was never acknowledged; it is kept in {}",
            self.path.display(),
            torn.len(),
            aside.display()
        ))
    }

    /// Replaces all lines by others, as a whole or not at all, and what was set aside goes. The
    /// new file may not be empty. To be called with the lock held, after `each_new`, of a file that
    /// is replaceable.
    ///
    /// # Errors
    /// The system refuses; the file is as it was.
    pub fn rewrite(&mut self, lines: impl Iterator<Item = Vec<u8>>) -> io::Result<()> {
        let beside = self.path.with_extension("new");
        let written = written(&beside, lines);
        let moved = written.and_then(|file| {
            // Whoever opens the new file waits until we are ready.
            file.0.lock()?;
            // Somebody may have let others read the old one.
            #[cfg(unix)]
            file.0
                .set_permissions(self.file.metadata()?.permissions())?;
            std::fs::rename(&beside, &self.path)?;
            Ok(file)
        });
        let (file, length) = match moved {
            Ok(written) => written,
            Err(error) => {
                let _ = std::fs::remove_file(&beside); // It may not have come to that.
                return Err(error);
            }
        };
        let old = std::mem::replace(&mut self.file, file);
        self.length = length;
        sync_folder(self.path.parent().unwrap_or(Path::new(".")))?;
        // Others may have the old file open: what it held shall be nowhere.
        old.set_len(0)?;
        self.forget_aside()
    }

    /// Removes what was set aside.
    fn forget_aside(&self) -> io::Result<()> {
        match std::fs::remove_file(self.path.with_extension("torn")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// What is new, and sets a torn end aside. To be called with the lock held, so that nobody is
    /// about to complete it.
    ///
    /// # Errors
    /// The file cannot be read, or its end not be set aside.
    pub fn news(&mut self) -> io::Result<News> {
        let (start, mut bytes) = (self.length, Vec::new());
        let caught = self.each_new(|line| bytes.extend_from_slice(line))?;
        Ok(News {
            bytes,
            start,
            torn: caught.torn,
            was_replaced: caught.was_replaced,
        })
    }

    /// All lines that were read or written here.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn all(&mut self) -> io::Result<Vec<u8>> {
        let length = usize::try_from(self.length).map_err(io::Error::other)?;
        self.at(0, length)
    }

    /// Adds whole lines at the end, and says where they begin. To be called with the lock held,
    /// after `news`.
    ///
    /// # Errors
    /// The system refuses; nothing was acknowledged, and the next append begins on a clean line.
    pub fn append(&mut self, lines: &[u8], durability: Durability) -> io::Result<u64> {
        let start = self.length;
        let written = self.file.write_all(lines).and_then(|()| match durability {
            Durability::Synced => self.file.sync_data(),
            Durability::Written => Ok(()),
        });
        if let Err(error) = written {
            let _ = self.file.set_len(start); // Or the next to come sets it aside.
            return Err(error);
        }
        self.length += lines.len() as u64;
        Ok(start)
    }

    /// The bytes of a line that stands in the file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn at(&mut self, start: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.file.seek(SeekFrom::Start(start))?;
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds bytes to the file beside this one where unreadable ends are kept.
    fn set_aside(&self, bytes: &[u8]) -> io::Result<PathBuf> {
        let aside = self.path.with_extension("torn");
        let mut options = private_options();
        let mut file = options.append(true).create(true).open(&aside)?;
        file.write_all(bytes)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        Ok(aside)
    }
}

/// Locked lines. They are unlocked also when what is done with them panics, or all who come later
/// would wait for ever.
struct Held<'a>(&'a mut Lines);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let _ = self.0.unlock(); // What was written is written.
    }
}

/// Opens a file to append to, and makes its name durable.
fn begun(path: &Path) -> io::Result<File> {
    let folder = path.parent().unwrap_or(Path::new("."));
    make_private(folder)?;
    let mut options = private_options();
    let file = options.read(true).append(true).create(true).open(path)?;
    // A new file's name is on disk only when its folder is.
    sync_folder(folder)?;
    Ok(file)
}

/// A new file with these lines, on disk, and its length.
fn written(path: &Path, lines: impl Iterator<Item = Vec<u8>>) -> io::Result<(File, u64)> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {} // What a crash has left is of no use.
    }
    let mut options = private_options();
    let file = options
        .read(true)
        .append(true)
        .create_new(true)
        .open(path)?;
    let mut out = io::BufWriter::with_capacity(CHUNK, file);
    let mut length = 0;
    for line in lines {
        out.write_all(&line)?;
        length += line.len() as u64;
    }
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    Ok((file, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cut_keeps_what_was_whole_and_goes_on_after_it() {
        let bytes = "first\nzwölf\nthird\n".as_bytes();
        for cut in 0..=bytes.len() {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("a/x.jsonl");
            std::fs::create_dir(dir.path().join("a")).unwrap();
            std::fs::write(&path, &bytes[..cut]).unwrap();
            let mut lines = Lines::open(&path).unwrap();
            let news = lines.news().unwrap();
            let whole = bytes[..cut].iter().rposition(|b| *b == b'\n');
            let whole = whole.map_or(0, |at| at + 1);
            assert_eq!(news.bytes, bytes[..whole], "cut at {cut}");
            assert_eq!(news.torn.is_some(), whole < cut, "cut at {cut}");
            let at = lines.append(b"next\n", Durability::Synced).unwrap();
            assert_eq!(lines.at(at, 5).unwrap(), b"next\n");
            let kept = std::fs::read(&path).unwrap();
            assert_eq!(kept, [&bytes[..whole], b"next\n"].concat());
        }
    }

    #[test]
    fn what_another_process_wrote_is_news_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.jsonl");
        let (mut one, mut two) = (Lines::open(&path).unwrap(), Lines::open(&path).unwrap());
        let write = |lines: &mut Lines, line: &[u8]| {
            let written = lines.locked(|lines| {
                let news = lines.news()?;
                lines.append(line, Durability::Written)?;
                Ok::<_, io::Error>(news.bytes)
            });
            written.unwrap()
        };
        assert_eq!(write(&mut one, b"a\n").unwrap(), b"");
        assert_eq!(write(&mut two, b"b\n").unwrap(), b"a\n");
        assert_eq!(write(&mut one, b"c\n").unwrap(), b"b\n");
        assert_eq!(write(&mut one, b"d\n").unwrap(), b"");
    }

    #[test]
    fn lines_longer_than_a_chunk_are_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.jsonl");
        let long = [&vec![b'a'; 2 * CHUNK + 7][..], b"\n"].concat();
        let bytes = [&long[..], b"b\n", &long, b"torn"].concat();
        std::fs::write(&path, bytes).unwrap();
        let mut lines = Lines::open(&path).unwrap();
        let mut seen = Vec::new();
        let caught = lines.each_new(|line| seen.push(line.to_vec())).unwrap();
        assert_eq!(seen, [long.clone(), b"b\n".to_vec(), long]);
        assert!(caught.torn.is_some() && !caught.was_replaced);
        assert_eq!(std::fs::read(dir.path().join("x.torn")).unwrap(), b"torn\n");
    }

    #[test]
    fn who_has_the_old_file_open_goes_on_in_the_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.jsonl");
        let open = || Lines::open_replaceable(&path).unwrap();
        let (mut one, mut two, mut three) = (open(), open(), open());
        let append = |lines: &mut Lines, line: &[u8]| {
            let done = lines.locked(|lines| {
                let mut seen = Vec::new();
                let caught = lines.each_new(|line| seen.extend_from_slice(line)).unwrap();
                lines.append(line, Durability::Synced).unwrap();
                (String::from_utf8(seen).unwrap(), caught.was_replaced)
            });
            done.unwrap()
        };
        append(&mut one, b"secret\n");
        append(&mut two, b"kept\n");
        std::fs::write(dir.path().join("x.torn"), "secret").unwrap();
        let rewritten = one.locked(|lines| {
            lines.each_new(|_| {}).unwrap();
            lines.rewrite([b"head\n".to_vec(), b"kept\n".to_vec()].into_iter())
        });
        rewritten.unwrap().unwrap();
        assert_eq!(append(&mut one, b"a\n"), (String::new(), false));
        assert_eq!(
            append(&mut two, b"b\n"),
            ("head\nkept\na\n".to_owned(), true)
        );
        assert_eq!(append(&mut three, b"c\n").0, "head\nkept\na\nb\n");
        assert_eq!(std::fs::read(&path).unwrap(), b"head\nkept\na\nb\nc\n");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn who_cannot_go_on_in_another_file_keeps_nobody_waiting_at_the_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.jsonl");
        let mut lines = Lines::open_replaceable(&path).unwrap();
        let aside = dir.path().join("aside");
        std::fs::rename(&path, &aside).unwrap();
        std::fs::create_dir(&path).unwrap();
        lines.locked(|_| {}).unwrap_err();
        let other = File::open(&aside).unwrap();
        other.try_lock().unwrap();
        drop(other);
        std::fs::remove_dir(&path).unwrap();
        std::fs::rename(&aside, &path).unwrap();
        lines.locked(|_| {}).unwrap();
    }

    #[test]
    fn a_file_that_was_removed_is_begun_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.jsonl");
        let mut lines = Lines::open_replaceable(&path).unwrap();
        lines.append(b"a\n", Durability::Synced).unwrap();
        std::fs::remove_file(&path).unwrap();
        let caught = lines.locked(|lines| {
            let caught = lines.each_new(|_| {}).unwrap();
            lines.append(b"b\n", Durability::Synced).unwrap();
            caught
        });
        assert!(caught.unwrap().was_replaced);
        assert_eq!(std::fs::read(&path).unwrap(), b"b\n");
    }
}
