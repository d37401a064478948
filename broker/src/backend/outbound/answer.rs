//! What becomes of one who waited: from what came over NATS, or did not, to what the client is told.

use async_nats::{Message, StatusCode};
use bytes::Bytes;
use serde::Deserialize;

use super::Awaited;
use super::replies::Place;
use crate::config::Encoding;
use crate::event::{Code, Denial};
use crate::packet::{self, msgpack};
use crate::telemetry::events::BackendAnswered;
use crate::telemetry::metrics::BackendAnswer;
use crate::telemetry::trace::{Opened, Value};

/// A reply in msgpack becomes text; one that NATS takes is a megabyte unless its operator has said otherwise.
const LONGEST: usize = 16 << 20;

/// What clients are told to wait before they try again to have something stored.
const RETRY_AFTER_MS: u32 = 1000;

/// The header in which a service says that it has failed.
const SERVICE_ERROR: &str = "Nats-Service-Error";

/// Nothing came in time.
pub(super) fn none(place: Place) {
    let (code, message) = match &place.awaited {
        Awaited::Stored(..) => (Code::NotStored, "it was not stored in time"),
        _ => (
            Code::BackendTimeout,
            "the back end has not answered in time",
        ),
    };
    refuse(place, BackendAnswer::Timeout, Denial::broker(code, message));
}

/// What an answer says about the way there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Given {
    Settled,
    NoStream,
}

/// Something came.
pub(super) fn given(place: Place, message: Message) -> Given {
    let is_missing = message.status == Some(StatusCode::NO_RESPONDERS);
    match &place.awaited {
        Awaited::Stored(..) if is_missing => {
            let denial = Denial::broker(Code::NotStored, "no stream takes the event's subject");
            refuse(place, BackendAnswer::Missing, denial);
            return Given::NoStream;
        }
        Awaited::Stored(..) => match stored(&message.payload) {
            Ok(()) => settle(place, |awaited| {
                if let Awaited::Stored(laters, _) = awaited {
                    laters.into_iter().for_each(|later| later.ok());
                }
            }),
            Err(why) => {
                let denial = Denial::broker(Code::NotStored, why);
                refuse(place, BackendAnswer::Failed, denial);
            }
        },
        _ if is_missing => {
            let denial = Denial::broker(Code::BackendMissing, "no back end takes this event");
            refuse(place, BackendAnswer::Missing, denial);
        }
        _ => match reply(place.encoding, &message) {
            Ok(args) => settle(place, |awaited| {
                if let Awaited::Reply(later, _) = awaited {
                    later.answer(&args);
                }
            }),
            Err(why) => {
                let denial = Denial::broker(Code::BackendFailed, why);
                refuse(place, BackendAnswer::Failed, denial);
            }
        },
    }
    Given::Settled
}

fn settle(place: Place, tell: impl FnOnce(Awaited)) {
    BackendAnswered {
        subject: &place.subject,
        answer: BackendAnswer::Ok,
        reason: "",
    }
    .emit();
    tell(place.awaited);
    traced(place.span, BackendAnswer::Ok, None);
}

fn refuse(place: Place, answer: BackendAnswer, mut denial: Denial) {
    BackendAnswered {
        subject: &place.subject,
        answer,
        reason: &denial.message,
    }
    .emit();
    if matches!(place.awaited, Awaited::Stored(..)) {
        denial.retry_after_ms = Some(RETRY_AFTER_MS);
    }
    place.awaited.denied(&denial);
    traced(place.span, answer, Some(&denial));
}

/// The span ends when the client's ack has been handed over.
fn traced(span: Option<Box<Opened>>, answer: BackendAnswer, denial: Option<&Denial>) {
    let Some(span) = span else {
        return;
    };
    let span = span.with("sluice.outcome", answer.as_str());
    match denial {
        Some(denial) => span
            .with("sluice.code", Value::said(&denial.code))
            .failed()
            .close(),
        None => span.close(),
    }
}

/// What JetStream says to a message that was published to it.
#[derive(Deserialize)]
struct Said {
    seq: Option<u64>,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    description: Option<String>,
}

fn stored(payload: &[u8]) -> Result<(), String> {
    match serde_json::from_slice(payload) {
        Ok(Said {
            seq: Some(_),
            error: None,
        }) => Ok(()),
        Ok(Said {
            error: Some(refusal),
            ..
        }) => Err(format!(
            "the stream has refused it: {}",
            refusal.description.as_deref().unwrap_or("without a reason")
        )),
        _ => Err("somebody other than a stream has answered".to_owned()),
    }
}

/// The arguments of an ack: an array is all of them, anything else is the only one.
fn reply(asked: Encoding, message: &Message) -> Result<String, String> {
    let header = |name: &str| {
        let value = message.headers.as_ref()?.get(name)?;
        Some(value.as_str())
    };
    if let Some(error) = header(SERVICE_ERROR) {
        return Err(format!("the back end failed: {}", clipped(error)));
    }
    let encoding = match header("Content-Type") {
        Some("application/msgpack" | "application/x-msgpack") => Encoding::Msgpack,
        Some("application/json") => Encoding::Json,
        _ => asked,
    };
    let text = text(encoding, &message.payload)?;
    let unreadable = |why: String| format!("the back end's reply cannot be read: {why}");
    let args = if text.trim_start().starts_with('[') {
        text
    } else {
        // Between brackets, what is no value could become several.
        let read = serde_json::from_str::<serde::de::IgnoredAny>(&text);
        read.map_err(|error| unreadable(error.to_string()))?;
        format!("[{text}]")
    };
    packet::check_args(&args, 0).map_err(|denial| unreadable(denial.message))?;
    Ok(args)
}

fn text(encoding: Encoding, payload: &Bytes) -> Result<String, String> {
    match encoding {
        Encoding::Json => String::from_utf8(payload.to_vec())
            .map_err(|_| "the back end's reply is not UTF-8".to_owned()),
        Encoding::Msgpack => {
            let limits = msgpack::Limits {
                attachments: 0,
                text: LONGEST,
            };
            let (text, _) = msgpack::to_json(payload, limits).map_err(|denial| {
                format!("the back end's reply cannot be read: {}", denial.message)
            })?;
            Ok(text)
        }
    }
}

fn clipped(text: &str) -> &str {
    const LONGEST: usize = 256;
    text.get(..text.floor_char_boundary(LONGEST))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use async_nats::HeaderMap;

    use super::*;

    fn message(payload: &[u8], headers: &[(&str, &str)]) -> Message {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, *value);
        }
        Message {
            subject: "s".into(),
            reply: None,
            payload: Bytes::copy_from_slice(payload),
            headers: Some(map),
            status: None,
            description: None,
            length: 0,
        }
    }

    #[test]
    fn a_reply_is_the_arguments_or_the_only_one() {
        let read = |payload: &[u8]| reply(Encoding::Json, &message(payload, &[]));
        assert_eq!(read(b"[1,{\"a\":2}]").unwrap(), "[1,{\"a\":2}]");
        assert_eq!(read(b" {\"a\":2}").unwrap(), "[ {\"a\":2}]");
        assert_eq!(read(b"null").unwrap(), "[null]");
        for wrong in [
            &b""[..],
            b"[1",
            b"1 2",
            b"\xff",
            b"nonsense",
            b"1,2",
            b"1],[2",
        ] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_reply_is_read_as_it_says_or_as_was_asked() {
        let packed = [0x92, 1, 0xa1, b'x'];
        let read = |asked, payload: &[u8], kind: &str| {
            reply(asked, &message(payload, &[("Content-Type", kind)]))
        };
        assert_eq!(read(Encoding::Msgpack, &packed, "?").unwrap(), "[1,\"x\"]");
        assert_eq!(
            read(Encoding::Json, &packed, "application/msgpack").unwrap(),
            "[1,\"x\"]"
        );
        assert_eq!(
            read(Encoding::Msgpack, b"7", "application/json").unwrap(),
            "[7]"
        );
        // An ack has no place for binary values.
        assert!(read(Encoding::Msgpack, &[0x91, 0xc4, 1, 0], "?").is_err());
        let failed = message(b"", &[("Nats-Service-Error", "no such thing")]);
        assert!(
            reply(Encoding::Json, &failed)
                .unwrap_err()
                .contains("no such thing")
        );
    }

    #[test]
    fn stored_is_what_a_stream_says() {
        assert!(stored(br#"{"stream":"S","seq":7}"#).is_ok());
        assert!(stored(br#"{"stream":"S","seq":7,"duplicate":true}"#).is_ok());
        let refused = stored(br#"{"error":{"code":503,"description":"full"},"seq":0}"#);
        assert!(refused.unwrap_err().contains("full"));
        assert!(stored(b"ok").is_err());
        assert!(stored(b"{}").is_err());
    }
}
