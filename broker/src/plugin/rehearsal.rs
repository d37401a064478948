//! What a policy that is rehearsed, and serves nobody, has in the place of a broker: a clock that is set, answers to its
//! requests, and a record of what it says.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::bindings::http;
use super::fetch::Request;
use super::host::{REQUESTS_A_CALL, one_less};
use crate::telemetry::events::Level;

/// The surroundings of a policy that events are played to.
#[derive(Debug, Default)]
pub(crate) struct Rehearsal {
    /// Milliseconds, since the Unix epoch or since whatever the events begin with.
    now: AtomicU64,
    desk: Mutex<Desk>,
}

#[derive(Debug, Default)]
struct Desk {
    said: Said,
    answers: HashMap<String, Upstream>,
    /// The call is of the connect hook, the only one that may ask.
    is_connecting: bool,
    /// Requests, and additions that are counted strictly, which the call may still make.
    left: u32,
}

/// What came of one call beside its answer.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub lines: Vec<(Level, String)>,
    pub requests: Vec<Request>,
    /// Metrics by their numbers, with what they are now.
    pub metrics: Vec<(u32, f64)>,
}

/// What answers requests for a URL.
#[derive(Debug, Clone)]
pub(crate) enum Upstream {
    Response {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    Timeout,
    TooLarge,
    Refused(String),
    Failed(String),
}

impl Rehearsal {
    pub(crate) fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    /// Sets the clock. False: it would go back.
    #[must_use]
    pub(crate) fn is_now(&self, now: u64) -> bool {
        self.now.fetch_max(now, Ordering::Relaxed) <= now
    }

    /// From now on, this answers requests for a URL.
    pub(crate) fn answer(&self, url: String, answer: Upstream) {
        self.desk.lock().answers.insert(url, answer);
    }

    /// Forgets what came of the call before.
    pub(crate) fn begin(&self, is_connecting: bool) {
        let mut desk = self.desk.lock();
        desk.said = Said::default();
        desk.is_connecting = is_connecting;
        desk.left = REQUESTS_A_CALL;
    }

    /// What came of the call.
    pub(crate) fn end(&self) -> Said {
        std::mem::take(&mut self.desk.lock().said)
    }

    /// Whether the call is of the connect hook.
    pub(super) fn is_connecting(&self) -> bool {
        self.desk.lock().is_connecting
    }

    /// One of the requests that a call may make, as in a broker.
    pub(super) fn take_one(&self) -> Result<(), String> {
        self.desk.lock().take_one()
    }

    pub(super) fn log(&self, level: Level, message: &str) {
        let line = (level, message.to_owned());
        self.desk.lock().said.lines.push(line);
    }

    pub(super) fn metric(&self, metric: u32, value: f64) {
        let metrics = &mut self.desk.lock().said.metrics;
        match metrics.iter_mut().find(|(number, _)| *number == metric) {
            Some((_, now)) => *now = value,
            None => metrics.push((metric, value)),
        }
    }

    pub(super) fn fetch(&self, request: http::Request) -> Result<http::Response, http::Error> {
        let mut desk = self.desk.lock();
        if !desk.is_connecting {
            let why = "requests are made from on-connect only";
            return Err(http::Error::Refused(why.to_owned()));
        }
        desk.take_one().map_err(http::Error::Refused)?;
        let answer = desk.answers.get(&request.url).cloned();
        desk.said.requests.push(request.into());
        match answer {
            Some(Upstream::Response {
                status,
                headers,
                body,
            }) => Ok(http::Response {
                status,
                headers,
                body,
            }),
            Some(Upstream::Timeout) => Err(http::Error::Timeout),
            Some(Upstream::TooLarge) => Err(http::Error::TooLarge),
            Some(Upstream::Refused(why)) => Err(http::Error::Refused(why)),
            Some(Upstream::Failed(why)) => Err(http::Error::Failed(why)),
            None => Err(http::Error::Failed("nothing answers this URL".to_owned())),
        }
    }
}

impl Desk {
    fn take_one(&mut self) -> Result<(), String> {
        self.left = one_less(self.left)?;
        Ok(())
    }
}
