//! What a client offers in `Sec-WebSocket-Extensions`, and the answer (RFC 6455, section 9.1; RFC 7692, section 7.1).

use http::HeaderValue;

use super::memory::{Held, Memory};
use super::{Agreed, Settings, Side};
use crate::config;

const NAME: &str = "permessage-deflate";
/// A window of 256 bytes, which zlib cannot compress with.
const TOO_SMALL: u8 = 8;
const LARGEST: u8 = 15;

/// What a connection is compressed by, if at all.
pub(in crate::edge) struct Terms {
    pub agreed: Agreed,
    pub settings: Settings,
    /// Kept for as long as the connection lives.
    pub held: Option<Held>,
    /// The value of `Sec-WebSocket-Extensions` in the answer.
    pub answer: HeaderValue,
}

/// One offer of permessage-deflate, and only such parameters as the standard knows.
#[derive(Debug, Default, PartialEq, Eq)]
struct Offer {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    /// `Some(None)`: the client can keep to a window that the server sets.
    client_max_window_bits: Option<Option<u8>>,
}

/// Takes the first offer that is acceptable. A header that cannot be read offers nothing. Once `memory` is taken,
/// connections are compressed without context takeover.
pub(super) fn negotiate<'a>(
    headers: impl Iterator<Item = &'a HeaderValue>,
    config: &config::Compression,
    memory: &Memory,
) -> Option<Terms> {
    if !config.enabled {
        return None;
    }
    let offer = headers
        .filter_map(|header| header.to_str().ok())
        .find_map(|header| acceptable(header).next())?;
    let takeover = agree(&offer, config, config.context_takeover);
    let held = memory.hold(&takeover);
    let agreed = if held.is_some() {
        takeover
    } else {
        agree(&offer, config, false)
    };
    Some(Terms {
        answer: HeaderValue::from_str(&answer(&offer, &agreed)).ok()?,
        agreed,
        settings: Settings::new(config),
        held,
    })
}

fn agree(offer: &Offer, config: &config::Compression, takeover: bool) -> Agreed {
    let theirs = offer.server_max_window_bits.unwrap_or(LARGEST);
    // Only a client that names the parameter can be asked to keep to a window.
    let inbound = match offer.client_max_window_bits {
        Some(most) => most.unwrap_or(LARGEST).min(config.window_bits),
        None => LARGEST,
    };
    Agreed {
        inbound: Side {
            bits: inbound,
            takeover: takeover && !offer.client_no_context_takeover,
        },
        outbound: Side {
            bits: theirs.min(config.window_bits),
            takeover: takeover && !offer.server_no_context_takeover,
        },
    }
}

fn answer(offer: &Offer, agreed: &Agreed) -> String {
    let mut answer = NAME.to_owned();
    if !agreed.outbound.takeover {
        answer.push_str("; server_no_context_takeover");
    }
    if !agreed.inbound.takeover {
        answer.push_str("; client_no_context_takeover");
    }
    if agreed.outbound.bits < LARGEST || offer.server_max_window_bits.is_some() {
        answer.push_str(&format!(
            "; server_max_window_bits={}",
            agreed.outbound.bits
        ));
    }
    if offer.client_max_window_bits.is_some() && agreed.inbound.bits < LARGEST {
        answer.push_str(&format!("; client_max_window_bits={}", agreed.inbound.bits));
    }
    answer
}

/// The offers of one header that can be accepted, in order.
fn acceptable(header: &str) -> impl Iterator<Item = Offer> {
    extensions(header)
        .unwrap_or_default()
        .into_iter()
        .filter(|extension| extension.name == NAME)
        .filter_map(|extension| Offer::read(&extension.parameters))
}

impl Offer {
    fn read(parameters: &[(&str, Option<String>)]) -> Option<Self> {
        let mut offer = Self::default();
        for (name, value) in parameters {
            let value = value.as_deref();
            let again = match *name {
                "server_no_context_takeover" if value.is_none() => {
                    std::mem::replace(&mut offer.server_no_context_takeover, true)
                }
                "client_no_context_takeover" if value.is_none() => {
                    std::mem::replace(&mut offer.client_no_context_takeover, true)
                }
                "server_max_window_bits" => {
                    let bits = window_bits(value?).filter(|bits| *bits > TOO_SMALL)?;
                    offer.server_max_window_bits.replace(bits).is_some()
                }
                "client_max_window_bits" => {
                    let bits = match value {
                        Some(value) => Some(window_bits(value)?),
                        None => None,
                    };
                    offer.client_max_window_bits.replace(bits).is_some()
                }
                _ => return None,
            };
            if again {
                return None;
            }
        }
        Some(offer)
    }
}

/// A decimal number without leading zeros, from 8 to 15.
fn window_bits(value: &str) -> Option<u8> {
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit()) && !value.starts_with('0');
    let bits = value.parse().ok().filter(|_| is_number)?;
    (TOO_SMALL..=LARGEST).contains(&bits).then_some(bits)
}

struct Extension<'a> {
    name: &'a str,
    parameters: Vec<(&'a str, Option<String>)>,
}

/// Reads `name; parameter; parameter=value, name…`; `None` if it is anything else.
fn extensions(header: &str) -> Option<Vec<Extension<'_>>> {
    let mut all = Vec::new();
    let mut rest = header;
    loop {
        // Empty elements of a list are allowed (RFC 9110, section 5.6.1).
        rest = skip_blanks(rest);
        while let Some(after) = rest.strip_prefix(',') {
            rest = skip_blanks(after);
        }
        if rest.is_empty() {
            return Some(all);
        }
        let name = token(&mut rest)?;
        let mut parameters = Vec::new();
        while let Some(after) = rest.strip_prefix(';') {
            rest = skip_blanks(after);
            let name = token(&mut rest)?;
            let value = match rest.strip_prefix('=') {
                Some(after) => {
                    rest = skip_blanks(after);
                    Some(value(&mut rest)?)
                }
                None => None,
            };
            parameters.push((name, value));
        }
        if !rest.is_empty() && !rest.starts_with(',') {
            return None;
        }
        all.push(Extension { name, parameters });
    }
}

/// Takes a token, and the blanks behind it.
fn token<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let end = rest.find(|c| !is_token(c)).unwrap_or(rest.len());
    let (token, after) = rest.split_at_checked(end)?;
    *rest = skip_blanks(after);
    (!token.is_empty()).then_some(token)
}

/// Takes a token, or a quoted one.
fn value(rest: &mut &str) -> Option<String> {
    let Some(mut quoted) = rest.strip_prefix('"') else {
        return token(rest).map(str::to_owned);
    };
    let mut value = String::new();
    loop {
        let mut characters = quoted.chars();
        let mut next = characters.next()?;
        if next == '"' {
            *rest = skip_blanks(characters.as_str());
            // Unquoted, it has to be a token.
            let mut unquoted = value.as_str();
            let is_token = token(&mut unquoted).is_some_and(|token| token.len() == value.len());
            return is_token.then_some(value);
        }
        if next == '\\' {
            next = characters.next()?;
        }
        value.push(next);
        quoted = characters.as_str();
    }
}

fn skip_blanks(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

#[cfg(test)]
mod tests;
