//! The byte stream of a WebSocket, which the broker owns and lends to the protocol library.
//!
//! The library keeps handshake, heartbeat and the state of the protocol; what it writes goes onto the connection's
//! lane like everything else, read over frame by frame. Owning the stream is also what lets the broker end a
//! connection whatever state the library is in: one whose writer is blocked by a client that does not read never
//! notices that its session was closed.

mod ahead;
mod goodbye;

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use ahead::{Ahead, first};
pub(super) use goodbye::{LINGER, hear_out};

use super::deflate::{self, Held};
use super::inbound::{CLOSE, Inbound, PONG, PROBE, UPGRADE, Violation};
use super::lane::{Lane, Terms};
use super::link::{Link, State};
use super::pace::Ticket;
use super::reactor::{Kept, Place};
use super::wire::{self, Said};
use crate::telemetry::metrics::Carried;
use crate::tls::{ReadHalf, Stream};

pub(super) struct Carrier {
    /// `None` only while the stream is being dropped.
    socket: Option<ReadHalf>,
    lane: Arc<Lane>,
    inbound: Inbound,
    /// In front of it, where messages are compressed.
    inflate: Option<Box<Inflate>>,
    /// What the library has written and is not a whole frame yet.
    written: wire::Frames,
    /// What the library is to read before anything else.
    ahead: Ahead,
    has_closed: bool,
    /// The library has been given nothing of what the client sent.
    is_new: bool,
    /// What the client did, to be told when the library has read all that came before.
    violation: Option<Box<Violation>>,
    /// The last word has been said.
    is_refused: bool,
    /// An answer to a heartbeat that the client was not shown is to be read.
    owes_pong: bool,
    stage: Stage,
    /// `None` between the two.
    waits: Option<Box<Waits>>,
    /// Given back when the connection ends. `None` only while the stream is being dropped.
    place: Option<Kept>,
}

/// What is done in turn with other connections, because much follows from it.
enum Waits {
    /// The first of what the client sends. Behind the packet that ends its polling some may have come already, which is
    /// not compressed any more.
    First(Ticket, Bytes),
    /// Nothing more comes.
    End(Ticket, io::Result<()>),
}

/// What is between the client's frames and those that the library could read.
struct Inflate {
    inbound: deflate::Inbound,
    /// Given back when the connection ends.
    _held: Option<Held>,
}

/// How far a connection that began with polling has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Polling,
    /// The marker is on its way through the library.
    MovingOver,
    WebSocket,
}

/// Read by one system call. The library's own buffers are small, so that idle connections cost little.
const READ: usize = 16 << 10;

thread_local! {
    static READ_BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
    /// What compressed messages have become.
    static PLAIN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// An event that nobody else can send, as its text.
static MARKER: LazyLock<String> =
    LazyLock::new(|| format!("[\"{:032x}\"]", rand::random::<u128>()));

impl Carrier {
    /// `ahead` is what was read behind the request, or, by `inflate`, behind the packet that ends a session's polling.
    pub(super) fn new(
        stream: Stream,
        ahead: &Bytes,
        link: Arc<Link>,
        place: Arc<Place>,
        terms: Arc<Terms>,
        deflate: Option<deflate::Terms>,
        inflate: Option<deflate::Inbound>,
    ) -> Self {
        let (read, write) = stream.into_split();
        let stage = match link.polled() {
            Some(_) => Stage::Polling,
            None => Stage::WebSocket,
        };
        if stage == Stage::WebSocket {
            link.goes_over_websocket();
        }
        link.set_websocket(true);
        let behind = match stage {
            Stage::Polling => ahead.clone(),
            Stage::MovingOver | Stage::WebSocket => Bytes::new(),
        };
        let mut carrier = Self {
            socket: Some(read),
            inbound: Inbound::new(terms.max_message, link.parser),
            lane: Lane::new(write, link, terms, deflate.as_ref()),
            inflate: inflate.map(|inbound| {
                Box::new(Inflate {
                    inbound,
                    _held: deflate.and_then(|deflate| deflate.held),
                })
            }),
            written: wire::Frames::default(),
            ahead: Ahead::default(),
            has_closed: false,
            is_new: true,
            violation: None,
            is_refused: false,
            owes_pong: false,
            stage,
            waits: Some(Box::new(Waits::First(Ticket::default(), behind))),
            place: Some(Place::kept(place)),
        };
        if stage == Stage::Polling {
            carrier.ahead.set(&PROBE);
        } else {
            carrier.receive(ahead, &mut ReadBuf::new(&mut []));
        }
        carrier
    }

    fn link(&self) -> &Arc<Link> {
        self.lane.link()
    }

    /// The library has taken the probe, so nothing is polled any more.
    fn move_over(&mut self) {
        self.ahead.bytes.extend(UPGRADE);
        // The library has read what is behind the packet only when it lets its queue go.
        self.stage = match self.link().move_over(&MARKER) {
            true => Stage::MovingOver,
            false => Stage::WebSocket,
        };
        let behind = match self.waits.as_deref_mut() {
            Some(Waits::First(_, behind)) => std::mem::take(behind),
            Some(Waits::End(..)) | None => Bytes::new(),
        };
        self.receive_plain(&behind, &mut ReadBuf::new(&mut []));
        self.link().reader.wake();
    }

    /// Takes what the client sent; what does not fit into the library's buffer is read next.
    fn receive(&mut self, bytes: &[u8], buf: &mut ReadBuf<'_>) {
        let Some(inflate) = &mut self.inflate else {
            return self.receive_plain(bytes, buf);
        };
        let mut plain = PLAIN.take();
        let fed = inflate.inbound.feed(bytes, &mut plain);
        self.receive_plain(&plain, buf);
        plain.clear();
        plain.shrink_to(READ);
        PLAIN.set(plain);
        if self.violation.is_none() {
            self.violation = fed.err().map(Box::new);
        }
    }

    fn receive_plain(&mut self, bytes: &[u8], buf: &mut ReadBuf<'_>) {
        let (ahead, is_new) = (&mut self.ahead, &mut self.is_new);
        let taken = self.inbound.take(bytes, &**self.lane.link(), &mut |bytes| {
            let fits = match ahead.is_empty() {
                true if *is_new => first(bytes).min(buf.remaining()),
                true => buf.remaining().min(bytes.len()),
                false => 0,
            };
            *is_new &= bytes.is_empty();
            let (now, later) = bytes.split_at_checked(fits).unwrap_or((bytes, &[]));
            buf.put_slice(now);
            ahead.bytes.extend(later);
        });
        self.violation = taken.err().map(Box::new);
    }

    /// Ends the connection of a client that broke the protocol, and says why.
    fn refuse(&mut self, violation: &Violation) -> io::Error {
        match violation.code {
            Some(code) => self.lane.push_control(&wire::close_frame(code)),
            None => self.lane.push_control(&wire::CLOSE_WITHOUT_CODE),
        }
        self.is_refused = true;
        self.link().breaks(violation.fault, violation.what);
        io::ErrorKind::InvalidData.into()
    }

    /// Lets the library read a `close`, once no message of the client's is in between. It then writes what is queued
    /// and closes the WebSocket in good order.
    fn read_close(&mut self) {
        // What is still to be read may be the rest of a message.
        if self.inbound.at_boundary() && self.ahead.is_empty() && !self.has_closed {
            self.has_closed = true;
            self.ahead.set(&CLOSE);
        }
    }

    fn read_pong(&mut self) {
        if self.owes_pong && self.inbound.at_boundary() {
            self.owes_pong = false;
            self.ahead.bytes.extend(PONG);
        }
    }

    /// Reads until there is something for the library.
    fn poll_socket(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        READ_BUFFER.with_borrow_mut(|scratch| {
            loop {
                let Some(socket) = &mut self.socket else {
                    return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
                };
                let mut read = ReadBuf::new(scratch);
                let has_read = ready!(Pin::new(socket).poll_read(cx, &mut read));
                if read.filled().is_empty() {
                    self.waits = Some(Box::new(Waits::End(Ticket::default(), has_read)));
                    return self.poll_waits(cx, buf);
                }
                Carried::WebSocket.received(read.filled().len());
                self.receive(read.filled(), buf);
                if buf.filled().len() > before {
                    return Poll::Ready(Ok(()));
                }
                if let Some(violation) = self.violation.take() {
                    return Poll::Ready(Err(self.refuse(&violation)));
                }
            }
        })
    }

    /// Reads on when it is this connection's turn.
    fn poll_waits(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match (self.waits.as_deref_mut(), &self.socket) {
            (Some(Waits::First(ticket, _)), Some(socket)) => {
                ready!(socket.poll_read_ready(cx))?;
                ready!(self.lane.pace().poll_turn(ticket, cx));
            }
            (Some(Waits::End(ticket, _)), _) => ready!(self.lane.pace().poll_turn(ticket, cx)),
            _ => {}
        }
        match self.waits.take().map(|waits| *waits) {
            Some(Waits::End(_, has_read)) => Poll::Ready(has_read),
            Some(Waits::First(..)) | None => self.poll_socket(cx, buf),
        }
    }

    /// A frame of the library's, on its way to the client.
    fn relay(&mut self, frame: &wire::Frame<'_>) {
        if self.is_refused {
            return;
        }
        let parser = self.link().parser;
        let text = parser.read(frame.first, frame.payload);
        match Said::read(&text) {
            // The WebSocket's own close says it to clients of Node's server. What they still send comes too late.
            Said::Close => self.has_closed = true,
            Said::Probed if self.stage == Stage::Polling => self.move_over(),
            Said::Ping if self.link().is_first_ping() => {
                self.owes_pong = true;
                self.link().reader.wake();
            }
            Said::Connected(namespace) => {
                match self.link().welcome(namespace) {
                    Some(packet) => self.lane.push_control(&parser.frame(&packet)),
                    None => self.lane.push_control(frame.whole),
                }
                self.link().told(namespace);
                self.link().open_lane(namespace, &self.lane);
            }
            Said::Refused(namespace, words) => match wire::refused(namespace, &words) {
                Some(packet) => self.lane.push_control(&parser.frame(&packet)),
                None => self.lane.push_control(frame.whole),
            },
            _ if self.stage == Stage::MovingOver && text.ends_with(&**MARKER) => {
                self.stage = Stage::WebSocket;
                self.link().moved_over(&self.lane);
            }
            _ => self.lane.push_control(frame.whole),
        }
    }
}

impl Drop for Carrier {
    /// Last words are written first. A stream that is closed while something of the client's is unread is reset, and
    /// what the client has not read yet of them is lost: so after a goodbye the rest is read first.
    fn drop(&mut self) {
        if self.stage == Stage::MovingOver {
            // What waits for the marker would wait for ever.
            self.link().kill();
        }
        let is_done = self.link().state() == State::Killed || self.lane.flush();
        let is_goodbye = match self.link().state() {
            State::Closing | State::Broken => true,
            State::Open => self.has_closed,
            State::Killed => false,
        };
        let (socket, lane) = (self.socket.take(), self.lane.clone());
        let (link, place) = (self.link().clone(), self.place.take());
        match (socket, tokio::runtime::Handle::try_current()) {
            (Some(socket), Ok(runtime)) if is_goodbye || !is_done => {
                runtime.spawn(async move {
                    goodbye::say(socket, &lane).await;
                    link.set_websocket(false);
                    drop(place);
                });
            }
            _ => {
                lane.end();
                link.set_websocket(false);
            }
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
        self.link().reader.register(cx.waker());
        match self.link().state() {
            State::Open => {}
            State::Closing => self.read_close(),
            State::Broken | State::Killed => {
                return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
            }
        }
        self.read_pong();
        if !self.ahead.is_empty() {
            self.ahead.read(buf);
            return Poll::Ready(Ok(()));
        }
        if let Some(violation) = self.violation.take() {
            return Poll::Ready(Err(self.refuse(&violation)));
        }
        if self.has_closed || self.stage == Stage::Polling {
            // Whatever the client still sends, it comes after its end, or behind its probe.
            return Poll::Pending;
        }
        self.poll_waits(cx, buf)
    }
}

impl AsyncWrite for Carrier {
    /// Never waits: what the library writes is little, and bounded by what its protocol makes it say.
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.link().state() == State::Killed {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let mut frames = std::mem::take(&mut self.written);
        frames.take(buf, |frame| self.relay(&frame));
        self.written = frames;
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
