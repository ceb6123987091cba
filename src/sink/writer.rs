//! Whether another program has a file open for writing: it would go on writing into a file that a
//! rename has taken the name from.
//!
//! Input: a path. Output: nothing, or who has it open. Only Linux tells; a program of another user
//! or behind another view of the disk is not seen.
//! Invariant: all that is open on this machine is looked through only for a file of which the
//! kernel does not say that nobody writes it.

use std::path::Path;

use super::SinkError;

/// Refuses a file that somebody is writing.
#[cfg(target_os = "linux")]
pub(super) fn check(path: &Path) -> Result<(), SinkError> {
    if is_unwritten(path) {
        return Ok(());
    }
    match writer_of(path) {
        Some(program) => Err(SinkError::InUse {
            path: super::error::shown(path),
            program,
        }),
        None => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn check(_path: &Path) -> Result<(), SinkError> {
    Ok(())
}

/// Whether the kernel says that nobody has a file open for writing. It says so of one's own files,
/// and not on every disk.
#[cfg(target_os = "linux")]
fn is_unwritten(path: &Path) -> bool {
    use std::os::fd::AsRawFd as _;
    /// `libc` names it for few systems, and it is the same for all.
    const F_SETSIG: libc::c_int = 10;
    let Ok(file) = std::fs::File::open(path) else {
        return false;
    };
    let ask = |command, argument: libc::c_int| {
        #[expect(
            unsafe_code,
            reason = "no crate has leases; a number goes in, and one comes out"
        )]
        // SAFETY: The file is open as long as the closure lives, and no memory is handed over.
        let answer = unsafe { libc::fcntl(file.as_raw_fd(), command, argument) };
        answer != -1
    };
    // A lease is not given where there is a writer. Whoever comes while it lasts is announced by a
    // signal, and the usual one would end this process.
    let is_given = ask(F_SETSIG, libc::SIGURG) && ask(libc::F_SETLEASE, libc::F_RDLCK);
    if is_given {
        ask(libc::F_SETLEASE, libc::F_UNLCK);
    }
    is_given
}

/// A program that has a file open for writing, by its name and number.
#[cfg(target_os = "linux")]
fn writer_of(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let path = path.canonicalize().ok()?;
    let wanted = path.metadata().ok()?;
    let is_it = |open: &Path| {
        // Asking for the file itself may wait for a network, so its name is compared first.
        let target = std::fs::read_link(open).ok();
        target.is_some_and(|target| target.file_name() == path.file_name())
            && std::fs::metadata(open)
                .is_ok_and(|open| (open.dev(), open.ino()) == (wanted.dev(), wanted.ino()))
    };
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    processes.map(|process| process.path()).find_map(|process| {
        let number = process.file_name()?.to_str()?.parse::<u32>().ok()?;
        let mut files = std::fs::read_dir(process.join("fd")).ok()?.flatten();
        let writes = |name: &std::ffi::OsStr| {
            let info = std::fs::read_to_string(process.join("fdinfo").join(name));
            info.is_ok_and(|info| is_for_writing(&info))
        };
        let has_it = files.any(|file| is_it(&file.path()) && writes(&file.file_name()));
        let name = std::fs::read_to_string(process.join("comm")).unwrap_or_default();
        has_it.then(|| format!("{} (process {number})", name.trim()))
    })
}

/// What `fdinfo` says of how a file is open.
#[cfg(target_os = "linux")]
fn is_for_writing(info: &str) -> bool {
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    flags.is_some_and(|flags| flags & 0o3 != 0)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn a_file_is_in_use_while_somebody_writes_it_and_not_while_it_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.md");
        let writer = File::create(&path).unwrap();
        assert!(!is_unwritten(&path));
        let error = check(&path).unwrap_err();
        assert!(matches!(error, SinkError::InUse { .. }), "{error}");
        drop(writer);
        let _reader = File::open(&path).unwrap();
        check(&path).unwrap();
        // Nothing of the question stays that a writer would have to wait for.
        let has_lease = is_unwritten(&path);
        File::create(&path).unwrap();
        // Not every disk has leases.
        let other = dir.path().join("other.md");
        File::create(&other).unwrap();
        assert_eq!(has_lease, is_unwritten(&other));
    }

    #[test]
    fn the_way_a_file_is_open_is_read_from_its_flags() {
        assert!(is_for_writing("pos:\t0\nflags:\t0100001\n"));
        assert!(is_for_writing("flags:\t02100002\n"));
        assert!(!is_for_writing("flags:\t0100000\nmnt_id:\t22\n"));
        assert!(!is_for_writing(""));
    }
}
