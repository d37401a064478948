//! `GET /api/v1/live`: what the node is doing, once a second, as server-sent events.
//!
//! What is told is looked up once a second for all who watch, and not at all while nobody does. It is what other
//! requests show too, so nothing that happens here is on an event's path.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::cluster::ClusterInfo;
use super::node::{Node, NodeInfo, Reason, iso};
use super::policies::PolicyInfo;
use super::problem::Problem;
use crate::telemetry::metrics::{Durations, metrics};
use crate::telemetry::process::resident_bytes;

/// How many may watch at a time.
const MAX_WATCHERS: usize = 32;

const EVERY: Duration = Duration::from_secs(1);

/// Who is told what the node is doing.
pub(super) struct Live {
    /// The last thing that was told; whoever begins to watch sees it at once.
    told: watch::Sender<Word>,
    /// Whether anybody looks it up.
    runs: Mutex<bool>,
}

/// What those who watch are told.
#[derive(Debug, Clone)]
enum Word {
    Nothing,
    Moment(Bytes),
    /// It could not be looked up. Who watches is to come again.
    Over,
}

/// Somebody who is told.
struct Watcher(watch::Receiver<Word>);

/// Whoever looks things up, until he is done. Where he fails, the next one who watches finds that nobody does.
struct Looking(Arc<Live>);

#[derive(Serialize)]
struct Moment {
    #[serde(serialize_with = "iso")]
    at: SystemTime,
    #[serde(flatten)]
    node: NodeInfo,
    ready: bool,
    reasons: Vec<Reason>,
    /// Since the process began.
    events: u64,
    deliveries: u64,
    /// In the last second; absent in the first moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    rates: Option<Rates>,
    event_seconds: Quantiles,
    /// Denials so far, by policy; those of the broker itself under the empty name.
    denials: BTreeMap<String, u64>,
    /// `null` where the system does not tell.
    memory_bytes: Option<u64>,
    cluster: ClusterInfo,
    policies: Vec<PolicyInfo>,
}

#[derive(Serialize)]
struct Rates {
    events_per_second: f64,
    deliveries_per_second: f64,
}

/// Of the last second, of all time in the first moment; `null` where there was no event.
#[derive(Serialize)]
struct Quantiles {
    p50: Option<f64>,
    p99: Option<f64>,
}

/// What the last moment was like.
struct Before {
    at: Instant,
    events: u64,
    deliveries: u64,
    durations: Durations,
}

pub(super) async fn live(
    State(node): State<Arc<dyn Node>>,
    Extension(live): Extension<Arc<Live>>,
) -> Response {
    let Some(told) = live.watch(node) else {
        let what = format!("{MAX_WATCHERS} watch already");
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_watchers", what)
            .again_after(10)
            .into_response();
    };
    let moments = stream::unfold(told, async |mut told| {
        let moment = told.next().await?;
        Some((Ok::<_, Infallible>(moment), told))
    });
    let kind = [(header::CONTENT_TYPE, "text/event-stream")];
    (kind, Body::from_stream(moments)).into_response()
}

impl Live {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            told: watch::Sender::new(Word::Nothing),
            runs: Mutex::new(false),
        })
    }

    /// `None`: as many watch as may.
    fn watch(self: &Arc<Self>, node: Arc<dyn Node>) -> Option<Watcher> {
        // Held, so that whoever looks things up does not end for want of watchers meanwhile.
        let mut runs = self.runs.lock();
        if self.told.receiver_count() >= MAX_WATCHERS {
            return None;
        }
        if !*runs {
            *runs = true;
            // What is said next is not to begin with what was long ago.
            self.told.send_replace(Word::Nothing);
            tokio::spawn(Looking(self.clone()).tell(node));
        }
        let mut told = self.told.subscribe();
        told.mark_changed();
        metrics().operators.watchers.inc();
        Some(Watcher(told))
    }
}

impl Looking {
    /// Looks things up for as long as anybody watches.
    async fn tell(self, node: Arc<dyn Node>) {
        let live = &self.0;
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut before = None;
        loop {
            ticks.tick().await;
            {
                // Nobody begins to watch between this look and that it is over.
                let mut runs = live.runs.lock();
                if live.told.receiver_count() == 0 {
                    *runs = false;
                    return;
                }
            }
            let (moment, now) = Moment::of(&*node, before.as_ref());
            before = Some(now);
            live.told.send_replace(Word::Moment(moment.event()));
        }
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        if std::thread::panicking() {
            *self.0.runs.lock() = false;
            self.0.told.send_replace(Word::Over);
        }
    }
}

impl Watcher {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            self.0.changed().await.ok()?;
            let word = self.0.borrow_and_update().clone();
            match word {
                Word::Nothing => {}
                Word::Moment(moment) => return Some(moment),
                Word::Over => return None,
            }
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        metrics().operators.watchers.dec();
    }
}

impl Moment {
    fn of(node: &dyn Node, before: Option<&Before>) -> (Self, Before) {
        let now = Before {
            at: Instant::now(),
            events: metrics().events_received.get(),
            deliveries: metrics().deliveries.get(),
            durations: metrics().traffic.event_durations(),
        };
        let durations = match before {
            Some(before) => now.durations.since(&before.durations),
            None => now.durations,
        };
        let seconds = |part| durations.quantile(part).map(|took| took.as_secs_f64());
        let policies = node.policies();
        let reasons = node.not_ready();
        let moment = Self {
            at: SystemTime::now(),
            node: node.info(),
            ready: reasons.is_empty(),
            reasons,
            events: now.events,
            deliveries: now.deliveries,
            rates: before.map(|before| Rates::between(before, &now)),
            event_seconds: Quantiles {
                p50: seconds(0.5),
                p99: seconds(0.99),
            },
            denials: denials(&policies),
            memory_bytes: resident_bytes(),
            cluster: node.cluster(),
            policies,
        };
        (moment, now)
    }

    /// As a server-sent event: JSON has no line breaks here.
    fn event(&self) -> Bytes {
        // Texts and numbers always serialize.
        let json = serde_json::to_string(self).unwrap_or_default();
        format!("data: {json}\n\n").into()
    }
}

impl Rates {
    fn between(before: &Before, now: &Before) -> Self {
        let seconds = now.at.duration_since(before.at).as_secs_f64().max(0.001);
        let rate = |before: u64, now: u64| now.saturating_sub(before) as f64 / seconds;
        Self {
            events_per_second: rate(before.events, now.events),
            deliveries_per_second: rate(before.deliveries, now.deliveries),
        }
    }
}

fn denials(policies: &[PolicyInfo]) -> BTreeMap<String, u64> {
    let of_policies = policies.iter().map(|policy| {
        let calls = policy
            .loaded
            .iter()
            .flat_map(|loaded| loaded.calls.values());
        let denials = calls.filter_map(|calls| calls.verdicts.get("deny"));
        (policy.name.clone(), denials.sum())
    });
    let of_broker = (String::new(), metrics().operators.denied_by_broker());
    of_policies.chain([of_broker]).collect()
}
