//! The byte stream of a WebSocket, which the broker owns and lends to the protocol library.
//!
//! Owning it is what lets the broker end a connection whatever state the library is in: one whose writer is blocked
//! by a client that does not read never notices that its session was closed.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::reactor::Place;
use crate::event::Handshake;

const OPEN: u8 = 0;
/// Nothing more is read; what is queued is still written, and the WebSocket closed in good order.
const CLOSING: u8 = 1;
/// Nothing more is read or written.
const KILLED: u8 = 2;

/// The broker's hold on one connection, whichever transport it is on.
pub(super) struct Link {
    pub address: IpAddr,
    pub handshake: Arc<Handshake>,
    state: AtomicU8,
    reader: AtomicWaker,
    writer: AtomicWaker,
    number: u64,
    sid: OnceLock<String>,
    links: Weak<Links>,
}

/// All connections, for the upgrade of a polling session and for the drain.
#[derive(Default)]
pub(super) struct Links {
    next: AtomicU64,
    all: Mutex<HashMap<u64, Weak<Link>>>,
    /// Sessions that began with polling.
    polling: Mutex<HashMap<String, u64>>,
}

// === impl Links ===

impl Links {
    pub(super) fn open(self: &Arc<Self>, address: IpAddr, handshake: Handshake) -> Arc<Link> {
        let link = Arc::new(Link {
            address,
            handshake: Arc::new(handshake),
            state: AtomicU8::new(OPEN),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
            number: self.next.fetch_add(1, Ordering::Relaxed),
            sid: OnceLock::new(),
            links: Arc::downgrade(self),
        });
        self.all.lock().insert(link.number, Arc::downgrade(&link));
        link
    }

    /// Remembers the session id that a polling handshake was answered with.
    pub(super) fn name(&self, link: &Link, sid: &str) {
        if link.sid.set(sid.to_owned()).is_ok() {
            self.polling.lock().insert(sid.to_owned(), link.number);
        }
    }

    /// The connection of a session that began with polling, unless it is gone or was ended by the broker.
    pub(super) fn polling(&self, sid: &str) -> Option<Arc<Link>> {
        let number = *self.polling.lock().get(sid)?;
        let link = self.all.lock().get(&number)?.upgrade()?;
        (link.state.load(Ordering::Acquire) == OPEN).then_some(link)
    }

    pub(super) fn snapshot(&self) -> Vec<Arc<Link>> {
        self.all.lock().values().filter_map(Weak::upgrade).collect()
    }
}

// === impl Link ===

impl Link {
    /// Ends the connection in good order: the client's own code reconnects then.
    pub(super) fn close(&self) {
        if self
            .state
            .compare_exchange(OPEN, CLOSING, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
        {
            self.reader.wake();
        }
    }

    /// Ends the connection at once, even while a write is blocked.
    pub(super) fn kill(&self) {
        self.state.store(KILLED, Ordering::Release);
        self.reader.wake();
        self.writer.wake();
    }

    fn state(&self) -> u8 {
        self.state.load(Ordering::Acquire)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(links) = self.links.upgrade() {
            links.all.lock().remove(&self.number);
            if let Some(sid) = self.sid.get() {
                links.polling.lock().remove(sid);
            }
        }
    }
}

// === impl Carrier ===

/// The stream itself.
pub(super) struct Carrier {
    stream: TcpStream,
    /// What the HTTP server had read beyond the request.
    ahead: Bytes,
    link: Arc<Link>,
    /// Given back when the connection ends.
    _place: Arc<Place>,
}

impl Carrier {
    pub(super) fn new(stream: TcpStream, ahead: Bytes, link: Arc<Link>, place: Arc<Place>) -> Self {
        Self {
            stream,
            ahead,
            link,
            _place: place,
        }
    }

    fn check_writable(&self, cx: &Context<'_>) -> io::Result<()> {
        self.link.writer.register(cx.waker());
        match self.link.state() {
            KILLED => Err(io::ErrorKind::ConnectionAborted.into()),
            _ => Ok(()),
        }
    }
}

impl AsyncRead for Carrier {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Registered before the state is looked at, so that no end is missed in between.
        self.link.reader.register(cx.waker());
        match self.link.state() {
            OPEN => {}
            CLOSING => return Poll::Ready(Ok(())),
            _ => return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
        }
        if self.ahead.has_remaining() {
            let len = self.ahead.len().min(buf.remaining());
            buf.put_slice(&self.ahead.split_to(len));
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Carrier {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check_writable(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_writable(cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check_writable(cx)?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }
}
