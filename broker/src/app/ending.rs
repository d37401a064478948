//! From serving to the end: what ends the process, and how clients are sent away before it does.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::Exit;
use crate::drain::{Drain, Wanted};
use crate::edge::Edge;
use crate::session::Broker;

/// How long what clients have said last may take to reach NATS.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The signals that end the process.
pub(super) struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn wanted(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Who wants the process to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// A signal: there is a supervisor who waits for `server.drain_period` and some.
    Signal,
    /// An operator, over the API, in his own time.
    Asked,
}

/// Serves until the process is to end; meanwhile the node is emptied, and serves again, as its operator says.
pub(super) async fn until_end(drain: &Drain, edge: &Edge, stop: &mut Stop) -> anyhow::Result<End> {
    let mut wanted = drain.watch();
    let mut stopped = std::pin::pin!(edge.stopped_accepting());
    loop {
        let now = *wanted.borrow_and_update();
        if now.is_some_and(|it| it.exit) {
            return Ok(End::Asked);
        }
        tokio::select! {
            () = stop.wanted() => {
                // It never refuses to end.
                let _ = drain.begin(None, true);
                return Ok(End::Signal);
            }
            _ = wanted.changed() => {}
            () = &mut stopped => {
                anyhow::bail!(Exit::Internal("the accept loop ended".to_owned()));
            }
            () = empties(drain, edge, now) => {}
        }
    }
}

/// Never ends: what has been done stays done until something else is wanted.
async fn empties(drain: &Drain, edge: &Edge, wanted: Option<Wanted>) {
    if let Some(Wanted { period, .. }) = wanted {
        drain.told(edge.empty(period)).await;
    }
    std::future::pending().await
}

/// Readiness has gone already, so that nobody is sent here any more; then the clients go, spread over the period.
pub(super) async fn close(drain: &Drain, broker: &Broker, edge: &Edge, stop: &mut Stop, end: End) {
    let period = drain.wanted_period();
    let work = async {
        broker.gathered.close();
        if let Some(backend) = &broker.backend {
            backend.close();
        }
        // Once each reactor has done this, it has delivered what was handed in before.
        broker.fanout.each(|_| ()).await;
        send_away(drain, edge, stop, end, period).await;
        if let Some(backend) = &broker.backend {
            backend.drain(LAST_WORDS).await;
        }
    };
    drain.told(work).await;
}

/// A signal while an operator's drain goes on has a supervisor behind it, whose time is that of the configuration. A
/// further one means that nobody wants to wait.
async fn send_away(drain: &Drain, edge: &Edge, stop: &mut Stop, end: End, period: Duration) {
    let mut over = period;
    if end == End::Asked {
        tokio::select! {
            () = edge.drain(period) => return,
            () = stop.wanted() => over = period.min(drain.configured()),
        }
    }
    tokio::select! {
        () = edge.drain(over) => {}
        () = stop.wanted() => edge.drain_now().await,
    }
}
