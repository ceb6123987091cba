//! The two ends of the daemon's socket; a named pipe where there are no sockets.
//!
//! Invariant: a listener accepts this user only, and a client speaks to this user's listener only.
//! Knows nothing of what is spoken.

use std::fs::File;
use std::io;
use std::path::Path;

use tokio::io::{AsyncRead, AsyncWrite};

use super::place::Place;

/// A connection, either end.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

#[cfg(unix)]
pub(super) use unix::{Listener, connect, is_at};
#[cfg(windows)]
pub(super) use windows::{Listener, connect, is_at};

#[cfg(unix)]
mod unix {
    use super::{File, Path, Place, io};
    use std::fs::Metadata;
    use std::os::unix::fs::MetadataExt;
    use tokio::net::{UnixListener, UnixStream};

    /// Listens until it is dropped, and then takes its socket away.
    pub(in crate::daemon) struct Listener {
        listener: UnixListener,
        place: Place,
        /// The socket in its folder, which has no other while this one listens.
        identity: (u64, u64),
    }

    impl Listener {
        /// Listens. The caller holds the lock, so a socket that is there already is a dead one.
        pub(in crate::daemon) fn bind(place: &Place) -> io::Result<Listener> {
            let path = place.socket();
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let listener = UnixListener::bind(&path)?;
            Ok(Listener {
                listener,
                place: place.clone(),
                identity: identity(&std::fs::symlink_metadata(&path)?),
            })
        }

        /// Whether clients find this socket, and no other or none.
        pub(in crate::daemon) fn is_found(&self) -> bool {
            std::fs::symlink_metadata(self.place.socket())
                .is_ok_and(|there| identity(&there) == self.identity)
        }

        /// The next connection of this user.
        pub(in crate::daemon) async fn accept(&mut self) -> io::Result<UnixStream> {
            loop {
                let (stream, _) = self.listener.accept().await?;
                let peer = stream.peer_cred()?.uid();
                if may_enter(peer, crate::config::user_number()) {
                    return Ok(stream);
                }
                tracing::warn!(peer, "another user tried to connect and was refused");
            }
        }
    }

    impl Drop for Listener {
        fn drop(&mut self) {
            // The next daemon would remove it too; this only tidies up. Another's stays.
            if self.is_found() {
                let _ = std::fs::remove_file(self.place.socket());
            }
        }
    }

    fn identity(metadata: &Metadata) -> (u64, u64) {
        (metadata.dev(), metadata.ino())
    }

    /// Whether `path` is the file that is open.
    pub(in crate::daemon) fn is_at(file: &File, path: &Path) -> bool {
        let at = std::fs::metadata(path);
        let open = file.metadata();
        open.is_ok_and(|open| at.is_ok_and(|at| identity(&open) == identity(&at)))
    }

    fn may_enter(peer: u32, user: u32) -> bool {
        peer == user
    }

    /// Connects to the daemon at `place`.
    ///
    /// # Errors
    /// Nobody listens there, or another user does: where the folder lies among the temporary files,
    /// anybody may have made it first, and what is said to a daemon is what stands in notes.
    pub(in crate::daemon) async fn connect(place: &Place) -> io::Result<UnixStream> {
        let stream = UnixStream::connect(place.socket()).await?;
        of_user(stream, crate::config::user_number())
    }

    fn of_user(stream: UnixStream, user: u32) -> io::Result<UnixStream> {
        let listener = stream.peer_cred()?.uid();
        if may_enter(listener, user) {
            return Ok(stream);
        }
        tracing::warn!(
            listener,
            "another user listens where the daemon is looked for"
        );
        Err(io::ErrorKind::PermissionDenied.into())
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn only_the_user_may_enter() {
            assert!(may_enter(1000, 1000));
            assert!(!may_enter(1001, 1000));
            assert!(!may_enter(0, 1000), "not even the administrator");
        }

        #[tokio::test]
        async fn nothing_is_said_to_a_listener_of_another_user() {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("a.sock");
            let _listener = UnixListener::bind(&path).unwrap();
            let user = crate::config::user_number();
            let connected = UnixStream::connect(&path).await.unwrap();
            assert!(of_user(connected, user).is_ok());
            let connected = UnixStream::connect(&path).await.unwrap();
            let refused = of_user(connected, user + 1).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
        }
    }
}

#[cfg(windows)]
mod windows {
    use super::{File, Path, Place, io};
    use std::time::Duration;
    use tokio::net::windows::named_pipe::{
        ClientOptions, NamedPipeClient, NamedPipeServer, ServerOptions,
    };

    /// What the system says while all instances of a pipe are taken.
    const BUSY: i32 = 231;
    /// How often and how long a client waits for an instance, which takes a moment to be made.
    const TRIES: u32 = 50;
    const PAUSE: Duration = Duration::from_millis(10);

    /// Listens until it is dropped. The pipe's default rights let its user, the administrators and
    /// the system write to it, and nobody else; who cannot write is never answered.
    pub(in crate::daemon) struct Listener {
        next: NamedPipeServer,
        name: String,
    }

    impl Listener {
        pub(in crate::daemon) fn bind(place: &Place) -> io::Result<Listener> {
            let name = place.pipe();
            let next = ServerOptions::new()
                .first_pipe_instance(true)
                .reject_remote_clients(true)
                .create(&name)?;
            Ok(Listener { next, name })
        }

        /// A pipe lies in no folder from which it could be removed.
        pub(in crate::daemon) fn is_found(&self) -> bool {
            true
        }

        pub(in crate::daemon) async fn accept(&mut self) -> io::Result<NamedPipeServer> {
            self.next.connect().await?;
            // The next instance must be there before this one is served, or a client finds none.
            let next = ServerOptions::new()
                .reject_remote_clients(true)
                .create(&self.name)?;
            Ok(std::mem::replace(&mut self.next, next))
        }
    }

    /// A file that is open is not removed.
    pub(in crate::daemon) fn is_at(_: &File, _: &Path) -> bool {
        true
    }

    pub(in crate::daemon) async fn connect(place: &Place) -> io::Result<NamedPipeClient> {
        let mut tries = 0;
        loop {
            match ClientOptions::new().open(place.pipe()) {
                Err(error) if error.raw_os_error() == Some(BUSY) && tries < TRIES => {
                    tries += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                opened => return opened,
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[tokio::test]
        async fn a_name_that_is_taken_is_refused_until_it_is_free() {
            let place = Place {
                folder: std::env::temp_dir().join("a_name_that_is_taken"),
                build: std::process::id().to_string(),
            };
            let first = Listener::bind(&place).unwrap();
            let refused = Listener::bind(&place).map(drop).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
            drop(first);
            Listener::bind(&place).unwrap();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn each_of_many_clients_has_a_connection_of_its_own_and_then_there_is_nobody() {
        const CLIENTS: u8 = 20;
        let dir = tempfile::tempdir().unwrap();
        let place = Place {
            folder: dir.path().to_path_buf(),
            build: "build".to_owned(),
        };
        assert!(connect(&place).await.is_err(), "nobody listens yet");
        let mut listener = Listener::bind(&place).unwrap();
        let serve = async {
            for _ in 0..CLIENTS {
                let mut stream = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let mut said = [0; 1];
                    while stream.read_exact(&mut said).await.is_ok() {
                        stream.write_all(&[said[0], said[0]]).await.unwrap();
                    }
                });
            }
        };
        let talk = async {
            let clients = (0..CLIENTS).map(|number| {
                let place = place.clone();
                tokio::spawn(async move {
                    let mut stream = connect(&place).await.unwrap();
                    for said in [number, number.wrapping_mul(7)] {
                        stream.write_all(&[said]).await.unwrap();
                        let mut answer = [0; 2];
                        stream.read_exact(&mut answer).await.unwrap();
                        assert_eq!(answer, [said, said]);
                    }
                })
            });
            for client in clients.collect::<Vec<_>>() {
                client.await.unwrap();
            }
        };
        tokio::join!(serve, talk);
        drop(listener);
        assert!(connect(&place).await.is_err(), "nobody listens any more");
        let mut next = Listener::bind(&place).unwrap();
        let (accepted, connected) = tokio::join!(next.accept(), connect(&place));
        assert!(accepted.is_ok() && connected.is_ok());
    }
}
