//! What a server's answer means: status and headers in, facts or a failure out.
//!
//! Invariant: a failure that time may heal is `Passing`, and only such a one.

use std::io::ErrorKind;
use std::time::Duration;

use ureq::http::Response;
use ureq::{Body, Timeout};

use super::super::{Checksum, HubError, Pull};

/// An answer without its body.
pub(super) struct Answer {
    pub(super) status: u16,
    /// Of the file, where this answer knows it.
    pub(super) checksum: Option<Checksum>,
    /// The file's size, said by the Hub while it redirects to where the file is.
    pub(super) linked_bytes: Option<u64>,
    /// The file's size, said by who sends it.
    pub(super) bytes: Option<u64>,
    /// Where a partial answer begins.
    pub(super) begins_at: Option<u64>,
    retry_after: Option<Duration>,
    error_code: String,
    error_message: String,
}

impl Answer {
    pub(super) fn read(response: &Response<Body>) -> Answer {
        let status = response.status().as_u16();
        let text = |name| header(response, name);
        let number = |name| text(name).and_then(|n| n.trim().parse().ok());
        let etag = if status < 300 { text("etag") } else { None };
        let range = text("content-range").and_then(content_range);
        let length = if status == 200 {
            number("content-length")
        } else {
            None
        };
        Answer {
            status,
            checksum: text("x-linked-etag").or(etag).and_then(Checksum::from_etag),
            linked_bytes: number("x-linked-size"),
            bytes: range.and_then(|(_, bytes)| bytes).or(length),
            begins_at: range.map(|(start, _)| start),
            retry_after: number("retry-after").map(Duration::from_secs),
            error_code: text("x-error-code").unwrap_or_default().to_owned(),
            error_message: text("x-error-message").unwrap_or_default().to_owned(),
        }
    }

    pub(super) fn is_redirect(&self) -> bool {
        matches!(self.status, 301 | 302 | 303 | 307 | 308)
    }
}

/// A header as text.
pub(super) fn header<'a>(response: &'a Response<Body>, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// `bytes 5-9/10` as where it begins and how long the whole is.
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.trim().parse().ok()?, total.trim().parse().ok()))
}

/// Why a request brought nothing.
pub(super) enum Failure {
    /// Trying again would not help.
    Final(Box<HubError>),
    /// It may work in a moment.
    Passing {
        why: String,
        /// What the server asks to wait.
        wait: Option<Duration>,
        /// Whether there was a connection at all.
        linked: bool,
    },
}

impl From<HubError> for Failure {
    fn from(error: HubError) -> Failure {
        Failure::Final(Box::new(error))
    }
}

impl Failure {
    pub(super) fn passing(why: impl Into<String>) -> Failure {
        Failure::Passing {
            why: why.into(),
            wait: None,
            linked: true,
        }
    }

    pub(super) fn of_network(error: ureq::Error) -> Failure {
        let linked = match &error {
            ureq::Error::Io(error) => matches!(
                error.kind(),
                ErrorKind::ConnectionReset
                    | ErrorKind::ConnectionAborted
                    | ErrorKind::BrokenPipe
                    | ErrorKind::UnexpectedEof
                    | ErrorKind::TimedOut
                    | ErrorKind::WouldBlock
            ),
            ureq::Error::Timeout(timeout) => {
                !matches!(timeout, Timeout::Connect | Timeout::Resolve)
            }
            ureq::Error::Protocol(_) => true,
            _ => false,
        };
        Failure::Passing {
            why: why(&error),
            wait: None,
            linked,
        }
    }
}

/// The network's failure in plain words.
pub(super) fn why(error: &ureq::Error) -> String {
    match error {
        ureq::Error::HostNotFound => "its name leads to no address".to_owned(),
        ureq::Error::Timeout(Timeout::Connect | Timeout::Resolve) => {
            "it does not answer".to_owned()
        }
        ureq::Error::Timeout(_) => "it fell silent".to_owned(),
        ureq::Error::ConnectionFailed => "no connection".to_owned(),
        ureq::Error::Io(error) if error.kind() == ErrorKind::UnexpectedEof => {
            "the connection was closed too early".to_owned()
        }
        ureq::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}

/// What an answer that is not the file means.
pub(super) fn final_or_passing(pull: &Pull, answer: &Answer, url: &str) -> Failure {
    let status = answer.status;
    if matches!(status, 408 | 425 | 429 | 500..) {
        let why = match status {
            429 => "it asks for fewer requests (429)".to_owned(),
            _ => format!("it answered {status}"),
        };
        return Failure::Passing {
            why,
            wait: answer.retry_after,
            linked: true,
        };
    }
    let endpoint = pull.endpoint.clone();
    let repository = pull.repository.id().to_owned();
    let with_token = pull.token.is_some();
    Failure::from(match (status, answer.error_code.as_str()) {
        (_, "GatedRepo") => HubError::Gated {
            endpoint,
            repository,
            with_token,
        },
        (_, "RevisionNotFound") => HubError::NoRevision {
            endpoint,
            repository,
            revision: pull.repository.revision().to_owned(),
        },
        (404, "EntryNotFound") => HubError::NoFile {
            url: url.to_owned(),
        },
        // The Hub says 401 for what is not there, too, unless the token itself is bad.
        (_, "RepoNotFound") => HubError::NoRepository {
            endpoint,
            repository,
            with_token,
        },
        (401, _) => match &pull.token {
            Some(token) => HubError::TokenRefused {
                endpoint,
                origin: token.origin.clone(),
            },
            None => HubError::NoRepository {
                endpoint,
                repository,
                with_token,
            },
        },
        (403, _) => HubError::Forbidden {
            endpoint,
            repository,
            message: answer.error_message.clone(),
        },
        (404, _) => HubError::NoRepository {
            endpoint,
            repository,
            with_token,
        },
        _ => HubError::Strange {
            url: url.to_owned(),
            fact: format!("answered {status}"),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_range_says_where_it_begins_and_how_long_the_whole_is() {
        assert_eq!(content_range("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(content_range("bytes 5-9/*"), Some((5, None)));
        assert_eq!(content_range("bytes */10"), None);
        assert_eq!(content_range("rows 1-2/3"), None);
    }
}
