//! Moves one file from the Hub to the disk.
//!
//! Input: an address, a size and a checksum where known. Output: the file, verified, or an error
//! and a `.part` file from which the next try goes on.
//! Invariant: a file gets its name only after its checksum was compared; the token goes to the
//! endpoint and nowhere else. Knows nothing of checkpoints.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::Duration;

use ureq::http::Uri;
use ureq::typestate::WithoutBody;
use ureq::{Body, RequestBuilder};

use super::error::at;
use super::{Checksum, Event, HubError, Pull};
use answer::{Answer, Failure, final_or_passing, header, why};

mod answer;

/// How long to wait for the network, and how often to try again.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For the next byte.
    pub silence: Duration,
    /// Tries in a row that bring nothing, before the pull gives up.
    pub attempts: u32,
    /// After the first failure; doubled after each further one.
    pub wait: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            connect: Duration::from_secs(15),
            silence: Duration::from_secs(30),
            attempts: 5,
            wait: Duration::from_millis(250),
        }
    }
}

/// A server may ask for patience, but not for more than this.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// The Hub redirects once or twice.
const MOST_REDIRECTS: usize = 6;
/// A listing is some kilobytes; what is larger is none.
const LARGEST_LISTING: u64 = 32 << 20;

/// One file of the repository.
pub(super) struct Remote<'a> {
    pub(super) name: &'a str,
    pub(super) url: String,
    pub(super) bytes: Option<u64>,
    pub(super) checksum: Option<Checksum>,
}

/// Speaks to the Hub for one pull.
pub(super) struct Client {
    agent: ureq::Agent,
    pull: Pull,
}

/// What is known about a file so far.
struct Progress {
    part: File,
    have: u64,
    bytes: Option<u64>,
    checksum: Option<Checksum>,
}

impl Client {
    pub(super) fn new(pull: &Pull) -> Client {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0) // Followed here, because the first answer has the checksum.
            .timeout_connect(Some(pull.patience.connect))
            .timeout_per_read(Some(pull.patience.silence))
            .user_agent(concat!("gliznet/", env!("CARGO_PKG_VERSION")))
            .build();
        Client {
            agent: config.new_agent(),
            pull: pull.clone(),
        }
    }

    /// The body of the repository's listing; `request` makes one try's request.
    pub(super) fn listing(
        &self,
        request: impl Fn() -> RequestBuilder<WithoutBody>,
        report: &mut dyn FnMut(Event<'_>),
    ) -> Result<Vec<u8>, HubError> {
        let mut failures = 0;
        loop {
            match self.try_listing(request()) {
                Ok(body) => return Ok(body),
                Err(Failure::Final(error)) => return Err(*error),
                Err(Failure::Passing { why, wait, linked }) => {
                    failures += 1;
                    if !linked || failures >= self.pull.patience.attempts {
                        let endpoint = self.pull.endpoint.clone();
                        return Err(match linked {
                            true => HubError::Ailing { endpoint, why },
                            false => HubError::Unreachable { endpoint, why },
                        });
                    }
                    self.pause(failures, wait, "the list of files", &why, report);
                }
            }
        }
    }

    fn try_listing(&self, request: RequestBuilder<WithoutBody>) -> Result<Vec<u8>, Failure> {
        let mut url = request.uri_ref().map(Uri::to_string).unwrap_or_default();
        let mut response = request
            .config()
            .http_status_as_error(false)
            .max_redirects(0) // Followed here: the library takes another port for the same place.
            .timeout_connect(Some(self.pull.patience.connect))
            .timeout_per_read(Some(self.pull.patience.silence))
            .build()
            .call()
            .map_err(Failure::of_network)?;
        let mut answer = Answer::read(&response);
        for _ in 0..MOST_REDIRECTS {
            if !answer.is_redirect() {
                break;
            }
            url = self.redirected(&url, header(&response, "location").unwrap_or_default())?;
            response = self.request(&url).call().map_err(Failure::of_network)?;
            answer = Answer::read(&response);
        }
        if answer.status != 200 {
            return Err(final_or_passing(&self.pull, &answer, &self.pull.endpoint));
        }
        let body = response.body_mut().with_config().limit(LARGEST_LISTING);
        body.read_to_vec().map_err(Failure::of_network)
    }

    /// Fetches `remote` to `target`, and says which checksum its bytes have.
    pub(super) fn download(
        &self,
        remote: &Remote<'_>,
        target: &Path,
        report: &mut dyn FnMut(Event<'_>),
    ) -> Result<Checksum, HubError> {
        let part = target.with_file_name(format!("{}.part", remote.name));
        if target.exists() {
            // Complete, says the name; verified once more below, without a request where possible.
            fs::rename(target, &part).map_err(at(&part))?;
        }
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).open(&part);
        let file = file.map_err(at(&part))?;
        let mut progress = Progress {
            have: file.metadata().map_err(at(&part))?.len(),
            part: file,
            bytes: remote.bytes,
            checksum: remote.checksum.clone(),
        };
        self.fill(remote, &part, &mut progress, report)?;
        progress.part.sync_all().map_err(at(&part))?;
        let Some(expected) = progress.checksum else {
            return Err(HubError::NoChecksum {
                url: remote.url.clone(),
            });
        };
        let found = expected.of_same_kind(&part).map_err(at(&part))?;
        if found != expected {
            fs::remove_file(&part).map_err(at(&part))?;
            return Err(HubError::Mismatch {
                name: remote.name.to_owned(),
                found: found.to_string(),
                expected: expected.to_string(),
            });
        }
        fs::rename(&part, target).map_err(at(target))?;
        Ok(expected)
    }

    /// Brings the part file to its full length, over as many connections as it takes.
    fn fill(
        &self,
        remote: &Remote<'_>,
        path: &Path,
        progress: &mut Progress,
        report: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), HubError> {
        let mut failures = 0;
        loop {
            report(Event::Started {
                name: remote.name,
                bytes: progress.bytes,
                from: progress.have,
            });
            if progress.checksum.is_some() && progress.bytes == Some(progress.have) {
                return Ok(());
            }
            let before = progress.have;
            let (why, wait) = match self.try_file(remote, path, progress, report) {
                Ok(()) => return Ok(()),
                Err(Failure::Final(error)) => return Err(*error),
                Err(Failure::Passing { why, wait, .. }) => (why, wait),
            };
            // A connection that brought something was a good one.
            failures = if progress.have > before {
                1
            } else {
                failures + 1
            };
            if failures >= self.pull.patience.attempts {
                return Err(HubError::Interrupted {
                    name: remote.name.to_owned(),
                    have: progress.have,
                    bytes: progress.bytes,
                    why,
                });
            }
            self.pause(failures, wait, remote.name, &why, report);
        }
    }

    fn try_file(
        &self,
        remote: &Remote<'_>,
        path: &Path,
        progress: &mut Progress,
        report: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Failure> {
        let write = |error| Failure::from(at(path)(error));
        let (mut answer, mut body) = self.open(&remote.url, progress)?;
        if answer.status == 416 && progress.checksum.is_none() {
            // Nothing is missing, it seems, and nothing says what it should be: ask for all of it.
            progress.restart().map_err(write)?;
            (answer, body) = self.open(&remote.url, progress)?;
        }
        match answer.status {
            206 if answer.begins_at == Some(progress.have) => {}
            200 if progress.have == 0 => {}
            // Nothing is left to send: the checksum says whether that is true.
            416 => return Ok(()),
            // The server does not know how to go on, so it begins again.
            200 => progress.restart().map_err(write)?,
            206 => {
                progress.restart().map_err(write)?;
                return Err(Failure::passing("the server sent another part of the file"));
            }
            _ => return Err(final_or_passing(&self.pull, &answer, &remote.url)),
        }
        progress.bytes = progress.bytes.or(answer.bytes);
        let mut reader = body.into_reader();
        let mut buffer = vec![0; 1 << 17];
        loop {
            let n = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(error) => return Err(Failure::passing(why(&error.into()))),
            };
            if let Err(error) = progress.part.write_all(&buffer[..n]) {
                return Err(write(error));
            }
            progress.have += n as u64;
            report(Event::Received(n as u64));
            if progress.bytes.is_some_and(|bytes| progress.have > bytes) {
                break; // This is not the file; what it is, the checksum says.
            }
        }
        match progress.bytes {
            Some(bytes) if progress.have < bytes => {
                Err(Failure::passing("the connection was closed too early"))
            }
            _ => Ok(()),
        }
    }

    /// Asks for what is missing, and follows the Hub to where it keeps the file.
    fn open(&self, url: &str, progress: &mut Progress) -> Result<(Answer, Body), Failure> {
        let mut url = url.to_owned();
        for _ in 0..MOST_REDIRECTS {
            let is_hub = self.is_hub(&url);
            // Compressed bytes would have another length and another checksum.
            let mut request = self.request(&url).header("Accept-Encoding", "identity");
            if progress.have > 0 {
                request = request.header("Range", format!("bytes={}-", progress.have));
            }
            let response = request.call().map_err(Failure::of_network)?;
            let mut answer = Answer::read(&response);
            if is_hub {
                // Elsewhere an etag is the store's own, and no checksum that we know.
                progress.checksum = progress.checksum.take().or(answer.checksum.take());
                progress.bytes = progress.bytes.or(answer.linked_bytes);
            } else if (400..500).contains(&answer.status) && answer.status != 416 {
                // The store's addresses are signed and expire; the Hub gives a fresh one.
                let status = answer.status;
                return Err(Failure::passing(format!(
                    "the file's store answered {status}"
                )));
            }
            if !answer.is_redirect() {
                return Ok((answer, response.into_body()));
            }
            url = self.redirected(&url, header(&response, "location").unwrap_or_default())?;
        }
        Err(self.strange(&url, "too many redirects"))
    }

    /// A request that shows the token to the endpoint, and to nobody else.
    fn request(&self, url: &str) -> RequestBuilder<WithoutBody> {
        let request = self.agent.get(url);
        match &self.pull.token {
            Some(token) if self.is_hub(url) => {
                request.header("Authorization", format!("Bearer {}", token.secret))
            }
            _ => request,
        }
    }

    fn redirected(&self, from: &str, location: &str) -> Result<String, Failure> {
        let next = if location.starts_with('/') && !location.starts_with("//") {
            let host: Uri = from.parse().unwrap_or_default();
            let scheme = host.scheme_str().unwrap_or("https");
            let authority = host.authority().map_or("", |a| a.as_str());
            format!("{scheme}://{authority}{location}")
        } else {
            location.to_owned()
        };
        let secure = next.starts_with("https://");
        if !secure && (from.starts_with("https://") || !next.starts_with("http://")) {
            let fact = format!("redirects to `{location}`, which is not a safe address");
            return Err(self.strange(from, &fact));
        }
        Ok(next)
    }

    fn strange(&self, url: &str, fact: &str) -> Failure {
        Failure::from(HubError::Strange {
            url: url.to_owned(),
            fact: fact.to_owned(),
        })
    }

    fn is_hub(&self, url: &str) -> bool {
        let host = |url: &str| {
            let uri: Uri = url.parse().ok()?;
            Some((uri.scheme()?.clone(), uri.authority()?.clone()))
        };
        host(url).is_some() && host(url) == host(&self.pull.endpoint)
    }

    fn pause(
        &self,
        failures: u32,
        wait: Option<Duration>,
        name: &str,
        why: &str,
        report: &mut dyn FnMut(Event<'_>),
    ) {
        report(Event::Retrying { name, why });
        let doubled = self.pull.patience.wait * 2_u32.saturating_pow(failures.saturating_sub(1));
        std::thread::sleep(wait.unwrap_or(doubled).min(LONGEST_WAIT));
    }
}

impl Progress {
    fn restart(&mut self) -> std::io::Result<()> {
        self.have = 0;
        self.part.set_len(0)
    }
}
