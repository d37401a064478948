//! What runs the policy of a harness: this process, or the broker's engine with the compiled component.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::Value;

use super::component::{self, Component};
use super::effects::Effect;
use super::native::Native;
use super::world::{Socket, World};
use crate::{Admission, DisconnectReason, Interests, Policy, Subscription, Verdict};

#[derive(Debug)]
pub(super) enum Engine<P> {
    Native(Native<P>),
    Component(Box<Component>),
}

/// A call.
#[derive(Debug)]
pub(super) enum Ask<'a> {
    Connect {
        auth: &'a str,
        is_refresh: bool,
    },
    Event {
        name: &'a str,
        args: &'a str,
        wants_ack: bool,
        replaced: bool,
        attachments: Vec<Vec<u8>>,
    },
    Subscribe {
        room: &'a str,
    },
    Disconnect {
        reason: DisconnectReason,
    },
}

/// What came of it.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    /// The policy has no such hook, or no interest.
    NotCalled,
    Admission(Admission),
    Verdict(Verdict),
    Subscription(Subscription),
    Gone,
}

impl<P: Policy> Engine<P> {
    /// The compiled policy if the environment names one, otherwise the type itself.
    pub(super) fn start(
        world: &Rc<RefCell<World>>,
        config: &Value,
    ) -> Result<(Self, Interests), String> {
        match component::from_env() {
            Some(file) => {
                let mut component = Component::of(&file);
                let interests = component.configure(config, world.borrow().now_ms)?;
                Ok((Self::Component(Box::new(component)), interests))
            }
            None => {
                let (native, interests) = Native::configure(world, config)?;
                Ok((Self::Native(native), interests))
            }
        }
    }

    pub(super) fn reload(
        &mut self,
        world: &Rc<RefCell<World>>,
        config: &Value,
    ) -> Result<Interests, String> {
        match self {
            Self::Native(native) => {
                let (new, interests) = Native::configure(world, config)?;
                *native = new;
                Ok(interests)
            }
            Self::Component(component) => component.configure(config, world.borrow().now_ms),
        }
    }

    /// Asks the policy. The effects are those that take hold unless the connection is denied.
    pub(super) fn ask(
        &mut self,
        world: &Rc<RefCell<World>>,
        interests: &Interests,
        socket: Socket,
        ask: Ask<'_>,
    ) -> (Answer, Vec<Effect>) {
        match self {
            Self::Native(native) => native.ask(world, interests, socket, ask),
            Self::Component(component) => component.ask(&mut world.borrow_mut(), &socket, ask),
        }
    }
}
