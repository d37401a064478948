//! What goes over connections, how long things last, and what waits where it is counted as it comes and goes.

use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::{add, add_seconds, counters, metrics};
use crate::moment::Moment;
use crate::telemetry::labels::Counters;
use crate::telemetry::labels::traffic::Carried;
use crate::telemetry::latency::{Durations, Latency};

/// In seconds: from one that fails at once to one that lasts for days.
const CONNECTIONS: [f64; 11] = [
    0.1, 1.0, 10.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 43_200.0, 86_400.0, 604_800.0,
];

/// In seconds: a policy takes tens of milliseconds, a large one a second.
const COMPILING: [f64; 10] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];

pub(crate) struct Traffic {
    received: Counters<Carried>,
    sent: Counters<Carried>,
    /// Bytes that clients do not take at the moment.
    pub send_queue: Gauge,
    /// Clients that take nothing at the moment.
    pub blocked: Gauge,
    /// Events that wait for the end of a window of their socket.
    pub coalescing: Gauge,
    /// Events in batches that have not left.
    pub batching: Gauge,
    /// Answers that clients may still give.
    pub answers_waiting: Gauge,
    events: Latency,
    connections: Histogram,
    compiling: Histogram,
}

/// One more, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Held(&'static Gauge);

impl Traffic {
    pub(super) fn new(r: &mut Registry) -> Self {
        let received = counters(
            r,
            "received_bytes",
            "What clients sent: frames of WebSockets as they came, and bodies of polling requests",
            "transport",
        );
        let sent = counters(
            r,
            "sent_bytes",
            "What clients were sent: frames of WebSockets as they left, and bodies of answers to polling requests",
            "transport",
        );
        Self {
            received,
            sent,
            send_queue: add(
                r,
                "send_queue_bytes",
                "Bytes that wait for clients that do not take them at the moment",
            ),
            blocked: add(
                r,
                "send_queue_connections",
                "Connections whose clients do not take what is written to them at the moment",
            ),
            coalescing: add(
                r,
                "coalescing_events",
                "Events that wait for the end of their coalescing window",
            ),
            batching: add(
                r,
                "batching_events",
                "Events that are gathered in batches which have not left",
            ),
            answers_waiting: add(
                r,
                "client_answers_waiting",
                "Clients that were asked to answer an event and have not answered",
            ),
            events: add_seconds(
                r,
                "event_duration",
                "Time from reading an event of a client until it was delivered, handed on or denied; not of one that could not be read",
                Latency::default(),
            ),
            connections: add_seconds(
                r,
                "connection_duration",
                "Time that sockets were connected, of those that ended",
                Histogram::new(CONNECTIONS),
            ),
            compiling: add_seconds(
                r,
                "module_compile_duration",
                "Time that compiling a module took",
                Histogram::new(COMPILING),
            ),
        }
    }

    /// An event has been dealt with.
    pub(crate) fn event_since(&self, begin: Moment) {
        self.events.observe(Moment::now().nanos_since(begin));
    }

    /// How long events have taken so far.
    pub(crate) fn event_durations(&self) -> Durations {
        self.events.durations()
    }

    /// Bytes that clients have sent and have been sent so far.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        let sum = |of: &Counters<Carried>| of.counts().map(|it| it.1).sum();
        (sum(&self.received), sum(&self.sent))
    }

    pub(in crate::telemetry) fn disconnected(&self, after: Duration) {
        self.connections.observe(after.as_secs_f64());
    }

    pub(in crate::telemetry) fn compiled(&self, took: Duration) {
        self.compiling.observe(took.as_secs_f64());
    }
}

impl Carried {
    pub(crate) fn received(self, bytes: usize) {
        metrics().traffic.received.inc_by(self, bytes as u64);
    }

    pub(crate) fn sent(self, bytes: usize) {
        metrics().traffic.sent.inc_by(self, bytes as u64);
    }
}

impl Held {
    pub(crate) fn by(gauge: &'static Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.dec();
    }
}
