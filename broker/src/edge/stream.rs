//! The byte stream of a WebSocket, which the broker owns and lends to the protocol library.
//!
//! Owning it is what lets the broker end a connection whatever state the library is in: one whose writer is blocked
//! by a client that does not read never notices that its session was closed.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use super::frames::{CLOSE, Frames};
use super::link::{Link, State};
use super::reactor::Place;

pub(super) struct Carrier {
    /// `None` only while the stream is being dropped.
    stream: Option<TcpStream>,
    /// To be read before anything else: what the HTTP server had read beyond the request, or the broker's `close`.
    ahead: Bytes,
    frames: Frames,
    has_closed: bool,
    link: Arc<Link>,
    /// How long a client may take nothing of what is written to it.
    patience: Duration,
    /// Runs while a write is blocked; its end is the client's.
    blocked: Option<Pin<Box<Sleep>>>,
    /// Given back when the connection ends.
    place: Arc<Place>,
}

/// What a client has, once the broker has closed a WebSocket, to close its side.
const LINGER: Duration = Duration::from_secs(2);

impl Carrier {
    pub(super) fn new(
        stream: TcpStream,
        ahead: Bytes,
        link: Arc<Link>,
        place: Arc<Place>,
        patience: Duration,
    ) -> Self {
        link.set_websocket(true);
        Self {
            stream: Some(stream),
            ahead,
            frames: Frames::default(),
            has_closed: false,
            link,
            patience,
            blocked: None,
            place,
        }
    }

    /// Lets the library read a `close`, once no frame of the client's is in between. It then writes what is queued
    /// and closes the WebSocket in good order.
    fn read_close(&mut self) {
        if self.frames.at_boundary() && !self.has_closed {
            self.has_closed = true;
            self.ahead = Bytes::from_static(&CLOSE);
        }
    }

    /// Does a write, and watches over one that is blocked.
    fn watched_write(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        self.link.writer.register(cx.waker());
        if self.link.state() == State::Killed {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let written = write(stream_of(&mut self.stream)?, cx);
        if let Poll::Ready(result) = written {
            self.blocked = None;
            if let Ok(count) = &result {
                self.link.wrote(*count);
            }
            return Poll::Ready(result);
        }
        let patience = self.patience;
        let blocked = self
            .blocked
            .get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(blocked.as_mut().poll(cx));
        self.link.stalled();
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl Drop for Carrier {
    /// A stream that is closed while something of the client's is unread is reset, and what the client has not read
    /// yet of the broker's last words is lost. So after a goodbye the rest is read first.
    fn drop(&mut self) {
        let stream = self.stream.take();
        let link = self.link.clone();
        let place = self.place.clone();
        match (stream, tokio::runtime::Handle::try_current()) {
            (Some(stream), Ok(runtime)) if link.state() == State::Closing => {
                runtime.spawn(async move {
                    let _ = tokio::time::timeout(LINGER, read_to_end(stream)).await;
                    link.set_websocket(false);
                    drop(place);
                });
            }
            _ => link.set_websocket(false),
        }
    }
}

fn stream_of(stream: &mut Option<TcpStream>) -> io::Result<Pin<&mut TcpStream>> {
    match stream {
        Some(stream) => Ok(Pin::new(stream)),
        None => Err(io::ErrorKind::NotConnected.into()),
    }
}

async fn read_to_end(mut stream: TcpStream) {
    let mut rest = [0; 1024];
    // Errors are the other way for a client to be gone.
    let _ = stream.shutdown().await;
    while let Ok(1..) = stream.read(&mut rest).await {}
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
            State::Open => {}
            State::Closing => self.read_close(),
            State::Killed => return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
        }
        let before = buf.filled().len();
        if self.ahead.has_remaining() {
            let len = self.ahead.len().min(buf.remaining());
            buf.put_slice(&self.ahead.split_to(len));
        } else if self.has_closed {
            // Whatever the client still sends, it comes after its end.
            return Poll::Pending;
        } else {
            ready!(stream_of(&mut self.stream)?.poll_read(cx, buf))?;
        }
        let read = buf.filled().get(before..).unwrap_or_default();
        self.frames.follow(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Carrier {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.watched_write(cx, |stream, cx| stream.poll_write(cx, buf))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        stream_of(&mut self.stream)?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        stream_of(&mut self.stream)?.poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream
            .as_ref()
            .is_some_and(TcpStream::is_write_vectored)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.watched_write(cx, |stream, cx| stream.poll_write_vectored(cx, bufs))
    }
}
