//! The harness that a test holds: a configured policy, and the clients that it serves.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde::Serialize;
use serde_json::Value;

use super::client::Client;
use super::effects::Effect;
use super::engine::Engine;
use super::windows::Delivery;
use super::world::{Clock, Socket, World};
use crate::http::{Error, Request, Response};
use crate::log::Level;
use crate::{Admission, DisconnectReason, Interests, Policy, Subscription, Verdict};

/// Configures a policy as the broker does.
///
/// # Errors
///
/// What the operator would be told.
///
/// ```
/// use sluice_plugin_sdk::{prelude::*, testing};
/// use serde_json::json;
///
/// #[policy]
/// struct Short { max: usize }
///
/// #[policy]
/// impl Short {
///     #[on_event("message")]
///     fn check(&mut self, text: String) -> Verdict {
///         if text.len() > self.max { Verdict::Drop } else { Verdict::Pass }
///     }
/// }
///
/// let mut short = testing::policy::<Short>(json!({ "max": 3 })).unwrap();
/// assert_eq!(short.event("message", json!(["hello"])), Verdict::Drop);
/// assert_eq!(testing::policy::<Short>(json!({})).err().unwrap(), "missing field `max`");
/// ```
pub fn policy<P: Policy>(config: Value) -> Result<Harness<P>, String> {
    let world = Rc::new(RefCell::new(World::new()));
    let (engine, interests) = Engine::start(&world, &config)?;
    let mut harness = Harness {
        engine,
        interests,
        world,
        sockets: BTreeMap::new(),
        connections: 0,
        current: "socket".to_owned(),
    };
    harness.declare();
    Ok(harness)
}

/// A configured policy and its world; made by [`policy`].
///
/// ```
/// use sluice_plugin_sdk::{prelude::*, testing};
/// use serde_json::json;
///
/// #[policy]
/// struct Members {}
///
/// #[policy]
/// impl Members {
///     #[on_event("message")]
///     fn check(&mut self) -> Verdict {
///         if current::in_room("members") { Verdict::Pass } else { Verdict::Drop }
///     }
/// }
///
/// let mut members = testing::policy::<Members>(json!({})).unwrap();
/// members.socket("alice").room("members");
/// assert_eq!(members.event("message", json!([])), Verdict::Pass);
/// assert_eq!(members.socket("bob").event("message", json!([])), Verdict::Drop);
/// assert_eq!(members.delivered().len(), 1);
/// ```
#[derive(Debug)]
pub struct Harness<P> {
    pub(super) engine: Engine<P>,
    pub(super) interests: Interests,
    pub(super) world: Rc<RefCell<World>>,
    pub(super) sockets: BTreeMap<String, Socket>,
    /// So that every connection has a token of its own.
    connections: u64,
    pub(super) current: String,
}

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

    /// The current socket, which is in already, shows something newer, because what it rests on is about to expire. The
    /// broker keeps its user, and refuses an identity with another one.
    pub fn refresh(&mut self, auth: Value) -> Admission {
        self.client().refresh(auth)
    }

    /// The current socket asks to join a room. If the policy lets it, it is in the room.
    pub fn subscribe(&mut self, room: &str) -> Subscription {
        self.client().subscribe(room)
    }

    /// The current socket goes, and all that was known about it.
    pub fn disconnect(&mut self, reason: DisconnectReason) {
        self.client().disconnect(reason);
    }

    /// Gives the policy another configuration. Buckets, the store and metrics keep what they hold; a configuration
    /// that is refused changes nothing.
    ///
    /// # Errors
    ///
    /// What the operator would be told.
    pub fn reload(&mut self, config: Value) -> Result<(), String> {
        self.interests = self.engine.reload(&self.world, &config)?;
        self.declare();
        Ok(())
    }

    /// What the configuration has made of the policy.
    #[must_use]
    pub fn interests(&self) -> &Interests {
        &self.interests
    }

    /// The policy itself.
    ///
    /// # Panics
    ///
    /// When the compiled policy is tested: nobody sees into a component.
    #[must_use]
    #[expect(clippy::panic, reason = "the way in which a test fails")]
    pub fn policy(&self) -> &P {
        match &self.engine {
            Engine::Native(native) => &native.policy,
            Engine::Component(_) => panic!("a compiled policy cannot be looked into"),
        }
    }

    /// What it has logged, oldest first.
    #[must_use]
    pub fn logs(&self) -> Vec<(Level, String)> {
        self.world.borrow().logs.clone()
    }

    /// What it has had done beside its verdicts, oldest first. Joins, leaves and attributes are known to later calls.
    #[must_use]
    pub fn effects(&self) -> Vec<Effect> {
        self.world.borrow().effects.clone()
    }

    /// The same, and forgets it.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.world.borrow_mut().effects)
    }

    /// The arguments of what it has emitted under this name, oldest first.
    #[must_use]
    pub fn emitted(&self, name: &str) -> Vec<Value> {
        let world = self.world.borrow();
        let emitted = world.effects.iter().filter_map(|effect| match effect {
            Effect::Emit { event, args, .. } if event == name => Some(args.clone()),
            _ => None,
        });
        emitted.collect()
    }

    /// The events that it has let go on, oldest first; those that were coalesced when their window ended.
    #[must_use]
    pub fn delivered(&self) -> Vec<Delivery> {
        self.world.borrow().delivered.clone()
    }

    /// The same, and forgets them.
    pub fn take_delivered(&mut self) -> Vec<Delivery> {
        std::mem::take(&mut self.world.borrow_mut().delivered)
    }

    /// How many events gave way to a newer one of their window.
    #[must_use]
    pub fn superseded(&self) -> u64 {
        self.world.borrow().windows.superseded
    }

    /// What one of its own metrics shows; 0 if it was never touched.
    #[must_use]
    pub fn metric(&self, name: &str) -> f64 {
        let world = self.world.borrow();
        world.values.get(name).copied().unwrap_or(0.0)
    }

    /// Requests for this URL are answered with this status and this JSON, until another answer is set.
    pub fn answer<T: Serialize>(&mut self, url: &str, status: u16, body: T) {
        let response = Response {
            status,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: serde_json::to_vec(&body).unwrap_or_default(),
        };
        self.answer_with(url, Ok(response));
    }

    /// The same with any answer, or none.
    pub fn answer_with(&mut self, url: &str, answer: Result<Response, Error>) {
        match &mut self.engine {
            Engine::Native(_) => self.world.borrow_mut().upstream.answer(url, answer),
            Engine::Component(component) => component.answer(url, &answer),
        }
    }

    /// Requests for which [`answer`](Self::answer) knows none are answered by this.
    ///
    /// # Panics
    ///
    /// When the compiled policy is tested: its requests are answered by [`answer`](Self::answer) alone.
    #[expect(clippy::panic, reason = "the way in which a test fails")]
    pub fn serve_http(
        &mut self,
        answers: impl FnMut(&Request) -> Result<Response, Error> + 'static,
    ) {
        match &self.engine {
            Engine::Native(_) => self.world.borrow_mut().upstream.serve(Box::new(answers)),
            Engine::Component(_) => panic!("a compiled policy needs `answer`"),
        }
    }

    /// The requests that it has made, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.world.borrow().upstream.requests.clone()
    }

    pub(super) fn client(&mut self) -> Client<'_, P> {
        if !self.sockets.contains_key(&self.current) {
            self.connections += 1;
            let socket = Socket::new(self.connections);
            self.sockets.insert(self.current.clone(), socket);
        }
        Client::new(self)
    }

    /// The numbers of buckets and metrics are those of the latest configuration.
    fn declare(&mut self) {
        let mut world = self.world.borrow_mut();
        world.rules = self.interests.buckets().to_vec();
        world.metrics = self.interests.metrics().to_vec();
    }
}
