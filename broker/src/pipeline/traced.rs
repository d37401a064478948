//! What traces say of the calls of policies.

use std::sync::Arc;

use crate::config::Mode;
use crate::event::Denial;
use crate::plugin::{Fault, Policy};
use crate::telemetry::metrics::Hook;
use crate::telemetry::trace::{Opened, Value};

/// A policy's answer to one hook, in words.
pub(super) struct Said<'a> {
    pub verdict: &'static str,
    pub denial: Option<&'a Denial>,
    pub fault: Option<&'a Fault>,
}

impl<'a> Said<'a> {
    pub(super) fn verdict(verdict: &'static str) -> Self {
        Self {
            verdict,
            denial: None,
            fault: None,
        }
    }

    pub(super) fn deny(denial: &'a Denial) -> Self {
        Self {
            denial: Some(denial),
            ..Self::verdict("deny")
        }
    }

    pub(super) fn failed(fault: &'a Fault) -> Self {
        Self {
            fault: Some(fault),
            ..Self::verdict("failed")
        }
    }
}

/// The call is over. `said` is asked for only if it is recorded.
pub(super) fn called<'a>(
    span: Option<Opened>,
    policy: &Arc<Policy>,
    hook: Hook,
    said: impl FnOnce() -> Said<'a>,
) {
    let Some(span) = span else {
        return;
    };
    let said = said();
    let mut span = span
        .named(format!("policy {}", policy.name))
        .with("sluice.policy", &policy.name)
        .with("sluice.hook", hook.as_str())
        .with("sluice.verdict", said.verdict);
    if policy.settings.mode == Mode::Shadow {
        span = span.with("sluice.mode", "shadow");
    }
    if let Some(denial) = said.denial {
        span = span.with("sluice.code", Value::said(&denial.code));
    }
    if let Some(fault) = said.fault {
        span = span.with("sluice.fault", fault.kind.as_str()).failed();
    }
    span.close();
}
