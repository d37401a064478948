//! What a hook is handed.

use serde::Deserialize;

use crate::interests::Route;
use crate::{ArgsError, args};

/// An event that a rule of the policy matches.
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
///     fn check(&mut self, call: &EventCall<'_>) -> Result<(), Denial> {
///         // Reads this one text; whatever else the client sent is skipped.
///         let text: String = call.get("/0/text")?;
///         if text.len() > self.max {
///             deny!("too_long", "At most {} bytes", self.max);
///         }
///         Ok(())
///     }
/// }
///
/// let mut short = testing::policy::<Short>(json!({ "max": 5 })).unwrap();
/// assert_eq!(short.event("message", json!([{ "text": "hello", "to": ["all"] }])), Verdict::Pass);
/// let verdict = short.event("message", json!([{ "text": "good morning" }]));
/// assert_eq!(verdict.denial().unwrap().message, "At most 5 bytes");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct EventCall<'a> {
    pub(crate) socket: u64,
    pub(crate) rule: usize,
    pub(crate) route: Route,
    pub(crate) traits: Traits,
    pub(crate) args: &'a str,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Traits {
    pub(crate) wants_ack: bool,
    pub(crate) has_attachments: bool,
    pub(crate) replaced: bool,
}

/// A client that connects to a namespace.
///
/// ```
/// use sluice_plugin_sdk::{prelude::*, testing};
/// use serde_json::json;
///
/// #[policy]
/// struct Named {}
///
/// #[policy]
/// impl Named {
///     #[on_connect]
///     fn greet(&mut self, call: &ConnectCall<'_>) -> Result<Identity, Denial> {
///         Ok(Identity::user(call.get::<String>("/name")?))
///     }
/// }
///
/// let mut named = testing::policy::<Named>(json!({})).unwrap();
/// assert_eq!(named.connect(json!({})).denial().unwrap().message, "`/name` is missing");
/// assert!(named.connect(json!({ "name": "alice" })).identity().is_some());
/// ```
#[derive(Debug, Clone, Copy)]
pub struct ConnectCall<'a> {
    pub(crate) socket: u64,
    pub(crate) auth: &'a str,
}

/// A client that asks to join a room.
///
/// ```
/// use sluice_plugin_sdk::{prelude::*, testing};
/// use serde_json::json;
///
/// #[policy]
/// struct Private {}
///
/// #[policy]
/// impl Private {
///     #[on_subscribe("user:*")]
///     fn own_room(&mut self, call: &SubscribeCall<'_>) -> Result<(), Denial> {
///         let owner = call.room().strip_prefix("user:");
///         if owner != current::user().as_deref() {
///             deny!("not_yours", "{} belongs to someone else", call.room());
///         }
///         Ok(())
///     }
/// }
///
/// let mut private = testing::policy::<Private>(json!({})).unwrap();
/// private.socket("a").user("alice");
/// assert_eq!(private.subscribe("user:alice"), Subscription::Pass);
/// assert_eq!(private.subscribe("user:bob").denial().unwrap().code, "not_yours");
/// assert_eq!(private.subscribe("lobby"), Subscription::Pass, "no rule matches it");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct SubscribeCall<'a> {
    pub(crate) socket: u64,
    pub(crate) rule: usize,
    pub(crate) route: Route,
    pub(crate) room: &'a str,
}

/// Why a client is gone.
///
/// ```
/// use sluice_plugin_sdk::{prelude::*, testing};
/// use serde_json::json;
///
/// #[policy]
/// struct Farewell {}
///
/// #[policy]
/// impl Farewell {
///     #[on_disconnect]
///     fn gone(&mut self, reason: DisconnectReason) {
///         log::info(format!("gone: {reason:?}"));
///     }
/// }
///
/// let mut farewell = testing::policy::<Farewell>(json!({})).unwrap();
/// farewell.disconnect(DisconnectReason::Timeout);
/// assert_eq!(farewell.logs()[0].1, "gone: Timeout");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisconnectReason {
    /// It left.
    Client,
    /// The broker closed the connection, for example because it stops.
    Server,
    /// The connection broke.
    Transport,
    /// It no longer answered.
    Timeout,
    /// A policy asked for it.
    Policy,
}

// === impl EventCall ===

impl<'a> EventCall<'a> {
    /// The token of the socket: the same in every call about it, another one for every connection.
    #[must_use]
    pub fn socket(&self) -> u64 {
        self.socket
    }

    /// Which rule of the policy's interests matched: its position among them.
    #[must_use]
    pub fn rule(&self) -> usize {
        self.rule
    }

    /// Which of the globs of its `#[on_event(…)]` matched: its position among them.
    #[must_use]
    pub fn nth(&self) -> usize {
        self.route.nth as usize
    }

    /// Whether the client waits for an acknowledgement.
    #[must_use]
    pub fn wants_ack(&self) -> bool {
        self.traits.wants_ack
    }

    /// Whether binary attachments come with the event. In the arguments each stands as
    /// `{"_placeholder":true,"num":n}`.
    #[must_use]
    pub fn has_attachments(&self) -> bool {
        self.traits.has_attachments
    }

    /// Whether an earlier policy has replaced the arguments.
    #[must_use]
    pub fn replaced(&self) -> bool {
        self.traits.replaced
    }

    /// The arguments as the text of a JSON array; empty when the rule does not ask for them.
    #[must_use]
    pub fn args_text(&self) -> &'a str {
        self.args
    }

    /// The arguments as a type that serde reads from an array, usually a tuple: `call.args::<(String, u8)>()`.
    ///
    /// # Errors
    ///
    /// When the client sent something else, or the rule does not ask for the arguments. The error turns into a
    /// [`Denial`](crate::Denial) that tells the client what is wrong.
    pub fn args<T: Deserialize<'a>>(&self) -> Result<T, ArgsError> {
        args::all(self.args)
    }

    /// One value of the arguments, named by a JSON Pointer: `/0` is the first argument, `/0/text` its field. What
    /// else they hold is skipped and not parsed, so this is the fast way to read one field. What is missing reads as
    /// `null`, which an `Option` takes.
    ///
    /// # Errors
    ///
    /// When it is missing or of another type. The error names the pointer, and turns into a
    /// [`Denial`](crate::Denial) that tells the client.
    pub fn get<T: Deserialize<'a>>(&self, pointer: &str) -> Result<T, ArgsError> {
        args::one(self.args, pointer)
    }

    /// The JSON text of one value of the arguments, as the client wrote it; none if it is not there.
    #[must_use]
    pub fn get_text(&self, pointer: &str) -> Option<&'a str> {
        crate::pointer::find(self.args, pointer)
    }

    #[doc(hidden)]
    #[must_use]
    pub fn __handler(&self) -> u32 {
        self.route.handler
    }
}

// === impl ConnectCall ===

impl<'a> ConnectCall<'a> {
    /// The token of the socket: the same in every call about it, another one for every connection.
    #[must_use]
    pub fn socket(&self) -> u64 {
        self.socket
    }

    /// What the client sent with its CONNECT, as JSON text; `{}` where it sent nothing.
    #[must_use]
    pub fn auth_text(&self) -> &'a str {
        self.auth
    }

    /// What the client sent with its CONNECT as a type of the policy's.
    ///
    /// # Errors
    ///
    /// When the client sent something else. The error turns into a [`Denial`](crate::Denial) that tells the client
    /// what is wrong.
    pub fn auth<T: Deserialize<'a>>(&self) -> Result<T, ArgsError> {
        args::all(self.auth)
    }

    /// One value of it, named by a JSON Pointer such as `/token`; see [`EventCall::get`].
    ///
    /// # Errors
    ///
    /// When it is missing or of another type.
    pub fn get<T: Deserialize<'a>>(&self, pointer: &str) -> Result<T, ArgsError> {
        args::one(self.auth, pointer)
    }
}

// === impl SubscribeCall ===

impl<'a> SubscribeCall<'a> {
    /// The token of the socket: the same in every call about it, another one for every connection.
    #[must_use]
    pub fn socket(&self) -> u64 {
        self.socket
    }

    /// Which of the globs over rooms matched: its position among them.
    #[must_use]
    pub fn rule(&self) -> usize {
        self.rule
    }

    /// Which of the globs of its `#[on_subscribe(…)]` matched: its position among them.
    #[must_use]
    pub fn nth(&self) -> usize {
        self.route.nth as usize
    }

    /// The room that the client asks to join.
    #[must_use]
    pub fn room(&self) -> &'a str {
        self.room
    }

    #[doc(hidden)]
    #[must_use]
    pub fn __handler(&self) -> u32 {
        self.route.handler
    }
}
