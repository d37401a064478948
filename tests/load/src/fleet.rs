//! All sockets of a scenario, on one thread and one poll. What a turn brings is handed to a closure; what that sends is
//! gathered and written once a socket and turn.

mod link;

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};

use crate::wire::{self, Packet};
use crate::{LoadError, PATIENCE, Result, message};
use link::{Link, Stage};

/// As much as the largest burst that one socket is sent in a turn.
const BUFFER: usize = 256 * 1024;

/// What happened to a socket.
#[derive(Debug)]
pub enum Seen<'a> {
    /// The server has let it into the namespace.
    Entered,
    /// The server has refused it.
    Refused(&'a [u8]),
    Event(&'a [u8]),
    Ack(u64, &'a [u8]),
    /// The server has closed it, or it broke.
    Gone,
}

/// What waits to be sent.
#[derive(Debug, Default)]
pub struct Outbox {
    queues: Vec<Vec<u8>>,
    dirty: Vec<usize>,
    packet: Vec<u8>,
    /// When the bytes that are being handled were read, by [`message::now`].
    pub now: u64,
}

impl Outbox {
    /// An outbox for so many sockets, that no fleet writes.
    #[cfg(test)]
    pub(crate) fn with_sockets(sockets: usize) -> Self {
        Self {
            queues: vec![Vec::new(); sockets],
            ..Self::default()
        }
    }

    /// Queues a packet that the closure writes.
    pub fn send(&mut self, socket: usize, write: impl FnOnce(&mut Vec<u8>)) {
        self.packet.clear();
        write(&mut self.packet);
        if self.queues[socket].is_empty() {
            self.dirty.push(socket);
        }
        wire::text(&mut self.queues[socket], &self.packet);
    }

    fn raw(&mut self, socket: usize, write: impl FnOnce(&mut Vec<u8>)) {
        if self.queues[socket].is_empty() {
            self.dirty.push(socket);
        }
        write(&mut self.queues[socket]);
    }
}

pub struct Fleet {
    poll: Poll,
    events: Events,
    address: SocketAddr,
    /// What each socket presents at its CONNECT, as JSON; by turns if there are fewer.
    auths: Vec<String>,
    links: Vec<Link>,
    buffer: Vec<u8>,
    pub out: Outbox,
}

impl Fleet {
    /// No socket yet. `auths` is what they will present: JSON, or nothing.
    pub fn new(address: SocketAddr, auths: Vec<String>) -> Result<Self> {
        Ok(Self {
            poll: Poll::new().map_err(|error| LoadError::Io("poll", error))?,
            events: Events::with_capacity(4096),
            address,
            auths,
            links: Vec::new(),
            buffer: vec![0; BUFFER],
            out: Outbox::default(),
        })
    }

    /// This many sockets that have entered, connected a few at a time.
    pub fn connected(address: SocketAddr, auths: Vec<String>, sockets: usize) -> Result<Self> {
        let mut fleet = Self::new(address, auths)?;
        fleet.grow(sockets)?;
        Ok(fleet)
    }

    /// Where further sockets connect to.
    pub fn aim(&mut self, address: SocketAddr) {
        self.address = address;
    }

    /// So many more sockets, connected a few at a time.
    pub fn grow(&mut self, more: usize) -> Result<()> {
        /// No more than any server's backlog holds.
        const AT_ONCE: usize = 100;
        /// A server may lose a connection on its way in; a client would try again, and so does this.
        const STUCK: Duration = Duration::from_secs(3);
        let from = self.links.len();
        let target = from + more;
        let mut entered = from;
        let deadline = Instant::now() + PATIENCE;
        let mut moved = Instant::now();
        while entered < target {
            while self.links.len() < target && self.links.len() - entered < AT_ONCE {
                self.dial()?;
            }
            let mut failed = None;
            self.turn(Duration::from_millis(100), |_, socket, seen| match seen {
                Seen::Entered => {
                    entered += 1;
                    moved = Instant::now();
                }
                Seen::Refused(answer) => {
                    let answer = String::from_utf8_lossy(answer).into_owned();
                    failed = Some(LoadError::Refused { socket, answer });
                }
                Seen::Gone => failed = Some(LoadError::Gone { socket }),
                Seen::Event(_) | Seen::Ack(..) => {}
            })?;
            if let Some(error) = failed {
                return Err(error);
            }
            late(deadline, || {
                let missing = target - entered;
                format!("connecting {more} sockets, of which {missing} are missing,")
            })?;
            if moved.elapsed() > STUCK {
                self.redial_those_outside(from)?;
                moved = Instant::now();
            }
        }
        Ok(())
    }

    /// One more socket, which begins to connect. Its number.
    pub fn dial(&mut self) -> Result<usize> {
        let socket = self.links.len();
        self.links.push(Link::default());
        self.out.queues.push(Vec::new());
        self.redial(socket)?;
        Ok(socket)
    }

    fn redial_those_outside(&mut self, from: usize) -> Result<()> {
        for socket in from..self.links.len() {
            if self.links[socket].stage != Stage::Entered {
                self.cut(socket);
                self.redial(socket)?;
            }
        }
        Ok(())
    }

    /// Connects a socket again that is gone or was cut.
    pub fn redial(&mut self, socket: usize) -> Result<()> {
        let stream = self.links[socket].dial(self.address, None)?;
        self.register(socket, stream)
    }

    /// One more socket, whose kernel takes as little as it can for a reader that does not read.
    pub fn dial_narrow(&mut self) -> Result<usize> {
        const LEAST: usize = 4096;
        let socket = self.links.len();
        self.links.push(Link::default());
        self.out.queues.push(Vec::new());
        let stream = self.links[socket].dial(self.address, Some(LEAST))?;
        self.register(socket, stream)?;
        Ok(socket)
    }

    fn register(&mut self, socket: usize, mut stream: mio::net::TcpStream) -> Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll
            .registry()
            .register(&mut stream, Token(socket), interest)
            .map_err(|error| LoadError::Io("register", error))?;
        self.links[socket].stream = Some(stream);
        self.out.queues[socket].clear();
        let host = self.address.to_string();
        self.out
            .raw(socket, |out| out.extend(wire::upgrade(&host).bytes()));
        Ok(())
    }

    /// Ends a connection without a word, as a network that breaks does.
    pub fn cut(&mut self, socket: usize) {
        self.links[socket].cut();
        self.out.queues[socket].clear();
    }

    /// Stops or goes on reading what a socket is sent.
    pub fn pause(&mut self, socket: usize, paused: bool) {
        self.links[socket].paused = paused;
    }

    /// The local port of a socket's connection.
    pub fn port(&self, socket: usize) -> Option<u16> {
        self.links[socket].port()
    }

    pub fn len(&self) -> usize {
        self.links.len()
    }

    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// Waits for something to happen, at most this long, tells all of it, and writes what was sent meanwhile.
    pub fn turn(
        &mut self,
        wait: Duration,
        mut on: impl FnMut(&mut Outbox, usize, Seen<'_>),
    ) -> Result<()> {
        self.flush(&mut on);
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                return Err(LoadError::Io("poll", error));
            }
            _ => {}
        }
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            let Token(socket) = event.token();
            if event.is_writable() {
                self.links[socket].writable = true;
                if !self.out.queues[socket].is_empty() {
                    self.out.dirty.push(socket);
                }
            }
            if event.is_readable() || event.is_error() || event.is_read_closed() {
                self.read(socket, &mut on)?;
            }
        }
        self.events = events;
        self.flush(&mut on);
        Ok(())
    }

    fn read(
        &mut self,
        socket: usize,
        on: &mut impl FnMut(&mut Outbox, usize, Seen<'_>),
    ) -> Result<()> {
        loop {
            let link = &mut self.links[socket];
            let read = match link.read(&mut self.buffer) {
                Ok(Some(read)) => read,
                Ok(None) => return Ok(()),
                Err(_) => {
                    link.cut();
                    self.out.queues[socket].clear();
                    on(&mut self.out, socket, Seen::Gone);
                    return Ok(());
                }
            };
            self.out.now = message::now();
            if link.inbox.is_empty() {
                let used = take(
                    link,
                    &self.auths,
                    &mut self.out,
                    socket,
                    &self.buffer[..read],
                    on,
                )?;
                link.inbox.extend(&self.buffer[used..read]);
            } else {
                let mut inbox = std::mem::take(&mut link.inbox);
                inbox.extend(&self.buffer[..read]);
                let used = take(link, &self.auths, &mut self.out, socket, &inbox, on)?;
                inbox.drain(..used);
                link.inbox = inbox;
            }
            // A read that does not fill the buffer has emptied the socket: the next bytes come with an event.
            if read < self.buffer.len() {
                return Ok(());
            }
        }
    }

    fn flush(&mut self, on: &mut impl FnMut(&mut Outbox, usize, Seen<'_>)) {
        let mut dirty = std::mem::take(&mut self.out.dirty);
        for &socket in &dirty {
            let queue = &mut self.out.queues[socket];
            if queue.is_empty() {
                continue;
            }
            if self.links[socket].write(queue).is_err() {
                self.links[socket].cut();
                queue.clear();
                on(&mut self.out, socket, Seen::Gone);
            }
        }
        dirty.clear();
        // What a closure has sent in the meantime goes first in the next turn.
        dirty.append(&mut self.out.dirty);
        self.out.dirty = dirty;
    }
}

/// Handles the packets in `bytes`; how many of them were whole.
fn take(
    link: &mut Link,
    auths: &[String],
    out: &mut Outbox,
    socket: usize,
    bytes: &[u8],
    on: &mut impl FnMut(&mut Outbox, usize, Seen<'_>),
) -> Result<usize> {
    let mut used = 0;
    if link.stage == Stage::Upgrading {
        let Some(head) = wire::upgraded(bytes)? else {
            return Ok(0);
        };
        link.stage = Stage::Speaking;
        used = head;
    }
    while let Some(frame) = wire::frame(&bytes[used..])? {
        used += frame.length;
        match frame.opcode {
            wire::TEXT => {}
            wire::PING => {
                out.raw(socket, |queue| wire::pong(queue, frame.payload));
                continue;
            }
            // The end of the connection follows.
            wire::CLOSE => continue,
            other => return Err(LoadError::Protocol(format!("a frame of opcode {other}"))),
        }
        match wire::packet(frame.payload) {
            Packet::Event(event) => on(out, socket, Seen::Event(event)),
            Packet::Ack(id, arguments) => on(out, socket, Seen::Ack(id, arguments)),
            Packet::Ping => out.send(socket, |packet| packet.push(b'3')),
            Packet::Open => {
                let auth = auths.get(socket % auths.len().max(1));
                out.send(socket, |packet| {
                    packet.extend(b"40");
                    packet.extend(auth.map_or("", String::as_str).bytes());
                });
            }
            Packet::Connected => {
                link.stage = Stage::Entered;
                on(out, socket, Seen::Entered);
            }
            Packet::Refused(reason) => on(out, socket, Seen::Refused(reason)),
            Packet::Disconnected => on(out, socket, Seen::Gone),
            Packet::Other(other) => {
                return Err(LoadError::Protocol(
                    String::from_utf8_lossy(other).into_owned(),
                ));
            }
        }
    }
    Ok(used)
}

/// An error once the deadline has passed.
pub fn late(deadline: Instant, what: impl FnOnce() -> String) -> Result<()> {
    if Instant::now() < deadline {
        return Ok(());
    }
    Err(LoadError::Late {
        what: what(),
        limit: PATIENCE,
    })
}
