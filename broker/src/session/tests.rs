//! What the tests of the parts share: a broker by itself, and sessions whose clients keep what they are told.

use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::event::{Identity, Peer};
use crate::fanout::Frame;

/// Keeps what it is told: `ACK args`, or `event args`.
#[derive(Default)]
pub(super) struct Told(pub(super) Mutex<Vec<String>>);

impl Told {
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock())
    }
}

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

/// Alone, with one reactor.
pub(crate) fn broker(pipelines: Pipelines) -> Arc<Broker> {
    let fanout = Arc::new(Fanout::alone(1));
    Arc::new(Broker {
        pipelines: ArcSwap::from_pointee(pipelines),
        gathered: Events::new(fanout.clone(), 1000),
        fanout,
        store: Arc::new(Store::new()),
        recorder: Arc::default(),
        sessions: AtomicUsize::new(0),
        draining: AtomicBool::new(false),
        ending: AtomicBool::new(false),
        owed: Owed::default(),
        roll: Roll::default(),
        asking: Arc::default(),
        revocations: Table::default(),
        watches: Watches::new(1),
        admission: Arc::new(Admission::new(&crate::config::Admission::default())),
        backend: None,
        admin_ui: None,
    })
}

/// An open session in `/`; its name is `s` and its token.
pub(super) fn enter(
    broker: &Arc<Broker>,
    token: u64,
    identity: Identity,
) -> (Arc<Session>, Arc<Told>) {
    let client = Arc::new(Client {
        peer: Peer {
            token,
            name: format!("s{token}").into(),
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            handshake: Arc::default(),
        },
        namespace: "/".into(),
        identity: parking_lot::RwLock::new(identity),
        rooms: Mutex::default(),
    });
    let told = Arc::new(Told::default());
    let home = broker.fanout.homes().next().unwrap();
    let session = Session::new(
        broker.clone(),
        home,
        client,
        told.clone(),
        Welcome::default(),
    );
    let session = Arc::new(session);
    session.open();
    (session, told)
}
