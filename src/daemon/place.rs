//! Where the daemon of this build is met: a socket in a folder that is only its user's.
//!
//! Invariant: the name carries when the build was written and a hash of it, so that a program knows
//! older builds' daemons, which it replaces, from newer ones', which it may join; the path is short enough for every system's sockets; nobody else can put a socket there.

use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use sha2::{Digest, Sha256};

use super::DaemonError;
use crate::config::{runtime_folder, temporary_folder};

/// Some systems cut paths of sockets at 104 bytes, silently.
const LONGEST_PATH: usize = 100;

/// What a daemon leaves in the folder for others to find: its socket, or, where the socket is a pipe
/// that lies in no folder, its lock.
const TRACE: &str = if cfg!(windows) { ".lock" } else { ".sock" };

/// Where one daemon is met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The folder, the user's own.
    pub folder: PathBuf,
    /// Tells this build from others.
    pub build: String,
}

impl Place {
    /// The place of the program that lies where this process was started from. A program that was
    /// replaced meanwhile has another one.
    ///
    /// # Errors
    /// The path of the socket would be too long even among the temporary files.
    pub fn of_this_build() -> Result<Place, DaemonError> {
        Place::within(runtime_folder(), temporary_folder(), build())
    }

    fn within(folder: PathBuf, temporary: PathBuf, build: String) -> Result<Place, DaemonError> {
        let place = Place { folder, build };
        if place.is_short() {
            return Ok(place);
        }
        // A hash of the long path, so that two such folders do not meet.
        let short = Place {
            folder: temporary.join(hash(place.folder.as_os_str().as_encoded_bytes())),
            build: place.build.clone(),
        };
        if short.is_short() {
            return Ok(short);
        }
        Err(DaemonError::TooLong {
            path: place.socket(),
        })
    }

    fn is_short(&self) -> bool {
        self.socket().as_os_str().len() <= LONGEST_PATH
    }

    /// The socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join(format!("{}.sock", self.build))
    }

    /// What the daemon said when it was started on demand.
    pub fn log(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.build))
    }

    /// The file that the running daemon holds locked.
    pub fn lock(&self) -> PathBuf {
        self.folder.join(format!("{}.lock", self.build))
    }

    /// Whether a daemon runs here, or has not quite ended.
    pub fn is_taken(&self) -> bool {
        // What somebody else has put there is no daemon of ours, and may be a pipe that is waited for.
        // A lock that is got is given back at once, when the file is closed.
        is_own(&self.folder)
            && std::fs::File::open(self.lock()).is_ok_and(|lock| lock.try_lock().is_err())
    }

    /// The name of the pipe where there are no sockets. Pipes have no folder, so the name says whose it is.
    #[cfg_attr(all(unix, not(test)), expect(dead_code, reason = "Windows has pipes"))]
    pub(super) fn pipe(&self) -> String {
        let folder = hash(self.folder.as_os_str().as_encoded_bytes());
        format!(r"\\.\pipe\gliznet-{folder}-{}", self.build)
    }

    /// Makes the folder and sees that it is the user's own.
    ///
    /// # Errors
    /// It belongs to somebody else, is a link, or cannot be made.
    pub fn prepare(&self) -> Result<(), DaemonError> {
        let parent = self.folder.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(parent).map_err(|cause| self.io(cause))?;
        prepare(&self.folder).map_err(|cause| self.io(cause))
    }

    /// Places of older builds in the same folder, running or dead, the oldest first.
    pub fn older(&self) -> Vec<Place> {
        self.others(|build| build < &*self.build)
    }

    /// Places of newer builds in the same folder, running or dead, the newest last.
    pub fn newer(&self) -> Vec<Place> {
        self.others(|build| build > &*self.build)
    }

    fn others(&self, is_sought: impl Fn(&str) -> bool) -> Vec<Place> {
        let Ok(entries) = std::fs::read_dir(&self.folder) else {
            return Vec::new();
        };
        let mut builds: Vec<String> = entries
            .filter_map(|entry| {
                let name = entry.ok()?.file_name().into_string().ok()?;
                Some(name.strip_suffix(TRACE)?.to_owned())
            })
            .filter(|build| is_sought(build))
            .collect();
        builds.sort();
        let place = |build| Place {
            folder: self.folder.clone(),
            build,
        };
        builds.into_iter().map(place).collect()
    }

    pub(super) fn io(&self, cause: io::Error) -> DaemonError {
        DaemonError::Folder {
            path: self.folder.clone(),
            cause,
        }
    }
}

#[cfg(unix)]
fn prepare(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
    match std::fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    if !is_own(folder) {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "it is not a folder of this user",
        ));
    }
    if std::fs::symlink_metadata(folder)?.mode() & 0o077 != 0 {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn prepare(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)
}

/// Whether it is a folder, no link, and the user's own.
#[cfg(unix)]
fn is_own(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::symlink_metadata(folder)
        .is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == crate::config::user_number())
}

/// The system's folders for temporary files are each user's own.
#[cfg(not(unix))]
fn is_own(_: &Path) -> bool {
    true
}

/// What tells this build from others: when its file was written, then a hash of version, size and
/// time. So an older build sorts before a newer one.
fn build() -> String {
    let metadata = super::program().and_then(std::fs::metadata).ok();
    let written = metadata
        .as_ref()
        .and_then(|metadata| metadata.modified().ok());
    let written = written.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let written = written.unwrap_or_default();
    let size = metadata.map_or(0, |metadata| metadata.len());
    let facts = format!("{} {size} {written:?}", env!("CARGO_PKG_VERSION"));
    let hash = hash(facts.as_bytes());
    format!("{:09x}{}", written.as_secs(), &hash[..8])
}

/// Twelve hexadecimal digits.
fn hash(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest[..6].iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    fn within(folder: &str, temporary: &str) -> Result<Place, DaemonError> {
        Place::within(folder.into(), temporary.into(), hash(b"build"))
    }

    #[cfg(unix)]
    #[test]
    fn a_long_path_falls_back_to_a_short_one_of_its_own() {
        let short = within("/run/user/1000/gliznet", "/tmp/gliznet-1000").unwrap();
        assert_eq!(short.folder, Path::new("/run/user/1000/gliznet"));
        let long = |end: &str| {
            let folder = format!("/home/{}/{end}", "x".repeat(100));
            within(&folder, "/tmp/gliznet-1000").unwrap()
        };
        assert!(long("a").folder.starts_with("/tmp/gliznet-1000"));
        assert!(long("a").socket().as_os_str().len() <= LONGEST_PATH);
        assert_eq!(long("a"), long("a"));
        assert_ne!(long("a"), long("b"));
        let error = within(&"/x".repeat(60), &"/y".repeat(60)).unwrap_err();
        assert!(error.to_string().contains("GLIZNET_RUNTIME_DIR"), "{error}");
    }

    #[test]
    fn each_folder_and_build_has_a_pipe_of_its_own() {
        let pipe = |folder: &str, build: &str| {
            let place = Place {
                folder: folder.into(),
                build: build.to_owned(),
            };
            place.pipe()
        };
        let one = pipe("C:/Users/Ada/gliznet", "0123456789abcdef0");
        assert!(
            one.starts_with(r"\\.\pipe\gliznet-") && one.len() <= 256,
            "{one}"
        );
        assert!(!one[9..].contains('\\'), "{one}");
        assert_ne!(one, pipe("C:/Users/Bob/gliznet", "0123456789abcdef0"));
        assert_ne!(one, pipe("C:/Users/Ada/gliznet", "0123456789abcdef1"));
    }

    #[cfg(unix)]
    #[test]
    fn the_folder_is_closed_to_others_and_a_link_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let place = |name: &str| Place {
            folder: root.path().join(name),
            build: hash(b"build"),
        };
        let mode = |place: &Place| {
            let metadata = std::fs::metadata(&place.folder).unwrap();
            metadata.permissions().mode() & 0o777
        };
        let own = place("own");
        std::fs::create_dir(&own.folder).unwrap();
        std::fs::set_permissions(&own.folder, std::fs::Permissions::from_mode(0o777)).unwrap();
        own.prepare().unwrap();
        assert_eq!(mode(&own), 0o700);
        let link = place("link");
        std::os::unix::fs::symlink(&own.folder, &link.folder).unwrap();
        let error = link.prepare().unwrap_err();
        assert!(
            error.to_string().contains("not a folder of this user"),
            "{error}"
        );
        let lock = std::fs::File::create(own.lock()).unwrap();
        lock.lock().unwrap();
        assert!(own.is_taken());
        assert!(!link.is_taken(), "what lies elsewhere is no daemon of ours");
    }

    #[test]
    fn other_builds_are_found_by_what_they_leave() {
        let root = tempfile::tempdir().unwrap();
        for build in ["aa", "bb", "cc"] {
            for end in [".sock", ".lock", ".log"] {
                std::fs::write(root.path().join(format!("{build}{end}")), "").unwrap();
            }
        }
        let place = Place {
            folder: root.path().to_path_buf(),
            build: "bb".to_owned(),
        };
        let builds = |places: Vec<Place>| places.into_iter().map(|p| p.build).collect::<Vec<_>>();
        assert_eq!(builds(place.older()), ["aa"]);
        assert_eq!(builds(place.newer()), ["cc"]);
    }
}
