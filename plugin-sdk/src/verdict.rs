//! What a policy answers to an event.

use std::time::Duration;

use serde::Serialize;

use crate::{ArgsError, Denial, log};

/// The answer to an event.
///
/// ```
/// use std::time::Duration;
/// use sluice_plugin_sdk::{Denial, Verdict};
///
/// assert_eq!(Verdict::replace(&("a", 1)), Verdict::Replace(r#"["a",1]"#.into()));
/// assert_eq!(Verdict::reply(&[true]), Verdict::Reply("[true]".into()));
/// assert_eq!(Verdict::from(Denial::new("no", "No")).denial().unwrap().code, "no");
/// let newest = Verdict::coalesce("cursor", Duration::from_millis(100));
/// assert!(matches!(newest, Verdict::Coalesce { leading: false, .. }));
/// ```
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
    /// Of the events of this socket with this key, the newest goes on when the window ends, and those before it are
    /// superseded. See [`Verdict::coalesce`].
    Coalesce {
        /// What belongs together.
        key: String,
        /// How long a window is: whole milliseconds, at least one. It begins with the first event after the last
        /// window.
        window: Duration,
        /// Whether the event that begins a window goes on at once.
        leading: bool,
    },
    /// Is not delivered; the text of a JSON array answers the client's acknowledgement. See [`Verdict::reply`].
    Reply(String),
}

impl Verdict {
    /// New arguments for the event: a tuple, an array or a list, which serde writes as a JSON array.
    ///
    /// Arguments that are no array are a mistake of the policy: the event is then denied with the code
    /// `invalid_replacement`, and the log says so.
    #[must_use]
    pub fn replace<T: Serialize + ?Sized>(args: &T) -> Self {
        array(args).map_or_else(|why| invalid_replacement(&why), Self::Replace)
    }

    /// The same from text that already is a JSON array. Only its first character is checked.
    #[must_use]
    pub fn replace_text(args: String) -> Self {
        if args.starts_with('[') {
            Self::Replace(args)
        } else {
            invalid_replacement(NO_ARRAY)
        }
    }

    /// Answers the client's acknowledgement with these arguments, a tuple, an array or a list, and delivers the event
    /// to no one. To a client that waits for no acknowledgement nothing is said.
    #[must_use]
    pub fn reply<T: Serialize + ?Sized>(args: &T) -> Self {
        array(args).map_or_else(|why| invalid_replacement(&why), Self::Reply)
    }

    /// The same from text that already is a JSON array. Only its first character is checked.
    #[must_use]
    pub fn reply_text(args: String) -> Self {
        if args.starts_with('[') {
            Self::Reply(args)
        } else {
            invalid_replacement(NO_ARRAY)
        }
    }

    /// Holds the event back until the window ends and then lets the newest of this socket and key go on: at most one
    /// event a window, and the last one always arrives.
    #[must_use]
    pub fn coalesce(key: impl Into<String>, window: Duration) -> Self {
        Self::Coalesce {
            key: key.into(),
            window,
            leading: false,
        }
    }

    /// The same, but the event that begins a window goes on at once: what comes alone is not delayed.
    #[must_use]
    pub fn coalesce_leading(key: impl Into<String>, window: Duration) -> Self {
        Self::Coalesce {
            key: key.into(),
            window,
            leading: true,
        }
    }

    /// A refusal with a code for programs and a message for people; [`Denial`] has more to say.
    #[must_use]
    pub fn deny(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Deny(Denial::new(code, message))
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

const NO_ARRAY: &str = "it is no array";

/// The text of a JSON array.
pub(crate) fn array<T: Serialize + ?Sized>(args: &T) -> Result<String, String> {
    match serde_json::to_string(args) {
        Ok(text) if text.starts_with('[') => Ok(text),
        Ok(_) => Err(NO_ARRAY.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[cold]
fn invalid_replacement(why: &str) -> Verdict {
    log::error(format!(
        "what should replace or answer an event is unusable: {why}"
    ));
    Verdict::deny(
        "invalid_replacement",
        "A policy could not rewrite the event",
    )
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replacement_has_to_be_an_array() {
        assert_eq!(
            Verdict::replace(&("a", 1, [true])),
            Verdict::Replace(r#"["a",1,[true]]"#.into())
        );
        for verdict in [
            Verdict::replace("a"),
            Verdict::replace_text("{}".into()),
            Verdict::reply(&1),
            Verdict::reply_text(String::new()),
        ] {
            assert_eq!(verdict.denial().unwrap().code, "invalid_replacement");
        }
    }
}
