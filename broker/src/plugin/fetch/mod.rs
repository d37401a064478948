//! What policies ask over HTTP: to the hosts that the operator lists, and within the operator's bounds.
//!
//! `request` checks what a policy wants to send, `client` sends it, `cache` remembers answers and lets equal questions
//! share one. A [`Fetcher`] belongs to a policy's name and its `http` settings, so that connections and answers outlive
//! a reload. Redirects are not followed: a policy sees them and decides. Sockets live on the control runtime; a reactor
//! only waits for what comes of them.

mod cache;
mod client;
mod request;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;

use self::cache::{Cache, Found, Key};
use self::client::Client;
use self::request::Checked;
use crate::config::PolicyHttp;
use crate::telemetry::events::PolicyFetched;
use crate::telemetry::metrics::{FetchOutcome, PolicyHttpMetrics, metrics};
use crate::telemetry::trace::{self, Kind, Opened, TRACEPARENT, Value};

pub(super) use self::client::Unusable;

/// What a policy wants to ask, as it says it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// 0: the operator's, which is also the longest.
    pub timeout_ms: u32,
    /// The age of an answer to an equal GET that will do; 0: none.
    pub max_age_ms: u32,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

/// Why there is no answer; told to the policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum FetchError {
    #[error("{0}")]
    Refused(String),
    #[error("no answer in time")]
    Timeout,
    #[error("the answer is larger than `http.max_response`")]
    TooLarge,
    #[error("{0}")]
    Failed(String),
    #[error("too many requests in flight")]
    Busy,
}

type Answer = Result<Arc<Response>, FetchError>;

/// All that policies ask with, by policy.
pub(crate) struct Fetchers {
    /// `None` where nothing is served, and so nobody asks.
    runtime: Option<Handle>,
    /// A policy that is made again with the same settings finds the one that its predecessor has, which serves until
    /// then.
    known: Mutex<Vec<Weak<Fetcher>>>,
}

/// What one policy asks with.
pub(super) struct Fetcher {
    policy: Arc<str>,
    settings: PolicyHttp,
    runtime: Option<Handle>,
    client: Client,
    cache: Mutex<Cache>,
    in_flight: Arc<Semaphore>,
    metrics: PolicyHttpMetrics,
}

// === impl Fetchers ===

impl Fetchers {
    pub(crate) fn new(runtime: Option<Handle>) -> Self {
        Self {
            runtime,
            known: Mutex::default(),
        }
    }

    /// Whether anybody is ever asked.
    pub(super) fn serve(&self) -> bool {
        self.runtime.is_some()
    }

    /// Reads certificates, so it must not be done on a reactor.
    pub(super) fn of(&self, policy: &str, settings: &PolicyHttp) -> Result<Arc<Fetcher>, Unusable> {
        let mut known = self.known.lock();
        known.retain(|fetcher| fetcher.strong_count() > 0);
        let same = known
            .iter()
            .filter_map(Weak::upgrade)
            .find(|fetcher| *fetcher.policy == *policy && fetcher.settings == *settings);
        if let Some(fetcher) = same {
            return Ok(fetcher);
        }
        let fetcher = Arc::new(Fetcher {
            policy: policy.into(),
            runtime: self.runtime.clone(),
            client: Client::new(settings)?,
            cache: Mutex::default(),
            in_flight: Arc::new(Semaphore::new(settings.max_requests)),
            metrics: metrics().policy_http(policy),
            settings: settings.clone(),
        });
        known.push(Arc::downgrade(&fetcher));
        Ok(fetcher)
    }
}

// === impl Fetcher ===

impl Fetcher {
    pub(super) fn settings(&self) -> &PolicyHttp {
        &self.settings
    }

    /// Asks. Whoever drops the future gives the request up, unless others wait for the same answer.
    pub(super) async fn fetch(self: &Arc<Self>, request: Request) -> Answer {
        let begin = Instant::now();
        let mut event = PolicyFetched {
            policy: &self.policy,
            host: None,
            metrics: &self.metrics,
            status: None,
            outcome: FetchOutcome::Refused,
            reason: None,
            took: None,
        };
        let mut checked = match request::check(request, &self.settings) {
            Ok(checked) => checked,
            Err(reason) => {
                event.reason = Some(reason.clone());
                event.emit();
                return Err(FetchError::Refused(reason));
            }
        };
        event.host = Some(checked.origin.to_string());
        let span = trace::open("fetch");
        if let Some(span) = &span
            && let Ok(value) = span.context().to_string().try_into()
        {
            checked.request.headers_mut().insert(TRACEPARENT, value);
        }
        let (answer, asked) = self.ask(checked).await;
        event.outcome = outcome(&answer, asked);
        event.took = asked.then(|| begin.elapsed());
        event.status = answer.as_ref().ok().map(|response| response.status);
        event.reason = answer.as_ref().err().map(ToString::to_string);
        if let Some(span) = span {
            traced(span, &event);
        }
        event.emit();
        answer
    }

    /// The answer, and whether a request has been made for it.
    async fn ask(self: &Arc<Self>, checked: Checked) -> (Answer, bool) {
        let Some(runtime) = &self.runtime else {
            let reason = "nothing is served here, and nobody is asked".to_owned();
            return (Err(FetchError::Refused(reason)), false);
        };
        let Some(key) = checked.key else {
            return self.alone(runtime, checked).await;
        };
        if checked.max_age.is_zero() {
            let (answer, asked) = self.alone(runtime, checked).await;
            if let Ok(response) = &answer {
                self.cache.lock().refresh(&key, response, Instant::now());
            }
            return (answer, asked);
        }
        let timeout = checked.timeout;
        match self.board(key, checked.max_age) {
            Ok(Boarding::Answer(response)) => (Ok(response), false),
            Ok(Boarding::Flight(flight)) => (wait(flight, timeout).await, false),
            Ok(Boarding::First(landing, flight)) => {
                // It goes on although whoever asked first goes away, and takes no longer than the operator allows.
                let sent = self.send(checked.request, self.settings.timeout);
                runtime.spawn(async move { landing.with(sent.await) });
                (wait(flight, timeout).await, true)
            }
            Err(busy) => (Err(busy), false),
        }
    }

    /// What there is to a request already; if nothing, it is under way from now on.
    fn board(self: &Arc<Self>, key: Key, max_age: Duration) -> Result<Boarding, FetchError> {
        let mut cache = self.cache.lock();
        Ok(match cache.find(&key, max_age, Instant::now()) {
            Found::Answer(response) => Boarding::Answer(response),
            Found::Flight(flight) => Boarding::Flight(flight),
            Found::Nothing => {
                let permit = self.permit()?;
                let (answer, flight) = watch::channel(None);
                cache.depart(key, flight.clone());
                let landing = Landing {
                    fetcher: self.clone(),
                    key,
                    answer,
                    _permit: permit,
                };
                Boarding::First(landing, flight)
            }
        })
    }

    fn permit(&self) -> Result<OwnedSemaphorePermit, FetchError> {
        let permit = self.in_flight.clone().try_acquire_owned();
        permit.map_err(|_| FetchError::Busy)
    }

    /// A request that nobody shares.
    async fn alone(&self, runtime: &Handle, checked: Checked) -> (Answer, bool) {
        let permit = match self.permit() {
            Ok(permit) => permit,
            Err(busy) => return (Err(busy), false),
        };
        let sent = self.send(checked.request, checked.timeout);
        let task = runtime.spawn(async move {
            let _permit = permit;
            sent.await
        });
        // Ended with whoever waits for it.
        let mut task = Ended(task);
        let answer = match (&mut task.0).await {
            Ok(answer) => answer,
            Err(_) => Err(ended()),
        };
        (answer, true)
    }

    fn send(
        &self,
        request: client::Sendable,
        timeout: Duration,
    ) -> impl Future<Output = Answer> + use<> {
        let client = self.client.clone();
        async move {
            match tokio::time::timeout(timeout, client.send(request)).await {
                Ok(answer) => answer.map(Arc::new),
                Err(_) => Err(FetchError::Timeout),
            }
        }
    }
}

/// What a trace says of a request: whom it asked, and what came of it.
fn traced(span: Opened, event: &PolicyFetched<'_>) {
    let span = span.kind(Kind::Client);
    let host = event.host.as_deref().unwrap_or_default();
    let span = span.with("server.address", Value::said(host));
    let span = span.with("sluice.outcome", event.outcome.as_str());
    match event.status {
        Some(status) => span.with("http.response.status_code", status).close(),
        None => span.failed().close(),
    }
}

fn outcome(answer: &Answer, asked: bool) -> FetchOutcome {
    match answer {
        Ok(_) if asked => FetchOutcome::Ok,
        Ok(_) => FetchOutcome::Cached,
        Err(FetchError::Refused(_)) => FetchOutcome::Refused,
        Err(FetchError::Timeout) => FetchOutcome::Timeout,
        Err(FetchError::TooLarge) => FetchOutcome::TooLarge,
        Err(FetchError::Failed(_)) => FetchOutcome::Error,
        Err(FetchError::Busy) => FetchOutcome::Busy,
    }
}

// === impl Flight ===

/// A request under way, for whoever wants its answer; `None` until there is one.
type Flight = watch::Receiver<Option<Answer>>;

async fn wait(mut flight: Flight, timeout: Duration) -> Answer {
    let landed = tokio::time::timeout(timeout, flight.wait_for(Option::is_some)).await;
    match landed {
        Ok(Ok(answer)) => answer.clone().unwrap_or_else(|| Err(ended())),
        Ok(Err(_)) => Err(ended()),
        Err(_) => Err(FetchError::Timeout),
    }
}

/// What there is to a request that others may share.
enum Boarding {
    Answer(Arc<Response>),
    Flight(Flight),
    First(Landing, Flight),
}

/// The other end of a flight, which is over with it, however it ends.
struct Landing {
    fetcher: Arc<Fetcher>,
    key: Key,
    answer: watch::Sender<Option<Answer>>,
    _permit: OwnedSemaphorePermit,
}

impl Landing {
    fn with(self, answer: Answer) {
        if let Ok(response) = &answer {
            let mut cache = self.fetcher.cache.lock();
            cache.keep(self.key, response, Instant::now());
        }
        self.answer.send_replace(Some(answer));
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.fetcher.cache.lock().arrive(&self.key);
    }
}

/// A task that ends with its owner.
struct Ended<T>(JoinHandle<T>);

impl<T> Drop for Ended<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The process ends, or something in it panicked.
fn ended() -> FetchError {
    FetchError::Failed("the request was given up".to_owned())
}
