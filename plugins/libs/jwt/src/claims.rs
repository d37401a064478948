//! What a token says, and whether it may say so now and here (RFC 7519, section 4.1).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::refusal::Refusal;

/// The claims of a token whose signature is right, each as its JSON text.
pub(crate) struct Claims<'a>(BTreeMap<String, &'a RawValue>);

/// What is asked of them.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) leeway: Duration,
    pub(crate) require_exp: bool,
    /// One of these; any where there are none.
    pub(crate) audience: Vec<String>,
    /// One of these; any where there are none.
    pub(crate) issuer: Vec<String>,
}

// === impl Rules ===

impl Rules {
    pub(crate) fn check(&self, claims: &Claims<'_>, now_ms: u64) -> Result<(), Refusal> {
        // Dates are numbers of seconds and need not be whole.
        let now = now_ms as f64 / 1_000.0;
        let leeway = self.leeway.as_secs_f64();
        let not_before = claims.date("nbf")?;
        let expires = claims.date("exp")?;
        if not_before.is_some_and(|date| now + leeway < date) {
            return Err(Refusal::NotYetValid);
        }
        match expires {
            Some(date) if now >= date + leeway => return Err(Refusal::Expired),
            None if self.require_exp => return Err(Refusal::Malformed),
            _ => {}
        }
        if !one_of(&self.audience, &claims.list("aud")?) {
            return Err(Refusal::Audience);
        }
        let issuer: Option<String> = claims.get("iss")?;
        if !one_of(&self.issuer, issuer.as_slice()) {
            return Err(Refusal::Issuer);
        }
        Ok(())
    }
}

fn one_of(wanted: &[String], found: &[String]) -> bool {
    wanted.is_empty() || found.iter().any(|found| wanted.contains(found))
}

// === impl Claims ===

impl<'a> Claims<'a> {
    pub(crate) fn parse(payload: &'a str) -> Result<Self, Refusal> {
        let claims = serde_json::from_str(payload).map_err(|_| Refusal::Malformed)?;
        Ok(Self(claims))
    }

    /// The first of these claims that the token has: a text, or a number as its text.
    pub(crate) fn user(&self, names: &[String]) -> Result<String, Refusal> {
        for name in names {
            match self.scalar(name)? {
                Some(text) if text.is_empty() => {}
                Some(text) => return Ok(text),
                None if self.is_present(name) => return Err(Refusal::NoUser),
                None => {}
            }
        }
        Err(Refusal::NoUser)
    }

    /// A claim as a text; one that is no text as its JSON text. None where it is missing or null.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, Refusal> {
        match self.0.get(name).map(|value| value.get()) {
            None | Some("null") => Ok(None),
            Some(text) if text.starts_with('"') => self.get(name),
            Some(json) => Ok(Some(json.to_owned())),
        }
    }

    /// The same for texts and numbers only.
    pub(crate) fn scalar(&self, name: &str) -> Result<Option<String>, Refusal> {
        let is_scalar = |json: &str| {
            json.starts_with(|first: char| matches!(first, '"' | '-') || first.is_ascii_digit())
        };
        match self.0.get(name) {
            Some(value) if is_scalar(value.get()) => self.text(name),
            _ => Ok(None),
        }
    }

    /// A list of texts and numbers; a single one is a list of one.
    pub(crate) fn list(&self, name: &str) -> Result<Vec<String>, Refusal> {
        if !self
            .0
            .get(name)
            .is_some_and(|value| value.get().starts_with('['))
        {
            return match self.scalar(name)? {
                Some(text) => Ok(vec![text]),
                None if self.is_present(name) => Err(Refusal::Malformed),
                None => Ok(Vec::new()),
            };
        }
        let items: Vec<&RawValue> = self.get(name)?.unwrap_or_default();
        let items = items.into_iter().map(|item| {
            let item = Claims(BTreeMap::from([(String::new(), item)]));
            item.scalar("")?.ok_or(Refusal::Malformed)
        });
        items.collect()
    }

    /// A date as milliseconds since the Unix epoch; one before that is its beginning.
    pub(crate) fn date_ms(&self, name: &str) -> Result<Option<u64>, Refusal> {
        // Saturates at both ends.
        Ok(self.date(name)?.map(|date| (date * 1_000.0) as u64))
    }

    /// A number of seconds since the Unix epoch. A date that is no number is no date at all.
    fn date(&self, name: &str) -> Result<Option<f64>, Refusal> {
        match self.0.get(name) {
            Some(value) => serde_json::from_str(value.get())
                .map(Some)
                .map_err(|_| Refusal::Malformed),
            None => Ok(None),
        }
    }

    fn is_present(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| value.get() != "null")
    }

    fn get<T: Deserialize<'a>>(&self, name: &str) -> Result<Option<T>, Refusal> {
        match self.0.get(name) {
            Some(value) => serde_json::from_str(value.get()).map_err(|_| Refusal::Malformed),
            None => Ok(None),
        }
    }
}
