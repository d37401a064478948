//! One connection: its stream, and what is known about it.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::TcpStream;
use rustix::net::{AddressFamily, SocketType, sockopt};

use crate::{LoadError, Result};

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    #[default]
    Upgrading,
    Speaking,
    /// It is in the namespace.
    Entered,
}

#[derive(Debug, Default)]
pub(super) struct Link {
    pub(super) stream: Option<TcpStream>,
    pub(super) stage: Stage,
    /// The beginning of a frame whose end has not come.
    pub(super) inbox: Vec<u8>,
    /// The kernel has said that it takes more, and not yet that it does not.
    pub(super) writable: bool,
    pub(super) paused: bool,
}

impl Link {
    /// Begins a connection, with a receive buffer of this size if one is given.
    pub(super) fn dial(&mut self, to: SocketAddr, receives: Option<usize>) -> Result<TcpStream> {
        *self = Self::default();
        let stream = match receives {
            None => TcpStream::connect(to).map_err(|error| LoadError::Io("connect", error))?,
            Some(size) => {
                narrow(to, size).map_err(|error| LoadError::Io("connect", error.into()))?
            }
        };
        stream
            .set_nodelay(true)
            .map_err(|error| LoadError::Io("nodelay", error))?;
        Ok(stream)
    }

    pub(super) fn port(&self) -> Option<u16> {
        let address = self.stream.as_ref()?.local_addr().ok()?;
        Some(address.port())
    }

    /// Closes it with a reset: a port that waits for stray segments is a port that cannot be used.
    pub(super) fn cut(&mut self) {
        if let Some(stream) = self.stream.take() {
            // Without it the port waits, which is no error.
            let _ = sockopt::set_socket_linger(&stream, Some(Duration::ZERO));
        }
        self.inbox = Vec::new();
        self.writable = false;
    }

    /// What there is; `None` when there is nothing now. The end is an error.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let Some(stream) = &mut self.stream else {
            return Ok(None);
        };
        if self.paused {
            return Ok(None);
        }
        loop {
            match stream.read(buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => return Ok(Some(read)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes as much as the kernel takes, and removes it.
    pub(super) fn write(&mut self, queue: &mut Vec<u8>) -> io::Result<()> {
        let Some(stream) = &mut self.stream else {
            queue.clear();
            return Ok(());
        };
        while self.writable && !queue.is_empty() {
            match stream.write(queue) {
                Ok(written) => drop(queue.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.writable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// A connection with a small receive buffer, which has to be set before it is made.
fn narrow(to: SocketAddr, size: usize) -> rustix::io::Result<TcpStream> {
    let family = match to {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = rustix::net::socket(family, SocketType::STREAM, None)?;
    sockopt::set_socket_recv_buffer_size(&socket, size)?;
    rustix::net::connect(&socket, &to)?;
    let stream = std::net::TcpStream::from(socket);
    rustix::io::ioctl_fionbio(&stream, true)?;
    Ok(TcpStream::from_std(stream))
}
