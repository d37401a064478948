//! The carrier and the wire as the benchmarks drive them: lanes over real sockets, without a protocol above them.

use std::io::{self, Read as _};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::{Builder, Runtime};

use super::inbound::Inbound;
use super::lane::{Bounds, Lane, Shared, Terms};
use super::link::{Link, Links};
use super::manners::Namespaces;
use super::pace::Pace;
use super::parser::Parser;
use super::wire;
use crate::event::Handshake;
use crate::tls::Stream;

/// Connections whose clients read whatever comes.
pub struct Lanes {
    lanes: Vec<Arc<Lane>>,
    terms: Arc<Terms>,
    frame: Bytes,
    // Behind the lanes, whose sockets are its.
    runtime: Runtime,
}

impl Lanes {
    /// So many, and an event of so many bytes that all of them get.
    ///
    /// # Errors
    /// The kernel gives no sockets.
    pub fn new(lanes: usize, bytes: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let links = Arc::new(Links::default());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let mut ends = Vec::new();
        let entered = runtime.enter();
        let terms = Terms::here(PATIENCE, u64::MAX, Arc::new(Pace::new()));
        let lanes = (0..lanes).map(|_| {
            ends.push(TcpStream::connect(address)?);
            let (socket, _) = listener.accept()?;
            socket.set_nonblocking(true)?;
            socket.set_nodelay(true)?;
            let stream = Stream::Plain(tokio::net::TcpStream::from_std(socket)?);
            Ok(Lane::new(
                stream.into_split().1,
                link(&links),
                terms.clone(),
                None,
            ))
        });
        let lanes = lanes.collect::<io::Result<Vec<_>>>()?;
        drop(entered);
        drain(ends)?;
        let text = format!("[\"message\",\"{}\"]", "x".repeat(bytes));
        Ok(Self {
            lanes,
            terms,
            frame: wire::event("/", &text, &[], None).into(),
            runtime,
        })
    }

    /// One turn of a reactor: so many events for all, and what they have come to is written.
    pub fn turn(&self, events: usize) {
        let _entered = self.runtime.enter();
        for _ in 0..events {
            let frame = Shared::from(self.frame.clone());
            for lane in &self.lanes {
                // Never fails.
                let _ = lane.push(&frame, Bounds::NONE);
            }
        }
        // One whose client has not caught up goes on in the next turn.
        self.lanes.iter().for_each(|lane| _ = lane.flush());
        self.terms.turn_is_over();
    }
}

const PATIENCE: Duration = Duration::from_secs(60);

/// Of nobody in particular.
pub(super) fn link(links: &Arc<Links>) -> Arc<Link> {
    let nobody = IpAddr::V4(Ipv4Addr::LOCALHOST);
    links.open(nobody, Handshake::default(), 0, Parser::Text, false, None)
}

/// Reads from all of them, for as long as anybody writes.
fn drain(mut ends: Vec<TcpStream>) -> io::Result<()> {
    for end in &ends {
        end.set_nonblocking(true)?;
    }
    thread::spawn(move || {
        let mut buffer = vec![0; 1 << 20];
        while !ends.is_empty() {
            ends.retain_mut(|end| match end.read(&mut buffer) {
                Ok(read) => read > 0,
                Err(error) => error.kind() == io::ErrorKind::WouldBlock,
            });
            thread::sleep(Duration::from_micros(200));
        }
    });
    Ok(())
}

/// The frame of an event for every socket of a namespace; `text` is `["name",…]`.
#[must_use]
pub fn event_frame(text: &str) -> Vec<u8> {
    wire::event("/", text, &[], None)
}

/// The same as a client with the msgpack parser gets it.
#[must_use]
pub fn msgpack_frame(text: &str) -> Vec<u8> {
    Parser::Msgpack.event("/", text, &[], None)
}

/// The frame of an answer.
#[must_use]
pub fn ack_frame(id: i64, args: &str) -> Vec<u8> {
    wire::ack("/", id, args)
}

/// What judges the frames of one client.
pub struct Inward {
    inbound: Inbound,
    frame: Vec<u8>,
}

/// A client that is where it says it is.
struct Everywhere;

impl Namespaces for Everywhere {
    fn is_in(&self, _: &str) -> bool {
        true
    }

    fn leaves(&self, _: &str) {}
}

impl Inward {
    /// A client that sends this packet, as the text of an Engine.IO packet, again and again.
    #[must_use]
    pub fn new(packet: &str) -> Self {
        const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
        let mut frame = Vec::new();
        wire::begin_masked_frame(&mut frame, wire::TEXT, MASK, packet.len());
        frame.extend(packet.bytes().zip(MASK.iter().cycle()).map(|(a, b)| a ^ b));
        Self {
            inbound: Inbound::new(u64::MAX, Parser::Text),
            frame,
        }
    }

    /// How much of a frame the protocol library is given to read; `None`: it broke the protocol.
    pub fn take(&mut self) -> Option<usize> {
        let mut taken = 0;
        let out = &mut |bytes: &[u8]| taken += bytes.len();
        let took = self.inbound.take(&self.frame, &Everywhere, out);
        took.ok().map(|()| taken)
    }
}
