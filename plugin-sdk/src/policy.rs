//! The trait that a policy implements.

use serde::Deserialize;

use crate::{
    Admission, Capabilities, ConnectCall, DisconnectReason, EventCall, Hooks, Interests,
    SubscribeCall, Subscription, Verdict,
};

/// A policy: made from its configuration, asked by the broker at its hooks.
///
/// The broker keeps one instance a core and may replace it at any time (a trap, a new configuration), so what
/// has to last or to be counted exactly belongs in a bucket ([`take`](crate::take)) or in the
/// [`store`](crate::store), not in a field.
///
/// A configuration that differs from what the policy works with is a type of its own:
/// `#[serde(try_from = "Config")]` on the policy and `TryFrom<Config, Error = String>` turn one into the other.
///
/// [`#[policy]`](macro@crate::policy) writes the implementation; by hand it is:
///
/// ```
/// use sluice_plugin_sdk::{prelude::*, testing};
/// use serde_json::json;
///
/// #[derive(Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Shout {
///     event: String,
/// }
///
/// impl Policy for Shout {
///     const HOOKS: Hooks = Hooks::EVENT;
///
///     fn interests(&self) -> Interests {
///         Interests::new().event_with_args(&self.event)
///     }
///
///     fn on_event(&mut self, call: &EventCall<'_>) -> Verdict {
///         match call.args::<(String,)>() {
///             Ok((text,)) => Verdict::replace(&[text.to_uppercase()]),
///             Err(error) => error.into(),
///         }
///     }
/// }
///
/// export!(Shout);
///
/// let mut shout = testing::policy::<Shout>(json!({ "event": "message" })).unwrap();
/// assert_eq!(shout.event("message", json!(["hi"])), Verdict::replace(&["HI"]));
/// ```
pub trait Policy: for<'de> Deserialize<'de> + 'static {
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

    /// The events and rooms that this configuration is about, its buckets and metrics. What no rule matches never
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

    /// A client asks to join a room that one of [`interests`](Self::interests) matches, by an event that every policy
    /// has let pass.
    fn on_subscribe(&mut self, call: &SubscribeCall<'_>) -> Subscription {
        let _ = call;
        Subscription::Pass
    }

    /// A client that had connected is gone.
    fn on_disconnect(&mut self, socket: u64, reason: DisconnectReason) {
        let _ = (socket, reason);
    }
}
