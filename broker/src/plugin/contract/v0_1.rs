//! Contract 0.1 in the words of the newest one. Exhaustive on purpose: what a change forgets does not compile.

use super::super::bindings::v0_1::sluice::policy::{current, limits, log, types as old};
use super::super::bindings::{self, types};
use super::super::host::Host;

// === what the guest answers ===

impl From<old::Description> for types::Description {
    fn from(of: old::Description) -> Self {
        let hooks = [
            (old::Hooks::CONNECT, types::Hooks::CONNECT),
            (old::Hooks::EVENT, types::Hooks::EVENT),
            (old::Hooks::DISCONNECT, types::Hooks::DISCONNECT),
        ];
        let capabilities = [
            (old::Capabilities::EMIT, types::Capabilities::EMIT),
            (old::Capabilities::ROOMS, types::Capabilities::ROOMS),
            (
                old::Capabilities::CLUSTER_STATE,
                types::Capabilities::CLUSTER_STATE,
            ),
            (old::Capabilities::HTTP, types::Capabilities::HTTP),
        ];
        let hooks = hooks.iter().filter(|(was, _)| of.hooks.contains(*was));
        let capabilities = capabilities
            .iter()
            .filter(|(was, _)| of.capabilities.contains(*was));
        Self {
            name: of.name,
            version: of.version,
            hooks: hooks.fold(types::Hooks::empty(), |all, (_, now)| all | *now),
            capabilities: capabilities
                .fold(types::Capabilities::empty(), |all, (_, now)| all | *now),
        }
    }
}

impl From<old::Interests> for types::Interests {
    fn from(of: old::Interests) -> Self {
        let event = |rule: old::EventRule| types::EventRule {
            name: rule.name,
            args: rule.args,
        };
        let bucket = |rule: old::BucketRule| types::BucketRule {
            name: rule.name,
            burst: rule.burst,
            per_second: rule.per_second,
            window_ms: rule.window_ms,
            scope: types::Scope::Node,
        };
        Self {
            events: of.events.into_iter().map(event).collect(),
            rooms: Vec::new(),
            buckets: of.buckets.into_iter().map(bucket).collect(),
            metrics: Vec::new(),
        }
    }
}

impl From<old::Admission> for types::Admission {
    fn from(of: old::Admission) -> Self {
        match of {
            old::Admission::Pass => Self::Pass,
            old::Admission::Accept(identity) => Self::Accept(types::Identity {
                user: identity.user,
                attributes: identity.attributes,
                rooms: identity.rooms,
            }),
            old::Admission::Deny(denial) => Self::Deny(denial.into()),
        }
    }
}

impl From<old::Verdict> for types::Verdict {
    fn from(of: old::Verdict) -> Self {
        match of {
            old::Verdict::Pass => Self::Pass,
            old::Verdict::Replace(args) => Self::Replace(args),
            old::Verdict::Deny(denial) => Self::Deny(denial.into()),
            old::Verdict::Drop => Self::Drop,
        }
    }
}

impl From<old::Denial> for types::Denial {
    fn from(of: old::Denial) -> Self {
        Self {
            code: of.code,
            message: of.message,
            retry_after_ms: of.retry_after_ms,
            data: of.data,
            disconnect: of.disconnect,
        }
    }
}

// === what the guest is told ===

pub(super) fn traits(of: types::EventTraits) -> old::EventTraits {
    let pairs = [
        (types::EventTraits::WANTS_ACK, old::EventTraits::WANTS_ACK),
        (
            types::EventTraits::HAS_ATTACHMENTS,
            old::EventTraits::HAS_ATTACHMENTS,
        ),
        (types::EventTraits::REPLACED, old::EventTraits::REPLACED),
    ];
    let set = pairs.iter().filter(|(now, _)| of.contains(*now));
    set.fold(old::EventTraits::empty(), |all, (_, was)| all | *was)
}

pub(super) fn reason(of: types::DisconnectReason) -> old::DisconnectReason {
    match of {
        types::DisconnectReason::Client => old::DisconnectReason::Client,
        types::DisconnectReason::Server => old::DisconnectReason::Server,
        types::DisconnectReason::Transport => old::DisconnectReason::Transport,
        types::DisconnectReason::Timeout => old::DisconnectReason::Timeout,
        types::DisconnectReason::Policy => old::DisconnectReason::Policy,
    }
}

// === what the guest asks for ===

impl old::Host for Host {}

impl limits::Host for Host {
    fn take(&mut self, bucket: u32, whom: limits::Subject, cost: u32) -> limits::Decision {
        let whom = match whom {
            limits::Subject::Socket => types::Subject::Socket,
            limits::Subject::User => types::Subject::User,
            limits::Subject::Address => types::Subject::Address,
            limits::Subject::Namespace => types::Subject::Namespace,
            limits::Subject::Global => types::Subject::Global,
        };
        let decision = bindings::limits::Host::take(self, bucket, whom, cost);
        limits::Decision {
            allowed: decision.allowed,
            remaining: decision.remaining,
            retry_after_ms: decision.retry_after_ms,
        }
    }
}

impl current::Host for Host {
    fn now_ms(&mut self) -> u64 {
        bindings::current::Host::now_ms(self)
    }

    fn event_name(&mut self) -> String {
        bindings::current::Host::event_name(self)
    }

    fn namespace(&mut self) -> String {
        bindings::current::Host::namespace(self)
    }

    fn user(&mut self) -> Option<String> {
        bindings::current::Host::user(self)
    }

    fn attribute(&mut self, name: String) -> Option<String> {
        bindings::current::Host::attribute(self, name)
    }

    fn address(&mut self) -> String {
        bindings::current::Host::address(self)
    }

    fn header(&mut self, name: String) -> Option<String> {
        bindings::current::Host::header(self, name)
    }

    fn query(&mut self, name: String) -> Option<String> {
        bindings::current::Host::query(self, name)
    }

    fn in_room(&mut self, room: String) -> bool {
        bindings::current::Host::in_room(self, room)
    }

    fn attachment_count(&mut self) -> u32 {
        bindings::current::Host::attachment_count(self)
    }

    fn attachment_len(&mut self, index: u32) -> u32 {
        bindings::current::Host::attachment_len(self, index)
    }

    fn attachment(&mut self, index: u32, offset: u32, max_len: u32) -> Vec<u8> {
        bindings::current::Host::attachment(self, index, offset, max_len)
    }
}

impl log::Host for Host {
    fn write(&mut self, level: log::Level, message: String) {
        let level = match level {
            log::Level::Debug => bindings::log::Level::Debug,
            log::Level::Info => bindings::log::Level::Info,
            log::Level::Warn => bindings::log::Level::Warn,
            log::Level::Error => bindings::log::Level::Error,
        };
        bindings::log::Host::write(self, level, message);
    }
}
