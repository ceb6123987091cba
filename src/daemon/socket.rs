//! The two ends of the daemon's socket; a named pipe where there are no sockets.
//!
//! Invariant: a listener accepts this user only. Knows nothing of what is spoken.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

use super::place::Place;

/// A connection, either end.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

#[cfg(unix)]
pub(super) use unix::{Listener, connect};
#[cfg(windows)]
pub(super) use windows::{Listener, connect};

#[cfg(unix)]
mod unix {
    use super::{Place, io};
    use tokio::net::{UnixListener, UnixStream};

    /// Listens until it is dropped, and then takes its socket away.
    pub(in crate::daemon) struct Listener {
        listener: UnixListener,
        place: Place,
    }

    impl Listener {
        /// Listens. The caller holds the lock, so a socket that is there already is a dead one.
        pub(in crate::daemon) fn bind(place: &Place) -> io::Result<Listener> {
            let path = place.socket();
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            Ok(Listener {
                listener: UnixListener::bind(path)?,
                place: place.clone(),
            })
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
            // The next daemon would remove it too; this only tidies up.
            let _ = std::fs::remove_file(self.place.socket());
        }
    }

    fn may_enter(peer: u32, user: u32) -> bool {
        peer == user
    }

    /// Connects to the daemon at `place`.
    pub(in crate::daemon) async fn connect(place: &Place) -> io::Result<UnixStream> {
        UnixStream::connect(place.socket()).await
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
    }
}

#[cfg(windows)]
mod windows {
    use super::{Place, io};
    use tokio::net::windows::named_pipe::{
        ClientOptions, NamedPipeClient, NamedPipeServer, ServerOptions,
    };

    /// Listens until it is dropped. The pipe's default rights admit its user and administrators.
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

        pub(in crate::daemon) async fn accept(&mut self) -> io::Result<NamedPipeServer> {
            self.next.connect().await?;
            // The next instance must be there before this one is served, or a client finds none.
            let next = ServerOptions::new()
                .reject_remote_clients(true)
                .create(&self.name)?;
            Ok(std::mem::replace(&mut self.next, next))
        }
    }

    pub(in crate::daemon) async fn connect(place: &Place) -> io::Result<NamedPipeClient> {
        ClientOptions::new().open(place.pipe())
    }
}
