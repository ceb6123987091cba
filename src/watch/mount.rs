//! What kind of place a folder is in: whether the system tells of all changes there, and whether
//! files may be elsewhere until somebody opens them.
//!
//! Input: paths and metadata. Output: yes or no. Opens no file.

use std::fs::Metadata;
use std::path::Path;

/// Why a folder is looked at every few seconds.
pub(super) fn is_deaf(folder: &Path) -> Option<&'static str> {
    imp::is_deaf(folder)
}

/// Whether a file is only a name for something that is fetched when it is opened.
pub(super) fn is_placeholder(metadata: &Metadata, is_deaf: bool) -> bool {
    imp::is_placeholder(metadata, is_deaf)
}

#[cfg(target_os = "linux")]
mod imp {
    use std::fs::Metadata;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    /// File systems whose changes are made elsewhere: the numbers of `statfs(2)`.
    const DEAF: [(u32, &str); 9] = [
        (0x6969, "nfs"),
        (0x517b, "smb"),
        (0xff53_4d42, "cifs"),
        (0xfe53_4d42, "smb2"),
        (0x0102_1997, "9p"), // Windows drives in WSL, shared folders of virtual machines.
        (0x6573_5546, "fuse"),
        (0x786f_4256, "vboxsf"),
        (0x00c3_6400, "ceph"),
        (0x5346_414f, "afs"),
    ];

    pub(super) fn is_deaf(folder: &Path) -> Option<&'static str> {
        let found = rustix::fs::statfs(folder).ok()?;
        // The field's kind differs between machines; its low half does not.
        let kind = found.f_type as u32;
        let known = DEAF.iter().find(|(number, _)| *number == kind);
        known.map(|(_, name)| *name)
    }

    pub(super) fn is_placeholder(metadata: &Metadata, is_deaf: bool) -> bool {
        // On a disk of this machine small files may well take no block of their own.
        is_deaf && metadata.len() > 0 && metadata.blocks() == 0
    }
}

#[cfg(target_os = "macos")]
mod imp {
    use std::fs::Metadata;
    use std::os::macos::fs::MetadataExt;
    use std::path::Path;

    /// `SF_DATALESS` of `stat(2)`.
    const DATALESS: u32 = 0x4000_0000;
    /// `MNT_LOCAL` of `statfs(2)`.
    const LOCAL: u32 = 0x1000;

    pub(super) fn is_deaf(folder: &Path) -> Option<&'static str> {
        let found = rustix::fs::statfs(folder).ok()?;
        (found.f_flags & LOCAL == 0).then_some("network")
    }

    pub(super) fn is_placeholder(metadata: &Metadata, _: bool) -> bool {
        metadata.st_flags() & DATALESS != 0
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
mod imp {
    use std::fs::Metadata;
    use std::path::Path;

    pub(super) fn is_deaf(folder: &Path) -> Option<&'static str> {
        folder
            .to_string_lossy()
            .starts_with(r"\\")
            .then_some("network")
    }

    #[cfg(windows)]
    pub(super) fn is_placeholder(metadata: &Metadata, _: bool) -> bool {
        use std::os::windows::fs::MetadataExt;
        /// `FILE_ATTRIBUTE_RECALL_ON_DATA_ACCESS` and `FILE_ATTRIBUTE_OFFLINE`.
        const ELSEWHERE: u32 = 0x0040_0000 | 0x1000;
        metadata.file_attributes() & ELSEWHERE != 0
    }

    #[cfg(not(windows))]
    pub(super) fn is_placeholder(_: &Metadata, _: bool) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_this_machine_is_heard_and_its_files_are_here() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(is_deaf(dir.path()), None);
        let sparse = std::fs::File::create(dir.path().join("sparse.md")).unwrap();
        sparse.set_len(1 << 20).unwrap();
        let metadata = sparse.metadata().unwrap();
        assert!(!is_placeholder(&metadata, false));
        #[cfg(target_os = "linux")]
        assert!(is_placeholder(&metadata, true));
    }

    #[test]
    fn what_is_not_there_is_not_deaf() {
        assert_eq!(is_deaf(Path::new("/no/such/folder")), None);
    }
}
