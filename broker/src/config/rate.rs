//! How often something may happen.

use std::time::Duration;

use config::ValueKind;

use super::setting::{Setting, Wrong, unfit};

/// So many in a period: all of them at once, if nothing happened for as long, and then at this pace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    pub count: u32,
    pub period: Duration,
}

const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(86_400);
/// More come in no second.
const MOST: u32 = 1_000_000;

impl Rate {
    fn new(count: u32, period: Duration) -> Result<Self, Wrong> {
        if count == 0 {
            return Err(Wrong::new("lets nothing happen at all"));
        }
        if count > MOST {
            return Err(Wrong::new("is more than 1000000 in a period"));
        }
        if !(SHORTEST..=LONGEST).contains(&period) {
            return Err(Wrong::new("has a period that is not within 1ms and a day"));
        }
        Ok(Self { count, period })
    }
}

impl Setting for Rate {
    const EXPECTED: &'static str = "a rate such as `100 per second`, `600 per minute` or `5 per 10s`; a lone number is a second's";
    const TYPE: &'static str = "rate";

    fn schema() -> serde_json::Value {
        serde_json::json!({ "anyOf": [
            { "type": "string", "minLength": 1 },
            { "type": "integer", "minimum": 1 },
        ]})
    }

    fn from_text(text: &str) -> Result<Self, Wrong> {
        let wrong = || Wrong::new("is not a rate");
        let parts = text.split_once(" per ").or_else(|| text.split_once('/'));
        let (count, period) = parts.unwrap_or((text, "second"));
        let count = count.trim().parse().map_err(|_| wrong())?;
        let period = period.trim();
        let one = match period.starts_with(|first: char| first.is_ascii_digit()) {
            true => "",
            false => "1",
        };
        let period = humantime::parse_duration(&format!("{one}{period}")).map_err(|_| wrong())?;
        Self::new(count, period)
    }

    fn from_value(value: &ValueKind) -> Result<Self, Wrong> {
        match value {
            ValueKind::String(text) => Self::from_text(text),
            ValueKind::I64(number) => Self::from_text(&number.to_string()),
            ValueKind::U64(number) => Self::from_text(&number.to_string()),
            other => Err(unfit(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        let read = |text| {
            let rate = Rate::from_text(text).ok()?;
            Some((rate.count, rate.period.as_millis()))
        };
        for (text, rate) in [
            ("100", (100, 1000)),
            ("100 per second", (100, 1000)),
            ("20/s", (20, 1000)),
            ("600 per minute", (600, 60_000)),
            ("5 per 10s", (5, 10_000)),
            ("1 per day", (1, 86_400_000)),
        ] {
            assert_eq!(read(text), Some(rate), "{text}");
        }
        for wrong in [
            "",
            "0",
            "-1",
            "1.5",
            "many",
            "5 per",
            "5 per fortnight",
            "5 per 2days",
            "5 per 1us",
            "1000001",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        let five = Rate::from_value(&ValueKind::I64(5)).unwrap();
        assert_eq!((five.count, five.period), (5, Duration::from_secs(1)));
    }
}
