//! msgpack to the JSON that JavaScript would have made of it (`JSON.stringify` of what notepack reads), with placeholders
//! for binary values. Nothing is allocated for what a length only claims.

use std::fmt::Write as _;

use bytes::Bytes;
use rmp::Marker;

use super::date;
use crate::event::{Attachments, Code, Denial};
use crate::packet::{MAX_DEPTH, invalid, push_string};

/// What one packet may become.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub attachments: usize,
    /// Bytes of text. A client that writes text itself is held to the same.
    pub text: usize,
}

/// The JSON text of a value, and its binary values in the order of their placeholders, which share `data`'s memory.
///
/// # Errors
/// `invalid_packet` for what is not one value in msgpack, has text that is not UTF-8 or keys that are no scalars, nests
/// deeper than [`MAX_DEPTH`], or has too many binary values; `too_large` for what becomes longer than it may.
pub(crate) fn to_json(data: &Bytes, limits: Limits) -> Result<(String, Attachments), Denial> {
    let mut reader = Reader {
        data,
        rest: data,
        text: String::with_capacity(data.len().min(limits.text)),
        attachments: Vec::new(),
        limits,
    };
    reader.value(0)?;
    if !reader.rest.is_empty() {
        return Err(invalid("not msgpack: bytes after its end"));
    }
    Ok((reader.text, reader.attachments.into()))
}

struct Reader<'a> {
    data: &'a Bytes,
    rest: &'a [u8],
    text: String,
    attachments: Vec<Bytes>,
    limits: Limits,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<(), Denial> {
        if self.text.len() > self.limits.text {
            let message = format!("longer than {} bytes as text", self.limits.text);
            return Err(Denial::broker(Code::TooLarge, message));
        }
        match self.marker()? {
            Marker::Null => self.text.push_str("null"),
            Marker::True => self.text.push_str("true"),
            Marker::False => self.text.push_str("false"),
            Marker::FixArray(length) => return self.array(length.into(), depth),
            Marker::Array16 => {
                let length = self.u16()?.into();
                return self.array(length, depth);
            }
            Marker::Array32 => {
                let length = self.u32()?;
                return self.array(length, depth);
            }
            Marker::FixMap(length) => return self.map(length.into(), depth),
            Marker::Map16 => {
                let length = self.u16()?.into();
                return self.map(length, depth);
            }
            Marker::Map32 => {
                let length = self.u32()?;
                return self.map(length, depth);
            }
            marker => return self.leaf(marker, depth),
        }
        Ok(())
    }

    fn leaf(&mut self, marker: Marker, depth: usize) -> Result<(), Denial> {
        if let Some(number) = self.number(marker)? {
            number.push(&mut self.text);
            return Ok(());
        }
        if let Some(text) = self.string(marker)? {
            push_string(&mut self.text, text);
            return Ok(());
        }
        let length = match marker {
            Marker::Bin8 => self.u8()?.into(),
            Marker::Bin16 => self.u16()?.into(),
            Marker::Bin32 => self.u32()?,
            marker => return self.extension(marker, depth),
        };
        let bytes = self.take(length)?;
        self.attach(bytes, depth)
    }

    fn array(&mut self, length: u32, depth: usize) -> Result<(), Denial> {
        inside(depth)?;
        self.text.push('[');
        for place in 0..length {
            if place > 0 {
                self.text.push(',');
            }
            self.value(depth + 1)?;
        }
        self.text.push(']');
        Ok(())
    }

    fn map(&mut self, length: u32, depth: usize) -> Result<(), Denial> {
        inside(depth)?;
        self.text.push('{');
        let start = self.text.len();
        for _ in 0..length {
            let before = self.text.len();
            if before > start {
                self.text.push(',');
            }
            self.key()?;
            self.text.push(':');
            // A property that is undefined is none in JSON.
            if let [UNDEFINED, 0, _, rest @ ..] = self.rest {
                self.rest = rest;
                self.text.truncate(before);
            } else {
                self.value(depth + 1)?;
            }
        }
        self.text.push('}');
        Ok(())
    }

    /// A key, as JavaScript names a property after it.
    fn key(&mut self) -> Result<(), Denial> {
        let marker = self.marker()?;
        if let Some(text) = self.string(marker)? {
            push_string(&mut self.text, text);
            return Ok(());
        }
        self.text.push('"');
        match (marker, self.number(marker)?) {
            (_, Some(Number::Float(float))) if !float.is_finite() => {
                return Err(invalid("a key that is not a finite number"));
            }
            (_, Some(number)) => number.push(&mut self.text),
            (Marker::Null, _) => self.text.push_str("null"),
            (Marker::True, _) => self.text.push_str("true"),
            (Marker::False, _) => self.text.push_str("false"),
            _ => return Err(invalid("a key that is neither text nor a number")),
        }
        self.text.push('"');
        Ok(())
    }

    fn attach(&mut self, bytes: &'a [u8], depth: usize) -> Result<(), Denial> {
        inside(depth)?;
        let number = self.attachments.len();
        if number == self.limits.attachments {
            return Err(invalid(format!("more than {number} binary values")));
        }
        self.attachments.push(self.data.slice_ref(bytes));
        // Writing to a string does not fail.
        let _ = write!(self.text, "{{\"_placeholder\":true,\"num\":{number}}}");
        Ok(())
    }

    /// What notepack has extensions for: type 0 is, by its length, undefined, a date, or an array buffer. It reads all
    /// others as a pair of type and bytes.
    fn extension(&mut self, marker: Marker, depth: usize) -> Result<(), Denial> {
        let (length, can_be_buffer) = match marker {
            Marker::FixExt1 => (1, false),
            Marker::FixExt2 => (2, false),
            Marker::FixExt4 => (4, false),
            Marker::FixExt8 => (8, false),
            Marker::FixExt16 => (16, false),
            Marker::Ext8 => (self.u8()?.into(), true),
            Marker::Ext16 => (self.u16()?.into(), true),
            Marker::Ext32 => (self.u32()?, true),
            _ => return Err(invalid("not msgpack: a byte that begins nothing")),
        };
        let kind = i8::from_be_bytes(self.array_of()?);
        let bytes = self.take(length)?;
        match (kind, bytes) {
            (0, bytes) if can_be_buffer => self.attach(bytes, depth),
            (0, [_]) => {
                self.text.push_str("null");
                Ok(())
            }
            (0, &[a, b, c, d, e, f, g, h]) => {
                match date::iso(i64::from_be_bytes([a, b, c, d, e, f, g, h])) {
                    Some(date) => push_string(&mut self.text, &date),
                    None => self.text.push_str("null"),
                }
                Ok(())
            }
            (kind, bytes) => {
                inside(depth)?;
                let _ = write!(self.text, "[{kind},");
                self.attach(bytes, depth + 1)?;
                self.text.push(']');
                Ok(())
            }
        }
    }

    fn number(&mut self, marker: Marker) -> Result<Option<Number>, Denial> {
        let signed = |value: i64| Some(Number::Signed(value));
        let unsigned = |value: u64| Some(Number::Unsigned(value));
        Ok(match marker {
            Marker::FixPos(value) => unsigned(value.into()),
            Marker::FixNeg(value) => signed(value.into()),
            Marker::U8 => unsigned(self.u8()?.into()),
            Marker::U16 => unsigned(self.u16()?.into()),
            Marker::U32 => unsigned(self.u32()?.into()),
            Marker::U64 => unsigned(u64::from_be_bytes(self.array_of()?)),
            Marker::I8 => signed(i8::from_be_bytes(self.array_of()?).into()),
            Marker::I16 => signed(i16::from_be_bytes(self.array_of()?).into()),
            Marker::I32 => signed(i32::from_be_bytes(self.array_of()?).into()),
            Marker::I64 => signed(i64::from_be_bytes(self.array_of()?)),
            Marker::F32 => Some(Number::Float(f32::from_be_bytes(self.array_of()?).into())),
            Marker::F64 => Some(Number::Float(f64::from_be_bytes(self.array_of()?))),
            _ => None,
        })
    }

    fn string(&mut self, marker: Marker) -> Result<Option<&'a str>, Denial> {
        let length = match marker {
            Marker::FixStr(length) => length.into(),
            Marker::Str8 => self.u8()?.into(),
            Marker::Str16 => self.u16()?.into(),
            Marker::Str32 => self.u32()?,
            _ => return Ok(None),
        };
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes)
            .map(Some)
            .map_err(|_| invalid("not msgpack: a text that is not UTF-8"))
    }

    fn marker(&mut self) -> Result<Marker, Denial> {
        self.u8().map(Marker::from_u8)
    }

    fn u8(&mut self) -> Result<u8, Denial> {
        self.array_of().map(u8::from_be_bytes)
    }

    fn u16(&mut self) -> Result<u16, Denial> {
        self.array_of().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, Denial> {
        self.array_of().map(u32::from_be_bytes)
    }

    fn array_of<const N: usize>(&mut self) -> Result<[u8; N], Denial> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or_else(cut_off)?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn take(&mut self, length: u32) -> Result<&'a [u8], Denial> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or_else(cut_off)?;
        self.rest = rest;
        Ok(bytes)
    }
}

/// A fixext 1, of which type 0 is undefined.
const UNDEFINED: u8 = 0xd4;

enum Number {
    Signed(i64),
    Unsigned(u64),
    Float(f64),
}

impl Number {
    fn push(self, text: &mut String) {
        // No digits that JSON.stringify would write otherwise: it has none for infinity, and no `-0`.
        const DIGITS: f64 = 1e21;
        let _ = match self {
            Number::Signed(value) => write!(text, "{value}"),
            Number::Unsigned(value) => write!(text, "{value}"),
            Number::Float(0.0) => write!(text, "0"),
            Number::Float(value) if value.fract() == 0.0 && value.abs() < DIGITS => {
                write!(text, "{value}")
            }
            // What is not finite is `null`.
            Number::Float(value) => write!(text, "{}", serde_json::Value::from(value)),
        };
    }
}

fn inside(depth: usize) -> Result<(), Denial> {
    if depth == MAX_DEPTH {
        return Err(invalid(format!("nested deeper than {MAX_DEPTH}")));
    }
    Ok(())
}

fn cut_off() -> Denial {
    invalid("not msgpack: it is cut off")
}
