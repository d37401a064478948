//! Asks a back end whether a client may come in, and as whom.
//!
//! `config` reads what the operator wants, `question` is what the back end is asked, `answer` what it says, and `cache`
//! remembers whom it has admitted. What clients authenticate with is passed on and kept nowhere: not in the log, and in
//! the store only as a part of a hash.

mod answer;
mod cache;
mod config;
mod question;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::Deserialize;
use sluice_plugin_sdk::prelude::*;

use answer::Answer;
use cache::Cache;
use config::Config;
use question::Question;

/// The policy. It has no `Debug`, so that no log line can hold the headers of its requests.
#[derive(Deserialize)]
#[serde(try_from = "Config")]
pub struct WebhookAuth {
    url: String,
    /// Of the requests to the back end.
    request_headers: Vec<(String, String)>,
    question: Question,
    timeout: Option<Duration>,
    /// Whether clients come in, as nobody in particular, while the back end does not answer.
    admits_unavailable: bool,
    retry_after: Duration,
    cache: Option<Cache>,
}

/// No decision.
struct NoAnswer {
    why: String,
    /// Whether the client comes in all the same.
    admits: bool,
}

/// More than any way to sign in needs.
const MAX_BODY: usize = 64 * 1024;

impl Policy for WebhookAuth {
    const HOOKS: Hooks = Hooks::CONNECT;
    const CAPABILITIES: Capabilities = Capabilities::HTTP;

    fn on_connect(&mut self, call: &ConnectCall<'_>) -> Admission {
        let body = self.question.body(call.auth_text());
        if body.len() > MAX_BODY {
            // A decision, whatever holds while there is none: clients must not be able to bring that about.
            let message = format!("At most {MAX_BODY} bytes can be passed on to sign in with");
            return Denial::new("auth_too_large", message).into();
        }
        let known = self.cache.as_ref().and_then(|cache| cache.find(&body));
        if let Some(identity) = known {
            return identity.into();
        }
        match self.ask(body.clone()) {
            Ok(Answer::Admit(identity)) => {
                if let Some(cache) = &self.cache {
                    cache.keep(&body, &identity);
                }
                identity.into()
            }
            Ok(Answer::Pass) => Admission::Pass,
            Ok(Answer::Deny(denial)) => denial.into(),
            Err(NoAnswer { why, admits }) => self.unavailable(&why, admits),
        }
    }
}

impl WebhookAuth {
    fn ask(&self, body: String) -> Result<Answer, NoAnswer> {
        let mut request = http::post(&*self.url)
            .header("content-type", "application/json")
            .header("accept", "application/json")
            .body(body);
        for (name, value) in &self.request_headers {
            request = request.header(&**name, &**value);
        }
        if let Some(timeout) = self.timeout {
            request = request.timeout(timeout);
        }
        let response = request.fetch().map_err(|error| NoAnswer {
            why: error.to_string(),
            // Nobody was asked, and nobody ever will be: that is a mistake, not an outage.
            admits: self.admits_unavailable && !matches!(error, http::Error::Refused(_)),
        })?;
        answer::read(&response, current::now_ms()).map_err(|why| NoAnswer {
            why,
            admits: self.admits_unavailable,
        })
    }

    #[cold]
    fn unavailable(&self, why: &str, admits: bool) -> Admission {
        let then = if admits {
            "the client comes in all the same"
        } else {
            "the client is denied"
        };
        log::warn(format!("the back end did not decide, {then}: {why}"));
        if admits {
            return Admission::Pass;
        }
        let retry = u32::try_from(self.retry_after.as_millis()).unwrap_or(u32::MAX);
        Denial::new(
            "auth_unavailable",
            "Signing in is not possible at the moment",
        )
        .retry_after_ms(retry)
        .into()
    }
}

export!(WebhookAuth);
