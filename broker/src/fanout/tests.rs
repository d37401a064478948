use std::net::{IpAddr, Ipv4Addr};

use http::HeaderMap;
use parking_lot::Mutex;

use super::*;
use crate::event::{Handshake, Identity, Peer};

/// Keeps what it is sent, as `name args`.
#[derive(Default)]
struct Inbox(Mutex<Vec<String>>);

impl Outlet for Inbox {
    fn encode(&self, event: &Event) -> Frame {
        Frame::new(format!("{} {}", event.name, event.args))
    }

    fn send(&self, frame: &Frame) {
        self.0.lock().extend(frame.get::<String>().cloned());
    }

    fn ack(&self, _: i64, _: &str) {}

    fn disconnect(&self) {}
}

struct Socket {
    client: Arc<Client>,
    inbox: Arc<Inbox>,
}

impl Socket {
    fn enter(fanout: &Fanout, token: u64, namespace: &str, rooms: &[&str]) -> Self {
        let client = Arc::new(Client {
            peer: Peer {
                token,
                name: token.to_string().into(),
                id: token.to_string(),
                address: IpAddr::V4(Ipv4Addr::LOCALHOST),
                handshake: Arc::new(Handshake {
                    headers: HeaderMap::new(),
                    query: String::new(),
                }),
            },
            namespace: namespace.into(),
            identity: RwLock::new(Identity {
                rooms: rooms.iter().map(|&room| room.to_owned()).collect(),
                ..Identity::default()
            }),
            rooms: Mutex::default(),
        });
        let inbox = Arc::new(Inbox::default());
        fanout.enter(Arc::new(Member {
            client: client.clone(),
            outlet: inbox.clone(),
        }));
        Self { client, inbox }
    }

    fn received(&self) -> Vec<String> {
        std::mem::take(&mut self.inbox.0.lock())
    }
}

fn event(name: &str) -> Event {
    Event {
        name: name.into(),
        args: "[1]".into(),
        attachments: Arc::new([]),
    }
}

fn room(name: &str, include_sender: bool) -> Recipients {
    Recipients::Room {
        name: name.into(),
        include_sender,
    }
}

#[test]
fn an_event_goes_to_whom_it_is_for() {
    let fanout = Fanout::default();
    let [a, b, c] = [
        Socket::enter(&fanout, 1, "/", &["x", "y"]),
        Socket::enter(&fanout, 2, "/", &["x", "y"]),
        Socket::enter(&fanout, 3, "/", &[]),
    ];
    let elsewhere = Socket::enter(&fanout, 4, "/other", &["x"]);
    let got = |to: &Recipients| {
        fanout.emit(&a.client, to, &event("e"));
        [&a, &b, &c].map(|socket| socket.received().len())
    };
    assert_eq!(got(&Recipients::All), [1, 1, 1]);
    assert_eq!(got(&Recipients::Others), [0, 1, 1]);
    assert_eq!(got(&Recipients::Sender), [1, 0, 0]);
    assert_eq!(got(&room("x", false)), [0, 1, 0]);
    assert_eq!(got(&room("x", true)), [1, 1, 0]);
    assert_eq!(got(&room("nobody is here", true)), [0, 0, 0]);
    // In two rooms with the sender, and told once.
    let mine = |include_sender| Recipients::SenderRooms { include_sender };
    assert_eq!(got(&mine(false)), [0, 1, 0]);
    assert_eq!(got(&mine(true)), [1, 1, 0]);
    assert!(elsewhere.received().is_empty());
}

#[test]
fn a_back_end_names_rooms_and_exceptions() {
    let fanout = Fanout::default();
    let [a, b, c] = [
        Socket::enter(&fanout, 1, "/", &["x"]),
        Socket::enter(&fanout, 2, "/", &["x", "y"]),
        Socket::enter(&fanout, 3, "/", &[]),
    ];
    let got = |rooms: &[&str], except: &[&str]| {
        let owned = |names: &[&str]| names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>();
        let count = fanout.publish("/", &owned(rooms), &owned(except), &event("e"));
        let received = [&a, &b, &c].map(|socket| socket.received().len());
        assert_eq!(count, received.iter().sum::<usize>());
        received
    };
    assert_eq!(got(&[], &[]), [1, 1, 1]);
    assert_eq!(got(&["x", "y"], &[]), [1, 1, 0]);
    assert_eq!(got(&["x"], &["y"]), [1, 0, 0]);
    assert_eq!(got(&[], &["x"]), [0, 0, 1]);
    assert_eq!(fanout.publish("/nowhere", &[], &[], &event("e")), 0);
}

#[test]
fn rooms_and_namespaces_vanish_when_they_are_empty() {
    let fanout = Fanout::default();
    let a = Socket::enter(&fanout, 1, "/", &["x"]);
    fanout.join(&a.client, "y").unwrap();
    fanout.join(&a.client, "y").unwrap();
    assert_eq!(fanout.census()[0].rooms, 2);
    fanout.leave(&a.client, "x");
    fanout.leave(&a.client, "never joined");
    assert_eq!(fanout.census()[0].rooms, 1);
    assert!(!a.client.rooms.lock().contains("x"));
    fanout.exit(&a.client);
    fanout.exit(&a.client);
    assert!(fanout.census().is_empty());
    assert_eq!(fanout.emit(&a.client, &Recipients::All, &event("e")), 0);
}

#[test]
fn a_client_cannot_fill_the_memory_with_rooms() {
    let fanout = Fanout::default();
    let a = Socket::enter(&fanout, 1, "/", &[]);
    for n in 0..MAX_ROOMS {
        fanout.join(&a.client, &n.to_string()).unwrap();
    }
    assert_eq!(fanout.join(&a.client, "one more"), Err(TooManyRooms));
    fanout.join(&a.client, "0").unwrap();
    fanout.leave(&a.client, "0");
    fanout.join(&a.client, "one more").unwrap();
}

#[test]
fn one_senders_events_arrive_in_order() {
    let fanout = Fanout::default();
    let a = Socket::enter(&fanout, 1, "/", &["x"]);
    let b = Socket::enter(&fanout, 2, "/", &["x"]);
    for n in 0..100 {
        let to = if n % 2 == 0 {
            Recipients::Others
        } else {
            room("x", false)
        };
        fanout.emit(&a.client, &to, &event(&n.to_string()));
    }
    let expected: Vec<_> = (0..100).map(|n| format!("{n} [1]")).collect();
    assert_eq!(b.received(), expected);
}
