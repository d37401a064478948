//! The byte stream of a client, in plain text or under TLS. What is plain costs nothing but a branch.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::session::{Session, send_plain};

pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(TcpStream, Box<Session>),
}

/// A stream on its way to another reactor, apart from the runtime of its own.
pub(crate) struct Parted {
    socket: std::net::TcpStream,
    session: Option<Box<Session>>,
}

pub(crate) struct ReadHalf {
    socket: OwnedReadHalf,
    /// `None`: there is no TLS.
    session: Option<Arc<Mutex<Session>>>,
}

/// Closes this side of the stream when it is dropped.
pub(crate) struct WriteHalf {
    socket: OwnedWriteHalf,
    /// Writers come from several threads, and only for as long as it takes to encrypt what they have.
    session: Option<Arc<Mutex<Session>>>,
}

// === impl Stream ===

impl Stream {
    pub(crate) fn part(self) -> io::Result<Parted> {
        let (socket, session) = match self {
            Self::Plain(socket) => (socket, None),
            Self::Tls(socket, session) => (socket, Some(session)),
        };
        Ok(Parted {
            socket: socket.into_std()?,
            session,
        })
    }

    pub(crate) fn into_split(self) -> (ReadHalf, WriteHalf) {
        let (socket, session) = match self {
            Self::Plain(socket) => (socket, None),
            Self::Tls(socket, session) => (socket, Some(Arc::new(Mutex::new(*session)))),
        };
        let (read, write) = socket.into_split();
        let halves = (session.clone(), session);
        (
            ReadHalf {
                socket: read,
                session: halves.0,
            },
            WriteHalf {
                socket: write,
                session: halves.1,
            },
        )
    }
}

impl Parted {
    /// Must be called on the reactor that it is to be served on.
    pub(crate) fn join(self) -> io::Result<Stream> {
        let socket = TcpStream::from_std(self.socket)?;
        Ok(match self.session {
            None => Stream::Plain(socket),
            Some(session) => Stream::Tls(socket, session),
        })
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(cx, buf),
            Self::Tls(socket, session) => session.poll_read(socket, cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write(cx, buf),
            Self::Tls(socket, session) => session.poll_write(socket, cx, &[IoSlice::new(buf)]),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write_vectored(cx, slices),
            Self::Tls(socket, session) => session.poll_write(socket, cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Self::Tls(socket, session) => session.poll_flush(socket, cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Tls(socket, session) => {
                session.close();
                ready!(session.poll_flush(socket, cx))?;
                Pin::new(socket).poll_shutdown(cx)
            }
        }
    }
}

// === impl ReadHalf ===

impl ReadHalf {
    /// There is something to read, or the end of it.
    pub(crate) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let socket = self.socket.as_ref();
        match &self.session {
            None => socket.poll_read_ready(cx),
            Some(session) => session.lock().poll_read_ready(socket, cx),
        }
    }
}

impl AsyncRead for ReadHalf {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match &this.session {
            None => Pin::new(&mut this.socket).poll_read(cx, buf),
            Some(session) => session.lock().poll_read(&mut this.socket, cx, buf),
        }
    }
}

// === impl WriteHalf ===

impl WriteHalf {
    /// Writes what can be written at once.
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        match &self.session {
            None => send_plain(&self.socket, bytes),
            Some(session) => session
                .lock()
                .write(self.socket.as_ref(), &[IoSlice::new(bytes)]),
        }
    }

    /// The same for pieces of it.
    pub(crate) fn send_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match &self.session {
            None => self.socket.try_write_vectored(slices),
            Some(session) => session.lock().write(self.socket.as_ref(), slices),
        }
    }

    /// Writes what was taken and has not left yet, which only TLS has. An error of the kind `WouldBlock`: some is left.
    pub(crate) fn flush(&self) -> io::Result<()> {
        match &self.session {
            None => Ok(()),
            Some(session) => session.lock().flush(self.socket.as_ref()),
        }
    }

    pub(crate) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.as_ref().poll_write_ready(cx)
    }
}

impl Drop for WriteHalf {
    fn drop(&mut self) {
        if let Some(session) = &self.session {
            let mut session = session.lock();
            session.close();
            // A client that takes nothing at the moment sees the end of the socket only.
            let _ = session.flush(self.socket.as_ref());
        }
    }
}

#[cfg(test)]
mod tests;
