//! What a policy answers to a client that connects, and to one that asks to join a room.

use crate::{ArgsError, Denial};

/// The answer to a client that connects.
///
/// ```
/// use sluice_plugin_sdk::{Admission, Identity};
///
/// let admission = Admission::from(Identity::user("alice"));
/// assert_eq!(admission.identity().unwrap().user.as_deref(), Some("alice"));
/// assert!(Admission::deny("closed", "Come back tomorrow").denial().is_some());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Admission {
    /// Nothing to say about this client. If no policy accepts and none denies, it is anonymous.
    Pass,
    /// The client is known. Other policies may add to what it is.
    Accept(Identity),
    /// The client is refused, and told why.
    Deny(Denial),
}

/// The answer to a client that asks to join a room.
///
/// ```
/// use sluice_plugin_sdk::Subscription;
///
/// assert!(Subscription::Pass.denial().is_none());
/// assert_eq!(Subscription::deny("private", "Not yours").denial().unwrap().code, "private");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subscription {
    /// The next policy decides; after the last one the client joins.
    Pass,
    /// The client does not join, and is told why.
    Deny(Denial),
}

/// Who a client is.
///
/// ```
/// use sluice_plugin_sdk::{Admission, Identity};
///
/// let admission: Admission = Identity::user("alice").attribute("plan", "pro").room("user:alice").into();
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The user's identifier; none leaves what earlier policies said.
    pub user: Option<String>,
    /// Names and texts; one that is set later replaces an earlier one of the same name.
    pub attributes: Vec<(String, String)>,
    /// Rooms that the socket joins. Those of several policies add up.
    pub rooms: Vec<String>,
}

// === impl Admission ===

impl Admission {
    /// A refusal with a code for programs and a message for people; [`Denial`] has more to say.
    #[must_use]
    pub fn deny(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Deny(Denial::new(code, message))
    }

    /// The denial, if it is one.
    #[must_use]
    pub fn denial(&self) -> Option<&Denial> {
        match self {
            Self::Deny(denial) => Some(denial),
            _ => None,
        }
    }

    /// The identity, if the client is accepted.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Accept(identity) => Some(identity),
            _ => None,
        }
    }
}

impl From<Denial> for Admission {
    fn from(denial: Denial) -> Self {
        Self::Deny(denial)
    }
}

impl From<ArgsError> for Admission {
    fn from(error: ArgsError) -> Self {
        Self::Deny(error.into())
    }
}

impl From<Identity> for Admission {
    fn from(identity: Identity) -> Self {
        Self::Accept(identity)
    }
}

// === impl Subscription ===

impl Subscription {
    /// A refusal with a code for programs and a message for people; [`Denial`] has more to say.
    #[must_use]
    pub fn deny(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Deny(Denial::new(code, message))
    }

    /// The denial, if it is one.
    #[must_use]
    pub fn denial(&self) -> Option<&Denial> {
        match self {
            Self::Deny(denial) => Some(denial),
            Self::Pass => None,
        }
    }
}

impl From<Denial> for Subscription {
    fn from(denial: Denial) -> Self {
        Self::Deny(denial)
    }
}

// === impl Identity ===

impl Identity {
    /// Nobody in particular, to which attributes and rooms can be added.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// This user.
    #[must_use]
    pub fn user(user: impl Into<String>) -> Self {
        Self {
            user: Some(user.into()),
            ..Self::default()
        }
    }

    /// Adds an attribute.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.push((name.into(), value.into()));
        self
    }

    /// Adds a room that the socket joins.
    #[must_use]
    pub fn room(mut self, room: impl Into<String>) -> Self {
        self.rooms.push(room.into());
        self
    }
}
