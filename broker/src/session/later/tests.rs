use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;

use super::super::Roll;
use super::*;
use crate::event::{Client, Event, Peer};
use crate::fanout::{Fanout, Frame, Outlet};
use crate::plugin::DisconnectReason;
use crate::state::Store;

/// Keeps what it is told: `ACK args`, or `event args`.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Outlet for Told {
    fn encode(&self, event: &Event) -> Frame {
        Frame::new(format!("{} {}", event.name, event.args))
    }

    fn send(&self, frame: &Frame) {
        self.0.lock().extend(frame.get::<String>().cloned());
    }

    fn ack(&self, id: i64, args: &str) {
        self.0.lock().push(format!("{id} {args}"));
    }

    fn disconnect(&self) {}
}

fn session() -> (Arc<Session>, Arc<Told>) {
    let fanout = Arc::new(Fanout::alone(1));
    let broker = Arc::new(Broker {
        pipelines: Default::default(),
        gathered: crate::batch::Events::new(fanout.clone(), 1000),
        fanout,
        store: Arc::new(Store::new()),
        recorder: Arc::default(),
        sessions: AtomicUsize::new(0),
        draining: AtomicBool::new(false),
        owed: Owed::default(),
        roll: Roll::default(),
        backend: None,
    });
    let client = Arc::new(Client {
        peer: Peer {
            token: 1,
            name: "socket".into(),
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            handshake: Arc::default(),
        },
        namespace: "/".into(),
        identity: Default::default(),
        rooms: Default::default(),
    });
    let told = Arc::new(Told::default());
    let home = broker.fanout.homes().next().unwrap();
    let session = Session::new(broker, home, client, told.clone(), "websocket", Vec::new());
    let session = Arc::new(session);
    session.open();
    (session, told)
}

fn later(session: &Arc<Session>, ack: Option<i64>) -> Later {
    Later::new(session, &"event".into(), ack)
        .map_err(|denial| denial.code)
        .unwrap()
}

#[test]
fn it_is_settled_once_from_any_thread() {
    let (session, told) = session();
    let answers = [later(&session, Some(1)), later(&session, Some(2))];
    let (denied, unasked) = (later(&session, Some(3)), later(&session, None));
    let denial = Denial::broker(Code::Overloaded, "no");
    std::thread::spawn(move || {
        let [one, two] = answers;
        one.ok();
        two.answer("[7]");
        denied.denied(&denial);
        unasked.denied(&denial);
    })
    .join()
    .unwrap();
    later(&session, None).ok();
    let object = r#"{"code":"overloaded","message":"no","policy":null}"#;
    assert_eq!(
        *told.0.lock(),
        [
            r#"1 [{"ok":true}]"#.to_owned(),
            "2 [7]".to_owned(),
            format!(r#"3 [{{"error":{object}}}]"#),
            format!("error [{object}]"),
        ]
    );
}

#[test]
fn an_answer_for_a_socket_that_is_gone_is_nothing() {
    let (session, told) = session();
    let (closed, dropped) = (later(&session, Some(1)), later(&session, Some(2)));
    session.close(DisconnectReason::Client, "transport close");
    closed.ok();
    let broker = session.broker.clone();
    drop(session);
    dropped.ok();
    assert!(told.0.lock().is_empty());
    assert_eq!(broker.owed.0.load(Ordering::Relaxed), 0);
}

#[test]
fn a_socket_is_owed_so_many_and_no_more() {
    let (session, _) = session();
    let mut owed: Vec<_> = (0..MAX_A_SOCKET)
        .map(|_| later(&session, Some(1)))
        .collect();
    let refused = Later::new(&session, &"event".into(), Some(1))
        .err()
        .unwrap();
    assert_eq!(refused.code, "overloaded");
    owed.pop().unwrap().ok();
    later(&session, Some(1)).ok();
    // What nobody settles is counted, and frees its place all the same.
    let before = metrics().acks_lost.get();
    drop(owed);
    assert!(metrics().acks_lost.get() > before);
    assert_eq!(session.owed.0.load(Ordering::Relaxed), 0);
}
