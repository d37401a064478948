//! The configuration as it is written, and its way to the policy.

use std::collections::BTreeSet;

use serde::Deserialize;
use sluice_plugin_sdk::Subject;
use sluice_plugin_sdk::config::Period;

use crate::amount::{Count, Keys};
use crate::{Limit, RateLimit};

/// What is said beside `limits` is the limit of all other events, and what its limits have in common.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    #[serde(default)]
    limits: Vec<LimitConfig>,
    #[serde(default)]
    per: Per,
    burst: Option<u32>,
    rate: Option<f64>,
    limit: Option<Count>,
    window: Option<Period>,
    cost: Option<u32>,
    code: Option<String>,
    message: Option<String>,
    disconnect_after: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitConfig {
    events: Events,
    per: Option<Per>,
    burst: Option<u32>,
    rate: Option<f64>,
    limit: Option<Count>,
    window: Option<Period>,
    cost: Option<u32>,
    code: Option<String>,
    message: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "an event or a list of events")]
enum Events {
    One(String),
    Many(Vec<String>),
}

#[derive(Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Per {
    #[default]
    User,
    Socket,
    Address,
}

impl TryFrom<Config> for RateLimit {
    type Error = String;

    fn try_from(config: Config) -> Result<Self, String> {
        let rest = Keys {
            burst: config.burst,
            rate: config.rate,
            limit: config.limit,
            window: config.window,
        };
        if config.limits.is_empty() && rest.is_empty() {
            return Err("it limits nothing: `limit` or `limits` is missing".to_owned());
        }
        if config.disconnect_after == Some(0) {
            return Err("`disconnect_after` is 0, the first denial is 1".to_owned());
        }
        let common = Common {
            per: config.per,
            cost: config.cost.unwrap_or(1),
            code: config.code.unwrap_or_else(|| "rate_limited".to_owned()),
            message: config
                .message
                .unwrap_or_else(|| "Rate limit exceeded".to_owned()),
        };
        let mut limits = Vec::new();
        for (number, limit) in config.limits.into_iter().enumerate() {
            let limit = limit.resolve(&common);
            limits.push(limit.map_err(|error| format!("`limits[{number}]`: {error}"))?);
        }
        if !rest.is_empty() {
            limits.push(common.limit(vec!["*".to_owned()], rest)?);
        }
        Self::new(limits, config.disconnect_after)
    }
}

impl RateLimit {
    fn new(limits: Vec<Limit>, disconnect_after: Option<u32>) -> Result<Self, String> {
        let mut names = BTreeSet::new();
        let mut limit_of_rule = Vec::new();
        for (number, limit) in limits.iter().enumerate() {
            if !names.insert(limit.bucket_name()) {
                return Err(format!(
                    "two limits are about {:?}; the second never counts",
                    limit.events
                ));
            }
            limit_of_rule.extend(limit.events.iter().map(|_| number));
        }
        Ok(Self {
            limits,
            limit_of_rule,
            disconnect_after,
        })
    }
}

/// What the limits have in common where they do not say otherwise.
struct Common {
    per: Per,
    cost: u32,
    code: String,
    message: String,
}

impl Common {
    fn limit(&self, events: Vec<String>, keys: Keys) -> Result<Limit, String> {
        let amount = keys.amount()?;
        if !(1..=amount.most()).contains(&self.cost) {
            return Err(format!(
                "`cost` is {}, it has to be from 1 to {}",
                self.cost,
                amount.most()
            ));
        }
        Ok(Limit {
            events,
            per: match self.per {
                Per::User => Subject::User,
                Per::Socket => Subject::Socket,
                Per::Address => Subject::Address,
            },
            amount,
            cost: self.cost,
            code: self.code.clone(),
            message: self.message.clone(),
        })
    }
}

impl LimitConfig {
    fn resolve(self, common: &Common) -> Result<Limit, String> {
        let events = match self.events {
            Events::One(event) => vec![event],
            Events::Many(events) if events.is_empty() => return Err("`events` is empty".to_owned()),
            Events::Many(events) => events,
        };
        let keys = Keys {
            burst: self.burst,
            rate: self.rate,
            limit: self.limit,
            window: self.window,
        };
        let own = Common {
            per: self.per.unwrap_or(common.per),
            cost: self.cost.unwrap_or(common.cost),
            code: self.code.unwrap_or_else(|| common.code.clone()),
            message: self.message.unwrap_or_else(|| common.message.clone()),
        };
        own.limit(events, keys)
    }
}
