//! Changes the user's `gliznet.toml` without disturbing what else stands in it.
//!
//! Input: a key's new value. Output: the file, replaced as a whole or not at all.
//! Invariant: comments, order and unknown lines survive; a file with faults is not touched.

use std::fs::{File, Metadata};
use std::io::{self, Write as _};
use std::path::Path;

use super::{ConfigError, FILE_NAME, Folders, options, read_if_there};

/// Writes `model = "…"` into the user's `gliznet.toml`, and says which file that is.
pub fn set_model(folders: &Folders, value: &str) -> Result<std::path::PathBuf, ConfigError> {
    let path = folders.config.join(FILE_NAME);
    let unwritable = |cause| ConfigError::Unwritable {
        path: path.clone(),
        cause,
    };
    let bytes = read_if_there(&path)?.unwrap_or_default();
    // Options that are wrong are shown, not carried along; this also proves that it is UTF-8 TOML.
    options::parse(&path, &bytes).map_err(ConfigError::Faults)?;
    let text = String::from_utf8_lossy(&bytes);
    let text = with_model(&text, value).map_err(|error| unwritable(io::Error::other(error)))?;
    replace(&path, text.as_bytes()).map_err(unwritable)?;
    Ok(path)
}

/// The same settings with another `model`.
fn with_model(text: &str, value: &str) -> Result<String, toml_edit::TomlError> {
    let mut document: toml_edit::DocumentMut = text.parse()?;
    let mut item = toml_edit::value(value);
    if let (Some(old), Some(new)) = (document.get("model"), item.as_value_mut())
        && let Some(old) = old.as_value()
    {
        *new.decor_mut() = old.decor().clone(); // The remark behind the old value stays.
    }
    if document.is_empty() {
        // Remarks alone: they head the file, and what is new comes below them.
        let remarks = document.trailing().as_str().unwrap_or_default().to_owned();
        let gap = if remarks.is_empty() || remarks.ends_with('\n') {
            ""
        } else {
            "\n"
        };
        document.set_trailing("");
        document["model"] = item;
        return Ok(format!("{remarks}{gap}{document}"));
    }
    document["model"] = item;
    let changed = document.to_string();
    // The TOML writer knows one kind of line end; a file of the other kind stays so.
    Ok(match text.contains("\r\n") {
        true => changed.replace('\n', "\r\n"),
        false => changed,
    })
}

/// Replaces the content of `path`, durably, as a whole or not at all; makes its folder if needed.
/// A symbolic link stays a link, and the file keeps its permissions, which may forbid it. A pipe or a
/// device is written to: a rename would put a file in its place.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let target = path
        .canonicalize()
        .unwrap_or_else(|_| match (path.parent(), path.read_link()) {
            (Some(folder), Ok(to)) => folder.join(to),
            _ => path.to_path_buf(),
        });
    let old = std::fs::metadata(&target);
    if old.as_ref().is_ok_and(|old| !old.is_file()) {
        return File::options()
            .write(true)
            .open(&target)?
            .write_all(content);
    }
    if let Ok(old) = &old {
        may_write(&target, old)?;
    }
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder)?;
    let mut file = new_file(folder)?;
    // First, for the old file may be closed to others, and what it is to hold is not theirs either.
    #[cfg(unix)]
    if let Ok(old) = old {
        file.as_file().set_permissions(old.permissions())?;
    }
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(&target)?;
    sync_folder(folder)
}

/// Whether a file's owner wants it written. A rename over it asks its folder only, and root may
/// write everything, so the file itself is asked before.
///
/// # Errors
/// Its permissions forbid it, or whatever else the system names: that its disk is read-only, say.
pub fn may_write(path: &Path, metadata: &Metadata) -> io::Result<()> {
    let allowed = match metadata.permissions().readonly() {
        true => Err(io::ErrorKind::PermissionDenied.into()),
        false => Ok(()),
    };
    // First: on a disk that nobody may write other permissions change nothing.
    access(path)
        .and(allowed)
        .map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => {
                io::Error::new(error.kind(), "its permissions forbid it; change them")
            }
            _ => error,
        })
}

#[cfg(unix)]
fn access(path: &Path) -> io::Result<()> {
    Ok(rustix::fs::access(path, rustix::fs::Access::WRITE_OK)?)
}

#[cfg(not(unix))]
fn access(_path: &Path) -> io::Result<()> {
    Ok(()) // The read-only bit is all there is.
}

/// A temporary file that others may read, as they may a file that was simply created.
fn new_file(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".gliznet-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(0o666)); // The umask takes its part.
    }
    builder.tempfile_in(folder)
}

/// Makes durable what was created, renamed or removed in `folder`.
///
/// # Errors
/// The system refuses: the folder may not be read, or its disk fails.
#[cfg(unix)]
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Makes durable what was created, renamed or removed in `folder`: here the system does so by itself.
///
/// # Errors
/// None here.
#[cfg(not(unix))]
pub fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(before: Option<&str>, expected: Expect) {
        let root = tempfile::tempdir().unwrap();
        let folders = Folders {
            config: root.path().join("config"),
            data: root.path().to_path_buf(),
            cache: root.path().to_path_buf(),
        };
        let file = folders.config.join(FILE_NAME);
        if let Some(text) = before {
            std::fs::create_dir_all(&folders.config).unwrap();
            std::fs::write(&file, text).unwrap();
        }
        let shown = match set_model(&folders, "tiny") {
            Ok(_) => std::fs::read_to_string(&file).unwrap(),
            Err(error) => {
                assert_eq!(std::fs::read_to_string(&file).unwrap(), before.unwrap());
                error
                    .to_string()
                    .replace(&root.path().display().to_string(), "ROOT")
            }
        };
        expected.assert_eq(&shown.replace('\r', "<CR>"));
        let left = std::fs::read_dir(&folders.config).unwrap().count();
        assert_eq!(left, 1, "no temporary file stays behind");
    }

    #[test]
    fn the_first_choice_makes_the_file() {
        check(
            None,
            expect![[r#"
            model = "tiny"
        "#]],
        );
    }

    #[test]
    fn remarks_order_and_other_options_survive() {
        check(
            Some("# my settings\nthreads = 2  # laptop\n\nmodel = 'old' # slow\n# end\n"),
            expect![[r##"
                # my settings
                threads = 2  # laptop

                model = "tiny" # slow
                # end
            "##]],
        );
        check(
            Some("# only a remark"),
            expect![[r##"
            # only a remark
            model = "tiny"
        "##]],
        );
        check(
            Some("threads = 2\r\n"),
            expect![[r#"
            threads = 2<CR>
            model = "tiny"<CR>
        "#]],
        );
    }

    #[test]
    fn a_file_with_faults_is_shown_and_not_touched() {
        check(
            Some("thread = 2\n"),
            expect!["ROOT/config/gliznet.toml:1: no option `thread`; did you mean `threads`?"],
        );
    }

    proptest::proptest! {
        #[test]
        fn only_the_model_changes(
            lines in proptest::collection::vec(
                proptest::sample::select(vec![
                    "# remark", "", "threads = 2 # two", "threshold=0.5", "device = 'cpu'", "model = \"old\"",
                ]),
                0..6,
            ),
            crlf: bool,
            value in "[a-z\"\\\\/. é]{1,12}",
        ) {
            let end = if crlf { "\r\n" } else { "\n" };
            let text: String = lines.iter().map(|line| format!("{line}{end}")).collect();
            let path = Path::new("x");
            let Ok(before) = options::parse(path, text.as_bytes()) else {
                return Ok(()); // The same key twice.
            };
            let changed = with_model(&text, &value).unwrap();
            if value.trim().is_empty() {
                return Ok(());
            }
            let after = options::parse(path, changed.as_bytes()).unwrap();
            let expected = options::Options { model: Some(value), ..before };
            proptest::prop_assert_eq!(after, expected);
            for line in lines.iter().filter(|line| !line.starts_with("model")) {
                proptest::prop_assert!(changed.lines().any(|l| l == *line), "{}", changed);
            }
            proptest::prop_assert_eq!(changed.contains('\r'), crlf && !lines.is_empty());
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link_and_its_target_keeps_its_mode() {
        use std::os::unix::fs::PermissionsExt as _;
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("dotfiles.toml");
        std::fs::write(&target, "old").unwrap();
        std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o640)).unwrap();
        let link = root.path().join("gliznet.toml");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        replace(&link, b"new").unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(std::fs::read(&target).unwrap(), b"new");
        let mode = target.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_its_owner_wants_left_alone_is_left_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("gliznet.toml");
        std::fs::write(&path, "old").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444)).unwrap();
        let refused = replace(&path, b"new").unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        let left = std::fs::read_dir(root.path()).unwrap().count();
        assert_eq!(left, 1, "no temporary file stays behind");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_a_file_that_is_not_there_yet_makes_that_file() {
        let root = tempfile::tempdir().unwrap();
        let link = root.path().join("gliznet.toml");
        std::os::unix::fs::symlink("dotfiles.toml", &link).unwrap();
        replace(&link, b"new").unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink());
        let target = root.path().join("dotfiles.toml");
        assert_eq!(std::fs::read(target).unwrap(), b"new");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_pipe_stays_a_pipe_and_gets_the_content() {
        use std::io::Read as _;
        use std::os::unix::fs::FileTypeExt as _;
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("pipe");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        // Open at both ends, so that nobody waits for the other.
        let mut reader = File::options().read(true).write(true).open(&path).unwrap();
        replace(&path, b"new").unwrap();
        assert!(path.symlink_metadata().unwrap().file_type().is_fifo());
        let mut got = [0; 3];
        reader.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"new");
    }
}
