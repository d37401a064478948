//! The lines of the protocol: calls that are written, and what answers them.

mod parts;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::http::{Error, Response};
use crate::testing::engine::{Answer, Ask};
use crate::testing::world::Socket;
use crate::{
    Admission, ClientCertificate, Denial, DisconnectReason, Identity, Subscription, Verdict,
};
use parts::{Configured, Records, WireCoalesce, WireDenial, WireIdentity};

/// A call.
#[derive(Debug, Serialize)]
pub(super) struct Line<'a> {
    at_ms: u64,
    hook: &'static str,
    socket: u64,
    namespace: &'a str,
    address: &'a str,
    user: Option<&'a str>,
    attributes: &'a BTreeMap<String, String>,
    rooms: &'a BTreeSet<String>,
    headers: &'a BTreeMap<String, String>,
    query: &'a BTreeMap<String, String>,
    certificate: Option<&'a ClientCertificate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    refresh: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<Box<RawValue>>,
    wants_ack: bool,
    replaced: bool,
    attachments: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

impl<'a> Line<'a> {
    pub(super) fn new(at_ms: u64, socket: &'a Socket, ask: Ask<'a>) -> Self {
        let mut line = Self {
            at_ms,
            hook: "",
            socket: socket.token,
            namespace: &socket.namespace,
            address: &socket.address,
            user: socket.user.as_deref(),
            attributes: &socket.attributes,
            rooms: &socket.rooms,
            headers: &socket.headers,
            query: &socket.query,
            certificate: socket.certificate.as_ref(),
            auth: None,
            refresh: false,
            event: None,
            args: None,
            wants_ack: false,
            replaced: false,
            attachments: Vec::new(),
            room: None,
            reason: None,
        };
        line.ask(ask);
        line
    }

    fn ask(&mut self, ask: Ask<'a>) {
        match ask {
            Ask::Connect { auth, is_refresh } => {
                self.hook = "connect";
                self.refresh = is_refresh;
                self.auth = Some(raw(auth));
            }
            Ask::Event {
                name,
                args,
                wants_ack,
                replaced,
                attachments,
            } => {
                self.hook = "event";
                self.event = Some(name);
                self.args = Some(raw(args));
                self.wants_ack = wants_ack;
                self.replaced = replaced;
                self.attachments = attachments
                    .iter()
                    .map(|bytes| STANDARD.encode(bytes))
                    .collect();
            }
            Ask::Subscribe { room } => {
                self.hook = "subscribe";
                self.room = Some(room);
            }
            Ask::Disconnect { reason } => {
                self.hook = "disconnect";
                self.reason = Some(match reason {
                    DisconnectReason::Client => "client",
                    DisconnectReason::Server => "server",
                    DisconnectReason::Transport => "transport",
                    DisconnectReason::Timeout => "timeout",
                    DisconnectReason::Policy => "policy",
                });
            }
        }
    }

    pub(super) fn hook(&self) -> &'static str {
        self.hook
    }
}

/// The spelling stays, but a line is one line.
#[expect(clippy::panic, reason = "the way in which a test fails")]
fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.replace(['\n', '\r'], " ")).unwrap_or_else(|error| {
        panic!("the broker hands no policy what is not JSON: {error}: {text}")
    })
}

/// What answers the requests for a URL.
pub(super) fn upstream(url: &str, answer: &Result<Response, Error>) -> Value {
    match answer {
        Ok(Response {
            status,
            headers,
            body,
        }) => json!({
            "url": url,
            "status": status,
            "headers": headers,
            "body": String::from_utf8_lossy(body),
        }),
        Err(error) => {
            let error: Cow<'_, str> = match error {
                Error::Timeout => "timeout".into(),
                Error::TooLarge => "too_large".into(),
                Error::Refused(why) => format!("refused: {why}").into(),
                Error::Failed(why) => format!("failed: {why}").into(),
            };
            json!({ "url": url, "error": error })
        }
    }
}

/// The answer to any line.
#[derive(Debug, Deserialize)]
pub(super) struct Reply {
    pub(super) error: Option<String>,
    pub(super) refused: Option<String>,
    pub(super) configured: Option<Configured>,
    verdict: Option<String>,
    reason: Option<String>,
    args: Option<Box<RawValue>>,
    denial: Option<WireDenial>,
    identity: Option<WireIdentity>,
    coalesce: Option<WireCoalesce>,
    #[serde(flatten)]
    pub(super) records: Records,
}

// === impl Reply ===

impl Reply {
    /// # Panics
    ///
    /// When the policy failed, or the answer is none of this hook's.
    #[expect(clippy::panic, reason = "the way in which a test fails")]
    pub(super) fn answer(self, hook: &str) -> Answer {
        let verdict = self.verdict.as_deref().unwrap_or_default();
        if verdict == "failed" {
            panic!("the policy failed: {}", self.reason.unwrap_or_default());
        }
        let args = || self.args.as_ref().map(|args| args.get().to_owned());
        let denial = || self.denial.as_ref().map(Denial::from);
        let answer = match (hook, verdict) {
            (_, "not_called") => Some(Answer::NotCalled),
            ("connect", "pass") => Some(Answer::Admission(Admission::Pass)),
            ("connect", "accept") => {
                let identity = self.identity.as_ref().map(Identity::from);
                identity.map(|identity| Answer::Admission(identity.into()))
            }
            ("connect", "deny") => denial().map(|denial| Answer::Admission(denial.into())),
            ("event", "pass") => Some(Answer::Verdict(Verdict::Pass)),
            ("event", "drop") => Some(Answer::Verdict(Verdict::Drop)),
            ("event", "deny") => denial().map(|denial| Answer::Verdict(denial.into())),
            ("event", "replace") => args().map(|args| Answer::Verdict(Verdict::Replace(args))),
            ("event", "reply") => args().map(|args| Answer::Verdict(Verdict::Reply(args))),
            ("event", "coalesce") => {
                let coalesce = self.coalesce.as_ref().map(Verdict::from);
                coalesce.map(Answer::Verdict)
            }
            ("subscribe", "pass") => Some(Answer::Subscription(Subscription::Pass)),
            ("subscribe", "deny") => denial().map(|denial| Answer::Subscription(denial.into())),
            ("disconnect", "pass") => Some(Answer::Gone),
            _ => None,
        };
        answer.unwrap_or_else(|| panic!("`{verdict}` is no whole answer of on_{hook}"))
    }
}
