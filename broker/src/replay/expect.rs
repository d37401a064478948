//! What a line expects of its call. What it does not mention may be anything.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::outcome::Shown;

/// The keys of an outcome, and two of a denial that are too common to be written inside one.
const KEYS: [&str; 11] = [
    "verdict", "code", "message", "args", "identity", "denial", "coalesce", "reason", "effects",
    "logs", "metrics",
];

/// Part of an outcome.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Expect(Map<String, Value>);

impl<'de> Deserialize<'de> for Expect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expect = Map::deserialize(deserializer)?;
        match expect.keys().find(|key| !KEYS.contains(&key.as_str())) {
            Some(key) => Err(D::Error::unknown_field(key, &KEYS)),
            None => Ok(Self(expect)),
        }
    }
}

impl Expect {
    /// Whether everything that is expected is as it came out.
    pub(super) fn is_met(&self, got: &Shown<'_>) -> bool {
        // An outcome always is an object.
        let got = serde_json::to_value(got).unwrap_or_default();
        self.0.iter().all(|(key, expected)| match key.as_str() {
            "code" | "message" => is_part(expected, &got["denial"][key]),
            "args" => got.get(key) == Some(expected),
            _ => is_part(expected, &got[key]),
        })
    }

    pub(super) fn text(&self) -> String {
        Value::from(self.0.clone()).to_string()
    }
}

/// Objects may have more than is expected. What is absent is as good as empty.
fn is_part(expected: &Value, got: &Value) -> bool {
    match (expected, got) {
        (Value::Object(expected), Value::Object(got)) => expected
            .iter()
            .all(|(key, expected)| is_part(expected, got.get(key).unwrap_or(&Value::Null))),
        (Value::Array(expected), Value::Null) => expected.is_empty(),
        (Value::Array(expected), Value::Array(got)) => {
            let mut both = expected.iter().zip(got);
            expected.len() == got.len() && both.all(|(expected, got)| is_part(expected, got))
        }
        _ => expected == got,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_mentioned_may_be_anything() {
        let got =
            json!({"code": "c", "message": "m", "data": {"a": 1, "b": [1, {"c": 2, "d": 3}]}});
        assert!(is_part(&json!({"data": {"b": [1, {"c": 2}]}}), &got));
        assert!(!is_part(&json!({"data": {"b": [1]}}), &got));
        assert!(!is_part(&json!({"retry_after_ms": 5}), &got));
        assert!(is_part(&json!({"retry_after_ms": null}), &got));
        assert!(is_part(&json!([]), &Value::Null));
        assert!(!is_part(&json!([1]), &Value::Null));
    }

    #[test]
    fn a_key_that_no_outcome_has_is_a_mistake() {
        let read = |value| serde_json::from_value::<Expect>(value);
        assert!(read(json!({"verdict": "deny", "code": "c"})).is_ok());
        let told = read(json!({"verdict": "deny", "cod": "c"})).unwrap_err();
        assert!(told.to_string().contains("`cod`"), "{told}");
    }
}
