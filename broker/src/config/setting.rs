//! The types that a key can have, and how a value of each is read.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use config::{Value, ValueKind};
use serde_json::json;

use super::secret::Secret;
use crate::glob::Glob;

/// What is wrong with a value, to be read after the value itself: "is not a number".
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong(pub String);

impl Wrong {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

/// A type of key. Its value is given as raw text by the environment (and by `${…}`), and as a typed one by a file. Two
/// values whose `Debug` is the same are the same, unless they are secrets.
pub(super) trait Setting: Sized + fmt::Debug {
    /// Follows "expected" and tells how a right value looks.
    const EXPECTED: &'static str;
    /// A name for lists of keys.
    const TYPE: &'static str;
    /// TOML writes it in quotes.
    const QUOTED: bool = true;
    /// Never shown.
    const SECRET: bool = false;

    fn from_text(text: &str) -> Result<Self, Wrong>;

    /// JSON Schema of what a file can have, but for texts with `${NAME}`. May accept what the reader refuses, and never
    /// refuses what it accepts.
    fn schema() -> serde_json::Value {
        match Self::QUOTED {
            true => json!({ "type": "string", "minLength": 1 }),
            false => json!({ "type": ["boolean", "number", "string", "array"] }),
        }
    }

    fn from_value(value: &ValueKind) -> Result<Self, Wrong> {
        match value {
            ValueKind::String(text) => Self::from_text(text),
            other => Err(unfit(other)),
        }
    }
}

/// A value of a kind that the key cannot have.
pub(super) fn unfit(value: &ValueKind) -> Wrong {
    Wrong::new(match value {
        ValueKind::Nil => "is empty",
        ValueKind::Boolean(_) => "is a boolean",
        ValueKind::Float(_) => "is a number with a fraction",
        ValueKind::String(_) => "is a text",
        ValueKind::Table(_) => "is a table",
        ValueKind::Array(_) => "is a list",
        _ => "is a number",
    })
}

impl Setting for bool {
    const EXPECTED: &'static str = "`true` or `false`";
    const TYPE: &'static str = "boolean";
    const QUOTED: bool = false;

    fn schema() -> serde_json::Value {
        json!({ "type": "boolean" })
    }

    fn from_text(text: &str) -> Result<Self, Wrong> {
        text.parse().map_err(|_| Wrong::new("is not a boolean"))
    }

    fn from_value(value: &ValueKind) -> Result<Self, Wrong> {
        match value {
            ValueKind::Boolean(value) => Ok(*value),
            other => Err(unfit(other)),
        }
    }
}

/// How many of something there may be: at least one.
impl Setting for usize {
    const EXPECTED: &'static str = "a whole number of at least 1";
    const TYPE: &'static str = "number";
    const QUOTED: bool = false;

    fn schema() -> serde_json::Value {
        json!({ "type": "integer", "minimum": 1 })
    }

    fn from_text(text: &str) -> Result<Self, Wrong> {
        match text.parse() {
            Ok(0) => Err(Wrong::new("is too small")),
            Ok(number) => Ok(number),
            Err(_) => Err(Wrong::new("is not such a number")),
        }
    }

    fn from_value(value: &ValueKind) -> Result<Self, Wrong> {
        match value {
            ValueKind::I64(number) => Self::from_text(&number.to_string()),
            ValueKind::U64(number) => Self::from_text(&number.to_string()),
            other => Err(unfit(other)),
        }
    }
}

/// A number of which none is one too.
impl Setting for u32 {
    const EXPECTED: &'static str = "a whole number";
    const TYPE: &'static str = "number";
    const QUOTED: bool = false;

    fn schema() -> serde_json::Value {
        json!({ "type": "integer", "minimum": 0 })
    }

    fn from_text(text: &str) -> Result<Self, Wrong> {
        text.parse().map_err(|_| Wrong::new("is not such a number"))
    }

    fn from_value(value: &ValueKind) -> Result<Self, Wrong> {
        match value {
            ValueKind::I64(number) => Self::from_text(&number.to_string()),
            ValueKind::U64(number) => Self::from_text(&number.to_string()),
            other => Err(unfit(other)),
        }
    }
}

impl Setting for Duration {
    const EXPECTED: &'static str = "a duration such as `25s`, `500ms` or `1h30m`";
    const TYPE: &'static str = "duration";

    fn schema() -> serde_json::Value {
        const UNIT: &str = "nanos|nsec|ns|usec|us|µs|millis|msec|ms|seconds|second|secs|sec|s|minutes|minute|mins|min|m\
                            |hours|hour|hrs|hr|h|days|day|d|weeks|week|wks|wk|w|months|month|M|years|year|yrs|yr|y";
        let pattern = format!(r"^\s*([0-9]+(\.[0-9]+)?\s*({UNIT})\s*)+$");
        json!({ "type": "string", "pattern": pattern })
    }

    fn from_text(text: &str) -> Result<Self, Wrong> {
        if !text.is_empty() && text.trim().parse::<f64>().is_ok() {
            return Err(Wrong::new("has no unit: write one, such as `s` or `ms`"));
        }
        humantime::parse_duration(text).map_err(|_| Wrong::new("is not a duration"))
    }

    fn from_value(value: &ValueKind) -> Result<Self, Wrong> {
        match value {
            ValueKind::String(text) => Self::from_text(text),
            ValueKind::I64(_) | ValueKind::U64(_) | ValueKind::Float(_) => {
                Err(Wrong::new("has no unit: write one, such as `s` or `ms`"))
            }
            other => Err(unfit(other)),
        }
    }
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Size(pub u64);

const UNITS: [(&str, u64); 8] = [
    ("", 1),
    ("b", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
];

impl Setting for Size {
    const EXPECTED: &'static str =
        "a size such as `1MiB` (1024 × 1024), `64KB` (64 × 1000) or a number of bytes";
    const TYPE: &'static str = "size";

    fn schema() -> serde_json::Value {
        let pattern = r"^\s*[0-9]+\s*([bB]|[kKmMgG][iI]?[bB])?\s*$";
        json!({ "anyOf": [
            { "type": "string", "pattern": pattern },
            { "type": "integer", "minimum": 0 },
        ]})
    }

    fn from_text(text: &str) -> Result<Self, Wrong> {
        let wrong = || Wrong::new("is not a size");
        let text = text.trim();
        let digits = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at_checked(digits).ok_or_else(wrong)?;
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let unit = unit.trim_start().to_ascii_lowercase();
        let (_, factor) = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(wrong)?;
        number
            .checked_mul(*factor)
            .map(Self)
            .ok_or_else(|| Wrong::new("is too large"))
    }

    fn from_value(value: &ValueKind) -> Result<Self, Wrong> {
        match value {
            ValueKind::String(text) => Self::from_text(text),
            ValueKind::I64(number) => Self::from_text(&number.to_string()),
            ValueKind::U64(number) => Ok(Self(*number)),
            other => Err(unfit(other)),
        }
    }
}

impl Setting for String {
    const EXPECTED: &'static str = "a text";
    const TYPE: &'static str = "text";

    fn from_text(text: &str) -> Result<Self, Wrong> {
        if text.is_empty() {
            return Err(Wrong::new("is empty"));
        }
        Ok(text.to_owned())
    }
}

impl Setting for PathBuf {
    const EXPECTED: &'static str = "a path";
    const TYPE: &'static str = "path";

    fn from_text(text: &str) -> Result<Self, Wrong> {
        String::from_text(text).map(Self::from)
    }
}

impl Setting for Secret {
    const EXPECTED: &'static str = "a text";
    const TYPE: &'static str = "text, secret";
    const SECRET: bool = true;

    fn from_text(text: &str) -> Result<Self, Wrong> {
        String::from_text(text).map(Self::new)
    }
}

impl Setting for Glob {
    const EXPECTED: &'static str = "an event name, in which `*` stands for any characters";
    const TYPE: &'static str = "glob";

    fn from_text(text: &str) -> Result<Self, Wrong> {
        String::from_text(text).map(|text| Self::new(&text))
    }
}

impl Setting for SocketAddr {
    const EXPECTED: &'static str =
        "an IP address with a port, such as `0.0.0.0:3000` or `[::]:3000`";
    const TYPE: &'static str = "address";

    fn schema() -> serde_json::Value {
        let pattern = r"^([0-9]{1,3}(\.[0-9]{1,3}){3}|\[[0-9A-Fa-f:.]+(%[0-9]+)?\]):[0-9]{1,5}$";
        json!({ "type": "string", "pattern": pattern })
    }

    fn from_text(text: &str) -> Result<Self, Wrong> {
        text.parse()
            .map_err(|_| Wrong::new("is not an IP address with a port"))
    }
}

impl Setting for Vec<String> {
    const EXPECTED: &'static str = r#"a list of texts such as `["a", "b"]`"#;
    const TYPE: &'static str = "list";
    const QUOTED: bool = false;

    fn schema() -> serde_json::Value {
        json!({ "type": "array", "items": { "type": "string", "minLength": 1 } })
    }

    fn from_text(text: &str) -> Result<Self, Wrong> {
        let value = toml_list(text).ok_or_else(|| Wrong::new("is not a list in TOML's syntax"))?;
        Self::from_value(&value)
    }

    fn from_value(value: &ValueKind) -> Result<Self, Wrong> {
        let ValueKind::Array(items) = value else {
            return Err(unfit(value));
        };
        let text = |item: &Value| match &item.kind {
            ValueKind::String(text) if !text.is_empty() => Ok(text.clone()),
            ValueKind::String(_) => Err(Wrong::new("holds an empty text")),
            _ => Err(Wrong::new("holds something that is not a text")),
        };
        items.iter().map(text).collect()
    }
}

/// A list of which a lone text needs no brackets, in an environment.
pub(super) fn lone_or_list_from_text(text: &str) -> Result<Vec<String>, Wrong> {
    match text.trim_start().starts_with('[') {
        true => Vec::from_text(text),
        false => Ok(vec![text.to_owned()]),
    }
}

/// The same in a file.
pub(super) fn lone_or_list(value: &ValueKind) -> Result<Vec<String>, Wrong> {
    match value {
        ValueKind::String(text) => Ok(vec![text.clone()]),
        list => Vec::from_value(list),
    }
}

/// JSON Schema of it.
pub(super) fn lone_or_list_schema() -> serde_json::Value {
    json!({ "anyOf": [{ "type": "string", "minLength": 1 }, Vec::<String>::schema()] })
}

/// Reads `["a", "b"]`, the form in which the environment gives a list.
fn toml_list(text: &str) -> Option<ValueKind> {
    let table: toml::Table = format!("list = {text}").parse().ok()?;
    // Anything else means that the text went on after the list and into other keys.
    let [("list", toml::Value::Array(items))] = table
        .iter()
        .map(|(name, value)| (name.as_str(), value))
        .collect::<Vec<_>>()[..]
    else {
        return None;
    };
    let items = items.iter().map(|item| match item {
        toml::Value::String(text) => Value::new(None, text.as_str()),
        _ => Value::new(None, ValueKind::Nil),
    });
    Some(ValueKind::Array(items.collect()))
}

/// Implements [`Setting`] for an enum whose values are names.
macro_rules! names {
    ($type:ty, $($name:literal => $value:expr),+ $(,)?) => {
        impl $crate::config::setting::Setting for $type {
            const EXPECTED: &'static str = $crate::config::setting::names!(@list $($name),+);
            const TYPE: &'static str = Self::EXPECTED;

            fn schema() -> serde_json::Value {
                serde_json::json!({ "enum": [$($name),+] })
            }

            fn from_text(text: &str) -> Result<Self, $crate::config::setting::Wrong> {
                match text {
                    $($name => Ok($value),)+
                    _ => Err($crate::config::setting::Wrong::new("is not one of them")),
                }
            }
        }
    };
    (@list $first:literal $(, $name:literal)*) => {
        concat!("`", $first, "`" $(, " or `", $name, "`")*)
    };
}
pub(super) use names;

#[cfg(test)]
mod tests;
