//! What a configured policy wants to be asked about, the buckets it counts with, and the metrics it shows.

use std::time::Duration;

use crate::Advance;

/// The events and rooms that a configured policy is asked about, its buckets and its metrics, each numbered in the
/// order in which they are added.
///
/// ```
/// use std::time::Duration;
/// use sluice_plugin_sdk::{Bucket, Interests};
///
/// let interests = Interests::new()
///     .event("cursor") // rule 0, without its arguments
///     .event_with_args("chat:*") // rule 1
///     .room("user:*") // rule 0 of the rooms
///     .bucket(Bucket::window("messages", 100, Duration::from_secs(60))) // bucket 0
///     .counter("shouted") // metric 0
///     .gauge("loudness"); // metric 1
/// assert_eq!(interests.events().len(), 2);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Interests {
    pub(crate) events: Vec<EventRule>,
    rooms: Vec<String>,
    buckets: Vec<Bucket>,
    metrics: Vec<Metric>,
    /// Which method of a `#[policy] impl` each rule belongs to.
    pub(crate) event_handlers: Vec<u32>,
    room_handlers: Vec<u32>,
    #[cfg(target_family = "wasm")]
    pub(crate) promise: Promise,
}

/// Tells the broker what rules answer in advance. There is none where no rule does, so that such a policy imports nothing
/// for it, and runs on a broker that does not know of it.
#[cfg(target_family = "wasm")]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Promise(pub(crate) Option<fn(&[EventRule])>);

/// It follows from the rules, which are compared.
#[cfg(target_family = "wasm")]
impl PartialEq for Promise {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// A glob over event names, and whether the policy needs the arguments of what it matches.
///
/// ```
/// use sluice_plugin_sdk::Interests;
///
/// let interests = Interests::new().event("typing");
/// assert_eq!((interests.events()[0].name.as_str(), interests.events()[0].args), ("typing", false));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRule {
    /// The glob: `*` stands for any characters, everything else for itself.
    pub name: String,
    /// Whether the arguments are handed over.
    pub args: bool,
    /// What the rule answers without a call.
    pub advance: Option<Advance>,
}

/// How one bucket counts. Its state belongs to its name: it survives a reload, and every instance of the
/// policy shares it.
///
/// ```
/// use sluice_plugin_sdk::{Bucket, Scope};
///
/// let bucket = Bucket::tokens("uploads", 5, 0.5).cluster();
/// assert_eq!((bucket.burst, bucket.scope), (5, Scope::Cluster));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    /// The name of its state.
    pub name: String,
    /// The most that can be taken at once.
    pub burst: u32,
    /// Tokens regained a second; 0 is never. Not used by a window.
    pub per_second: f64,
    /// 0 for a token bucket, otherwise the length of the window.
    pub window_ms: u32,
    /// Where it is kept.
    pub scope: Scope,
}

/// Where state is kept.
///
/// ```
/// use sluice_plugin_sdk::Scope;
///
/// assert_eq!(Scope::default(), Scope::Node);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// By each node for itself.
    #[default]
    Node,
    /// By all nodes together, which takes [`Capabilities::CLUSTER_STATE`](crate::Capabilities::CLUSTER_STATE).
    Cluster,
}

/// A number that the policy shows to the operator; see [`metrics`](mod@crate::metrics).
///
/// ```
/// use sluice_plugin_sdk::{Interests, MetricKind};
///
/// let interests = Interests::new().counter("shouted");
/// assert_eq!(interests.metrics()[0].kind, MetricKind::Counter);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    /// Its name, to which the broker adds the policy's.
    pub name: String,
    /// How it moves.
    pub kind: MetricKind,
}

/// How a metric moves.
///
/// ```
/// use sluice_plugin_sdk::{Metric, MetricKind};
///
/// assert_eq!(Metric::gauge("loudness").kind, MetricKind::Gauge);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// It only grows.
    Counter,
    /// It is set.
    Gauge,
}

impl Interests {
    /// Interested in nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule for events whose arguments the policy does not need: they are not copied.
    #[must_use]
    pub fn event(self, glob: impl Into<String>) -> Self {
        self.rule(glob.into(), false, 0)
    }

    /// Adds a rule for events with their arguments.
    #[must_use]
    pub fn event_with_args(self, glob: impl Into<String>) -> Self {
        self.rule(glob.into(), true, 0)
    }

    /// Adds a glob over the names of rooms that clients ask to join.
    #[must_use]
    pub fn room(mut self, glob: impl Into<String>) -> Self {
        self.rooms.push(glob.into());
        self.room_handlers.push(0);
        self
    }

    /// Adds a bucket.
    #[must_use]
    pub fn bucket(mut self, bucket: Bucket) -> Self {
        self.buckets.push(bucket);
        self
    }

    /// Adds a metric that only grows.
    #[must_use]
    pub fn counter(self, name: impl Into<String>) -> Self {
        self.metric(Metric::counter(name))
    }

    /// Adds a metric that is set.
    #[must_use]
    pub fn gauge(self, name: impl Into<String>) -> Self {
        self.metric(Metric::gauge(name))
    }

    /// Adds a metric.
    #[must_use]
    pub fn metric(mut self, metric: Metric) -> Self {
        self.metrics.push(metric);
        self
    }

    /// The rules, in order; the first that matches an event is the one that counts.
    #[must_use]
    pub fn events(&self) -> &[EventRule] {
        &self.events
    }

    /// The globs over rooms, in order; the first that matches is the one that counts.
    #[must_use]
    pub fn rooms(&self) -> &[String] {
        &self.rooms
    }

    /// The buckets, in order.
    #[must_use]
    pub fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }

    /// The metrics, in order.
    #[must_use]
    pub fn metrics(&self) -> &[Metric] {
        &self.metrics
    }

    fn rule(mut self, name: String, args: bool, handler: u32) -> Self {
        self.push(name, args, handler);
        self
    }

    fn push(&mut self, name: String, args: bool, handler: u32) {
        self.events.push(EventRule {
            name,
            args,
            advance: None,
        });
        self.event_handlers.push(handler);
    }

    /// What `#[policy]` makes of `#[on_event(…)]` and `#[on_subscribe(…)]`.
    #[doc(hidden)]
    #[must_use]
    pub fn __events(mut self, globs: &dyn crate::Globs, args: bool, handler: u32) -> Self {
        globs.each(&mut |glob| self.push(glob.to_owned(), args, handler));
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub fn __rooms(mut self, globs: &dyn crate::Globs, handler: u32) -> Self {
        globs.each(&mut |glob| {
            self.rooms.push(glob.to_owned());
            self.room_handlers.push(handler);
        });
        self
    }

    #[cfg(target_family = "wasm")]
    pub(crate) fn into_parts(self) -> (Vec<EventRule>, Vec<String>, Vec<Bucket>, Vec<Metric>) {
        (self.events, self.rooms, self.buckets, self.metrics)
    }

    pub(crate) fn routes(&self) -> Routes {
        Routes {
            events: positions(&self.event_handlers),
            rooms: positions(&self.room_handlers),
        }
    }
}

/// Which method of a `#[policy] impl` each rule belongs to, and which of the method's globs it is.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    pub(crate) events: Box<[Route]>,
    pub(crate) rooms: Box<[Route]>,
}

/// Where one rule leads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) handler: u32,
    pub(crate) nth: u32,
}

/// The rules of one method stand together.
fn positions(handlers: &[u32]) -> Box<[Route]> {
    let mut last = None;
    let mut nth = 0;
    let routes = handlers.iter().map(|&handler| {
        nth = if last == Some(handler) { nth + 1 } else { 0 };
        last = Some(handler);
        Route { handler, nth }
    });
    routes.collect()
}

impl Metric {
    /// One that only grows.
    #[must_use]
    pub fn counter(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind: MetricKind::Counter,
        }
    }

    /// One that is set.
    #[must_use]
    pub fn gauge(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind: MetricKind::Gauge,
        }
    }
}

impl Bucket {
    /// A token bucket: it holds `burst` tokens and regains `per_second` of them a second, never when that is 0.
    #[must_use]
    pub fn tokens(name: impl Into<String>, burst: u32, per_second: f64) -> Self {
        Self {
            name: name.into(),
            burst,
            per_second,
            window_ms: 0,
            scope: Scope::Node,
        }
    }

    /// At most `limit` in any window of this length, however they are spaced. The length is rounded up to
    /// milliseconds, at least one; it ends at 49 days.
    #[must_use]
    pub fn window(name: impl Into<String>, limit: u32, length: Duration) -> Self {
        let ms = length.as_nanos().div_ceil(1_000_000).max(1);
        Self {
            name: name.into(),
            burst: limit,
            per_second: 0.0,
            window_ms: u32::try_from(ms).unwrap_or(u32::MAX),
            scope: Scope::Node,
        }
    }

    /// The same, kept by all nodes together.
    #[must_use]
    pub fn cluster(mut self) -> Self {
        self.scope = Scope::Cluster;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_never_shorter_than_asked() {
        let ms = |length| Bucket::window("b", 1, length).window_ms;
        assert_eq!(ms(Duration::from_secs(60)), 60_000);
        assert_eq!(ms(Duration::from_micros(1_001)), 2);
        assert_eq!(ms(Duration::ZERO), 1, "0 would mean a token bucket");
        assert_eq!(ms(Duration::from_secs(u64::MAX)), u32::MAX);
    }
}
