//! Sockets that do nothing but count, spread over reactors that are driven by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::client;
use crate::event::{Client, Event, Recipients};
use crate::fanout::{Fanout, Frame, Home, Member, Outlet};

/// Sockets of `/`, spread evenly over reactors. One of the first reactor's sends.
pub struct Fan {
    fanout: Fanout,
    homes: Vec<Home>,
    members: Vec<(Arc<Client>, Arc<Counter>)>,
    event: Event,
}

/// As large as two cache lines, as sockets are.
#[derive(Default)]
#[repr(align(128))]
struct Counter(AtomicU64);

impl Outlet for Counter {
    fn encode(&self, event: &Event) -> Frame {
        Frame::new(Bytes::copy_from_slice(event.args.as_bytes()))
    }

    fn send(&self, frame: &Frame) {
        if let Some(bytes) = frame.get::<Bytes>() {
            let (sum, more) = (self.0.load(Ordering::Relaxed), bytes.len() as u64);
            self.0.store(sum + more, Ordering::Relaxed);
        }
    }

    fn ack(&self, _: i64, _: &str) {}

    fn disconnect(&self) {}
}

impl Fan {
    #[must_use]
    pub fn new(reactors: usize, sockets: usize) -> Self {
        let fanout = Fanout::alone(reactors);
        let homes: Vec<_> = fanout.homes().collect();
        let mut members = Vec::new();
        for (n, home) in (0..sockets).zip(homes.iter().cycle()) {
            let mut client = client(n as u64, "bench");
            if let Some(client) = Arc::get_mut(&mut client) {
                client.peer.name = format!("socket {n}").into();
            }
            let outlet = Arc::new(Counter::default());
            home.enter(Member {
                client: client.clone(),
                outlet: outlet.clone(),
            });
            members.push((client, outlet));
        }
        Self {
            fanout,
            homes,
            members,
            event: Event {
                name: "message".into(),
                args: format!("[\"{}\"]", "x".repeat(128)).into(),
                attachments: Arc::new([]),
                volatile: false,
            },
        }
    }

    /// Puts a socket into the room of a number.
    pub fn join(&self, socket: usize, room: usize) {
        if let Some((client, _)) = self.members.get(socket)
            && let Some(home) = self.homes.get(socket % self.homes.len())
        {
            // A benchmark whose rooms are too many measures fewer.
            let _ = home.join(client, &room.to_string());
        }
    }

    /// An event for everyone.
    pub fn to_all(&self) {
        self.emit(&Recipients::All);
    }

    /// An event for whoever is in the room of a number.
    pub fn to_room(&self, room: usize) {
        self.emit(&Recipients::Room {
            name: room.to_string(),
            include_sender: true,
        });
    }

    fn emit(&self, to: &Recipients) {
        if let (Some(home), Some((client, _))) = (self.homes.first(), self.members.first()) {
            self.fanout.emit(home, client, to, &self.event);
        }
    }

    /// Has all reactors but the first deliver what they were handed, on this thread.
    pub fn deliver(&self) {
        for home in self.homes.iter().skip(1) {
            home.deliver_waiting();
        }
    }

    /// How much all sockets have been sent.
    #[must_use]
    pub fn sent(&self) -> u64 {
        let sent = self.members.iter();
        sent.map(|(_, outlet)| outlet.0.load(Ordering::Relaxed))
            .sum()
    }
}
