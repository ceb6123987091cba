//! What the environment says.
//!
//! Input: environment variables; for the token also the file where the Hub's own tools keep it.
//! Invariant: an empty variable counts as unset; a token is never shown by `Debug`.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::ConfigError;

/// The Hub itself, where `HF_ENDPOINT` names no other.
pub const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

/// A secret that lets its bearer read private and gated repositories of the Hub.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// The secret.
    pub secret: String,
    /// Where it was found, for messages: a variable's name or a file.
    pub origin: String,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token(from {})", self.origin)
    }
}

/// The one place where a variable is read.
pub(super) fn read(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

fn read_text(name: &str) -> Option<String> {
    read(name).map(|value| value.to_string_lossy().trim().to_owned())
}

/// Says how many threads products may use, for libraries that ask the environment.
///
/// Call it before the first thread starts.
pub fn limit_threads(threads: usize) {
    #[expect(
        unsafe_code,
        reason = "called while the command line is read, when there is one thread"
    )]
    // SAFETY: nobody else reads or writes the environment yet.
    unsafe {
        std::env::set_var("RAYON_NUM_THREADS", threads.to_string());
    }
}

/// The address of the Hub or of a mirror (`HF_ENDPOINT`), without a slash at the end.
pub fn hub_endpoint() -> Result<String, ConfigError> {
    endpoint(read_text("HF_ENDPOINT"))
}

fn endpoint(given: Option<String>) -> Result<String, ConfigError> {
    let Some(value) = given else {
        return Ok(DEFAULT_ENDPOINT.to_owned());
    };
    let host = value
        .strip_prefix("https://")
        .or_else(|| value.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains(char::is_whitespace) => {
            Ok(value.trim_end_matches('/').to_owned())
        }
        _ => Err(ConfigError::Variable {
            variable: "HF_ENDPOINT",
            value,
            cure: "it must be an address such as https://huggingface.co",
        }),
    }
}

/// The user's token: `HF_TOKEN`, or the file that `hf auth login` writes (`HF_TOKEN_PATH`,
/// `$HF_HOME/token`, `~/.cache/huggingface/token`), unless `HF_HUB_DISABLE_IMPLICIT_TOKEN` is set.
pub fn hub_token() -> Option<Token> {
    let home = directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_path_buf());
    token(read_text, home.as_deref())
}

fn token(read: impl Fn(&str) -> Option<String>, home: Option<&Path>) -> Option<Token> {
    for name in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"] {
        if let Some(secret) = read(name).filter(|s| !s.is_empty()) {
            return Some(Token {
                secret,
                origin: name.to_owned(),
            });
        }
    }
    if means_yes(read("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
        return None;
    }
    let path = read("HF_TOKEN_PATH")
        .map(PathBuf::from)
        .or_else(|| read("HF_HOME").map(|home| Path::new(&home).join("token")))
        .or_else(|| home.map(|home| home.join(".cache/huggingface/token")))?;
    let secret = std::fs::read_to_string(&path).ok()?.trim().to_owned();
    (!secret.is_empty()).then(|| Token {
        secret,
        origin: path.display().to_string(),
    })
}

/// Whether the user forbids every request (`HF_HUB_OFFLINE`).
pub fn offline() -> bool {
    means_yes(read_text("HF_HUB_OFFLINE"))
}

/// The spellings that the Hub's own tools take for yes.
fn means_yes(value: Option<String>) -> bool {
    value.is_some_and(|v| matches!(v.to_lowercase().as_str(), "1" | "on" | "yes" | "true"))
}

/// The log's filter (`GLIZNET_LOG`), as in `gliznet=debug`.
pub fn log_filter() -> Option<String> {
    read_text("GLIZNET_LOG")
}

/// The folders in which programs are looked for (`PATH`).
pub fn search_path() -> Vec<PathBuf> {
    read("PATH").map_or_else(Vec::new, |path| std::env::split_paths(&path).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_an_address_without_a_slash_at_its_end() {
        assert_eq!(endpoint(None).unwrap(), DEFAULT_ENDPOINT);
        let mirror = endpoint(Some("http://localhost:80/hub/".to_owned())).unwrap();
        assert_eq!(mirror, "http://localhost:80/hub");
        let error = endpoint(Some("hf-mirror".to_owned())).unwrap_err();
        assert!(error.to_string().starts_with("HF_ENDPOINT is `hf-mirror`"));
    }

    #[test]
    fn a_token_comes_from_the_variable_before_the_file() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("token");
        std::fs::write(&file, "from-file\n").unwrap();
        let folder = home.path().display().to_string();
        let with = |pairs: &[(&str, &str)]| {
            let pairs: Vec<(String, String)> = pairs
                .iter()
                .map(|(k, v)| (k.to_string(), v.to_string()))
                .collect();
            token(
                move |name| Some(pairs.iter().find(|(k, _)| k == name)?.1.clone()),
                None,
            )
        };
        let both = with(&[("HF_TOKEN", "from-env"), ("HF_HOME", &folder)]).unwrap();
        assert_eq!(both.secret, "from-env");
        let stored = with(&[("HF_HOME", &folder)]).unwrap();
        assert_eq!(stored.secret, "from-file");
        assert_eq!(stored.origin, file.display().to_string());
        let refused = with(&[("HF_HOME", &folder), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]);
        assert_eq!(refused, None);
        assert!(
            !format!("{both:?}").contains("from-env"),
            "secrets stay out of logs"
        );
    }

    #[test]
    fn offline_is_said_as_the_hubs_tools_say_it() {
        for yes in ["1", "ON", "true", "Yes"] {
            assert!(means_yes(Some(yes.to_owned())), "{yes}");
        }
        for no in ["0", "", "false", "off"] {
            assert!(!means_yes(Some(no.to_owned())), "{no}");
        }
        assert!(!means_yes(None));
    }
}

/// Which of the processor's instructions the model's own loops may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instructions {
    /// Those that every processor of its kind has.
    Plain,
    /// Up to AVX2.
    Avx2,
    /// All that it has.
    All,
}

/// The limit that `GLIZNET_SIMD` sets, for tests and for finding faults: `plain` or `avx2`.
pub fn instruction_limit() -> Instructions {
    match read_text("GLIZNET_SIMD").as_deref() {
        Some("plain") => Instructions::Plain,
        Some("avx2") => Instructions::Avx2,
        Some(_) | None => Instructions::All,
    }
}
