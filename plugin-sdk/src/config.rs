//! Reading a policy's configuration.

use std::fmt;
use std::time::Duration;

use serde::de::{DeserializeOwned, Error, Visitor};
use serde::{Deserialize, Deserializer};

/// Reads a configuration from its JSON text, as the component does before it calls
/// [`Policy::configure`](crate::Policy::configure).
///
/// # Errors
///
/// What is wrong, with the key that it is about.
///
/// ```
/// #[derive(serde::Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Limits {
///     limits: Vec<u32>,
/// }
///
/// let error = sluice_plugin_sdk::config::parse::<Limits>(r#"{"limits": [1, "2"]}"#).err().unwrap();
/// assert_eq!(error, r#"`limits[1]`: invalid type: string "2", expected u32"#);
/// ```
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let text = if text.is_empty() { "{}" } else { text };
    // By way of a tree: its errors carry no positions in a text that the operator never sees.
    let tree: serde_json::Value =
        serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    serde_path_to_error::deserialize(tree).map_err(|error| {
        let path = error.path().to_string();
        let what = error.into_inner();
        if path == "." {
            what.to_string()
        } else {
            format!("`{path}`: {what}")
        }
    })
}

/// A duration in a configuration: a text such as `"30s"`, `"1m 30s"` or `"500ms"`, or a number of seconds.
///
/// ```
/// use std::time::Duration;
/// use sluice_plugin_sdk::config::Period;
///
/// let read = |json| serde_json::from_str::<Period>(json).map(Duration::from).ok();
/// assert_eq!(read(r#""1m 30s""#), Some(Duration::from_secs(90)));
/// assert_eq!(read("1.5"), Some(Duration::from_millis(1_500)));
/// assert_eq!(read("-1"), None);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(Duration);

impl Period {
    /// Reads the textual form.
    ///
    /// # Errors
    ///
    /// What a duration looks like.
    pub fn parse(text: &str) -> Result<Self, String> {
        humantime::parse_duration(text).map(Self).map_err(|_| {
            format!("{text:?} is no duration such as \"30s\", \"1m 30s\" or \"500ms\"")
        })
    }
}

impl From<Period> for Duration {
    fn from(period: Period) -> Self {
        period.0
    }
}

impl From<Duration> for Period {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PeriodVisitor)
    }
}

struct PeriodVisitor;

impl Visitor<'_> for PeriodVisitor {
    type Value = Period;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as \"30s\", or a number of seconds")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Period, E> {
        Period::parse(text).map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<Period, E> {
        Ok(Period(Duration::from_secs(seconds)))
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<Period, E> {
        u64::try_from(seconds)
            .map_err(|_| E::custom("a duration cannot be negative"))
            .and_then(|seconds| self.visit_u64(seconds))
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<Period, E> {
        Duration::try_from_secs_f64(seconds)
            .map(Period)
            .map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Config {
        inner: Vec<Inner>,
        wait: Period,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[allow(dead_code, reason = "read by Debug only")]
        name: String,
    }

    fn error(text: &str) -> String {
        parse::<Config>(text).unwrap_err()
    }

    #[test]
    fn an_error_names_the_key() {
        assert_eq!(
            error(r#"{"inner": [{"name": "a"}, {"name": 1}]}"#),
            "`inner[1].name`: invalid type: integer `1`, expected a string"
        );
        assert!(
            error(r#"{"inner": [{"nam": "a"}]}"#)
                .starts_with("`inner[0].nam`: unknown field `nam`"),
            "{}",
            error(r#"{"inner": [{"nam": "a"}]}"#)
        );
        assert_eq!(
            error(r#"{"inner": [{}]}"#),
            "`inner[0]`: missing field `name`"
        );
        assert!(error(r#"{"wait": "soon"}"#).starts_with("`wait`: \"soon\" is no duration"));
        assert!(error(r#"{"wait": [1]}"#).contains("expected a duration such as"));
    }

    #[test]
    fn no_configuration_is_an_empty_one() {
        assert!(parse::<Config>("").unwrap().inner.is_empty());
        assert!(parse::<Config>("{}").is_ok());
        assert!(error("[").starts_with("not JSON"));
    }
}
