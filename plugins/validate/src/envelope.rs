//! What a message is wrapped into: `{from, text, timestamp}`, with the names that the configuration gives them.

use std::time::{Duration, UNIX_EPOCH};

use sluice_plugin_sdk::current;

/// The parts of the text around the values, as JSON.
#[derive(Debug)]
pub(crate) struct Envelope {
    from: String,
    text: String,
    timestamp: String,
}

impl Envelope {
    pub(crate) fn new(from: &str, text: &str, timestamp: &str) -> Self {
        Self {
            from: format!("[{{{}:", json(from)),
            text: format!(",{}:", json(text)),
            timestamp: format!(",{}:\"", json(timestamp)),
        }
    }

    /// The new arguments around the JSON text of the first one.
    pub(crate) fn around(&self, text: &str) -> String {
        let from = current::user().map_or_else(|| "null".to_owned(), |user| json(&user));
        [
            &*self.from,
            &*from,
            &*self.text,
            text,
            &*self.timestamp,
            &*iso(current::now_ms()),
            "\"}]",
        ]
        .concat()
    }
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The last millisecond that four digits of a year can say.
const MAX_MS: u64 = 253_402_300_799_999;

/// As JavaScript's `Date.toJSON` writes it.
fn iso(now_ms: u64) -> String {
    let now = UNIX_EPOCH + Duration::from_millis(now_ms.min(MAX_MS));
    humantime::format_rfc3339_millis(now).to_string()
}

#[cfg(test)]
mod tests {
    use super::iso;

    #[test]
    fn a_moment_is_written_as_javascript_writes_it() {
        // Each of them is what `new Date(ms).toJSON()` says.
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_007, "2000-02-29T00:00:00.007Z"),
            (1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
            (1_735_689_599_999, "2024-12-31T23:59:59.999Z"),
            (u64::MAX, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(iso(ms), text);
        }
    }
}
