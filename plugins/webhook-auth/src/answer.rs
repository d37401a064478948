//! What a back end may answer. Anything else is no decision, and a client about whom there is none is treated as the
//! operator has said for that case.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use sluice_plugin_sdk::http::Response;
use sluice_plugin_sdk::{Denial, Identity};

/// A decision.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    Admit(Identity),
    /// The client comes in, and who it is, if anyone, is for other policies to say.
    Pass,
    Deny(Denial),
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    user: Option<TextOrNumber>,
    attributes: Option<BTreeMap<String, Box<RawValue>>>,
    rooms: Option<Vec<TextOrNumber>>,
    expires_at: Option<Date>,
    /// Seconds.
    expires_in: Option<f64>,
    token_id: Option<TextOrNumber>,
    issued_at: Option<Date>,
    /// Whatever it is, it is no admission.
    deny: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Reason {
    code: Option<String>,
    message: Option<String>,
    data: Option<Value>,
    retry_after_ms: Option<u32>,
}

/// Seconds since the Unix epoch, as in a token.
#[derive(Clone, Copy, Deserialize)]
#[serde(transparent)]
struct Date(f64);

#[derive(Deserialize)]
#[serde(untagged)]
enum TextOrNumber {
    Text(String),
    Number(serde_json::Number),
}

/// `Err` says why it is no decision, without anything that the answer holds.
pub(crate) fn read(response: &Response, now_ms: u64) -> Result<Answer, String> {
    match response.status {
        200 => admission(&response.body, now_ms),
        204 => Ok(Answer::Pass),
        // A body that says more is welcome, and not needed.
        401 => Ok(Answer::Deny(refusal(
            response,
            "unauthorized",
            "Authentication required",
        ))),
        403 => Ok(Answer::Deny(refusal(
            response,
            "forbidden",
            "You may not connect",
        ))),
        status => Err(format!("its answer has the status {status}")),
    }
}

fn admission(body: &[u8], now_ms: u64) -> Result<Answer, String> {
    let body: Body = parse(body).ok_or(
        "its answer is not of the form {\"user\", \"attributes\", \"rooms\", \"expires_at\", \"expires_in\", \"token_id\", \"issued_at\"} or {\"deny\"}",
    )?;
    if let Some(deny) = body.deny.filter(|deny| !matches!(deny, Value::Bool(false))) {
        let reason: Reason = serde_json::from_value(deny).unwrap_or_default();
        let denial = reason.denial("forbidden", "You may not connect");
        return Ok(Answer::Deny(denial));
    }
    let mut identity = Identity {
        user: body.user.map(String::from).filter(|user| !user.is_empty()),
        ..Identity::default()
    };
    for (name, value) in body.attributes.unwrap_or_default() {
        if let Some(value) = text(value.get()) {
            identity.attributes.push((name, value));
        }
    }
    let rooms = body.rooms.unwrap_or_default().into_iter();
    identity.rooms.extend(rooms.map(String::from));
    for expires in [
        body.expires_at.map(Date::ms),
        body.expires_in.map(|seconds| from_now(seconds, now_ms)),
    ] {
        identity = expires.into_iter().fold(identity, Identity::expires_ms);
    }
    identity.token_id = body.token_id.map(String::from).filter(|id| !id.is_empty());
    let is_too_long = |id: &String| id.len() > Identity::MAX_TOKEN_ID;
    if identity.token_id.as_ref().is_some_and(is_too_long) {
        // By which nobody could revoke it.
        return Err(format!(
            "its answer has a `token_id` of more than {} bytes",
            Identity::MAX_TOKEN_ID
        ));
    }
    identity.issued_ms = body.issued_at.map(Date::ms);
    Ok(Answer::Admit(identity))
}

fn from_now(seconds: f64, now_ms: u64) -> u64 {
    now_ms.saturating_add(Date(seconds).ms())
}

/// A text as it is meant, anything else as its JSON text; none where it is null.
fn text(json: &str) -> Option<String> {
    match json {
        "null" => None,
        _ if json.starts_with('"') => serde_json::from_str(json).ok(),
        _ => Some(json.to_owned()),
    }
}

fn refusal(response: &Response, code: &str, message: &str) -> Denial {
    let body: Option<Map<String, Value>> = parse(&response.body);
    // With or without `deny` around it.
    let reason = body.map(|mut body| body.remove("deny").unwrap_or(Value::Object(body)));
    let reason: Option<Reason> = reason.and_then(|reason| serde_json::from_value(reason).ok());
    reason.unwrap_or_default().denial(code, message)
}

/// An object: serde would take a list for a struct as well.
fn parse<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Option<T> {
    let body = body.trim_ascii_start();
    body.starts_with(b"{")
        .then(|| serde_json::from_slice(body).ok())?
}

impl Date {
    /// Milliseconds; what lies before the epoch is its beginning.
    fn ms(self) -> u64 {
        // Saturates at both ends.
        (self.0 * 1_000.0) as u64
    }
}

impl Reason {
    fn denial(self, code: &str, message: &str) -> Denial {
        let denial = Denial {
            retry_after_ms: self.retry_after_ms,
            ..Denial::new(
                self.code.unwrap_or_else(|| code.to_owned()),
                self.message.unwrap_or_else(|| message.to_owned()),
            )
        };
        match self.data {
            None | Some(Value::Null) => denial,
            Some(data) => denial.data(&data),
        }
    }
}

impl From<TextOrNumber> for String {
    fn from(value: TextOrNumber) -> Self {
        match value {
            TextOrNumber::Text(text) => text,
            TextOrNumber::Number(number) => number.to_string(),
        }
    }
}
