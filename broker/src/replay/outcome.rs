//! What came of a call.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::event::{Coalescing, Denial, Effect, Identity, Recipients};
use crate::plugin::Request;
use crate::telemetry::events::Level;

/// What a policy answered.
#[derive(Debug)]
pub(super) enum Verdict {
    NotCalled,
    Pass,
    Accept(Identity),
    Replace(Arc<str>),
    Deny(Denial),
    Drop,
    Coalesce(Coalescing),
    Reply(Arc<str>),
    /// Why there is no answer.
    Failed(String),
}

/// A call and everything that the policy did during it.
#[derive(Debug)]
pub(super) struct Outcome {
    pub verdict: Verdict,
    pub effects: Vec<Effect>,
    pub logs: Vec<(Level, String)>,
    pub metrics: BTreeMap<String, f64>,
    pub requests: Vec<Request>,
    pub ns: u64,
}

impl Verdict {
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::NotCalled => "not_called",
            Self::Pass => "pass",
            Self::Accept(_) => "accept",
            Self::Replace(_) => "replace",
            Self::Deny(_) => "deny",
            Self::Drop => "drop",
            Self::Coalesce(_) => "coalesce",
            Self::Reply(_) => "reply",
            Self::Failed(_) => "failed",
        }
    }

    /// A few words beside the verdict, for a table.
    pub(super) fn detail(&self) -> String {
        match self {
            Self::NotCalled | Self::Pass | Self::Drop => String::new(),
            Self::Accept(identity) => identity.user.as_deref().unwrap_or_default().to_owned(),
            Self::Replace(args) | Self::Reply(args) => args.to_string(),
            Self::Deny(denial) => format!("{}: {}", denial.code, denial.message),
            Self::Coalesce(it) => format!("{} for {} ms", it.key, it.window.as_millis()),
            Self::Failed(reason) => reason.clone(),
        }
    }
}

/// An outcome as it is written.
#[derive(Debug, Default, Serialize)]
pub(super) struct Shown<'a> {
    pub verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<ShownIdentity<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    denial: Option<ShownDenial<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    coalesce: Option<ShownCoalescing<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    effects: Vec<ShownEffect<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logs: Vec<ShownLog<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metrics: BTreeMap<&'a str, serde_json::Number>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    http: Vec<ShownRequest<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ns: Option<u64>,
}

#[derive(Debug, Serialize)]
struct ShownIdentity<'a> {
    user: Option<&'a str>,
    attributes: &'a [(String, String)],
    rooms: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_ms: Option<u64>,
}

#[derive(Debug, Serialize)]
struct ShownDenial<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
    disconnect: bool,
}

#[derive(Debug, Serialize)]
struct ShownCoalescing<'a> {
    key: &'a str,
    window_ms: u64,
    leading: bool,
}

#[derive(Debug, Serialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
enum ShownEffect<'a> {
    Emit {
        to: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        room: Option<&'a str>,
        event: &'a str,
        args: Option<Box<RawValue>>,
    },
    Join {
        room: &'a str,
    },
    Leave {
        room: &'a str,
    },
    Disconnect,
    SetAttribute {
        name: &'a str,
        value: &'a str,
    },
}

#[derive(Debug, Serialize)]
struct ShownLog<'a> {
    level: &'static str,
    message: &'a str,
}

#[derive(Debug, Serialize)]
struct ShownRequest<'a> {
    method: &'a str,
    url: &'a str,
    headers: &'a [(String, String)],
    body: std::borrow::Cow<'a, str>,
    timeout_ms: u32,
    max_age_ms: u32,
}

impl Outcome {
    /// All of it.
    pub(super) fn show(&self) -> Shown<'_> {
        let logs = self.logs.iter().map(|(level, message)| ShownLog {
            level: match level {
                Level::Debug => "debug",
                Level::Info => "info",
                Level::Warn => "warn",
                Level::Error => "error",
            },
            message,
        });
        let requests = self.requests.iter().map(|request| ShownRequest {
            method: &request.method,
            url: &request.url,
            headers: &request.headers,
            body: String::from_utf8_lossy(&request.body),
            timeout_ms: request.timeout_ms,
            max_age_ms: request.max_age_ms,
        });
        let metrics = self.metrics.iter();
        Shown {
            logs: logs.collect(),
            metrics: metrics
                .filter_map(|(name, value)| Some((name.as_str(), number(*value)?)))
                .collect(),
            http: requests.collect(),
            ns: Some(self.ns),
            ..self.show_answer()
        }
    }

    /// The answer and the effects: what the same event comes to every time.
    pub(super) fn show_answer(&self) -> Shown<'_> {
        let mut shown = Shown {
            verdict: self.verdict.as_str(),
            effects: self.effects.iter().filter_map(effect).collect(),
            ..Shown::default()
        };
        match &self.verdict {
            Verdict::NotCalled | Verdict::Pass | Verdict::Drop => {}
            Verdict::Accept(identity) => {
                let grant = identity.grant.as_ref();
                shown.identity = Some(ShownIdentity {
                    user: identity.user.as_deref(),
                    attributes: &identity.attributes,
                    rooms: &identity.rooms,
                    expires_ms: identity.expires_ms(),
                    token_id: grant.and_then(|it| it.token.as_deref()),
                    issued_ms: grant.and_then(|it| it.issued_ms.get()),
                });
            }
            Verdict::Replace(args) | Verdict::Reply(args) => shown.args = raw(args),
            Verdict::Deny(denial) => {
                shown.denial = Some(ShownDenial {
                    code: &denial.code,
                    message: &denial.message,
                    retry_after_ms: denial.retry_after_ms,
                    data: denial.data.as_ref().and_then(|data| raw(data.get())),
                    disconnect: denial.disconnect,
                });
            }
            Verdict::Coalesce(coalescing) => {
                shown.coalesce = Some(ShownCoalescing {
                    key: &coalescing.key,
                    window_ms: coalescing.window.as_millis() as u64,
                    leading: coalescing.leading,
                });
            }
            Verdict::Failed(reason) => shown.reason = Some(reason),
        }
        shown
    }
}

impl Shown<'_> {
    pub(super) fn without_reason(&mut self) {
        self.reason = None;
    }
}

/// `None`: it is none, but a part of an identity.
fn effect(effect: &Effect) -> Option<ShownEffect<'_>> {
    Some(match effect {
        Effect::Emit { to, event } => {
            let (to, room) = match to {
                Recipients::Sender => ("sender", None),
                Recipients::Others => ("others", None),
                Recipients::Room { name, .. } => ("room", Some(name.as_str())),
                // Policies have no word for the rooms of the sender.
                Recipients::All | Recipients::SenderRooms { .. } => ("all", None),
            };
            ShownEffect::Emit {
                to,
                room,
                event: &event.name,
                args: raw(&event.args),
            }
        }
        Effect::Join(room) => ShownEffect::Join { room },
        Effect::Leave(room) => ShownEffect::Leave { room },
        Effect::Disconnect => ShownEffect::Disconnect,
        Effect::SetAttribute { name, value } => ShownEffect::SetAttribute { name, value },
        Effect::Vouch(_) => return None,
    })
}

/// In the policy's own spelling, on one line: between tokens, which is where JSON can have them, line breaks become
/// spaces. It was checked when the policy said it.
fn raw(text: &str) -> Option<Box<RawValue>> {
    RawValue::from_string(text.trim().replace(['\n', '\r'], " ")).ok()
}

/// A whole number without a fraction, as counters are.
fn number(value: f64) -> Option<serde_json::Number> {
    /// Up to here every whole number has a float of its own.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= EXACT {
        return Some((value as i64).into());
    }
    serde_json::Number::from_f64(value)
}
