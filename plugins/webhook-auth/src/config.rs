//! The configuration as it is written, and its way to the policy.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use sluice_plugin_sdk::config::Period;

use crate::WebhookAuth;
use crate::cache::Cache;
use crate::question::Question;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    url: String,
    #[serde(default)]
    headers: Vec<String>,
    #[serde(default)]
    query: Vec<String>,
    #[serde(default = "yes")]
    auth: bool,
    #[serde(default)]
    request_headers: BTreeMap<String, String>,
    timeout: Option<Period>,
    #[serde(default)]
    on_unavailable: Effect,
    #[serde(default = "retry_after")]
    retry_after: Period,
    cache: Option<Period>,
}

fn yes() -> bool {
    true
}

fn retry_after() -> Period {
    Duration::from_secs(5).into()
}

#[derive(Default, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Effect {
    #[default]
    Deny,
    Allow,
}

/// Longer, and nobody could be locked out.
const MAX_CACHE: Duration = Duration::from_secs(3600);

impl TryFrom<Config> for WebhookAuth {
    type Error = String;

    fn try_from(config: Config) -> Result<Self, String> {
        if !config.url.starts_with("https://") && !config.url.starts_with("http://") {
            return Err("`url` has to begin with https:// or http://".to_owned());
        }
        if !config.auth && config.headers.is_empty() && config.query.is_empty() {
            return Err(
                "`auth` is false and `headers` and `query` are empty, so the back end would not know who asks"
                    .to_owned(),
            );
        }
        let headers = config.headers.iter().map(|name| name.to_ascii_lowercase());
        let headers: Vec<String> = headers.collect();
        for (key, names) in [("headers", &headers), ("query", &config.query)] {
            if let Some(number) = names.iter().position(String::is_empty) {
                return Err(format!("`{key}[{number}]` is empty"));
            }
        }
        let timeout: Option<Duration> = config.timeout.map(Duration::from);
        if timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Err("`timeout` is 0".to_owned());
        }
        let request_headers: Vec<_> = config.request_headers.into_iter().collect();
        let cache = match config.cache.map(Duration::from) {
            None => None,
            Some(time) if (Duration::from_millis(1)..=MAX_CACHE).contains(&time) => {
                Some(Cache::new(time, &config.url, &request_headers))
            }
            Some(_) => return Err("`cache` has to be from 1ms to 1h".to_owned()),
        };
        Ok(Self {
            url: config.url,
            request_headers,
            question: Question {
                headers,
                query: config.query,
                auth: config.auth,
            },
            timeout,
            admits_unavailable: config.on_unavailable == Effect::Allow,
            retry_after: config.retry_after.into(),
            cache,
        })
    }
}
