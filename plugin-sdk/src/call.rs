//! What a hook is handed.

use std::fmt;

use serde::Deserialize;

use crate::Denial;

/// An event that a rule of the policy matches.
#[derive(Debug, Clone, Copy)]
pub struct EventCall<'a> {
    pub(crate) socket: u64,
    pub(crate) rule: usize,
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
#[derive(Debug, Clone, Copy)]
pub struct ConnectCall<'a> {
    pub(crate) socket: u64,
    pub(crate) auth: &'a str,
}

/// Why a client is gone.
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
    /// [`Denial`] that tells the client what is wrong.
    pub fn args<T: Deserialize<'a>>(&self) -> Result<T, ArgsError> {
        serde_json::from_str(self.args).map_err(ArgsError)
    }
}

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
    /// When the client sent something else. The error turns into a [`Denial`] that tells the client what is wrong.
    pub fn auth<T: Deserialize<'a>>(&self) -> Result<T, ArgsError> {
        serde_json::from_str(self.auth).map_err(ArgsError)
    }
}

/// What a client sent does not have the type that the policy expects. As a denial its code is
/// `invalid_arguments`.
#[derive(Debug)]
pub struct ArgsError(serde_json::Error);

impl fmt::Display for ArgsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl std::error::Error for ArgsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

impl From<ArgsError> for Denial {
    fn from(error: ArgsError) -> Self {
        Self::new("invalid_arguments", error.to_string())
    }
}
