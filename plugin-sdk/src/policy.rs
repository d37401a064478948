//! The trait that a policy implements, and what it says about itself before it is configured.

use std::ops::BitOr;

use serde::de::DeserializeOwned;

use crate::{Admission, ConnectCall, DisconnectReason, EventCall, Interests, Verdict};

/// A policy: made from its configuration, asked by the broker at its hooks.
///
/// The broker keeps one instance a core and may replace it at any time (a trap, a new configuration), so what
/// has to last or to be counted exactly belongs in a bucket ([`take`](crate::take)), not in a field.
///
/// A configuration that differs from what the policy works with is a type of its own:
/// `#[serde(try_from = "Config")]` on the policy and `TryFrom<Config, Error = String>` turn one into the other.
pub trait Policy: DeserializeOwned + 'static {
    /// The hooks that the policy implements; the others are never called.
    const HOOKS: Hooks;

    /// What the policy may do beside its verdicts. The operator has to grant each of them, or the policy does
    /// not load.
    const CAPABILITIES: Capabilities = Capabilities::NONE;

    /// Checks what the types of the configuration cannot say, and prepares what the hooks need.
    ///
    /// # Errors
    ///
    /// What is wrong, for the operator: name the key. The policy is then not activated.
    fn configure(self) -> Result<Self, String> {
        Ok(self)
    }

    /// The events that this configuration is about, and its buckets. An event that no rule matches never
    /// reaches the policy.
    fn interests(&self) -> Interests {
        Interests::new()
    }

    /// A client connects to a namespace.
    fn on_connect(&mut self, call: &ConnectCall<'_>) -> Admission {
        let _ = call;
        Admission::Pass
    }

    /// A client sent an event that one of [`interests`](Self::interests) matches.
    fn on_event(&mut self, call: &EventCall<'_>) -> Verdict {
        let _ = call;
        Verdict::Pass
    }

    /// A client that had connected is gone.
    fn on_disconnect(&mut self, socket: u64, reason: DisconnectReason) {
        let _ = (socket, reason);
    }
}

/// A set of hooks.
///
/// ```
/// use sluice_plugin_sdk::Hooks;
///
/// const HOOKS: Hooks = Hooks::CONNECT.and(Hooks::EVENT);
/// assert!(HOOKS.contains(Hooks::EVENT) && !HOOKS.contains(Hooks::DISCONNECT));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hooks(u8);

impl Hooks {
    /// No hook at all.
    pub const NONE: Self = Self(0);
    /// [`Policy::on_connect`].
    pub const CONNECT: Self = Self(1);
    /// [`Policy::on_event`].
    pub const EVENT: Self = Self(1 << 1);
    /// [`Policy::on_disconnect`].
    pub const DISCONNECT: Self = Self(1 << 2);

    /// Both sets together; unlike `|` it works in a constant.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// A set of capabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities(u8);

impl Capabilities {
    /// None, which is enough for every verdict, for buckets and for the log.
    pub const NONE: Self = Self(0);
    /// Emitting events to clients.
    pub const EMIT: Self = Self(1);
    /// Joining and leaving rooms, disconnecting.
    pub const ROOMS: Self = Self(1 << 1);
    /// State that all nodes share.
    pub const CLUSTER_STATE: Self = Self(1 << 2);
    /// HTTP requests to hosts that the operator lists.
    pub const HTTP: Self = Self(1 << 3);

    /// Both sets together; unlike `|` it works in a constant.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Hooks {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.and(other)
    }
}

impl BitOr for Capabilities {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.and(other)
    }
}
