mod inbox;
mod shards;

use std::net::{IpAddr, Ipv4Addr};

use parking_lot::{Mutex, RwLock};

use super::*;
use crate::event::{Identity, Peer};

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

/// A socket of which others know the name `socket-TOKEN`.
pub(crate) struct Socket {
    pub(crate) client: Arc<Client>,
    inbox: Arc<Inbox>,
    home: Home,
}

impl Socket {
    pub(crate) fn enter(fanout: &Fanout, token: u64, namespace: &str, rooms: &[&str]) -> Self {
        Self::enter_at(fanout, 0, token, namespace, rooms)
    }

    fn enter_at(
        fanout: &Fanout,
        reactor: usize,
        token: u64,
        namespace: &str,
        rooms: &[&str],
    ) -> Self {
        let home = fanout.homes().nth(reactor).unwrap();
        Self::enter_as(home, token, namespace, rooms, None)
    }

    pub(crate) fn enter_as(
        home: Home,
        token: u64,
        namespace: &str,
        rooms: &[&str],
        user: Option<&str>,
    ) -> Self {
        let client = Arc::new(Client {
            peer: Peer {
                token,
                name: format!("socket-{token}").into(),
                address: IpAddr::V4(Ipv4Addr::LOCALHOST),
                handshake: Arc::default(),
            },
            namespace: namespace.into(),
            identity: RwLock::new(Identity {
                user: user.map(Into::into),
                rooms: rooms.iter().map(|&room| room.to_owned()).collect(),
                ..Identity::default()
            }),
            rooms: Mutex::default(),
        });
        let inbox = Arc::new(Inbox::default());
        home.enter(Member {
            client: client.clone(),
            outlet: inbox.clone(),
        });
        Self {
            client,
            inbox,
            home,
        }
    }

    pub(crate) fn emit(&self, fanout: &Fanout, to: &Recipients, event: &Event) {
        fanout.emit(&self.home, &self.client, to, event);
    }

    pub(crate) fn join(&self, room: &str) -> Result<bool, TooManyRooms> {
        self.home.join(&self.client, room)
    }

    pub(crate) fn leave(&self, room: &str) {
        self.home.leave(&self.client, room);
    }

    pub(crate) fn exit(&self) {
        self.home.exit(&self.client);
    }

    pub(crate) fn received(&self) -> Vec<String> {
        std::mem::take(&mut self.inbox.0.lock())
    }
}

pub(crate) fn event(name: &str) -> Event {
    Event {
        name: name.into(),
        args: "[1]".into(),
        attachments: Arc::new([]),
        volatile: false,
    }
}

pub(crate) fn room(name: &str, include_sender: bool) -> Recipients {
    Recipients::Room {
        name: name.into(),
        include_sender,
    }
}

/// Publishes, and has every reactor look into its inbox while the answer is waited for.
fn publish(
    fanout: &Fanout,
    namespace: &str,
    rooms: &[&str],
    except: &[&str],
    event: &Event,
) -> usize {
    let owned = |names: &[&str]| names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>();
    let (rooms, except) = (owned(rooms), owned(except));
    let published = fanout.publish(namespace, &rooms, &except, event);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let reactors = fanout.homes().map(Home::serve);
        tokio::select! {
            biased;
            count = published => count,
            _ = futures_util::future::join_all(reactors) => unreachable!("it never ends"),
        }
    })
}

#[test]
fn an_event_goes_to_whom_it_is_for() {
    let fanout = Fanout::alone(1);
    let [a, b, c] = [
        Socket::enter(&fanout, 1, "/", &["x", "y"]),
        Socket::enter(&fanout, 2, "/", &["x", "y"]),
        Socket::enter(&fanout, 3, "/", &[]),
    ];
    let elsewhere = Socket::enter(&fanout, 4, "/other", &["x"]);
    let got = |to: &Recipients| {
        a.emit(&fanout, to, &event("e"));
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
    let fanout = Fanout::alone(1);
    let [a, b, c] = [
        Socket::enter(&fanout, 1, "/", &["x"]),
        Socket::enter(&fanout, 2, "/", &["x", "y"]),
        Socket::enter(&fanout, 3, "/", &[]),
    ];
    let got = |rooms: &[&str], except: &[&str]| {
        let count = publish(&fanout, "/", rooms, except, &event("e"));
        let received = [&a, &b, &c].map(|socket| socket.received().len());
        assert_eq!(count, received.iter().sum::<usize>());
        received
    };
    assert_eq!(got(&[], &[]), [1, 1, 1]);
    assert_eq!(got(&["x", "y"], &[]), [1, 1, 0]);
    assert_eq!(got(&["x"], &["y"]), [1, 0, 0]);
    assert_eq!(got(&[], &["x"]), [0, 0, 1]);
    assert_eq!(publish(&fanout, "/nowhere", &[], &[], &event("e")), 0);
}

#[test]
fn a_user_is_a_room_that_nobody_sees() {
    let fanout = Fanout::alone(2);
    let of_user = |reactor, token, user: Option<&str>| {
        let home = fanout.homes().nth(reactor).unwrap();
        Socket::enter_as(home, token, "/", &[], user)
    };
    let sockets = [
        of_user(0, 1, Some("ann")),
        of_user(1, 2, Some("ann")),
        of_user(1, 3, Some("ben")),
        of_user(1, 4, None),
    ];
    let got = |user: &str| {
        let room = crate::event::hidden::of_user(user);
        publish(&fanout, "/", &[&room], &[], &event("e"));
        sockets.each_ref().map(|socket| socket.received().len())
    };
    assert_eq!(got("ann"), [1, 1, 0, 0]);
    assert_eq!(got("ben"), [0, 0, 1, 0]);
    assert_eq!(got("cid"), [0, 0, 0, 0]);
    assert_eq!(fanout.census()[0].rooms, 0);
    assert!(sockets[0].client.rooms.lock().is_empty());
    sockets[1].exit();
    assert_eq!(got("ann"), [1, 0, 0, 0]);
    sockets.iter().for_each(Socket::exit);
    assert!(fanout.census().is_empty());
}

#[test]
fn rooms_and_namespaces_vanish_when_they_are_empty() {
    let fanout = Fanout::alone(1);
    let a = Socket::enter(&fanout, 1, "/", &["x"]);
    a.join("y").unwrap();
    a.join("y").unwrap();
    assert_eq!(fanout.census()[0].rooms, 2);
    a.leave("x");
    a.leave("never joined");
    assert_eq!(fanout.census()[0].rooms, 1);
    assert!(!a.client.rooms.lock().contains("x"));
    a.exit();
    a.exit();
    assert!(fanout.census().is_empty());
    a.emit(&fanout, &Recipients::All, &event("e"));
    assert!(a.received().is_empty());
}

#[test]
fn joining_and_leaving_say_whether_something_changed() {
    let fanout = Fanout::alone(1);
    let a = Socket::enter(&fanout, 1, "/", &["own"]);
    let b = Socket::enter(&fanout, 2, "/", &[]);
    for (room, is_new) in [("own", false), ("x", true), ("x", false)] {
        assert_eq!(a.join(room), Ok(is_new), "{room}");
    }
    // The second of a room is new there all the same.
    assert_eq!(b.join("x"), Ok(true));
    assert!(b.home.leave(&b.client, "x"));
    assert!(!b.home.leave(&b.client, "x"));
    let left = a.home.exit(&a.client);
    assert_eq!(
        left.iter().map(|it| &**it).collect::<Vec<_>>(),
        ["own", "x"]
    );
    assert!(a.home.exit(&a.client).is_empty());
    assert_eq!(a.join("x"), Ok(false));
    assert!(!a.home.leave(&a.client, "x"));
}

#[test]
fn a_client_cannot_fill_the_memory_with_rooms() {
    let fanout = Fanout::alone(1);
    let a = Socket::enter(&fanout, 1, "/", &[]);
    for n in 0..MAX_ROOMS {
        a.join(&n.to_string()).unwrap();
    }
    assert_eq!(a.join("one more"), Err(TooManyRooms));
    a.join("0").unwrap();
    a.leave("0");
    a.join("one more").unwrap();
}

#[test]
fn one_senders_events_arrive_in_order() {
    let fanout = Fanout::alone(1);
    let a = Socket::enter(&fanout, 1, "/", &["x"]);
    let b = Socket::enter(&fanout, 2, "/", &["x"]);
    for n in 0..100 {
        let to = if n % 2 == 0 {
            Recipients::Others
        } else {
            room("x", false)
        };
        a.emit(&fanout, &to, &event(&n.to_string()));
    }
    let expected: Vec<_> = (0..100).map(|n| format!("{n} [1]")).collect();
    assert_eq!(b.received(), expected);
}
