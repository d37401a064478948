//! The room that an event is about, read exactly as the broker's routes read it: a text, or a whole number as it is
//! written.

use std::borrow::Cow;

use sluice_plugin_sdk::prelude::*;

/// Where the name of the room stands.
#[derive(Debug)]
pub(crate) enum RoomOf {
    Name(String),
    /// A JSON Pointer (RFC 6901) into the arguments.
    Pointer(String),
}

impl RoomOf {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let Some(steps) = text.strip_prefix('/') else {
            if text.is_empty() {
                return Err("it is empty".to_owned());
            }
            return Ok(Self::Name(text.to_owned()));
        };
        let first = steps.split('/').next().unwrap_or_default();
        let mut after_tilde = steps.split('~').skip(1);
        if first.is_empty()
            || !first.bytes().all(|byte| byte.is_ascii_digit())
            || !after_tilde.all(|rest| rest.starts_with(['0', '1']))
        {
            return Err(format!(
                "{text:?} is no JSON Pointer that begins with the number of an argument, such as \"/0/room\""
            ));
        }
        Ok(Self::Pointer(text.to_owned()))
    }

    pub(crate) fn needs_args(&self) -> bool {
        matches!(self, Self::Pointer(_))
    }

    pub(crate) fn find(&self, call: &EventCall<'_>) -> Result<Cow<'_, str>, Denial> {
        match self {
            Self::Name(name) => Ok(Cow::Borrowed(name)),
            Self::Pointer(at) => call
                .get_text(at)
                .and_then(name)
                .map(Cow::Owned)
                .ok_or_else(|| missing(at)),
        }
    }
}

fn name(json: &str) -> Option<String> {
    if json.starts_with('"') {
        let name = serde_json::from_str(json).ok();
        return name.filter(|name: &String| !name.is_empty());
    }
    let digits = json.strip_prefix('-').unwrap_or(json);
    let whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    whole.then(|| json.to_owned())
}

#[cold]
fn missing(at: &str) -> Denial {
    Denial::new(
        "room_missing",
        format!("{at} has to be the room: a text that is not empty, or a whole number"),
    )
}
