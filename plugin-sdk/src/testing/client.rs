//! One client of a harness: who it is, and what it does.

use serde_json::Value;

use super::effects::Effect;
use super::engine::{Answer, Ask};
use super::harness::Harness;
use super::windows::Delivery;
use super::world::Socket;
use crate::{Admission, ClientCertificate, DisconnectReason, Policy, Subscription, Verdict};

/// One client of a world; made by [`Harness::socket`].
///
/// ```
/// use sluice_plugin_sdk::{prelude::*, testing};
/// use serde_json::json;
///
/// #[policy]
/// struct Agents {}
///
/// #[policy]
/// impl Agents {
///     #[on_event("hello")]
///     fn hello(&mut self, call: &EventCall<'_>) -> Verdict {
///         Verdict::reply(&(current::header("User-Agent"), call.wants_ack()))
///     }
/// }
///
/// let mut agents = testing::policy::<Agents>(json!({})).unwrap();
/// let alice = agents.socket("alice").header("user-agent", "test").wants_ack();
/// assert_eq!(alice.event("hello", json!([])), Verdict::reply(&("test", true)));
/// ```
#[derive(Debug)]
pub struct Client<'h, P> {
    harness: &'h mut Harness<P>,
    wants_ack: bool,
    replaced: bool,
    attachments: Vec<Vec<u8>>,
}

impl<'h, P: Policy> Client<'h, P> {
    pub(super) fn new(harness: &'h mut Harness<P>) -> Self {
        Self {
            harness,
            wants_ack: false,
            replaced: false,
            attachments: Vec::new(),
        }
    }

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

    /// The certificate that it has shown.
    pub fn certificate(self, certificate: ClientCertificate) -> Self {
        self.set(|socket| socket.certificate = Some(certificate))
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

    /// The arguments of the event that follows in this chain are those of an earlier policy.
    pub fn replaced(mut self) -> Self {
        self.replaced = true;
        self
    }

    /// The event that follows in this chain comes with this attachment, the next one in order.
    pub fn attachment(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.attachments.push(bytes.into());
        self
    }

    /// See [`Harness::connect`].
    pub fn connect(self, auth: Value) -> Admission {
        self.come(&auth, false)
    }

    /// See [`Harness::refresh`].
    pub fn refresh(self, auth: Value) -> Admission {
        self.come(&auth, true)
    }

    fn come(mut self, auth: &Value, is_refresh: bool) -> Admission {
        let auth = &auth.to_string();
        let (answer, effects) = self.ask(Ask::Connect { auth, is_refresh });
        let Answer::Admission(admission) = answer else {
            return Admission::Pass;
        };
        match &admission {
            Admission::Pass => self.take_hold(effects),
            Admission::Accept(identity) => {
                let identity = identity.clone();
                if let Some(socket) = self.socket() {
                    socket.user = identity.user.or(socket.user.take());
                    socket.attributes.extend(identity.attributes);
                    socket.rooms.extend(identity.rooms);
                }
                self.take_hold(effects);
            }
            // Nothing is done for a client that is refused.
            Admission::Deny(_) => {}
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
    /// failure of the policy, and when a compiled policy fails.
    pub fn event_text(mut self, name: &str, args: &str) -> Verdict {
        self.harness.world.borrow_mut().events += 1;
        let ask = Ask::Event {
            name,
            args,
            wants_ack: self.wants_ack,
            replaced: self.replaced,
            attachments: std::mem::take(&mut self.attachments),
        };
        let (answer, effects) = self.ask(ask);
        let verdict = match answer {
            Answer::Verdict(verdict) => verdict,
            _ => Verdict::Pass,
        };
        if let Verdict::Replace(text) | Verdict::Reply(text) = &verdict {
            check_array(text);
        }
        self.deliver(name, args, &verdict);
        self.take_hold(effects);
        verdict
    }

    /// See [`Harness::subscribe`].
    pub fn subscribe(mut self, room: &str) -> Subscription {
        let (answer, effects) = self.ask(Ask::Subscribe { room });
        let subscription = match answer {
            Answer::Subscription(subscription) => subscription,
            _ => Subscription::Pass,
        };
        if subscription == Subscription::Pass
            && let Some(socket) = self.socket()
        {
            socket.rooms.insert(room.to_owned());
        }
        self.take_hold(effects);
        subscription
    }

    /// See [`Harness::disconnect`].
    pub fn disconnect(mut self, reason: DisconnectReason) {
        let token = self.current().token;
        {
            let world = &mut *self.harness.world.borrow_mut();
            let delivered = &mut world.delivered;
            world.windows.end_socket(token, world.now_ms, delivered);
        }
        let (_, effects) = self.ask(Ask::Disconnect { reason });
        self.take_hold(effects);
        self.harness.sockets.remove(&self.harness.current);
    }

    fn ask(&mut self, ask: Ask<'_>) -> (Answer, Vec<Effect>) {
        let socket = self.current();
        let harness = &mut *self.harness;
        let (engine, interests) = (&mut harness.engine, &harness.interests);
        engine.ask(&harness.world, interests, socket, ask)
    }

    /// What becomes of an event.
    fn deliver(&mut self, name: &str, args: &str, verdict: &Verdict) {
        let token = self.current().token;
        let world = &mut *self.harness.world.borrow_mut();
        let event = |args: &str| Delivery {
            socket: self.harness.current.clone(),
            event: name.to_owned(),
            args: serde_json::from_str(args).unwrap_or_default(),
            at_ms: world.now_ms,
        };
        let delivered = match verdict {
            Verdict::Pass => Some(event(args)),
            Verdict::Replace(args) => Some(event(args)),
            Verdict::Coalesce {
                key,
                window,
                leading,
            } => {
                let event = event(args);
                world
                    .windows
                    .offer((token, key), (*window, *leading), event)
            }
            Verdict::Deny(_) | Verdict::Drop | Verdict::Reply(_) => None,
        };
        world.delivered.extend(delivered);
    }

    fn take_hold(&mut self, effects: Vec<Effect>) {
        if let Some(socket) = self.socket() {
            for effect in &effects {
                socket.apply(effect);
            }
        }
        self.harness.world.borrow_mut().effects.extend(effects);
    }

    fn current(&self) -> Socket {
        let harness = &*self.harness;
        let socket = harness.sockets.get(&harness.current);
        socket.cloned().unwrap_or_else(|| Socket::new(0))
    }

    fn socket(&mut self) -> Option<&mut Socket> {
        self.harness.sockets.get_mut(&self.harness.current)
    }

    fn set(mut self, set: impl FnOnce(&mut Socket)) -> Self {
        if let Some(socket) = self.socket() {
            set(socket);
        }
        self
    }
}

#[expect(clippy::panic, reason = "the way in which a test fails")]
fn check_array(text: &str) {
    if let Err(error) = serde_json::from_str::<Vec<serde::de::IgnoredAny>>(text) {
        panic!("the policy answers with what is no JSON array: {error}: {text}");
    }
}
