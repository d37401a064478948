//! Where the value of a field comes from.

use std::time::{Duration, UNIX_EPOCH};

use sluice_plugin_sdk::current;

/// What the broker knows.
#[derive(Debug, PartialEq)]
pub(crate) enum Source {
    /// Milliseconds since the Unix epoch.
    Time,
    /// The same as JavaScript's `Date.toJSON` writes it.
    Iso,
    User,
    Socket,
    Event,
    Id,
    Namespace,
    Address,
    Attribute(String),
}

/// The last millisecond that four digits of a year can say.
const MAX_MS: u64 = 253_402_300_799_999;

impl Source {
    pub(crate) fn parse(name: &str) -> Result<Self, String> {
        Ok(match (name, name.strip_prefix("attributes.")) {
            ("time", _) => Self::Time,
            ("iso_time", _) => Self::Iso,
            ("user", _) => Self::User,
            ("socket", _) => Self::Socket,
            ("event", _) => Self::Event,
            ("id", _) => Self::Id,
            ("namespace", _) => Self::Namespace,
            ("address", _) => Self::Address,
            (_, Some(attribute)) if !attribute.is_empty() => Self::Attribute(attribute.to_owned()),
            _ => {
                return Err(format!(
                    "{name:?} is none of \"time\", \"iso_time\", \"user\", \"socket\", \"id\", \"event\", \
                     \"namespace\", \"address\" and \"attributes.NAME\""
                ));
            }
        })
    }

    /// The value as JSON: null where there is none, never what the client would have it be.
    pub(crate) fn json(&self) -> String {
        match self {
            Self::Time => current::now_ms().to_string(),
            Self::Iso => text(Some(iso(current::now_ms()))),
            Self::User => text(current::user()),
            Self::Socket => text(Some(current::socket_id())),
            Self::Event => text(Some(current::event_name())),
            Self::Id => text(Some(current::event_id())),
            Self::Namespace => text(Some(current::namespace())),
            Self::Address => text(Some(current::address())),
            Self::Attribute(name) => text(current::attribute(name)),
        }
    }
}

pub(crate) fn text(value: Option<String>) -> String {
    serde_json::Value::from(value).to_string()
}

fn iso(now_ms: u64) -> String {
    let now = UNIX_EPOCH + Duration::from_millis(now_ms.min(MAX_MS));
    humantime::format_rfc3339_millis(now).to_string()
}
