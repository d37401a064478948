//! What traces say of sockets and their events. Names of rooms and arguments are not among it.

use super::Session;
use crate::event::{Client, Denial, Event};
use crate::router::Delivery;
use crate::telemetry::trace::{self, Context, Entered, Kind, Recording, Value};

/// A client asks to enter a namespace. That is recorded where the handshake of its connection was.
pub(super) fn connect(client: &Client, handshake: Option<&Context>) -> Option<Box<Recording>> {
    let mut recording = trace::go_on(handshake, "connect", Kind::Server)?;
    about(&mut recording, client);
    let query = client.peer.handshake.query();
    let is_polled = query.split('&').any(|pair| pair == "transport=polling");
    let began_with = if is_polled { "polling" } else { "websocket" };
    recording.say("sluice.began_with", began_with);
    Some(recording)
}

/// A socket sends an event.
pub(super) fn event(session: &Session, event: &Event) -> Option<Entered> {
    of_event(session, event, trace::begin("event", Kind::Server)?)
}

/// An event that waited goes on.
pub(super) fn event_due(
    session: &Session,
    event: &Event,
    context: Option<&Context>,
) -> Option<Entered> {
    of_event(
        session,
        event,
        trace::go_on(context, "event due", Kind::Internal)?,
    )
}

fn of_event(session: &Session, event: &Event, mut recording: Box<Recording>) -> Option<Entered> {
    about(&mut recording, &session.client);
    recording.say("sluice.event", &event.name);
    trace::enter(Some(recording))
}

fn about(recording: &mut Recording, client: &Client) {
    recording.say("sluice.namespace", &client.namespace);
    recording.say("sluice.socket", &client.peer.name);
}

/// What came of it.
pub(super) fn came_to(outcome: &'static str) {
    trace::say("sluice.outcome", || outcome);
}

/// By whom it was denied, and with which code.
pub(super) fn denied(denial: &Denial) {
    came_to("deny");
    trace::say("sluice.code", || Value::said(&denial.code));
    if let Some(policy) = &denial.policy {
        trace::say("sluice.denied_by", || policy);
    }
}

/// What the router does with it.
pub(super) fn routed(delivery: &Delivery) {
    trace::say("sluice.route", || match delivery {
        Delivery::Emit { batch: None, .. } => "emit",
        Delivery::Emit { batch: Some(_), .. } => "emit in a batch",
        Delivery::Join(_) => "join",
        Delivery::Leave(_) => "leave",
        Delivery::Presence(_) => "presence",
        Delivery::Publish(..) => "publish",
        Delivery::Ignore => "ignore",
    });
}
