//! Decides who may join, leave and publish to which rooms, by patterns over the room, the user and its attributes.
//!
//! `config` reads what the operator wants, `rule` is one line of it, `pattern` matches names, and `room` finds the room
//! that an event is about, as the broker's routes do. What a client sends is only ever matched against, and never part
//! of a pattern.

mod config;
mod pattern;
mod room;
mod rule;
#[cfg(test)]
mod tests;

use serde::Deserialize;
use sluice_plugin_sdk::prelude::*;

use config::Config;
use room::RoomOf;
use rule::{Action, Rule, Who};

/// The policy.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Config")]
pub struct RoomAccess {
    /// The first that matches decides.
    rules: Vec<Rule>,
    /// Whether an action that no rule is about is allowed.
    default: Defaults,
    /// Events that leave a room or publish to one; each has the event rule of its own number.
    events: Vec<RoomEvent>,
    code: String,
    message: Option<String>,
}

/// By action.
#[derive(Debug, Clone, Copy)]
struct Defaults {
    join: bool,
    leave: bool,
    publish: bool,
}

/// An event that is about a room.
#[derive(Debug)]
struct RoomEvent {
    /// A glob.
    event: String,
    action: Action,
    room: RoomOf,
}

impl Policy for RoomAccess {
    const HOOKS: Hooks = Hooks::EVENT.and(Hooks::SUBSCRIBE);

    fn interests(&self) -> Interests {
        let interests = self.events.iter().fold(Interests::new(), |interests, one| {
            if one.room.needs_args() {
                interests.event_with_args(&one.event)
            } else {
                interests.event(&one.event)
            }
        });
        let rules = || self.rules.iter().filter(|rule| rule.is_about(Action::Join));
        if !self.default.join {
            return interests.room("*");
        }
        let globs = rules().flat_map(Rule::globs);
        globs.fold(interests, Interests::room)
    }

    fn on_event(&mut self, call: &EventCall<'_>) -> Verdict {
        // A rule that is none of ours is a mistake of the broker; the trap leaves it to the operator's `on_error`.
        let event = &self.events[call.rule()];
        match event.room.find(call) {
            Ok(room) if self.allows(event.action, &room) => Verdict::Pass,
            Ok(_) => self.denial(event.action).into(),
            Err(denial) => denial.into(),
        }
    }

    fn on_subscribe(&mut self, call: &SubscribeCall<'_>) -> Subscription {
        if self.allows(Action::Join, call.room()) {
            Subscription::Pass
        } else {
            self.denial(Action::Join).into()
        }
    }
}

impl RoomAccess {
    fn allows(&self, action: Action, room: &str) -> bool {
        let who = Who::default();
        let mut rules = self.rules.iter();
        let decides = |rule: &&Rule| rule.is_about(action) && rule.matches(room, &who);
        rules
            .find(decides)
            .map_or(self.default.of(action), |rule| rule.allow)
    }

    /// It names neither the room nor the rule: a client learns no more than that it may not.
    #[cold]
    fn denial(&self, action: Action) -> Denial {
        let message = self.message.as_deref().unwrap_or(action.refusal());
        Denial::new(&*self.code, message).data(&serde_json::json!({ "action": action.name() }))
    }
}

impl Defaults {
    fn of(self, action: Action) -> bool {
        match action {
            Action::Join => self.join,
            Action::Leave => self.leave,
            Action::Publish => self.publish,
        }
    }
}

export!(RoomAccess);
