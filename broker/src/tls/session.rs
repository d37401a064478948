//! One TLS connection's state, apart from the socket that it goes over: so it can move to another reactor with the
//! socket, and be shared by the two halves of it.

use std::io::{self, BufRead as _, IoSlice, Read as _, Write as _};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::net::SendFlags;
use rustls::pki_types::CertificateDer;
use rustls::{ServerConfig, ServerConnection};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

pub(crate) struct Session(ServerConnection);

/// What ciphertext is read from.
pub(super) trait Socket: AsyncRead + Unpin {
    fn tcp(&self) -> &TcpStream;
}

impl Session {
    pub(super) fn new(config: Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        ServerConnection::new(config).map(Self)
    }

    /// Ends when both sides are sure of each other.
    pub(super) fn poll_handshake(
        &mut self,
        socket: &mut TcpStream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_flush(socket, cx))?;
            if !self.0.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            if ready!(self.poll_fill(socket, cx))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// The client's certificate, if it has shown one.
    pub(super) fn certificate(&self) -> Option<&CertificateDer<'static>> {
        self.0.peer_certificates()?.first()
    }

    /// Reads what the client has said; nothing at its end.
    pub(super) fn poll_read(
        &mut self,
        socket: &mut impl Socket,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            match self.0.reader().read(buf.initialize_unfilled()) {
                Ok(count) => {
                    buf.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // What is said over HTTP and WebSockets has an end of its own, so nobody can cut it short unnoticed.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Poll::Ready(Ok(()));
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
            ready!(self.poll_fill(socket, cx))?;
        }
    }

    /// The client has said something, or the socket has something of it.
    pub(super) fn poll_read_ready(
        &mut self,
        socket: &TcpStream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.0.reader().fill_buf().is_ok() {
            return Poll::Ready(Ok(()));
        }
        socket.poll_read_ready(cx)
    }

    /// Takes one read of ciphertext in. Nothing more comes after nothing.
    fn poll_fill(
        &mut self,
        socket: &mut impl Socket,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut pull = Pull { socket, cx };
        let count = match self.0.read_tls(&mut pull) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
            read => read?,
        };
        if let Err(error) = self.0.process_new_packets() {
            // So that the client knows why; what does not fit is not waited for.
            let _ = self.flush(socket.tcp());
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
        }
        Poll::Ready(Ok(count))
    }

    /// Encrypts and writes what can be written at once: the bytes that were taken.
    pub(super) fn write(
        &mut self,
        socket: &TcpStream,
        slices: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        self.flush(socket)?;
        let count = self.0.writer().write_vectored(slices)?;
        match self.flush(socket) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            // It is on its way, as in the kernel's buffer.
            _ => Ok(count),
        }
    }

    /// Writes what has been encrypted. An error of the kind `WouldBlock`: some is left.
    pub(super) fn flush(&mut self, socket: &TcpStream) -> io::Result<()> {
        while self.0.wants_write() {
            if self.0.write_tls(&mut Push(socket))? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }

    pub(super) fn poll_write(
        &mut self,
        socket: &TcpStream,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_flush(socket, cx))?;
        Poll::Ready(self.write(socket, slices))
    }

    pub(super) fn poll_flush(
        &mut self,
        socket: &TcpStream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            match self.flush(socket) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(socket.poll_write_ready(cx))?;
                }
                flushed => return Poll::Ready(flushed),
            }
        }
    }

    /// Tells the client that nothing more comes; leaves with what is written.
    pub(super) fn close(&mut self) {
        self.0.send_close_notify();
    }
}

impl Socket for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Socket for OwnedReadHalf {
    fn tcp(&self) -> &TcpStream {
        self.as_ref()
    }
}

/// Reads for the TLS library, into its own buffer.
struct Pull<'a, 'c, S> {
    socket: &'a mut S,
    cx: &'a mut Context<'c>,
}

impl<S: Socket> io::Read for Pull<'_, '_, S> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut read = ReadBuf::new(bytes);
        match Pin::new(&mut *self.socket).poll_read(self.cx, &mut read) {
            Poll::Ready(has_read) => has_read.map(|()| read.filled().len()),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

/// Writes for the TLS library.
struct Push<'a>(&'a TcpStream);

impl io::Write for Push<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        send(self.0, bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match slices {
            // A turn's events, nearly always.
            [one] => send(self.0, one),
            slices => self.0.try_write_vectored(slices),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Past the runtime, whose record of the socket would have to be fetched from far away for every delivery. It is asked
/// where the socket takes nothing, of which it has to know.
fn send(socket: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    rustix::net::send(socket, bytes, flags).or_else(|_| socket.try_write(bytes))
}

/// The same for a half.
pub(super) fn send_plain(socket: &OwnedWriteHalf, bytes: &[u8]) -> io::Result<usize> {
    send(socket.as_ref(), bytes)
}
