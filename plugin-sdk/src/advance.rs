//! Answers that a policy gives in advance, so that the broker need not call it.

use std::time::Duration;

use crate::{Interests, Subject};

/// What an event rule answers by itself, without a call of the policy.
///
/// `on_event` has to answer the same for such a rule: an older broker calls it for every event, and so does whoever sees a
/// reason to.
///
/// ```
/// use sluice_plugin_sdk::{Advance, Bucket, Interests, Subject};
///
/// let votes = Advance::within(0, Subject::User, 1);
/// let interests = Interests::new()
///     .event_answered("vote", votes.clone())
///     .bucket(Bucket::tokens("votes", 5, 0.1));
/// assert_eq!(interests.events()[0].advance, Some(votes));
/// ```
///
/// `#[policy]` has it as a setting:
///
/// ```
/// use serde_json::json;
/// use sluice_plugin_sdk::{prelude::*, testing};
///
/// #[policy]
/// struct Votes {}
///
/// #[policy]
/// impl Votes {
///     #[buckets]
///     fn buckets(&self) -> [Bucket; 1] {
///         [Bucket::tokens("votes", 1, 0.0)]
///     }
///
///     #[on_event("vote", advance = Advance::within(0, Subject::User, 1))]
///     fn vote(&mut self) -> Verdict {
///         match take(0, Subject::User, 1).allowed {
///             true => Verdict::Pass,
///             false => Verdict::deny("voted", "You have voted already"),
///         }
///     }
/// }
///
/// let mut votes = testing::policy::<Votes>(json!({})).unwrap();
/// assert_eq!(votes.event("vote", json!([])), Verdict::Pass, "it was not called");
/// assert_eq!(votes.event("vote", json!([])).denial().unwrap().code, "voted");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advance {
    /// The event passes while the bucket has `cost` left, which is taken. The policy is asked about those for which it has
    /// not, and nothing has been taken for them.
    PassWithin {
        /// The number of the bucket.
        bucket: usize,
        /// Whom it counts.
        whom: Subject,
        /// What an event takes.
        cost: u32,
    },
    /// The event is coalesced, as by [`Verdict::Coalesce`](crate::Verdict::Coalesce).
    Coalesce {
        /// Events of one socket that share it are one.
        key: String,
        /// How long the newest waits.
        window: Duration,
        /// Whether the first of a window is delivered at once.
        leading: bool,
    },
}

impl Advance {
    /// Within what the bucket with this number allows, the event passes.
    #[must_use]
    pub fn within(bucket: usize, whom: Subject, cost: u32) -> Self {
        Self::PassWithin { bucket, whom, cost }
    }

    /// The event is coalesced. The window is rounded down to milliseconds.
    #[must_use]
    pub fn coalesce(key: impl Into<String>, window: Duration, leading: bool) -> Self {
        Self::Coalesce {
            key: key.into(),
            window,
            leading,
        }
    }
}

impl Interests {
    /// Adds a rule for events that are answered in advance. The policy is asked about those that are not, without their
    /// arguments.
    #[must_use]
    pub fn event_answered(self, glob: impl Into<String>, advance: Advance) -> Self {
        let mut interests = self.event(glob);
        if let Some(rule) = interests.events.last_mut() {
            rule.advance = Some(advance);
        }
        interests.promising()
    }

    /// What `#[policy]` makes of `#[on_event(…, advance = …)]`.
    #[doc(hidden)]
    #[must_use]
    pub fn __advance(mut self, handler: u32, advance: &Advance) -> Self {
        for (rule, its) in self.events.iter_mut().zip(&self.event_handlers) {
            if *its == handler {
                rule.advance = Some(advance.clone());
            }
        }
        self.promising()
    }

    #[cfg_attr(
        not(target_family = "wasm"),
        expect(unused_mut, reason = "natively the rules are read as they are")
    )]
    fn promising(mut self) -> Self {
        #[cfg(target_family = "wasm")]
        {
            self.promise = crate::interests::Promise(Some(crate::host::promise));
        }
        self
    }
}
