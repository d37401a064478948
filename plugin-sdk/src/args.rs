//! Reading what a client sent, all of it or one value.

use std::fmt;

use serde::Deserialize;

use crate::{Denial, pointer};

/// What a client sent does not have the type that the policy expects. As a denial its code is
/// `invalid_arguments`.
///
/// ```
/// use sluice_plugin_sdk::{prelude::*, testing};
/// use serde_json::json;
///
/// #[policy]
/// struct Count {}
///
/// #[policy]
/// impl Count {
///     #[on_event("add")]
///     fn add(&mut self, call: &EventCall<'_>) -> Result<(), ArgsError> {
///         call.get::<u32>("/0/by")?;
///         Ok(())
///     }
/// }
///
/// let mut count = testing::policy::<Count>(json!({})).unwrap();
/// let denial = count.event("add", json!([{ "by": "two" }])).denial().unwrap().clone();
/// assert_eq!(denial.code, "invalid_arguments");
/// assert_eq!(denial.message, "`/0/by`: invalid type: string \"two\", expected u32");
/// ```
#[derive(Debug)]
pub struct ArgsError(Kind);

#[derive(Debug)]
enum Kind {
    All(serde_json::Error),
    Missing(String),
    One(String, serde_json::Error),
}

pub(crate) fn all<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, ArgsError> {
    serde_json::from_str(text).map_err(|error| ArgsError(Kind::All(error)))
}

pub(crate) fn one<'a, T: Deserialize<'a>>(text: &'a str, at: &str) -> Result<T, ArgsError> {
    match pointer::find(text, at) {
        Some(value) => {
            serde_json::from_str(value).map_err(|error| ArgsError(Kind::One(at.to_owned(), error)))
        }
        None => serde_json::from_str("null").map_err(|_| ArgsError(Kind::Missing(at.to_owned()))),
    }
}

impl fmt::Display for ArgsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::All(error) => f.write_str(&what(error)),
            Kind::Missing(at) => write!(f, "`{at}` is missing"),
            Kind::One(at, error) => write!(f, "`{at}`: {}", what(error)),
        }
    }
}

/// Without the position: it counts in a text that the client never saw.
fn what(error: &serde_json::Error) -> String {
    let mut text = error.to_string();
    if let Some((what, _)) = text.rsplit_once(" at line ") {
        text.truncate(what.len());
    }
    text
}

impl std::error::Error for ArgsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Kind::All(error) | Kind::One(_, error) => Some(error),
            Kind::Missing(_) => None,
        }
    }
}

impl From<ArgsError> for Denial {
    fn from(error: ArgsError) -> Self {
        Self::new("invalid_arguments", error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_from_what_is_wrong() {
        let text = r#"[{"n":1,"text":"a at line b","null":null}]"#;
        assert_eq!(one::<u8>(text, "/0/n").unwrap(), 1);
        assert_eq!(one::<&str>(text, "/0/text").unwrap(), "a at line b");
        assert_eq!(one::<Option<u8>>(text, "/0/m").unwrap(), None);
        assert_eq!(one::<Option<u8>>(text, "/0/null").unwrap(), None);
        let error = |at| one::<u8>(text, at).unwrap_err().to_string();
        assert_eq!(error("/0/m"), "`/0/m` is missing");
        assert_eq!(error("/1"), "`/1` is missing");
        assert_eq!(
            error("/0/null"),
            "`/0/null`: invalid type: null, expected u8"
        );
        assert!(
            one::<u8>("", "/0")
                .unwrap_err()
                .to_string()
                .contains("missing")
        );
    }
}
