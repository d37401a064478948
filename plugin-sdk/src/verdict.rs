//! What a policy answers.

use serde::Serialize;

use crate::{ArgsError, log};

/// The answer to an event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The next policy decides; after the last one the event is delivered.
    Pass,
    /// Goes on with other arguments: the text of a JSON array. See [`Verdict::replace`].
    Replace(String),
    /// Is not delivered, and the sender is told why.
    Deny(Denial),
    /// Is not delivered, and the sender is not told.
    Drop,
}

/// The answer to a client that connects.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Admission {
    /// Nothing to say about this client. If no policy accepts and none denies, it is anonymous.
    Pass,
    /// The client is known. Other policies may add to what it is.
    Accept(Identity),
    /// The client is refused, and told why.
    Deny(Denial),
}

/// Why something is refused, as the client sees it.
///
/// ```
/// use serde_json::json;
/// use sluice_plugin_sdk::{Denial, Verdict};
///
/// let denial = Denial::new("too_fast", "Slow down").retry_after_ms(1_500).data(&json!({"limit": 10}));
/// assert_eq!(denial.data.as_deref(), Some(r#"{"limit":10}"#));
/// let verdict: Verdict = denial.into();
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Denial {
    /// For programs: short, stable, `like_this`.
    pub code: String,
    /// For people.
    pub message: String,
    /// When it is worth trying again.
    pub retry_after_ms: Option<u32>,
    /// JSON text with whatever else the client may want to know.
    pub data: Option<String>,
    /// Whether the socket is closed after it has been told.
    pub disconnect: bool,
}

/// Who a client is.
///
/// ```
/// use sluice_plugin_sdk::{Admission, Identity};
///
/// let admission: Admission = Identity::user("alice").attribute("plan", "pro").room("user:alice").into();
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The user's identifier; none leaves what earlier policies said.
    pub user: Option<String>,
    /// Names and texts; one that is set later replaces an earlier one of the same name.
    pub attributes: Vec<(String, String)>,
    /// Rooms that the socket joins. Those of several policies add up.
    pub rooms: Vec<String>,
}

// === impl Verdict ===

impl Verdict {
    /// New arguments for the event: a tuple, an array or a list, which serde writes as a JSON array.
    ///
    /// Arguments that are no array are a mistake of the policy: the event is then denied with the code
    /// `invalid_replacement`, and the log says so.
    #[must_use]
    pub fn replace<T: Serialize + ?Sized>(args: &T) -> Self {
        match serde_json::to_string(args) {
            Ok(text) => Self::replace_text(text),
            Err(error) => invalid_replacement(&error.to_string()),
        }
    }

    /// The same from text that already is a JSON array. Only its first character is checked.
    #[must_use]
    pub fn replace_text(args: String) -> Self {
        if args.starts_with('[') {
            Self::Replace(args)
        } else {
            invalid_replacement("it is no array")
        }
    }

    /// The denial, if it is one.
    #[must_use]
    pub fn denial(&self) -> Option<&Denial> {
        match self {
            Self::Deny(denial) => Some(denial),
            _ => None,
        }
    }
}

#[cold]
fn invalid_replacement(why: &str) -> Verdict {
    log::error(format!(
        "the replacement of an event's arguments is unusable: {why}"
    ));
    Denial::new(
        "invalid_replacement",
        "A policy could not rewrite the event",
    )
    .into()
}

impl From<Denial> for Verdict {
    fn from(denial: Denial) -> Self {
        Self::Deny(denial)
    }
}

impl From<ArgsError> for Verdict {
    fn from(error: ArgsError) -> Self {
        Self::Deny(error.into())
    }
}

// === impl Admission ===

impl Admission {
    /// The denial, if it is one.
    #[must_use]
    pub fn denial(&self) -> Option<&Denial> {
        match self {
            Self::Deny(denial) => Some(denial),
            _ => None,
        }
    }

    /// The identity, if the client is accepted.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Accept(identity) => Some(identity),
            _ => None,
        }
    }
}

impl From<Denial> for Admission {
    fn from(denial: Denial) -> Self {
        Self::Deny(denial)
    }
}

impl From<ArgsError> for Admission {
    fn from(error: ArgsError) -> Self {
        Self::Deny(error.into())
    }
}

impl From<Identity> for Admission {
    fn from(identity: Identity) -> Self {
        Self::Accept(identity)
    }
}

// === impl Denial ===

impl Denial {
    /// A denial with a code for programs and a message for people.
    #[must_use]
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            ..Self::default()
        }
    }

    /// Says when it is worth trying again.
    #[must_use]
    pub fn retry_after_ms(mut self, ms: u32) -> Self {
        self.retry_after_ms = Some(ms);
        self
    }

    /// Adds data, written by serde as JSON. What JSON cannot say is left out, and logged.
    #[must_use]
    pub fn data<T: Serialize + ?Sized>(mut self, data: &T) -> Self {
        match serde_json::to_string(data) {
            Ok(text) => self.data = Some(text),
            Err(error) => log::error(format!(
                "the data of denial {} is unusable: {error}",
                self.code
            )),
        }
        self
    }

    /// Closes the socket after it has been told.
    #[must_use]
    pub fn disconnect(mut self) -> Self {
        self.disconnect = true;
        self
    }
}

// === impl Identity ===

impl Identity {
    /// Nobody in particular, to which attributes and rooms can be added.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// This user.
    #[must_use]
    pub fn user(user: impl Into<String>) -> Self {
        Self {
            user: Some(user.into()),
            ..Self::default()
        }
    }

    /// Adds an attribute.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.push((name.into(), value.into()));
        self
    }

    /// Adds a room that the socket joins.
    #[must_use]
    pub fn room(mut self, room: impl Into<String>) -> Self {
        self.rooms.push(room.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replacement_has_to_be_an_array() {
        assert_eq!(
            Verdict::replace(&("a", 1, [true])),
            Verdict::Replace(r#"["a",1,[true]]"#.into())
        );
        for verdict in [Verdict::replace("a"), Verdict::replace_text("{}".into())] {
            assert_eq!(verdict.denial().unwrap().code, "invalid_replacement");
        }
    }

    #[test]
    fn data_that_json_cannot_say_is_left_out() {
        let keys = std::collections::BTreeMap::from([((1, 2), 3)]);
        assert_eq!(Denial::new("code", "message").data(&keys).data, None);
    }
}
