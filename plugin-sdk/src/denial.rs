//! Why something is refused.

use serde::Serialize;

use crate::log;

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

/// Makes a [`Denial`] with a message that is formatted: `denial!("too_long", "At most {max} bytes")`.
///
/// ```
/// use sluice_plugin_sdk::denial;
///
/// let max = 5;
/// let denial = denial!("too_long", "At most {max} bytes").retry_after_ms(100);
/// assert_eq!(denial.message, "At most 5 bytes");
/// ```
#[macro_export]
macro_rules! denial {
    ($code:expr, $($message:tt)+) => {
        $crate::Denial::new($code, ::std::format!($($message)+))
    };
}

/// Returns from the hook with a [`Denial`]: `deny!("too_long", "At most {max} bytes")`, or with one that exists:
/// `deny!(denial)`.
///
/// It works in whatever answers with a [`Verdict`](crate::Verdict), an [`Admission`](crate::Admission), a
/// [`Subscription`](crate::Subscription), or a `Result` with a [`Denial`] as its error.
///
/// ```
/// use sluice_plugin_sdk::{Denial, Verdict, deny};
///
/// fn short(text: &str) -> Verdict {
///     if text.len() > 5 {
///         deny!("too_long", "{} bytes are too many", text.len());
///     }
///     Verdict::Pass
/// }
///
/// fn half(number: u32) -> Result<u32, Denial> {
///     if number % 2 == 1 {
///         deny!(Denial::new("odd", "An even number, please").disconnect());
///     }
///     Ok(number / 2)
/// }
///
/// assert_eq!(short("good morning").denial().unwrap().message, "12 bytes are too many");
/// assert!(half(3).unwrap_err().disconnect);
/// ```
#[macro_export]
macro_rules! deny {
    ($denial:expr $(,)?) => {
        return $crate::Refusal::refusal($denial)
    };
    ($code:expr, $($message:tt)+) => {
        return $crate::Refusal::refusal($crate::denial!($code, $($message)+))
    };
}

/// What [`deny!`](crate::deny) can return.
///
/// ```
/// use sluice_plugin_sdk::{Denial, Refusal, Verdict};
///
/// let verdict: Verdict = Refusal::refusal(Denial::new("no", "No"));
/// assert!(verdict.denial().is_some());
/// ```
#[diagnostic::on_unimplemented(
    message = "`deny!` cannot answer with `{Self}`",
    note = "it returns from a function whose result is a `Verdict`, an `Admission`, a `Subscription`, \
            or a `Result` with a `Denial` as its error"
)]
pub trait Refusal {
    /// The refusal that says this.
    fn refusal(denial: Denial) -> Self;
}

impl Refusal for crate::Verdict {
    fn refusal(denial: Denial) -> Self {
        Self::Deny(denial)
    }
}

impl Refusal for crate::Admission {
    fn refusal(denial: Denial) -> Self {
        Self::Deny(denial)
    }
}

impl Refusal for crate::Subscription {
    fn refusal(denial: Denial) -> Self {
        Self::Deny(denial)
    }
}

impl<T, E: From<Denial>> Refusal for Result<T, E> {
    fn refusal(denial: Denial) -> Self {
        Err(denial.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_that_json_cannot_say_is_left_out() {
        let keys = std::collections::BTreeMap::from([((1, 2), 3)]);
        assert_eq!(Denial::new("code", "message").data(&keys).data, None);
    }
}
