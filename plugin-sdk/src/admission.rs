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
    /// Until when the client is let in, in milliseconds since the Unix epoch. Of several policies' the earliest counts.
    pub expires_ms: Option<u64>,
    /// The name of what the client has shown, such as the `jti` of a token, by which it can be revoked.
    pub token_id: Option<String>,
    /// When that was issued, in milliseconds since the Unix epoch.
    pub issued_ms: Option<u64>,
}

/// The code of a client that is refused for the token's name that its policy gave it.
pub(crate) const TOKEN_ID_INVALID: &str = "token_id_invalid";

// === impl Admission ===

impl Admission {
    /// A refusal with a code for programs and a message for people; [`Denial`] has more to say.
    #[must_use]
    pub fn deny(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Deny(Denial::new(code, message))
    }

    /// An identity that could not be revoked as the policy means is none. The broker refuses it; this says so before it
    /// is asked, natively as well.
    pub(crate) fn checked(self) -> Self {
        match &self {
            Self::Accept(identity) if !identity.has_token_id_in_bounds() => Self::deny(
                TOKEN_ID_INVALID,
                format!("a token's id has 1 to {} bytes", Identity::MAX_TOKEN_ID),
            ),
            _ => self,
        }
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

    /// Lets the client in until then, in milliseconds since the Unix epoch. If it has said so already, the earlier time
    /// counts, as it does among several policies. What happens then, the operator decides by `[namespace.session]`: the
    /// socket is told `token_expired` and ended, or is asked before for something newer, with which `on_connect` is
    /// called again ([`current::is_refresh`](crate::current::is_refresh)).
    ///
    /// ```
    /// use sluice_plugin_sdk::{prelude::*, testing};
    /// use serde::Deserialize;
    /// use serde_json::json;
    ///
    /// #[derive(Deserialize)]
    /// struct Ticket { user: String, number: String, minutes: u64 }
    ///
    /// #[policy]
    /// struct Tickets {}
    ///
    /// #[policy]
    /// impl Tickets {
    ///     #[on_connect]
    ///     fn admit(&mut self, ticket: Ticket) -> Identity {
    ///         Identity::user(ticket.user)
    ///             .token_id(ticket.number)
    ///             .expires_ms(current::now_ms() + ticket.minutes * 60_000)
    ///     }
    /// }
    ///
    /// let mut tickets = testing::policy::<Tickets>(json!({})).unwrap();
    /// tickets.clock().set_ms(1_000);
    /// let admission = tickets.connect(json!({ "user": "alice", "number": "7", "minutes": 1 }));
    /// let alice = admission.identity().unwrap();
    /// assert_eq!(alice.expires_ms, Some(61_000));
    /// assert_eq!(alice.token_id.as_deref(), Some("7"));
    /// ```
    #[must_use]
    pub fn expires_ms(mut self, at_ms: u64) -> Self {
        let earlier = self.expires_ms.map_or(at_ms, |before| before.min(at_ms));
        self.expires_ms = Some(earlier);
        self
    }

    /// Bytes of a [`token_id`](Self::token_id) at most.
    pub const MAX_TOKEN_ID: usize = 1024;

    fn has_token_id_in_bounds(&self) -> bool {
        let is_in = |id: &String| (1..=Self::MAX_TOKEN_ID).contains(&id.len());
        self.token_id.as_ref().is_none_or(is_in)
    }

    /// Names what the client has shown, so that it can be revoked by this name: a token's `jti`, the number of a
    /// session or of a ticket. A later policy's replaces an earlier one's. It has 1 to [`MAX_TOKEN_ID`](Self::MAX_TOKEN_ID)
    /// bytes; with any other the client is refused with the code `token_id_invalid`.
    ///
    /// ```
    /// use sluice_plugin_sdk::Identity;
    ///
    /// let identity = Identity::user("alice").token_id("4f1c").issued_ms(1_800_000_000_000);
    /// assert_eq!(identity.token_id.as_deref(), Some("4f1c"));
    /// ```
    #[must_use]
    pub fn token_id(mut self, id: impl Into<String>) -> Self {
        self.token_id = Some(id.into());
        self
    }

    /// When that was issued, in milliseconds since the Unix epoch (a token's `iat`). A revocation of the user is about
    /// what was issued before it, so that the user can come back with something newer; where it is not known, nobody
    /// of that user comes in while the revocation lasts.
    ///
    /// ```
    /// use sluice_plugin_sdk::Identity;
    ///
    /// let identity = Identity::user("alice").issued_ms(1_800_000_000_000);
    /// assert_eq!(identity.issued_ms, Some(1_800_000_000_000));
    /// ```
    #[must_use]
    pub fn issued_ms(mut self, at_ms: u64) -> Self {
        self.issued_ms = Some(at_ms);
        self
    }
}
