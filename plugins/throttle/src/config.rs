//! The configuration as it is written, and its way to the policy.

use std::time::Duration;

use policy_events::{Names, Order};
use serde::Deserialize;
use sluice_plugin_sdk::config::Period;

use crate::key::Key;
use crate::{Mode, Rule, Throttle};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    events: Vec<Event>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Event {
    event: Names,
    window: Period,
    key: Option<String>,
    #[serde(default = "yes")]
    leading: bool,
    #[serde(default = "yes")]
    trailing: bool,
}

fn yes() -> bool {
    true
}

/// The broker keeps an event no longer.
const MAX_WINDOW: Duration = Duration::from_secs(60);

impl TryFrom<Config> for Throttle {
    type Error = String;

    fn try_from(config: Config) -> Result<Self, String> {
        if config.events.is_empty() {
            return Err("`events` is empty, so nothing would be throttled".to_owned());
        }
        let mut rules = Vec::new();
        let mut buckets = 0;
        let mut order = Order::default();
        for (number, event) in config.events.into_iter().enumerate() {
            let at = format!("events[{number}]");
            let rule = event.rule(&at, &mut buckets)?;
            order.add(&at, &rule.events)?;
            rules.push(rule);
        }
        Ok(Self {
            rules,
            rule_of_event: order.entry_of_name(),
        })
    }
}

impl Event {
    /// `at` is where it stands in the configuration, `buckets` how many there are before it.
    fn rule(self, at: &str, buckets: &mut usize) -> Result<Rule, String> {
        let events = self.event.into_list(at)?;
        let window = Duration::from(self.window);
        if !(Duration::from_millis(1)..=MAX_WINDOW).contains(&window) {
            return Err(format!("`{at}.window` has to be from 1ms to 1m"));
        }
        if let Some(key) = &self.key
            && !is_pointer(key)
        {
            return Err(format!(
                "`{at}.key`: {key:?} is no JSON Pointer that begins with the number of an argument, such as \"/0/id\""
            ));
        }
        let mode = match (self.leading, self.trailing) {
            (leading, true) => Mode::Newest { leading },
            (false, false) => {
                return Err(format!(
                    "`{at}`: without `leading` and `trailing` no event would ever arrive"
                ));
            }
            (true, false) if self.key.is_some() => {
                return Err(format!(
                    "`{at}.key`: without `trailing` the events of a socket are counted together"
                ));
            }
            (true, false) => {
                *buckets += 1;
                Mode::First {
                    bucket: *buckets - 1,
                }
            }
        };
        Ok(Rule {
            key: Key::new(&events, self.key),
            events,
            window,
            mode,
        })
    }
}

/// RFC 6901, into an array.
fn is_pointer(text: &str) -> bool {
    let Some(steps) = text.strip_prefix('/') else {
        return false;
    };
    let first = steps.split('/').next().unwrap_or_default();
    let escaped = steps
        .split('~')
        .skip(1)
        .all(|rest| rest.starts_with(['0', '1']));
    !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_digit()) && escaped
}
