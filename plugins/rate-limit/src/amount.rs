//! How much a limit allows.

use std::time::Duration;

use serde::Deserialize;
use sluice_plugin_sdk::Bucket;
use sluice_plugin_sdk::config::Period;

/// How much a limit allows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Amount {
    /// So many at once, and so many more a second.
    Tokens { burst: u32, rate: f64 },
    /// So many in any window of this length.
    Window { limit: u32, length: Duration },
}

/// The keys that say it: `burst` and `rate`, or `limit` and `window`, or all of a window in the text of `limit`.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    pub(crate) burst: Option<u32>,
    pub(crate) rate: Option<f64>,
    pub(crate) limit: Option<Count>,
    pub(crate) window: Option<Period>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a number, or a text such as \"100 per minute\"")]
pub(crate) enum Count {
    Number(u32),
    Text(String),
}

impl Amount {
    pub(crate) fn bucket(self, name: String) -> Bucket {
        match self {
            Self::Tokens { burst, rate } => Bucket::tokens(name, burst, rate),
            Self::Window { limit, length } => Bucket::window(name, limit, length),
        }
    }

    /// The most that can be had at once.
    pub(crate) fn most(self) -> u32 {
        match self {
            Self::Tokens { burst: most, .. } | Self::Window { limit: most, .. } => most,
        }
    }

    fn check(self) -> Result<Self, String> {
        match self {
            Self::Tokens { burst: 0, .. } => Err("`burst` is 0, which allows nothing".to_owned()),
            Self::Tokens { rate, .. } if !(rate > 0.0 && rate.is_finite()) => {
                Err(format!("`rate` is {rate}, it has to be more than 0"))
            }
            Self::Window { limit: 0, .. } => Err("`limit` is 0, which allows nothing".to_owned()),
            Self::Window { length, .. } if length.is_zero() || length > LONGEST => {
                Err("a window lasts more than nothing and at most 49 days".to_owned())
            }
            amount => Ok(amount),
        }
    }
}

/// What fits the contract's 32 bits of milliseconds.
const LONGEST: Duration = Duration::from_millis(u32::MAX as u64);

impl Keys {
    pub(crate) fn is_empty(&self) -> bool {
        matches!(
            self,
            Self {
                burst: None,
                rate: None,
                limit: None,
                window: None
            }
        )
    }

    pub(crate) fn amount(self) -> Result<Amount, String> {
        let Self {
            burst,
            rate,
            limit,
            window,
        } = self;
        match (burst, rate, limit, window.map(Duration::from)) {
            (Some(burst), Some(rate), None, None) => Amount::Tokens { burst, rate },
            (None, None, Some(Count::Number(limit)), Some(length)) => {
                Amount::Window { limit, length }
            }
            (None, None, Some(Count::Text(text)), None) => window_of(&text)?,
            (None, None, Some(Count::Number(limit)), None) => {
                return Err(format!(
                    "`limit = {limit}` needs a `window`, or the text \"{limit} per minute\""
                ));
            }
            (None, None, Some(Count::Text(_)), Some(_)) => {
                return Err(
                    "`limit` is a text that says its window, so there is no `window` beside it"
                        .to_owned(),
                );
            }
            (Some(_), None, None, None) => return Err("`burst` needs a `rate`".to_owned()),
            (None, Some(_), None, None) => return Err("`rate` needs a `burst`".to_owned()),
            _ => {
                return Err(
                    "a limit is said by `burst` and `rate`, or by `limit` and `window`, or by \
                     `limit = \"100 per minute\"`"
                        .to_owned(),
                );
            }
        }
        .check()
    }
}

/// `100 per minute`, `5 per 10s`, `20/s`.
fn window_of(text: &str) -> Result<Amount, String> {
    let malformed =
        || format!("`limit`: {text:?} is not like \"100 per minute\", \"5 per 10s\" or \"20/s\"");
    let (count, period) = text
        .split_once(" per ")
        .or_else(|| text.split_once('/'))
        .ok_or_else(malformed)?;
    let limit = count.trim().parse().map_err(|_| malformed())?;
    let period = period.trim();
    let one = if period.starts_with(|first: char| first.is_ascii_digit()) {
        ""
    } else {
        "1"
    };
    let length = Period::parse(&format!("{one}{period}")).map_err(|_| malformed())?;
    Ok(Amount::Window {
        limit,
        length: length.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Result<(u32, u128), String> {
        let keys = Keys {
            limit: Some(Count::Text(text.to_owned())),
            ..Keys::default()
        };
        match keys.amount()? {
            Amount::Window { limit, length } => Ok((limit, length.as_millis())),
            tokens => Err(format!("{tokens:?}")),
        }
    }

    #[test]
    fn a_window_can_be_written_as_one_says_it() {
        for (spelling, wanted) in [
            ("100 per minute", (100, 60_000)),
            ("1 per second", (1, 1_000)),
            ("5 per 10s", (5, 10_000)),
            ("5 per 1m 30s", (5, 90_000)),
            ("20/s", (20, 1_000)),
            ("20 / min", (20, 60_000)),
            ("1000 per hour", (1_000, 3_600_000)),
            ("10 per day", (10, 86_400_000)),
            ("3 per 250ms", (3, 250)),
        ] {
            assert_eq!(text(spelling), Ok(wanted), "{spelling}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        for spelling in [
            "",
            "100",
            "per minute",
            "x per minute",
            "-1 per minute",
            "1.5 per s",
            "5 per",
            "5 per ",
            "5 per fortnight",
            "5 per -1s",
            "99999999999 per s",
        ] {
            assert!(
                text(spelling).unwrap_err().contains("is not like"),
                "{spelling}"
            );
        }
        assert!(text("0 per minute").unwrap_err().contains("allows nothing"));
        assert!(text("5 per 0s").unwrap_err().contains("49 days"));
        assert!(text("5 per 50 days").unwrap_err().contains("49 days"));
    }
}
