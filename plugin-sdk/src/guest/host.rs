//! The broker, as the modules `advance`, `current`, `limits`, `effects`, `session`, `store`, `http`, `log` and `metrics` call it.

use super::bindings::sluice::policy::{
    advance, current, effects, http, limits, log as lines, metrics, session, store,
};
use super::convert::coalescing;
use crate::http::{Error, Request, Response};
use crate::log::Level;
use crate::{Advance, ClientCertificate, Decision, EventRule, Scope, Subject, Target};

pub(crate) use super::bindings::sluice::policy::current::{
    address, attachment, attachment_count, attachment_len, attribute, event_id, event_name, header,
    in_room, namespace, now_ms, query, rooms, socket_id, user,
};
pub(crate) use effects::{disconnect, join, leave, set_attribute};
pub(crate) use session::is_refresh;

/// Says what an identity has beside user, attributes and rooms.
pub(crate) fn vouch(
    expires_ms: Option<u64>,
    token_id: Option<&str>,
    issued_ms: Option<u64>,
) -> Result<(), String> {
    if let Some(at_ms) = expires_ms {
        session::expires(at_ms);
    }
    match (token_id, issued_ms) {
        (None, None) => Ok(()),
        _ => session::token(token_id, issued_ms),
    }
}

pub(crate) fn client_certificate() -> Option<ClientCertificate> {
    let current::Certificate {
        subject,
        common_name,
        alternative_names,
        fingerprint,
    } = current::client_certificate()?;
    Some(ClientCertificate {
        subject,
        common_name,
        alternative_names,
        fingerprint,
    })
}

pub(crate) fn take(bucket: usize, whom: Subject, cost: u32) -> Decision {
    let limits::Decision {
        allowed,
        remaining,
        retry_after_ms,
    } = limits::take(number(bucket), whom.into(), cost);
    Decision {
        allowed,
        remaining,
        retry_after_ms,
    }
}

/// Says which rules answer in advance, and what.
pub(crate) fn promise(rules: &[EventRule]) {
    for (rule, EventRule { advance, .. }) in rules.iter().enumerate() {
        let rule = number(rule);
        match advance {
            Some(Advance::PassWithin { bucket, whom, cost }) => {
                advance::pass_within(rule, number(*bucket), (*whom).into(), *cost);
            }
            Some(Advance::Coalesce {
                key,
                window,
                leading,
            }) => advance::coalesce(rule, &coalescing(key.clone(), *window, *leading)),
            None => {}
        }
    }
}

/// A number that does not fit is none of the policy's; the host knows what to do with such.
fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

pub(crate) fn log(level: Level, message: &str) {
    let level = match level {
        Level::Debug => lines::Level::Debug,
        Level::Info => lines::Level::Info,
        Level::Warn => lines::Level::Warn,
        Level::Error => lines::Level::Error,
    };
    lines::write(level, message);
}

pub(crate) fn metric_add(metric: usize, by: u64) {
    metrics::add(number(metric), by);
}

pub(crate) fn metric_set(metric: usize, value: f64) {
    metrics::set(number(metric), value);
}

pub(crate) fn emit(to: Target<'_>, event: &str, args: &str) -> Result<(), String> {
    let to = match to {
        Target::Sender => effects::Target::Sender,
        Target::Others => effects::Target::Others,
        Target::All => effects::Target::All,
        Target::Room(room) => effects::Target::Room(room.to_owned()),
    };
    effects::emit(&to, event, args)
}

pub(crate) fn store_add(scope: Scope, key: &str, by: i64, ttl_ms: u64) -> Result<i64, String> {
    store::add(scope.into(), key, by, ttl_ms)
}

pub(crate) fn store_get(scope: Scope, key: &str) -> Result<Option<Vec<u8>>, String> {
    store::get(scope.into(), key)
}

pub(crate) fn store_set(scope: Scope, key: &str, value: &[u8], ttl_ms: u64) -> Result<(), String> {
    store::set(scope.into(), key, value, ttl_ms)
}

pub(crate) fn store_compare_and_swap(
    scope: Scope,
    key: &str,
    old: Option<&[u8]>,
    new: &[u8],
    ttl_ms: u64,
) -> Result<bool, String> {
    store::compare_and_swap(scope.into(), key, old, new, ttl_ms)
}

pub(crate) fn store_delete(scope: Scope, key: &str) -> Result<(), String> {
    store::delete(scope.into(), key)
}

pub(crate) fn store_add_strictly(key: &str, by: i64, ttl_ms: u64) -> Result<i64, String> {
    store::add_strictly(key, by, ttl_ms)
}

pub(crate) fn fetch(request: Request) -> Result<Response, Error> {
    let Request {
        method,
        url,
        headers,
        body,
        timeout_ms,
        max_age_ms,
    } = request;
    let answer = http::fetch(&http::Request {
        method,
        url,
        headers,
        body,
        timeout_ms,
        max_age_ms,
    });
    match answer {
        Ok(http::Response {
            status,
            headers,
            body,
        }) => Ok(Response {
            status,
            headers,
            body,
        }),
        Err(http::Error::Refused(why)) => Err(Error::Refused(why)),
        Err(http::Error::Timeout) => Err(Error::Timeout),
        Err(http::Error::TooLarge) => Err(Error::TooLarge),
        Err(http::Error::Failed(why)) => Err(Error::Failed(why)),
    }
}
