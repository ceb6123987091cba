//! The folder of the daemon's socket, and processes: their user, their rank, whether they live.
//!
//! Input: the environment and the system's conventions. Output: a path that is the same for all
//! processes of one user, and no other's. Creates nothing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::env;

/// Where the daemon's socket is (`GLIZNET_RUNTIME_DIR`): the session's own folder where the system
/// has one, else a folder with the user's number among the temporary files.
pub fn runtime_folder() -> PathBuf {
    if let Some(path) = env::read("GLIZNET_RUNTIME_DIR") {
        return PathBuf::from(path);
    }
    let usual = directories::ProjectDirs::from("", "", "gliznet");
    let usual = usual.and_then(|dirs| dirs.runtime_dir().map(PathBuf::from));
    usual.unwrap_or_else(temporary_folder)
}

/// The folder for sockets whose usual path would be too long for the system.
pub fn temporary_folder() -> PathBuf {
    std::env::temp_dir().join(format!("gliznet-{}", user_number()))
}

/// The number of the user who runs this process.
#[cfg(unix)]
pub fn user_number() -> u32 {
    rustix::process::getuid().as_raw()
}

/// The system has no user numbers; its temporary folder is each user's own.
#[cfg(not(unix))]
pub fn user_number() -> u32 {
    0
}

/// Whether there is a process of this number, whosever it is.
#[cfg(unix)]
pub fn is_running(process: u32) -> bool {
    // Another user's process refuses, and so it is there.
    pid(process)
        .is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

#[cfg(unix)]
fn pid(process: u32) -> Option<rustix::process::Pid> {
    rustix::process::Pid::from_raw(i32::try_from(process).ok()?)
}

/// Asks a process to end in order; false where the system refuses.
#[cfg(unix)]
pub fn end(process: u32) -> bool {
    let signal = rustix::process::Signal::TERM;
    pid(process).is_some_and(|pid| rustix::process::kill_process(pid, signal).is_ok())
}

/// The system has no signal that asks.
#[cfg(not(unix))]
pub fn end(_: u32) -> bool {
    false
}

/// Whether a process has this file open; false where the system does not say.
#[cfg(target_os = "linux")]
pub fn has_open(process: u32, file: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |path: &Path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.dev(), metadata.ino()))
    };
    let Some(sought) = identity(file) else {
        return false;
    };
    let open = std::fs::read_dir(format!("/proc/{process}/fd"));
    let mut open = open.into_iter().flatten().flatten();
    open.any(|entry| identity(&entry.path()) == Some(sought))
}

/// Other systems are not asked.
#[cfg(not(target_os = "linux"))]
pub fn has_open(_: u32, _: &Path) -> bool {
    false
}

/// Not asked here: whoever has gone has closed what we read from it.
#[cfg(not(unix))]
pub fn is_running(_: u32) -> bool {
    true
}

/// Lets other processes go first, for as long as this one lives. Where the system refuses, it does
/// its work all the same.
///
/// Call it before the first thread starts: the system ranks threads.
#[cfg(unix)]
pub fn give_way() {
    let _ = rustix::process::nice(LAST); // Nobody is harmed by a refusal.
}

/// The system is told so by whoever starts the process.
#[cfg(not(unix))]
pub fn give_way() {}

/// The processor time that this process has had so far, of all its threads; none where the system
/// does not tell.
#[cfg(unix)]
pub fn processor_time() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).ok()
}

/// Other systems are not asked.
#[cfg(not(unix))]
pub fn processor_time() -> Option<Duration> {
    None
}

/// Whether the system may give this process, and those that it starts, memory in pages of two
/// megabytes from now on. They are a little faster, and a process that frees what it had for a
/// moment keeps most of it: each is kept for as long as a byte of it is in use.
#[cfg(target_os = "linux")]
pub fn huge_pages(allowed: bool) {
    let _ = rustix::thread::disable_transparent_huge_pages(!allowed); // Older kernels refuse.
}

/// Other systems are not asked.
#[cfg(not(target_os = "linux"))]
pub fn huge_pages(_: bool) {}

/// Keeps what is freed for the next time, for as long as this process lives: steps of a training
/// ask for the same memory again and again, and the system would clear each page of it anew.
pub fn keep_memory() {
    use libmimalloc_sys::{mi_option_set, mi_option_t};
    /// `mi_option_purge_delay` of mimalloc.h, which the bindings do not name.
    const PURGE_DELAY: mi_option_t = 15;
    const NEVER: std::ffi::c_long = -1;
    #[expect(unsafe_code, reason = "an option of a library in C")]
    // SAFETY: it writes a number into the library's table of options, which has that many.
    unsafe {
        mi_option_set(PURGE_DELAY, NEVER);
    }
}

/// Lets the system take back the memory of what lies in the program's own file: whoever reads it
/// again gets it from there. Whole pages only; what shares a page with something else stays.
#[cfg(target_os = "linux")]
pub fn forget_pages(bytes: &'static [u8]) {
    use rustix::mm::{Advice, madvise};
    /// The largest page that there is; smaller ones divide it.
    const PAGE: usize = 1 << 16;
    let before = bytes.as_ptr().align_offset(PAGE);
    let whole = bytes.len().saturating_sub(before) / PAGE * PAGE;
    if whole > 0 {
        #[expect(unsafe_code, reason = "the system is told of addresses")]
        // SAFETY: the pages lie inside of a constant, so nobody has written to them, and what is
        // read there next is what the file holds. `before` is less than the length here.
        let _ = unsafe {
            madvise(
                bytes[before..].as_ptr().cast_mut().cast(),
                whole,
                Advice::LinuxDontNeed,
            )
        };
    }
}

/// Other systems are not told.
#[cfg(not(target_os = "linux"))]
pub fn forget_pages(_: &'static [u8]) {}

/// The lowest rank that there is: whatever an editor asks goes first.
#[cfg(unix)]
const LAST: i32 = 19;

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_process_runs_until_it_has_ended() {
        assert!(is_running(std::process::id()));
        assert!(is_running(1), "another user's, most likely");
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        assert!(!is_running(child.id()));
        assert!(!is_running(0) && !is_running(u32::MAX));
    }

    #[test]
    fn work_takes_processor_time() {
        let before = processor_time().expect("unix says it");
        let mut sum = 0_u64;
        while processor_time().expect("unix says it") == before {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(processor_time().expect("unix says it") > before);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_forgotten_is_read_again() {
        static MANY: [u8; 300_000] = [7; 300_000];
        forget_pages(&MANY);
        assert!(std::hint::black_box(&MANY).iter().all(|byte| *byte == 7));
        forget_pages(&MANY[..10]);
    }
}
