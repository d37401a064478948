//! What the answers are made of, and the SDK's types that they become.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::http::Request;
use crate::log::Level;
use crate::testing::effects::{Audience, Effect};
use crate::{Advance, Bucket, Denial, Identity, Interests, Metric, Scope, Subject, Verdict};

/// What else happened during a call.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::testing::component) struct Records {
    pub(in crate::testing::component) effects: Vec<WireEffect>,
    logs: Vec<WireLog>,
    pub(in crate::testing::component) metrics: BTreeMap<String, f64>,
    pub(in crate::testing::component) http: Vec<WireRequest>,
}

#[derive(Debug, Deserialize)]
pub(in crate::testing::component) struct Configured {
    pub(in crate::testing::component) interests: WireInterests,
}

#[derive(Debug, Deserialize)]
pub(in crate::testing::component) struct WireInterests {
    events: Vec<WireEvent>,
    rooms: Vec<String>,
    buckets: Vec<WireBucket>,
    metrics: Vec<WireMetric>,
}

#[derive(Debug, Deserialize)]
struct WireEvent {
    name: String,
    args: bool,
    advance: Option<WireAdvance>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireAdvance {
    PassWithin {
        bucket: usize,
        whom: String,
        cost: u32,
    },
    Coalesce(WireCoalesce),
}

#[derive(Debug, Deserialize)]
struct WireBucket {
    name: String,
    burst: u32,
    per_second: f64,
    window_ms: u32,
    scope: String,
}

#[derive(Debug, Deserialize)]
struct WireMetric {
    name: String,
    kind: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireDenial {
    code: String,
    message: String,
    retry_after_ms: Option<u32>,
    data: Option<Box<RawValue>>,
    #[serde(default)]
    disconnect: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireIdentity {
    user: Option<String>,
    attributes: Vec<(String, String)>,
    rooms: Vec<String>,
    expires_ms: Option<u64>,
    token_id: Option<String>,
    issued_ms: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireCoalesce {
    key: String,
    window_ms: u64,
    leading: bool,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub(in crate::testing::component) enum WireEffect {
    Emit {
        to: String,
        room: Option<String>,
        event: String,
        args: Value,
    },
    Join {
        room: String,
    },
    Leave {
        room: String,
    },
    Disconnect,
    SetAttribute {
        name: String,
        value: String,
    },
}

#[derive(Debug, Deserialize)]
struct WireLog {
    level: String,
    message: String,
}

#[derive(Debug, Deserialize)]
pub(in crate::testing::component) struct WireRequest {
    method: String,
    url: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: String,
    #[serde(default)]
    timeout_ms: u32,
    #[serde(default)]
    max_age_ms: u32,
}

// === impl Records ===

impl Records {
    pub(in crate::testing::component) fn logs(&self) -> impl Iterator<Item = (Level, String)> + '_ {
        self.logs.iter().map(|line| {
            let level = match &*line.level {
                "debug" => Level::Debug,
                "warn" => Level::Warn,
                "error" => Level::Error,
                _ => Level::Info,
            };
            (level, line.message.clone())
        })
    }
}

// === into the SDK's types ===

impl From<WireInterests> for Interests {
    fn from(wire: WireInterests) -> Self {
        let mut interests = Self::new();
        for WireEvent {
            name,
            args,
            advance,
        } in wire.events
        {
            interests = match advance {
                Some(advance) => interests.event_answered(name, advance.into()),
                None if args => interests.event_with_args(name),
                None => interests.event(name),
            };
        }
        interests = wire.rooms.into_iter().fold(interests, Self::room);
        let buckets = wire.buckets.into_iter().map(|bucket| Bucket {
            name: bucket.name,
            burst: bucket.burst,
            per_second: bucket.per_second,
            window_ms: bucket.window_ms,
            scope: if bucket.scope == "cluster" {
                Scope::Cluster
            } else {
                Scope::Node
            },
        });
        interests = buckets.fold(interests, Self::bucket);
        let metrics = wire.metrics.into_iter().map(|metric| {
            if metric.kind == "gauge" {
                Metric::gauge(metric.name)
            } else {
                Metric::counter(metric.name)
            }
        });
        metrics.fold(interests, Self::metric)
    }
}

impl From<WireAdvance> for Advance {
    fn from(wire: WireAdvance) -> Self {
        match wire {
            WireAdvance::PassWithin { bucket, whom, cost } => Self::PassWithin {
                bucket,
                whom: match &*whom {
                    "socket" => Subject::Socket,
                    "user" => Subject::User,
                    "address" => Subject::Address,
                    "namespace" => Subject::Namespace,
                    _ => Subject::Global,
                },
                cost,
            },
            WireAdvance::Coalesce(WireCoalesce {
                key,
                window_ms,
                leading,
            }) => Self::Coalesce {
                key,
                window: Duration::from_millis(window_ms),
                leading,
            },
        }
    }
}

impl From<&WireDenial> for Denial {
    fn from(wire: &WireDenial) -> Self {
        Self {
            code: wire.code.clone(),
            message: wire.message.clone(),
            retry_after_ms: wire.retry_after_ms,
            data: wire.data.as_ref().map(|data| data.get().to_owned()),
            disconnect: wire.disconnect,
        }
    }
}

impl From<&WireIdentity> for Identity {
    fn from(wire: &WireIdentity) -> Self {
        Self {
            user: wire.user.clone(),
            attributes: wire.attributes.clone(),
            rooms: wire.rooms.clone(),
            expires_ms: wire.expires_ms,
            token_id: wire.token_id.clone(),
            issued_ms: wire.issued_ms,
        }
    }
}

impl From<&WireCoalesce> for Verdict {
    fn from(wire: &WireCoalesce) -> Self {
        Self::Coalesce {
            key: wire.key.clone(),
            window: Duration::from_millis(wire.window_ms),
            leading: wire.leading,
        }
    }
}

impl From<WireEffect> for Effect {
    fn from(wire: WireEffect) -> Self {
        match wire {
            WireEffect::Emit {
                to,
                room,
                event,
                args,
            } => {
                let to = match (&*to, room) {
                    ("sender", _) => Audience::Sender,
                    ("others", _) => Audience::Others,
                    ("room", room) => Audience::Room(room.unwrap_or_default()),
                    _ => Audience::All,
                };
                Self::Emit { to, event, args }
            }
            WireEffect::Join { room } => Self::Join(room),
            WireEffect::Leave { room } => Self::Leave(room),
            WireEffect::Disconnect => Self::Disconnect,
            WireEffect::SetAttribute { name, value } => Self::SetAttribute { name, value },
        }
    }
}

impl From<WireRequest> for Request {
    fn from(wire: WireRequest) -> Self {
        Self {
            headers: wire.headers,
            body: wire.body.into_bytes(),
            timeout_ms: wire.timeout_ms,
            max_age_ms: wire.max_age_ms,
            ..Self::new(wire.method, wire.url)
        }
    }
}
