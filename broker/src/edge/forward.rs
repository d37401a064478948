//! From the reactor that a connection came to, to the one that its session lives on.
//!
//! A polling client's requests come over whichever connections it has. Each request is answered where its session is,
//! and its answer goes back; a WebSocket that a session is upgraded to moves there for good.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use tokio::sync::oneshot;

use super::Shared;
use super::deflate;
use super::handshake::Refused;
use super::http::Body;
use super::link::Link;
use super::polling::poll;
use super::reactor::{Job, Place};
use super::upgrade::open_websocket;
use crate::telemetry::metrics::metrics;
use crate::telemetry::trace::Opened;
use crate::tls::{Parted, Stream};

/// What a reactor may take to take a job. It needs microseconds; one that does not is in no state to serve a client.
const PATIENCE: Duration = Duration::from_secs(5);

type Answer = Result<Response<Body>, Refused>;

/// A request of a polling session.
pub(super) struct Poll {
    request: Request<Incoming>,
    link: Arc<Link>,
    answer: oneshot::Sender<Answer>,
}

/// A WebSocket, its HTTP upgrade done.
pub(super) struct Upgraded<S> {
    pub stream: S,
    /// What was read beyond the request.
    pub ahead: Bytes,
    pub uri: Uri,
    pub link: Arc<Link>,
    pub place: Arc<Place>,
    pub deflate: Option<deflate::Terms>,
    /// Of a session that was polled, where its handshake was recorded.
    pub span: Option<Box<Opened>>,
}

impl<S> Upgraded<S> {
    /// The same over what becomes of its stream.
    fn with<T>(self, change: impl FnOnce(S) -> io::Result<T>) -> io::Result<Upgraded<T>> {
        Ok(Upgraded {
            stream: change(self.stream)?,
            ahead: self.ahead,
            uri: self.uri,
            link: self.link,
            place: self.place,
            deflate: self.deflate,
            span: self.span,
        })
    }
}

/// Has a request answered on the reactor of its session.
pub(super) async fn ask(request: Request<Incoming>, link: Arc<Link>, shared: &Shared) -> Answer {
    let (answer, answered) = oneshot::channel();
    let home = shared.reactors.get(link.reactor()).ok_or(Refused::Busy)?;
    let poll = Poll {
        request,
        link,
        answer,
    };
    let job = Job::Poll(Box::new(poll));
    let taken = home.jobs.send_timeout(job, PATIENCE).await;
    metrics().reactor_forwarded.inc();
    taken.map_err(|_| Refused::Busy)?;
    // As long as a poll may take, which the session's own heartbeat bounds.
    answered.await.unwrap_or(Err(Refused::Busy))
}

/// Answers a request that came to another reactor, unless its client goes away.
pub(super) async fn answer(poll: Box<Poll>, shared: Arc<Shared>) {
    let Poll {
        request,
        link,
        mut answer,
    } = *poll;
    let answered = tokio::select! {
        answered = self::poll(request, link, false, &shared) => answered,
        () = answer.closed() => return,
    };
    // A client that has gone in between: what it was to get goes with it, as on a connection of this reactor.
    let _ = answer.send(answered);
}

/// Opens a WebSocket on the reactor of its session.
pub(super) async fn open(upgraded: Upgraded<Stream>, shared: Arc<Shared>) {
    let reactor = upgraded.link.reactor();
    if reactor == shared.number {
        return open_websocket(upgraded, &shared).await;
    }
    let Some(home) = shared.reactors.get(reactor) else {
        return;
    };
    let Ok(mut moved) = upgraded.with(Stream::part) else {
        return;
    };
    // Counted where it will be.
    moved.place = Arc::new(home.place_of(&moved.place));
    metrics().reactor_forwarded.inc();
    // In vain, the client sees its WebSocket closed and goes on polling.
    let job = Job::Open(Box::new(moved));
    let _ = home.jobs.send_timeout(job, PATIENCE).await;
}

/// Opens a WebSocket that came to another reactor.
pub(super) async fn arrive(moved: Box<Upgraded<Parted>>, shared: Arc<Shared>) {
    if let Ok(upgraded) = moved.with(Parted::join) {
        open_websocket(upgraded, &shared).await;
    }
}
