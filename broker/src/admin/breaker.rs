//! The breaker of a policy, as the API shows it.

use std::time::SystemTime;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::node::{Iso, iso};

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct BreakerInfo {
    pub state: BreakerWord,
    /// Since when it has been open, or closed; half-open counts as open.
    #[serde(serialize_with = "iso")]
    #[schemars(with = "Iso")]
    pub since: SystemTime,
    /// Calls that failed in the window that runs or that opened it, and the tries that failed since.
    pub failures: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_fault: Option<String>,
    /// While it is open: when a call will be tried.
    #[serde(serialize_with = "iso_if_any", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Iso>")]
    pub retry_at: Option<SystemTime>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum BreakerWord {
    Closed,
    Open,
    /// One call is under way that tries it.
    HalfOpen,
}

pub(super) fn iso_if_any<S: Serializer>(
    time: &Option<SystemTime>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => iso(time, serializer),
        None => serializer.serialize_none(),
    }
}
