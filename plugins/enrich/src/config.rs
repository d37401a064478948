//! The configuration as it is written, and its way to the policy.

use std::collections::BTreeMap;

use policy_events::{Names, Order};
use serde::Deserialize;

use crate::source::{self, Source};
use crate::{Enrich, Field, Place, Rule};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    events: Vec<Event>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Event {
    event: Names,
    fields: Option<BTreeMap<String, String>>,
    argument: Option<usize>,
}

/// Where nothing else is said.
const FIELDS: [(&str, &str); 4] = [
    ("id", "id"),
    ("socket", "socket"),
    ("ts", "time"),
    ("user", "user"),
];

/// Arguments before it are filled in.
const MAX_ARGUMENT: usize = 15;

impl TryFrom<Config> for Enrich {
    type Error = String;

    fn try_from(config: Config) -> Result<Self, String> {
        if config.events.is_empty() {
            return Err("`events` is empty, so nothing would be added".to_owned());
        }
        let mut rules = Vec::new();
        let mut order = Order::default();
        for (number, event) in config.events.into_iter().enumerate() {
            let at = format!("events[{number}]");
            let rule = event.rule(&at)?;
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
    /// `at` is where it stands in the configuration.
    fn rule(self, at: &str) -> Result<Rule, String> {
        let events = self.event.into_list(at)?;
        let fields = self.fields.unwrap_or_else(|| {
            let fields = FIELDS.into_iter();
            fields
                .map(|(key, source)| (key.to_owned(), source.to_owned()))
                .collect()
        });
        if fields.is_empty() {
            return Err(format!("`{at}.fields` is empty, so nothing would be added"));
        }
        let fields = fields.into_iter().map(|(key, source)| {
            let source =
                Source::parse(&source).map_err(|error| format!("`{at}.fields.{key}`: {error}"))?;
            let json = source::text(Some(key.clone())) + ":";
            Ok::<_, String>(Field { key, json, source })
        });
        let place = match self.argument {
            None => Place::FirstObject,
            Some(number) if number <= MAX_ARGUMENT => Place::Argument(number),
            Some(_) => {
                return Err(format!(
                    "`{at}.argument` has to be from 0 to {MAX_ARGUMENT}"
                ));
            }
        };
        Ok(Rule {
            fields: fields.collect::<Result<_, _>>()?,
            events,
            place,
        })
    }
}
