//! The text of an event as clients send it, `["name",arg,…]`: read without building a tree, and written.
//!
//! What is relayed reaches decoders that close the connection over a mistake, so all of it is checked first: JSON by
//! serde_json, then, where there can be any, placeholders and depth by one walk over the text.
//!
//! An event without attachments has to leave as a *text* packet: there a decoder takes an object that looks like a
//! placeholder for what it is, an object, and so does this module.
//!
//! `msgpack` turns the packets of clients that speak it into such text, and back.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::event::{Code, Denial, RESERVED};

pub(crate) mod msgpack;
#[cfg(test)]
mod tests;
mod walk;

/// Containers within each other, the outermost included. serde_json, with which policies read their arguments, reads
/// as many; JSON parsers elsewhere end their process at a depth of their own.
pub(crate) const MAX_DEPTH: usize = 127;

/// The name of an event, unescaped, and the text of the array of its arguments, otherwise byte for byte as it came.
///
/// # Errors
/// `invalid_packet` for what is not a JSON array that begins with a string, nests deeper than [`MAX_DEPTH`], or has a
/// placeholder for none of the `attachments`; `reserved_event` for a name that the protocol keeps for itself.
pub(crate) fn read(text: &str, attachments: usize) -> Result<(Arc<str>, Arc<str>), Denial> {
    let array = elements(text)?;
    let Some(name) = array.first else {
        return Err(invalid("an event has a name"));
    };
    let name = event_name(name)?;
    check_structure(text, attachments)?;
    let Some(start) = array.second else {
        return Ok((name, "[]".into()));
    };
    // The array's own closing bracket is the last character but for white space.
    let rest = text.get(start..).unwrap_or_default().trim_end();
    let mut args = String::with_capacity(1 + rest.len());
    args.push('[');
    args.push_str(rest);
    Ok((name, args.into()))
}

/// Checks arguments that did not come in an event: those of a policy or a back end.
///
/// # Errors
/// `invalid_packet`, as [`read`].
pub(crate) fn check_args(args: &str, attachments: usize) -> Result<(), Denial> {
    elements(args)?;
    check_structure(args, attachments)
}

/// The text of an event as [`read`] takes it; `args` is the text of an array, as [`read`] and [`check_args`] leave it.
pub(crate) fn event_text(name: &str, args: &str) -> String {
    // White space may stand around and inside the brackets of arguments that a policy wrote.
    let inner = args
        .trim()
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or_default()
        .trim();
    let mut text = String::with_capacity(name.len() + inner.len() + 5);
    text.push('[');
    push_string(&mut text, name);
    if !inner.is_empty() {
        text.push(',');
        text.push_str(inner);
    }
    text.push(']');
    text
}

/// The same text with something else in the place of each placeholder; `put` is told the number of its attachment.
pub(crate) fn replaced(args: &str, mut put: impl FnMut(&mut String, usize)) -> String {
    let mut text = String::with_capacity(args.len());
    let mut rest = 0;
    for (range, number) in walk::placeholders(args) {
        text.push_str(args.get(rest..range.start).unwrap_or_default());
        put(&mut text, number);
        rest = range.end;
    }
    text.push_str(args.get(rest..).unwrap_or_default());
    text
}

/// The text of the only element of an array, if there is exactly one.
pub(crate) fn only_argument(args: &str) -> Option<&str> {
    let array = elements(args).ok()?;
    array.first.filter(|_| array.second.is_none())
}

/// Whether anything in it would be taken for the place of an attachment.
pub(crate) fn has_placeholders(text: &str) -> bool {
    !walk::placeholders(text).is_empty()
}

/// Whether arguments that have been checked may stand within so many more arrays.
pub(crate) fn nests(args: &str, more: usize) -> bool {
    let opened = args.bytes().filter(|b| b | 0x20 == b'{').count();
    if opened + more <= MAX_DEPTH {
        return true;
    }
    let deeper = format!("{}{args}{}", "[".repeat(more), "]".repeat(more));
    walk::check(&deeper, 0).is_ok()
}

fn push_string(text: &mut String, value: &str) {
    if value.bytes().any(|b| b < b' ' || b == b'"' || b == b'\\') {
        // A string cannot fail to become JSON.
        text.push_str(&serde_json::to_string(value).unwrap_or_default());
    } else {
        text.push('"');
        text.push_str(value);
        text.push('"');
    }
}

fn invalid(message: impl Into<String>) -> Denial {
    Denial::broker(Code::InvalidPacket, message)
}

fn event_name(raw: &str) -> Result<Arc<str>, Denial> {
    let Some(quoted) = raw
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    else {
        return Err(invalid("the name of an event is a string"));
    };
    let name: Arc<str> = if quoted.contains('\\') {
        // JSON can write half a surrogate pair; a name with one could never be written again.
        serde_json::from_str::<String>(raw)
            .map_err(|_| invalid("the name of the event is not Unicode"))?
            .into()
    } else {
        quoted.into()
    };
    if RESERVED.contains(&&*name) {
        return Err(Denial::broker(
            Code::ReservedEvent,
            format!("the event name `{name}` is reserved"),
        ));
    }
    Ok(name)
}

fn check_structure(text: &str, attachments: usize) -> Result<(), Denial> {
    // `[` and `{` differ in one bit. A text that has few of them cannot be deep, and most have few.
    let opened = text.bytes().filter(|b| b | 0x20 == b'{').count();
    if attachments > 0 || opened > MAX_DEPTH {
        walk::check(text, attachments).map_err(invalid)?;
    }
    Ok(())
}

/// The first element of an array, and where in the text the second one begins.
#[derive(Default)]
struct Elements<'a> {
    first: Option<&'a str>,
    second: Option<usize>,
}

/// Reads all of the text as JSON. Strings are not decoded: JavaScript writes half surrogate pairs as escapes that no
/// Rust string can hold, and numbers of any size, and either has to arrive as it was sent.
fn elements(text: &str) -> Result<Elements<'_>, Denial> {
    struct Outer<'a>(&'a str);

    impl<'a> Visitor<'a> for Outer<'a> {
        type Value = Elements<'a>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'a>>(self, mut array: A) -> Result<Self::Value, A::Error> {
            let mut elements = Elements::default();
            let Some(first) = array.next_element::<&RawValue>()? else {
                return Ok(elements);
            };
            elements.first = Some(first.get());
            if let Some(second) = array.next_element::<&RawValue>()? {
                // Both point into the same text.
                elements.second = Some(second.get().as_ptr().addr() - self.0.as_ptr().addr());
            }
            while array.next_element::<IgnoredAny>()?.is_some() {}
            Ok(elements)
        }
    }

    // Said here because serde_json would repeat what it found instead.
    if !text.trim_start().starts_with('[') {
        return Err(invalid("not an array"));
    }
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_seq(Outer(text))
        .and_then(|elements| json.end().map(|()| elements))
        .map_err(|error| invalid(format!("not JSON: {error}")))
}
