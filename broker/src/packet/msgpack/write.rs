//! JSON to msgpack, as notepack writes what JavaScript's parser makes of the JSON: integers in their shortest form,
//! every other number as 64 bits.

use bytes::Bytes;
use rmp::encode;
use serde::de::{Deserializer as _, Visitor};

use crate::packet::walk::{Key, Tokens, key_of, number};

/// JavaScript counts no further without leaving some out.
const SAFE: f64 = 9_007_199_254_740_992.0;

/// Writing to a vector does not fail.
type Written = Result<(), encode::ValueWriteError>;

pub(super) fn map(out: &mut Vec<u8>, length: u32) {
    let _: Written = encode::write_map_len(out, length).map(drop);
}

pub(super) fn string(out: &mut Vec<u8>, value: &str) {
    let _: Written = encode::write_str(out, value);
}

pub(super) fn integer(out: &mut Vec<u8>, value: i64) {
    let _: Written = encode::write_sint(out, value).map(drop);
}

/// Writes a value that is known to be JSON. If there are attachments, they take the places of their placeholders.
pub(super) fn json(out: &mut Vec<u8>, text: &str, attachments: &[Bytes]) {
    // Containers begin with their length, which stands nowhere in the text.
    let mut shapes = shapes(text, attachments.len()).into_iter();
    let mut tokens = Tokens::new(text);
    while let Some((_, token)) = tokens.next() {
        match token.as_bytes().first() {
            Some(b'[' | b'{') => match shapes.next() {
                Some(Shape::Array(length)) => {
                    let _: Written = encode::write_array_len(out, length).map(drop);
                }
                Some(Shape::Map(length)) => map(out, length),
                Some(Shape::Attachment {
                    number,
                    end,
                    within,
                }) => {
                    let attachment = attachments.get(number).map(Bytes::as_ref);
                    let _: Written = encode::write_bin(out, attachment.unwrap_or_default());
                    tokens.seek(end);
                    // What stands inside of a placeholder, nobody gets to.
                    shapes.by_ref().take(within).for_each(drop);
                }
                None => return,
            },
            Some(b']' | b'}' | b',' | b':') => {}
            _ => scalar(out, token),
        }
    }
}

fn scalar(out: &mut Vec<u8>, token: &str) {
    let _: Written = match token {
        "null" => encode::write_nil(out).map_err(encode::ValueWriteError::InvalidMarkerWrite),
        "true" | "false" => encode::write_bool(out, token == "true")
            .map_err(encode::ValueWriteError::InvalidMarkerWrite),
        _ if token.starts_with('"') => return quoted(out, token),
        _ => return number_of(out, token),
    };
}

fn quoted(out: &mut Vec<u8>, token: &str) {
    let inner = token
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or_default();
    if inner.contains('\\') {
        string(out, &unescaped(token));
    } else {
        string(out, inner);
    }
}

/// Half of a surrogate pair, which JSON can write and UTF-8 cannot, becomes U+FFFD, as in Node.
fn unescaped(token: &str) -> String {
    struct Halves;

    impl Visitor<'_> for Halves {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a string")
        }

        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }
    }

    if let Ok(text) = serde_json::from_str(token) {
        return text;
    }
    // Read as bytes, a half is three of them: 0xED, then one from 0xA0.
    let mut bytes = serde_json::Deserializer::from_str(token)
        .deserialize_bytes(Halves)
        .unwrap_or_default();
    let mut at = 0;
    while let Some(three) = bytes.get_mut(at..at + 3) {
        if matches!(three, [0xed, 0xa0..=0xff, _]) {
            three.copy_from_slice("\u{fffd}".as_bytes());
        }
        at += 1;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn number_of(out: &mut Vec<u8>, token: &str) {
    if let Ok(value) = token.parse::<i64>() {
        return integer(out, value);
    }
    if let Ok(value) = token.parse::<u64>() {
        let _: Written = encode::write_uint(out, value).map(drop);
        return;
    }
    let value = number(token).unwrap_or_default();
    if value.fract() == 0.0 && value.abs() < SAFE {
        return integer(out, value as i64);
    }
    let _: Written = encode::write_f64(out, value);
}

/// What an array or object becomes, in the order in which they begin.
enum Shape {
    Array(u32),
    Map(u32),
    Attachment {
        number: usize,
        /// Where the text goes on.
        end: usize,
        /// Containers inside of it.
        within: usize,
    },
}

/// One that is open.
struct Open<'a> {
    /// Its place among the shapes.
    place: usize,
    values: u32,
    /// `None` in an array.
    key: Option<Key>,
    placeholder: bool,
    num: Option<&'a str>,
}

fn shapes(text: &str, attachments: usize) -> Vec<Shape> {
    let mut shapes = Vec::new();
    let mut open: Vec<Open<'_>> = Vec::with_capacity(8);
    for (at, token) in Tokens::new(text) {
        match token.as_bytes().first() {
            Some(first @ (b'[' | b'{')) => {
                if let Some(outer) = open.last_mut() {
                    outer.take("");
                }
                open.push(Open {
                    place: shapes.len(),
                    values: 0,
                    key: (*first == b'{').then_some(Key::Expected),
                    placeholder: false,
                    num: None,
                });
                shapes.push(Shape::Array(0));
            }
            Some(b']' | b'}') => {
                let Some(done) = open.pop() else {
                    continue;
                };
                let within = shapes.len() - done.place - 1;
                if let Some(shape) = shapes.get_mut(done.place) {
                    *shape = done.shape(attachments, at + 1, within);
                }
            }
            Some(b',') => {
                if let Some(Open { key: Some(key), .. }) = open.last_mut() {
                    *key = Key::Expected;
                }
            }
            Some(b':') => {}
            _ => {
                if let Some(outer) = open.last_mut() {
                    outer.take(token);
                }
            }
        }
    }
    shapes
}

impl<'a> Open<'a> {
    /// Takes a key, or a value: its token, empty for an array or object.
    fn take(&mut self, token: &'a str) {
        match &mut self.key {
            Some(key @ Key::Expected) => {
                *key = key_of(token);
                return;
            }
            Some(Key::Placeholder) => self.placeholder = token == "true",
            Some(Key::Num) => self.num = Some(token),
            Some(Key::Other) | None => {}
        }
        self.values += 1;
    }

    fn shape(&self, attachments: usize, end: usize, within: usize) -> Shape {
        match self.key {
            // Without attachments it is an object like others.
            Some(_) if self.placeholder && attachments > 0 => Shape::Attachment {
                number: self.num.and_then(number).unwrap_or_default() as usize,
                end,
                within,
            },
            Some(_) => Shape::Map(self.values),
            None => Shape::Array(self.values),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn half_of_a_surrogate_pair_is_replaced() {
        for (json, expected) in [
            (r#""\ud83d\ude00""#, "\u{1f600}"),
            (r#""a\ud800b""#, "a\u{fffd}b"),
            (r#""\udc00\ud800\u00e9""#, "\u{fffd}\u{fffd}é"),
        ] {
            let mut out = Vec::new();
            super::json(&mut out, json, &[]);
            assert_eq!(out.get(1..), Some(expected.as_bytes()), "{json}");
        }
    }
}
