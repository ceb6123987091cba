//! An append-only file of lines that several processes write: what must not be lost is kept so.
//!
//! Input: whole lines. Output: their place, once they are on disk; and the lines of others.
//! Invariant: a line that was appended durably survives a crash at any later moment; bytes that
//! were never acknowledged (a torn last line) are set aside, not read. Knows not what lines say.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// An open file of lines. Each process locks it while it writes.
#[derive(Debug)]
pub struct Lines {
    path: PathBuf,
    file: File,
    /// Bytes that were read or written here; what follows is another process's, or torn.
    length: u64,
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
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).open(path)?;
        // A new file's name is on disk only when its folder is.
        #[cfg(unix)]
        File::open(folder)?.sync_all()?;
        Ok(Lines {
            path: path.to_path_buf(),
            file,
            length: 0,
        })
    }

    /// Does something while no other process writes.
    ///
    /// # Errors
    /// The file cannot be locked.
    pub fn locked<T>(&mut self, act: impl FnOnce(&mut Lines) -> T) -> io::Result<T> {
        self.file.lock()?;
        let acted = act(self);
        self.file.unlock()?;
        Ok(acted)
    }

    /// What is new, and sets a torn end aside. To be called with the lock held, so that nobody is
    /// about to complete it.
    ///
    /// # Errors
    /// The file cannot be read, or its end not be set aside.
    pub fn news(&mut self) -> io::Result<News> {
        self.file.seek(SeekFrom::Start(self.length))?;
        let mut news = News {
            start: self.length,
            ..News::default()
        };
        self.file.read_to_end(&mut news.bytes)?;
        let last = news.bytes.iter().rposition(|byte| *byte == b'\n');
        let whole = last.map_or(0, |at| at + 1);
        if whole < news.bytes.len() {
            let aside = self.set_aside(&news.bytes[whole..])?;
            self.file.set_len(self.length + whole as u64)?;
            self.file.sync_all()?;
            news.torn = Some(format!(
                "{}: its end ({} bytes) was cut off while it was written, and was never acknowledged; it is kept in {}",
                self.path.display(),
                news.bytes.len() - whole,
                aside.display()
            ));
            news.bytes.truncate(whole);
        }
        self.length += whole as u64;
        Ok(news)
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
        let mut file = OpenOptions::new().append(true).create(true).open(&aside)?;
        file.write_all(bytes)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        Ok(aside)
    }
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
}
