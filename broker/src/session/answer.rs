//! What a sender is told of its event: at once, or by whoever holds its [`Later`](super::Later).

use std::sync::Arc;

use super::{Session, Turn, traced};
use crate::event::{Denial, Event};
use crate::fanout::Outlet;
use crate::pipeline::Pipeline;
use crate::telemetry::events::EventDenied;

/// How a delivery that did not fail is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answered {
    /// It has been handed over: the sender is told so.
    Now,
    /// Somebody holds the event's [`Later`](super::Later) and will know.
    Later,
}

impl Session {
    pub(super) fn ok(&self, ack: Option<i64>) {
        self.answer(ack, r#"[{"ok":true}]"#);
    }

    /// `args` is the text of a JSON array.
    pub(super) fn answer(&self, ack: Option<i64>, args: &str) {
        if let Some(id) = ack {
            self.outlet.ack(id, args);
        }
    }

    /// Tells the sender why: through its ack, or else by the namespace's denial event.
    pub(super) fn deny(
        &self,
        turn: &mut Turn,
        event: Option<&Arc<str>>,
        denial: &Denial,
        ack: Option<i64>,
    ) {
        traced::denied(denial);
        let event = event.map_or("", |name| name);
        self.refused(event, denial, ack, || self.pipeline(turn));
        if denial.disconnect {
            self.outlet.disconnect();
        }
    }

    /// The same without a turn, from any thread.
    pub(super) fn deny_later(&self, event: &str, denial: &Denial, ack: Option<i64>) {
        self.refused(event, denial, ack, || self.pipeline_now());
    }

    fn refused(
        &self,
        event: &str,
        denial: &Denial,
        ack: Option<i64>,
        pipeline: impl FnOnce() -> Option<Arc<Pipeline>>,
    ) {
        EventDenied {
            client: &self.client,
            event,
            denial,
        }
        .emit();
        self.tell_denial(denial, ack, pipeline);
    }

    pub(super) fn tell_denial(
        &self,
        denial: &Denial,
        ack: Option<i64>,
        pipeline: impl FnOnce() -> Option<Arc<Pipeline>>,
    ) {
        if ack.is_some() {
            return self.answer(ack, &format!(r#"[{{"error":{}}}]"#, object(denial)));
        }
        tell(&*self.outlet, pipeline().as_deref(), denial);
    }

    /// The one that serves its namespace at the moment.
    pub(super) fn pipeline_now(&self) -> Option<Arc<Pipeline>> {
        let pipelines = self.broker.pipelines.load();
        pipelines.at(&self.client.namespace).cloned()
    }
}

/// Tells a client of a denial by the event that its namespace has for that.
pub(super) fn tell(outlet: &dyn Outlet, pipeline: Option<&Pipeline>, denial: &Denial) {
    let name = pipeline.map_or("error", |it| &it.namespace.denial_event);
    let event = Event {
        name: name.into(),
        args: format!("[{}]", object(denial)).into(),
        attachments: Arc::new([]),
        volatile: false,
    };
    outlet.send(&outlet.encode(&event));
}

/// A denial holds text, numbers and JSON that was checked; it always serializes.
fn object(denial: &Denial) -> String {
    serde_json::to_string(denial).unwrap_or_else(|_| "{}".to_owned())
}
