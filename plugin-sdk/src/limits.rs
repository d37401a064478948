//! Taking from the buckets of [`Interests`](crate::Interests).

use crate::host;

/// Whom a bucket counts, as in `take(0, Subject::User, 1)`. The host knows the socket that is being served, so a policy never names one.
///
/// ```
/// use sluice_plugin_sdk::Subject;
///
/// assert_ne!(Subject::User, Subject::Address);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// The socket: one client in one namespace, until it disconnects.
    Socket,
    /// The user, on however many sockets; for a client that no policy has given a user, its address.
    User,
    /// The client's IP address.
    Address,
    /// All clients of the namespace together.
    Namespace,
    /// All clients together.
    Global,
}

/// The answer of a bucket.
///
/// ```
/// use sluice_plugin_sdk::{Decision, Denial};
///
/// let decision = Decision { allowed: false, remaining: 0, retry_after_ms: 250 };
/// let denial = Denial::new("slow", "Slow down").retry_after_ms(decision.retry_after_ms);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Whether the cost has been taken.
    pub allowed: bool,
    /// What can still be taken now.
    pub remaining: u32,
    /// In how many milliseconds the same cost may be had; 0 when `allowed`, `u32::MAX` when never.
    pub retry_after_ms: u32,
}

/// Takes `cost` from the bucket with this number, all of it or nothing.
///
/// ```
/// use sluice_plugin_sdk::prelude::*;
/// use serde_json::json;
///
/// #[policy]
/// struct Once {}
///
/// #[policy]
/// impl Once {
///     #[buckets]
///     fn buckets(&self) -> [Bucket; 1] {
///         [Bucket::tokens("votes", 1, 0.0)]
///     }
///
///     #[on_event("vote")]
///     fn vote(&mut self) -> Verdict {
///         if take(0, Subject::User, 1).allowed {
///             Verdict::Pass
///         } else {
///             Verdict::deny("voted", "You have voted already")
///         }
///     }
/// }
///
/// let mut once = sluice_plugin_sdk::testing::policy::<Once>(json!({})).unwrap();
/// assert_eq!(once.event("vote", json!([])), Verdict::Pass);
/// assert_eq!(once.event("vote", json!([])).denial().unwrap().code, "voted");
/// ```
pub fn take(bucket: usize, whom: Subject, cost: u32) -> Decision {
    host::take(bucket, whom, cost)
}
