//! The three folders of this program.
//!
//! Input: the environment and the system's conventions. Output: `Folders`. Creates nothing.

use std::ffi::OsString;
use std::path::PathBuf;

use super::{ConfigError, env};

/// Where this user's files are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folders {
    /// Settings (`GLIZNET_CONFIG_DIR`).
    pub config: PathBuf,
    /// What must not be lost: pulled models (`GLIZNET_DATA_DIR`).
    pub data: PathBuf,
    /// What can be made again (`GLIZNET_CACHE_DIR`).
    pub cache: PathBuf,
}

impl Folders {
    /// The folders the environment names, and the system's usual ones for the rest.
    pub fn of_this_user() -> Result<Folders, ConfigError> {
        Folders::from(env::read)
    }

    fn from(read: impl Fn(&str) -> Option<OsString>) -> Result<Folders, ConfigError> {
        let usual = directories::ProjectDirs::from("", "", "gliznet");
        let folder = |variable, of: fn(&directories::ProjectDirs) -> PathBuf| match read(variable) {
            Some(path) => Ok(PathBuf::from(path)),
            None => usual.as_ref().map(of).ok_or(ConfigError::NoHome),
        };
        Ok(Folders {
            config: folder("GLIZNET_CONFIG_DIR", |d| d.config_dir().to_path_buf())?,
            data: folder("GLIZNET_DATA_DIR", |d| d.data_dir().to_path_buf())?,
            cache: folder("GLIZNET_CACHE_DIR", |d| d.cache_dir().to_path_buf())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_folder_can_be_named_by_the_environment() {
        let folders = Folders::from(|name| Some(format!("/x/{name}").into())).unwrap();
        assert_eq!(folders.config, PathBuf::from("/x/GLIZNET_CONFIG_DIR"));
        assert_eq!(folders.data, PathBuf::from("/x/GLIZNET_DATA_DIR"));
        assert_eq!(folders.cache, PathBuf::from("/x/GLIZNET_CACHE_DIR"));
    }
}
