//! Between the contract's types and the SDK's. Exhaustive on purpose: a change of the contract that the SDK does not
//! follow does not compile.

use std::time::Duration;

use super::bindings::sluice::policy::types;
use crate::admission::TOKEN_ID_INVALID;
use crate::{
    Admission, Bucket, Capabilities, Denial, DisconnectReason, EventRule, Hooks, Identity,
    Interests, Metric, MetricKind, Scope, Subject, Subscription, Verdict,
};

impl From<Hooks> for types::Hooks {
    fn from(hooks: Hooks) -> Self {
        let mut flags = Self::empty();
        flags.set(Self::CONNECT, hooks.contains(Hooks::CONNECT));
        flags.set(Self::EVENT, hooks.contains(Hooks::EVENT));
        flags.set(Self::SUBSCRIBE, hooks.contains(Hooks::SUBSCRIBE));
        flags.set(Self::DISCONNECT, hooks.contains(Hooks::DISCONNECT));
        flags
    }
}

impl From<Capabilities> for types::Capabilities {
    fn from(capabilities: Capabilities) -> Self {
        let has = |capability| capabilities.contains(capability);
        let mut flags = Self::empty();
        flags.set(Self::EMIT, has(Capabilities::EMIT));
        flags.set(Self::ROOMS, has(Capabilities::ROOMS));
        flags.set(Self::CLUSTER_STATE, has(Capabilities::CLUSTER_STATE));
        flags.set(Self::HTTP, has(Capabilities::HTTP));
        flags
    }
}

impl From<Scope> for types::Scope {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Node => Self::Node,
            Scope::Cluster => Self::Cluster,
        }
    }
}

impl From<Interests> for types::Interests {
    fn from(interests: Interests) -> Self {
        let (events, rooms, buckets, metrics) = interests.into_parts();
        Self {
            events: events
                .into_iter()
                // What it answers in advance has been told by itself.
                .map(|EventRule { name, args, .. }| types::EventRule { name, args })
                .collect(),
            rooms,
            buckets: buckets.into_iter().map(Into::into).collect(),
            metrics: metrics.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Bucket> for types::BucketRule {
    fn from(bucket: Bucket) -> Self {
        let Bucket {
            name,
            burst,
            per_second,
            window_ms,
            scope,
        } = bucket;
        Self {
            name,
            burst,
            per_second,
            window_ms,
            scope: scope.into(),
        }
    }
}

impl From<Metric> for types::MetricRule {
    fn from(Metric { name, kind }: Metric) -> Self {
        let kind = match kind {
            MetricKind::Counter => types::MetricKind::Counter,
            MetricKind::Gauge => types::MetricKind::Gauge,
        };
        Self { name, kind }
    }
}

impl From<Denial> for types::Denial {
    fn from(denial: Denial) -> Self {
        let Denial {
            code,
            message,
            retry_after_ms,
            data,
            disconnect,
        } = denial;
        Self {
            code,
            message,
            retry_after_ms,
            data,
            disconnect,
        }
    }
}

impl From<Verdict> for types::Verdict {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pass => Self::Pass,
            Verdict::Replace(args) => Self::Replace(args),
            Verdict::Deny(denial) => Self::Deny(denial.into()),
            Verdict::Drop => Self::Drop,
            Verdict::Coalesce {
                key,
                window,
                leading,
            } => Self::Coalesce(coalescing(key, window, leading)),
            Verdict::Reply(args) => Self::Reply(args),
        }
    }
}

/// The window is at least 1 ms: none at all would be a mistake, and 0 has no meaning in the contract.
pub(super) fn coalescing(key: String, window: Duration, leading: bool) -> types::Coalescing {
    let window_ms = u32::try_from(window.as_millis()).unwrap_or(u32::MAX).max(1);
    types::Coalescing {
        key,
        window_ms,
        leading,
    }
}

impl From<Subject> for types::Subject {
    fn from(subject: Subject) -> Self {
        match subject {
            Subject::Socket => Self::Socket,
            Subject::User => Self::User,
            Subject::Address => Self::Address,
            Subject::Namespace => Self::Namespace,
            Subject::Global => Self::Global,
        }
    }
}

impl From<Admission> for types::Admission {
    fn from(admission: Admission) -> Self {
        match admission.checked() {
            Admission::Pass => Self::Pass,
            Admission::Accept(Identity {
                user,
                attributes,
                rooms,
                expires_ms,
                token_id,
                issued_ms,
            }) => {
                if let Err(wrong) = super::host::vouch(expires_ms, token_id.as_deref(), issued_ms) {
                    return Self::Deny(Denial::new(TOKEN_ID_INVALID, wrong).into());
                }
                Self::Accept(types::Identity {
                    user,
                    attributes,
                    rooms,
                })
            }
            Admission::Deny(denial) => Self::Deny(denial.into()),
        }
    }
}

impl From<Subscription> for types::Subscription {
    fn from(subscription: Subscription) -> Self {
        match subscription {
            Subscription::Pass => Self::Pass,
            Subscription::Deny(denial) => Self::Deny(denial.into()),
        }
    }
}

impl From<types::DisconnectReason> for DisconnectReason {
    fn from(reason: types::DisconnectReason) -> Self {
        match reason {
            types::DisconnectReason::Client => Self::Client,
            types::DisconnectReason::Server => Self::Server,
            types::DisconnectReason::Transport => Self::Transport,
            types::DisconnectReason::Timeout => Self::Timeout,
            types::DisconnectReason::Policy => Self::Policy,
        }
    }
}
