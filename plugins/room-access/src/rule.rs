//! One rule: whom it is about, in which rooms, and what then holds.

use std::cell::OnceCell;

use sluice_plugin_sdk::prelude::*;

use crate::pattern::Pattern;

/// What is done with a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Action {
    Join,
    Leave,
    Publish,
}

/// A line of the configuration. All of its conditions have to hold.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) actions: Vec<Action>,
    /// One of these.
    pub(crate) rooms: Vec<Pattern>,
    /// One of these; anyone, with a user or without, where there are none.
    pub(crate) users: Vec<Pattern>,
    /// Attributes, each with one of these values.
    pub(crate) attributes: Vec<(String, Vec<Pattern>)>,
    /// Whether the client has to be in the room, or must not be.
    pub(crate) member: Option<bool>,
    pub(crate) allow: bool,
}

/// Who asks, as far as a rule wants to know.
#[derive(Debug, Default)]
pub(crate) struct Who {
    user: OnceCell<Option<String>>,
}

impl Action {
    pub(crate) const ALL: [Self; 3] = [Self::Join, Self::Leave, Self::Publish];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Leave => "leave",
            Self::Publish => "publish",
        }
    }

    pub(crate) fn refusal(self) -> &'static str {
        match self {
            Self::Join => "You may not join this room",
            Self::Leave => "You may not leave this room",
            Self::Publish => "You may not publish to this room",
        }
    }
}

impl Rule {
    pub(crate) fn is_about(&self, action: Action) -> bool {
        self.actions.contains(&action)
    }

    /// The cheap conditions first.
    pub(crate) fn matches(&self, room: &str, who: &Who) -> bool {
        one_of(&self.rooms, room, who)
            && (self.users.is_empty()
                || who
                    .user()
                    .is_some_and(|user| one_of(&self.users, user, who)))
            && self.attributes.iter().all(|(name, values)| {
                who.attribute(name)
                    .is_some_and(|value| one_of(values, &value, who))
            })
            && self
                .member
                .is_none_or(|wanted| current::in_room(room) == wanted)
    }

    /// Globs that match whatever room this rule can be about.
    pub(crate) fn globs(&self) -> impl Iterator<Item = String> {
        self.rooms.iter().map(Pattern::widest)
    }
}

fn one_of(patterns: &[Pattern], name: &str, who: &Who) -> bool {
    patterns.iter().any(|pattern| pattern.matches(name, who))
}

impl Who {
    pub(crate) fn user(&self) -> Option<&str> {
        self.user.get_or_init(current::user).as_deref()
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<String> {
        current::attribute(name)
    }
}
