//! What a policy says about itself before it is configured: its hooks and what it asks for.

use std::ops::BitOr;

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
    /// [`Policy::on_connect`](crate::Policy::on_connect).
    pub const CONNECT: Self = Self(1);
    /// [`Policy::on_event`](crate::Policy::on_event).
    pub const EVENT: Self = Self(1 << 1);
    /// [`Policy::on_disconnect`](crate::Policy::on_disconnect).
    pub const DISCONNECT: Self = Self(1 << 2);
    /// [`Policy::on_subscribe`](crate::Policy::on_subscribe).
    pub const SUBSCRIBE: Self = Self(1 << 3);

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
///
/// ```
/// use sluice_plugin_sdk::Capabilities;
///
/// const ASKS: Capabilities = Capabilities::EMIT.and(Capabilities::ROOMS);
/// assert!(ASKS.contains(Capabilities::EMIT) && !ASKS.contains(Capabilities::HTTP));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities(u8);

impl Capabilities {
    /// None, which is enough for every verdict, for buckets and the store, for metrics and the log.
    pub const NONE: Self = Self(0);
    /// Emitting events to clients.
    pub const EMIT: Self = Self(1);
    /// Joining and leaving rooms, disconnecting.
    pub const ROOMS: Self = Self(1 << 1);
    /// State that all nodes share.
    pub const CLUSTER_STATE: Self = Self(1 << 2);
    /// HTTP requests to hosts that the operator lists, when a client connects.
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
