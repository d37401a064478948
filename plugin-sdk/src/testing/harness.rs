//! The harness that a test holds: a configured policy, and the clients that it serves.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

use super::glob;
use super::host::{Call, Socket, World, serve};
use crate::call::Traits;
use crate::log::Level;
use crate::{
    Admission, ConnectCall, DisconnectReason, EventCall, Hooks, Interests, Policy, Verdict, config,
};

/// Configures a policy as the broker does.
///
/// # Errors
///
/// What the operator would be told.
pub fn policy<P: Policy>(config: Value) -> Result<Harness<P>, String> {
    let world = Rc::new(RefCell::new(World {
        // An ordinary moment: 2023-11-14T22:13:20Z.
        now_ms: 1_700_000_000_000,
        ..World::default()
    }));
    let (policy, interests) = configure::<P>(&world, &config)?;
    Ok(Harness {
        policy,
        interests,
        world,
        sockets: BTreeMap::new(),
        connections: 0,
        current: "socket".to_owned(),
    })
}

fn configure<P: Policy>(
    world: &Rc<RefCell<World>>,
    config: &Value,
) -> Result<(P, Interests), String> {
    let (policy, interests) = serve(world, None, || {
        let policy = config::parse::<P>(&config.to_string())?.configure()?;
        let interests = policy.interests();
        Ok::<_, String>((policy, interests))
    })?;
    world.borrow_mut().rules = interests.buckets().to_vec();
    Ok((policy, interests))
}

/// A configured policy and its world.
#[derive(Debug)]
pub struct Harness<P> {
    policy: P,
    interests: Interests,
    world: Rc<RefCell<World>>,
    sockets: BTreeMap<String, Socket>,
    /// So that every connection has a token of its own.
    connections: u64,
    current: String,
}

/// The time of a world, which only a test moves.
#[derive(Debug)]
pub struct Clock(Rc<RefCell<World>>);

/// One client of a world; made by [`Harness::socket`].
#[derive(Debug)]
pub struct Client<'h, P> {
    harness: &'h mut Harness<P>,
    wants_ack: bool,
    attachments: Vec<Vec<u8>>,
}

// === impl Harness ===

impl<P: Policy> Harness<P> {
    /// Names the socket that the following calls are about, and makes it when it is new: in the namespace `/`, from
    /// 127.0.0.1, nobody in particular.
    pub fn socket(&mut self, name: &str) -> Client<'_, P> {
        self.current = name.to_owned();
        self.client()
    }

    /// The clock of this world.
    #[must_use]
    pub fn clock(&self) -> Clock {
        Clock(Rc::clone(&self.world))
    }

    /// The current socket connects, with this as what it authenticates with. A client that is accepted becomes
    /// who the policy says it is.
    pub fn connect(&mut self, auth: Value) -> Admission {
        self.client().connect(auth)
    }

    /// The current socket sends an event.
    pub fn event(&mut self, name: &str, args: Value) -> Verdict {
        self.client().event(name, args)
    }

    /// The same with arguments in exactly this spelling.
    pub fn event_text(&mut self, name: &str, args: &str) -> Verdict {
        self.client().event_text(name, args)
    }

    /// The current socket goes, and all that was known about it.
    pub fn disconnect(&mut self, reason: DisconnectReason) {
        self.client().disconnect(reason);
    }

    /// Gives the policy another configuration. Buckets keep what they have counted; a configuration that is
    /// refused changes nothing.
    ///
    /// # Errors
    ///
    /// What the operator would be told.
    pub fn reload(&mut self, config: Value) -> Result<(), String> {
        (self.policy, self.interests) = configure(&self.world, &config)?;
        Ok(())
    }

    /// What the configuration has made of the policy.
    #[must_use]
    pub fn interests(&self) -> &Interests {
        &self.interests
    }

    /// The policy itself.
    #[must_use]
    pub fn policy(&self) -> &P {
        &self.policy
    }

    /// What it has logged, oldest first.
    #[must_use]
    pub fn logs(&self) -> Vec<(Level, String)> {
        self.world.borrow().logs.clone()
    }

    fn client(&mut self) -> Client<'_, P> {
        if !self.sockets.contains_key(&self.current) {
            self.connections += 1;
            let socket = Socket::new(self.connections);
            self.sockets.insert(self.current.clone(), socket);
        }
        Client {
            harness: self,
            wants_ack: false,
            attachments: Vec::new(),
        }
    }
}

// === impl Clock ===

impl Clock {
    /// Lets time pass.
    pub fn advance(&self, ms: u64) {
        self.0.borrow_mut().now_ms += ms;
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.0.borrow().now_ms
    }

    /// Sets the time, back as well as forth.
    pub fn set_ms(&self, now_ms: u64) {
        self.0.borrow_mut().now_ms = now_ms;
    }
}

// === impl Socket ===

impl Socket {
    fn new(token: u64) -> Self {
        Self {
            token,
            namespace: "/".to_owned(),
            address: "127.0.0.1".to_owned(),
            user: None,
            attributes: BTreeMap::new(),
            headers: BTreeMap::new(),
            query: BTreeMap::new(),
            rooms: std::collections::BTreeSet::new(),
        }
    }
}

// === impl Client ===

impl<P: Policy> Client<'_, P> {
    /// Who it is.
    pub fn user(self, user: &str) -> Self {
        self.set(|socket| socket.user = Some(user.to_owned()))
    }

    /// What is known about it.
    pub fn attribute(self, name: &str, value: &str) -> Self {
        self.set(|socket| {
            socket.attributes.insert(name.to_owned(), value.to_owned());
        })
    }

    /// Its IP address.
    pub fn address(self, address: &str) -> Self {
        self.set(|socket| socket.address = address.to_owned())
    }

    /// The namespace that it is in.
    pub fn namespace(self, namespace: &str) -> Self {
        self.set(|socket| socket.namespace = namespace.to_owned())
    }

    /// A header of its handshake.
    pub fn header(self, name: &str, value: &str) -> Self {
        self.set(|socket| {
            socket
                .headers
                .insert(name.to_ascii_lowercase(), value.to_owned());
        })
    }

    /// A parameter of its handshake query.
    pub fn query(self, name: &str, value: &str) -> Self {
        self.set(|socket| {
            socket.query.insert(name.to_owned(), value.to_owned());
        })
    }

    /// A room that it is in.
    pub fn room(self, room: &str) -> Self {
        self.set(|socket| {
            socket.rooms.insert(room.to_owned());
        })
    }

    /// The event that follows in this chain waits for an acknowledgement.
    pub fn wants_ack(mut self) -> Self {
        self.wants_ack = true;
        self
    }

    /// The event that follows in this chain comes with this attachment, the next one in order.
    pub fn attachment(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.attachments.push(bytes.into());
        self
    }

    /// See [`Harness::connect`].
    pub fn connect(self, auth: Value) -> Admission {
        if !P::HOOKS.contains(Hooks::CONNECT) {
            return Admission::Pass;
        }
        let socket = self.current();
        let text = auth.to_string();
        let call = ConnectCall {
            socket: socket.token,
            auth: &text,
        };
        let harness = self.harness;
        let admission = serve(&harness.world, Some(served(socket, "")), || {
            harness.policy.on_connect(&call)
        });
        if let (Some(identity), Some(socket)) = (
            admission.identity().cloned(),
            harness.sockets.get_mut(&harness.current),
        ) {
            socket.user = identity.user.or(socket.user.take());
            socket.attributes.extend(identity.attributes);
            socket.rooms.extend(identity.rooms);
        }
        admission
    }

    /// See [`Harness::event`].
    pub fn event(self, name: &str, args: Value) -> Verdict {
        self.event_text(name, &args.to_string())
    }

    /// See [`Harness::event_text`].
    ///
    /// # Panics
    ///
    /// When the policy answers with a replacement that is no JSON array, which the broker would count as a
    /// failure of the policy.
    #[expect(clippy::panic, reason = "the way in which a test fails")]
    pub fn event_text(self, name: &str, args: &str) -> Verdict {
        let mut rules = self.harness.interests.events().iter().enumerate();
        let Some((rule, interest)) = rules.find(|(_, rule)| glob::matches(&rule.name, name)) else {
            return Verdict::Pass;
        };
        if !P::HOOKS.contains(Hooks::EVENT) {
            return Verdict::Pass;
        }
        let socket = self.current();
        let call = EventCall {
            socket: socket.token,
            rule,
            traits: Traits {
                wants_ack: self.wants_ack,
                has_attachments: !self.attachments.is_empty(),
                replaced: false,
            },
            args: if interest.args { args } else { "" },
        };
        let mut facts = served(socket, name);
        facts.attachments = self.attachments;
        let harness = self.harness;
        let verdict = serve(&harness.world, Some(facts), || {
            harness.policy.on_event(&call)
        });
        if let Verdict::Replace(text) = &verdict
            && let Err(error) = serde_json::from_str::<Vec<serde::de::IgnoredAny>>(text)
        {
            panic!("the replacement is no JSON array: {error}: {text}");
        }
        verdict
    }

    /// See [`Harness::disconnect`].
    pub fn disconnect(self, reason: DisconnectReason) {
        let socket = self.current();
        let token = socket.token;
        let harness = self.harness;
        if P::HOOKS.contains(Hooks::DISCONNECT) {
            serve(&harness.world, Some(served(socket, "")), || {
                harness.policy.on_disconnect(token, reason);
            });
        }
        harness.sockets.remove(&harness.current);
    }

    fn current(&self) -> Socket {
        let harness = &*self.harness;
        harness
            .sockets
            .get(&harness.current)
            .cloned()
            .unwrap_or_else(|| Socket::new(0))
    }

    fn set(self, set: impl FnOnce(&mut Socket)) -> Self {
        if let Some(socket) = self.harness.sockets.get_mut(&self.harness.current) {
            set(socket);
        }
        self
    }
}

fn served(socket: Socket, event: &str) -> Call {
    Call {
        socket,
        event: event.to_owned(),
        attachments: Vec::new(),
    }
}
