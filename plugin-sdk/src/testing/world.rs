//! What a policy can ask about and change: time, sockets, buckets, state, and what it has done so far.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::buckets::Buckets;
use super::effects::Effect;
use super::store::Memory;
use super::upstream::Upstream;
use super::windows::{Delivery, Windows};
use crate::log::Level;
use crate::{Bucket, Capabilities, ClientCertificate, Hooks, Metric};

/// Everything but the policy itself.
#[derive(Debug)]
pub(super) struct World {
    pub(super) now_ms: u64,
    /// What the policy asks for, which a test grants.
    pub(super) capabilities: Capabilities,
    pub(super) rules: Vec<Bucket>,
    pub(super) metrics: Vec<Metric>,
    /// By name, so that they outlive a configuration.
    pub(super) values: BTreeMap<String, f64>,
    pub(super) buckets: Buckets,
    pub(super) memory: Memory,
    pub(super) upstream: Upstream,
    pub(super) windows: Windows,
    pub(super) logs: Vec<(Level, String)>,
    pub(super) effects: Vec<Effect>,
    pub(super) delivered: Vec<Delivery>,
    /// Events so far.
    pub(super) events: u64,
    /// None while no hook is being served.
    pub(super) call: Option<Call>,
}

/// The call that is being served.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) hook: Hooks,
    pub(super) socket: Socket,
    pub(super) event: String,
    pub(super) event_id: String,
    /// The client is in already.
    pub(super) is_refresh: bool,
    pub(super) attachments: Vec<Vec<u8>>,
    /// What the policy has asked for, and what becomes of it is not known before its answer.
    pub(super) effects: Vec<Effect>,
    /// Requests that it has made.
    pub(super) asked: u32,
}

/// A client.
#[derive(Debug, Clone)]
pub(super) struct Socket {
    pub(super) token: u64,
    pub(super) namespace: String,
    pub(super) address: String,
    pub(super) user: Option<String>,
    pub(super) attributes: BTreeMap<String, String>,
    /// Names in lower case.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) query: BTreeMap<String, String>,
    pub(super) certificate: Option<ClientCertificate>,
    pub(super) rooms: BTreeSet<String>,
}

/// The time of a world, which only a test moves.
///
/// ```
/// use sluice_plugin_sdk::{prelude::*, testing};
/// use serde_json::json;
///
/// #[policy]
/// struct Clocked {}
///
/// #[policy]
/// impl Clocked {
///     #[on_event("time")]
///     fn time(&mut self) -> Verdict {
///         Verdict::reply(&[current::now_ms()])
///     }
/// }
///
/// let mut clocked = testing::policy::<Clocked>(json!({})).unwrap();
/// let before = clocked.clock().now_ms();
/// clocked.clock().advance(1_500);
/// assert_eq!(clocked.event("time", json!([])), Verdict::reply(&[before + 1_500]));
/// ```
#[derive(Debug)]
pub struct Clock(pub(super) Rc<RefCell<World>>);

impl World {
    pub(super) fn new() -> Self {
        Self {
            // An ordinary moment: 2023-11-14T22:13:20Z.
            now_ms: 1_700_000_000_000,
            capabilities: Capabilities::NONE,
            rules: Vec::new(),
            metrics: Vec::new(),
            values: BTreeMap::new(),
            buckets: Buckets::default(),
            memory: Memory::default(),
            upstream: Upstream::default(),
            windows: Windows::default(),
            logs: Vec::new(),
            effects: Vec::new(),
            delivered: Vec::new(),
            events: 0,
            call: None,
        }
    }

    /// Windows that end on the way deliver what they hold at their end.
    fn move_to(&mut self, now_ms: u64) {
        self.windows.end_until(now_ms, &mut self.delivered);
        self.now_ms = now_ms;
    }
}

impl Clock {
    /// Lets time pass: coalescing windows end, times to live run out, buckets fill.
    pub fn advance(&self, ms: u64) {
        let mut world = self.0.borrow_mut();
        let now_ms = world.now_ms.saturating_add(ms);
        world.move_to(now_ms);
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.0.borrow().now_ms
    }

    /// Sets the time, back as well as forth. Set back, a compiled policy starts anew, without what it has counted.
    pub fn set_ms(&self, now_ms: u64) {
        self.0.borrow_mut().move_to(now_ms);
    }
}

impl Socket {
    pub(super) fn new(token: u64) -> Self {
        Self {
            token,
            namespace: "/".to_owned(),
            address: "127.0.0.1".to_owned(),
            user: None,
            attributes: BTreeMap::new(),
            headers: BTreeMap::new(),
            query: BTreeMap::new(),
            certificate: None,
            rooms: BTreeSet::new(),
        }
    }

    /// What an effect makes of it.
    pub(super) fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::Join(room) => {
                self.rooms.insert(room.clone());
            }
            Effect::Leave(room) => {
                self.rooms.remove(room);
            }
            Effect::SetAttribute { name, value } => {
                self.attributes.insert(name.clone(), value.clone());
            }
            Effect::Emit { .. } | Effect::Disconnect => {}
        }
    }
}
