//! A policy that is called as it is, in this process.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::Value;

use super::engine::{Answer, Ask};
use super::glob;
use super::host::serve;
use super::world::{Call, Socket, World};
use crate::call::Traits;
use crate::interests::{Route, Routes};
use crate::{ConnectCall, EventCall, Hooks, Interests, Policy, SubscribeCall, Verdict, config};

#[derive(Debug)]
pub(super) struct Native<P> {
    pub(super) policy: P,
    routes: Routes,
}

impl<P: Policy> Native<P> {
    pub(super) fn configure(
        world: &Rc<RefCell<World>>,
        config: &Value,
    ) -> Result<(Self, Interests), String> {
        let (policy, interests) = serve(world, None, || {
            let policy = config::parse::<P>(&config.to_string())?.configure()?;
            let interests = policy.interests();
            Ok::<_, String>((policy, interests))
        })
        .0?;
        world.borrow_mut().capabilities = P::CAPABILITIES;
        let routes = interests.routes();
        Ok((Self { policy, routes }, interests))
    }

    pub(super) fn ask(
        &mut self,
        world: &Rc<RefCell<World>>,
        interests: &Interests,
        socket: Socket,
        ask: Ask<'_>,
    ) -> (Answer, Vec<super::Effect>) {
        match ask {
            Ask::Connect { auth, is_refresh } => self.connect(world, socket, auth, is_refresh),
            Ask::Event { .. } => self.event(world, interests, socket, ask),
            Ask::Subscribe { room } => self.subscribe(world, interests, socket, room),
            Ask::Disconnect { reason } => {
                if !P::HOOKS.contains(Hooks::DISCONNECT) {
                    return NOT_CALLED;
                }
                let token = socket.token;
                let call = Call::new(Hooks::DISCONNECT, socket);
                let policy = &mut self.policy;
                let ((), effects) =
                    serve(world, Some(call), || policy.on_disconnect(token, reason));
                (Answer::Gone, effects)
            }
        }
    }

    fn connect(
        &mut self,
        world: &Rc<RefCell<World>>,
        socket: Socket,
        auth: &str,
        is_refresh: bool,
    ) -> (Answer, Vec<super::Effect>) {
        if !P::HOOKS.contains(Hooks::CONNECT) {
            return NOT_CALLED;
        }
        let call = ConnectCall {
            socket: socket.token,
            auth,
        };
        let facts = Call {
            is_refresh,
            ..Call::new(Hooks::CONNECT, socket)
        };
        let (admission, effects) = serve(world, Some(facts), || self.policy.on_connect(&call));
        (Answer::Admission(admission.checked()), effects)
    }

    fn event(
        &mut self,
        world: &Rc<RefCell<World>>,
        interests: &Interests,
        socket: Socket,
        ask: Ask<'_>,
    ) -> (Answer, Vec<super::Effect>) {
        let Ask::Event {
            name,
            args,
            wants_ack,
            replaced,
            attachments,
        } = ask
        else {
            return NOT_CALLED;
        };
        let mut rules = interests.events().iter().enumerate();
        let found = rules.find(|(_, rule)| glob::matches(&rule.name, name));
        let Some((rule, interest)) = found.filter(|_| P::HOOKS.contains(Hooks::EVENT)) else {
            return NOT_CALLED;
        };
        let in_advance = interest.advance.as_ref();
        if let Some(verdict) = in_advance.and_then(|it| world.borrow_mut().answer(it, &socket)) {
            return (Answer::Verdict(verdict), Vec::new());
        }
        let call = EventCall {
            socket: socket.token,
            rule,
            route: route(&self.routes.events, rule),
            traits: Traits {
                wants_ack,
                has_attachments: !attachments.is_empty(),
                replaced,
            },
            args: if interest.args { args } else { "" },
        };
        let facts = Call {
            event: name.to_owned(),
            event_id: format!("event-{}", world.borrow().events),
            attachments,
            ..Call::new(Hooks::EVENT, socket)
        };
        let (verdict, effects) = serve(world, Some(facts), || self.policy.on_event(&call));
        (Answer::Verdict(verdict), effects)
    }

    /// In a world that knows of no call.
    pub(super) fn event_of_first_rule(&mut self, args: &str) -> Verdict {
        self.policy.on_event(&EventCall {
            socket: 0,
            rule: 0,
            route: route(&self.routes.events, 0),
            traits: Traits::default(),
            args,
        })
    }

    fn subscribe(
        &mut self,
        world: &Rc<RefCell<World>>,
        interests: &Interests,
        socket: Socket,
        room: &str,
    ) -> (Answer, Vec<super::Effect>) {
        let mut rules = interests.rooms().iter();
        let found = rules.position(|glob| glob::matches(glob, room));
        let Some(rule) = found.filter(|_| P::HOOKS.contains(Hooks::SUBSCRIBE)) else {
            return NOT_CALLED;
        };
        let call = SubscribeCall {
            socket: socket.token,
            rule,
            route: route(&self.routes.rooms, rule),
            room,
        };
        let facts = Call::new(Hooks::SUBSCRIBE, socket);
        let (answer, effects) = serve(world, Some(facts), || self.policy.on_subscribe(&call));
        (Answer::Subscription(answer), effects)
    }
}

const NOT_CALLED: (Answer, Vec<super::Effect>) = (Answer::NotCalled, Vec::new());

fn route(routes: &[Route], rule: usize) -> Route {
    routes.get(rule).copied().unwrap_or_default()
}

impl Call {
    fn new(hook: Hooks, socket: Socket) -> Self {
        Self {
            hook,
            socket,
            event: String::new(),
            event_id: String::new(),
            is_refresh: false,
            attachments: Vec::new(),
            effects: Vec::new(),
            asked: 0,
        }
    }
}
