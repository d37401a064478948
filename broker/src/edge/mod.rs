//! The edge: from the listening socket to bytes of one event, and back. The only code that knows socketioxide.
//!
//! `accept` hands connections to `reactor`s; `proxied` reads whom a load balancer speaks for; `http` serves one, under TLS
//! where there is any (`secure`), with `cors` and `handshake` checking its requests; `squeeze` compresses answers to polls;
//! `manners` and `inbound` judge what a client sends, `acks` knows what it answers, `probe` lets one that polls try a WebSocket;
//! `forward` brings what came to another reactor to the one of its session; `link` is the broker's hold on a connection,
//! `stream` the byte stream of a WebSocket and `lane` the one way out of it; `socketio` makes sessions of sockets,
//! `outlet` is the way back to one, `encoded` an event on its way. `parser` is how a client's packets are written, for
//! each of which `protocols` has the library once; `deflate` compresses messages. `pace` keeps many that come or go at once
//! from being felt by others.

mod accept;
mod acks;
mod adapter;
mod answers;
pub(crate) mod bench;
mod client_files;
mod cookie;
mod cors;
mod deflate;
mod encoded;
mod entry;
mod escape;
mod events;
mod forward;
mod handshake;
mod http;
mod inbound;
mod lane;
mod link;
mod manners;
mod namespaces;
mod outlet;
mod pace;
mod parser;
mod polling;
mod probe;
mod protocols;
mod proxied;
pub(crate) mod reactor;
mod secure;
mod socketio;
mod squeeze;
mod stream;
mod traced;
mod upgrade;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::admin;
use crate::config;
use crate::pipeline::Pipelines;
use crate::session::Broker;
use crate::telemetry::metrics::metrics;
use crate::tls::Tls;
use client_files::ClientFiles;
use deflate::Deflate;
use lane::Terms;
use link::Links;
use pace::Pace;
use protocols::Protocols;
use reactor::{Job, Reactor};

/// What every connection of a reactor shares.
struct Shared {
    /// The reactor's.
    number: usize,
    protocols: Protocols,
    pace: Arc<Pace>,
    /// Of the WebSocket that was opened last.
    terms: Mutex<Option<Arc<Terms>>>,
    settings: Arc<Settings>,
    /// `None`: they are not served.
    client_files: Option<Arc<ClientFiles>>,
    /// One for all reactors, because they share the memory that it bounds.
    deflate: Arc<Deflate>,
    broker: Arc<Broker>,
    /// Of all reactors, because a polling client's requests come to any of them.
    links: Arc<Links>,
    tls: Arc<Tls>,
    /// Clients that are agreeing on TLS.
    tls_handshakes: Semaphore,
    reactors: Arc<[Reactor]>,
    /// Answers the probes on the public listener, where they are wanted.
    node: Arc<dyn admin::Node>,
}

/// What can change while connections are served. Keys that only a start reads stay as they were.
type Settings = ArcSwap<config::Server>;

impl Shared {
    /// To be asked for at each use, and not kept.
    fn config(&self) -> Guard<Arc<config::Server>> {
        self.settings.load()
    }

    fn is_draining(&self) -> bool {
        self.broker.draining.load(Ordering::Relaxed)
    }

    /// The answer to a request for a file of the official client.
    fn client_file<B>(&self, request: &::http::Request<B>) -> Option<::http::Response<http::Body>> {
        let files = self.client_files.as_ref()?;
        let path = request.uri().path();
        let config = self.config();
        let endpoint = config.path.trim_end_matches('/');
        files.answer(path.strip_prefix(endpoint)?, request)
    }

    /// For a WebSocket that opens now.
    fn terms(&self) -> Arc<Terms> {
        let config = self.config();
        let (patience, max_message) = (config.slow_client.max_stall, config.max_payload);
        let mut terms = self.terms.lock();
        let current = terms.take().filter(|it| it.are(patience, max_message));
        let new = || Terms::here(patience, max_message, self.pace.clone());
        terms.insert(current.unwrap_or_else(new)).clone()
    }

    /// What a client that offers compression and the broker agree on.
    fn agree(&self, headers: &::http::HeaderMap) -> Option<deflate::Terms> {
        self.deflate.negotiate(headers, &self.config().compression)
    }

    fn probe(&self, path: &str) -> Option<::http::Response<bytes::Bytes>> {
        if !self.config().probes {
            return None;
        }
        let (status, content_type, body) = admin::probe(path, &*self.node)?;
        ::http::Response::builder()
            .status(status)
            .header(::http::header::CONTENT_TYPE, content_type)
            .body(body.into())
            .ok()
    }
}

/// The running edge.
pub(crate) struct Edge {
    broker: Arc<Broker>,
    links: Arc<Links>,
    reactors: Arc<[Reactor]>,
    address: SocketAddr,
    settings: Arc<Settings>,
    deflate: Arc<Deflate>,
    stop: watch::Sender<bool>,
    accepting: Mutex<Option<JoinHandle<()>>>,
}

/// Of a reactor, under way at a time. Each takes some ten kilobytes, and a client's round trips, so that more are not
/// to be had in a second either.
const TLS_HANDSHAKES: usize = 4096;

/// What a client has to close its WebSocket in good order once it has been told.
const GOODBYE: Duration = Duration::from_secs(2);

impl Edge {
    /// Binds the public listener, starts the reactors and accepts. Must be called inside the control runtime.
    pub(crate) async fn start(
        config: config::Server,
        broker: Arc<Broker>,
        node: Arc<dyn admin::Node>,
        tls: Arc<Tls>,
    ) -> io::Result<Self> {
        let listener = accept::listen(config.listen, patience(&config))?;
        let address = listener.local_addr()?;
        let links = Arc::new(Links::default());
        let settings = Arc::new(Settings::from_pointee(config.clone()));
        let deflate = Arc::new(Deflate::new(&config.compression));
        let reactors = start_reactors(&settings, &deflate, &broker, &links, &node, &tls)?;
        let (stop, stopped) = watch::channel(false);
        let admission = broker.admission.clone();
        let accept = accept::run(listener, reactors.clone(), admission, tls.clone(), stopped);
        let accepting = tokio::spawn(accept);
        Ok(Self {
            broker,
            links,
            reactors,
            address,
            settings,
            deflate,
            stop,
            accepting: Mutex::new(Some(accepting)),
        })
    }

    /// Serves by other settings from now on; connections that there are keep what they began with.
    pub(crate) fn reconfigure(&self, config: &config::Server) {
        self.broker.admission.reconfigure(&config.admission);
        self.deflate.reconfigure(&config.compression);
        self.settings.store(Arc::new(config.clone()));
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections of all reactors, of whichever transport.
    pub(crate) fn connections(&self) -> usize {
        self.reactors
            .iter()
            .map(|reactor| reactor.connections.load(Ordering::Relaxed))
            .sum()
    }

    /// The pipelines have been replaced. Returns when every reactor serves the new ones' namespaces.
    pub(crate) async fn replaced(&self, pipelines: &Arc<Pipelines>) {
        let each = |reactor: &Reactor| {
            let (reactor, pipelines) = (reactor.clone(), pipelines.clone());
            // One that does not answer has it in its queue. One that is gone has ended the process.
            async move { reactor.ask(|done| Job::Follow(pipelines, done)).await }
        };
        join_all(self.reactors.iter().map(each)).await;
    }

    /// The numbers of the reactors that do not answer in this time.
    pub(crate) async fn silent(&self, patience: Duration) -> Vec<usize> {
        silent(&self.reactors, patience).await
    }

    /// Returns only if the accept loop has ended by itself, which it must not: nobody could come in any more.
    pub(crate) async fn stopped_accepting(&self) {
        let accepting = self.accepting.lock().take();
        match accepting {
            Some(accepting) => drop(accepting.await),
            None => std::future::pending().await,
        }
    }

    /// Stops accepting, then closes every session, spread over the period, so that not all clients reconnect at
    /// once. Returns when the last one is gone, and at the end of the period at the latest. May be given up and begun
    /// again with another period.
    pub(crate) async fn drain(&self, period: Duration) {
        let _ = self.stop.send(true);
        let spread = period.saturating_sub(GOODBYE.min(period / 4));
        self.close_all(spread, period).await;
    }

    /// The same for those who have waited long enough: all at once.
    pub(crate) async fn drain_now(&self) {
        let _ = self.stop.send(true);
        self.close_all(Duration::ZERO, GOODBYE).await;
    }

    async fn close_all(&self, spread: Duration, limit: Duration) {
        let _ = tokio::time::timeout(limit, async {
            self.say_goodbye(spread).await;
            while self.is_anyone_left() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            join_all(self.reactors.iter().map(|it| it.ask(Job::Close))).await;
        })
        .await;
    }

    /// Closes every session, spread over the period, and stays: whoever comes is refused for as long as nobody is to be
    /// let in. Returns when the last one is gone. Whoever does not go is cut off.
    pub(crate) async fn empty(&self, period: Duration) {
        self.say_goodbye(period).await;
        let late = tokio::time::Instant::now() + GOODBYE;
        while self.is_anyone_left() {
            // Among them who was on its way in when it began.
            self.say_goodbye(Duration::ZERO).await;
            if tokio::time::Instant::now() > late {
                self.links.snapshot().iter().for_each(|link| link.kill());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn say_goodbye(&self, spread: Duration) {
        let links = self.links.snapshot();
        let pause = spread.checked_div(links.len() as u32).unwrap_or_default();
        let mut not_before = tokio::time::Instant::now();
        for link in links {
            tokio::time::sleep_until(not_before).await;
            // Before its reactor hears of it.
            let (polled, is_websocket) = (link.polled(), link.is_websocket());
            let was_open = link.close();
            let is_news = match polled {
                Some(sid) => self.close_polled(link.reactor(), sid).await,
                None => is_websocket && was_open,
            };
            // A link may outlive its session: the library keeps one that was never in a namespace for as long as it
            // might have come into one. Nobody hears of its end, so it needs no pause.
            if is_news {
                metrics().drain.closed.inc();
                not_before = tokio::time::Instant::now() + pause;
            }
        }
    }

    /// False: it was over already.
    async fn close_polled(&self, reactor: usize, sid: &str) -> bool {
        let Some(reactor) = self.reactors.get(reactor) else {
            return false;
        };
        let closed = reactor.ask(|answer| Job::ClosePolled(sid.to_owned(), answer));
        closed.await.unwrap_or(false)
    }

    fn is_anyone_left(&self) -> bool {
        let links = self.links.snapshot();
        // The polls that waited have yet to be answered.
        links.iter().any(|link| link.is_websocket())
            || self.links.is_asked()
            || self.broker.sessions.load(Ordering::Acquire) > 0
    }
}

async fn silent(reactors: &[Reactor], patience: Duration) -> Vec<usize> {
    let asked = reactors
        .iter()
        .map(|reactor| reactor.ask_within(patience, Job::Answer));
    let answers = join_all(asked).await.into_iter().enumerate();
    answers
        .filter_map(|(number, answer)| answer.is_none().then_some(number))
        .collect()
}

/// How long a client may acknowledge nothing: no shorter than whoever else waits for it.
fn patience(config: &config::Server) -> Duration {
    let others = config.slow_client.max_stall.max(config.ping_timeout);
    config.admission.request_timeout.max(others)
}

/// Starts a reactor for each shard of the fan-out.
fn start_reactors(
    settings: &Arc<Settings>,
    deflate: &Arc<Deflate>,
    broker: &Arc<Broker>,
    links: &Arc<Links>,
    node: &Arc<dyn admin::Node>,
    tls: &Arc<Tls>,
) -> io::Result<Arc<[Reactor]>> {
    let homes: Vec<_> = broker.fanout.homes().collect();
    let (reactors, jobs): (Vec<_>, Vec<_>) = homes.iter().map(|_| Reactor::new()).unzip();
    let reactors: Arc<[Reactor]> = reactors.into();
    let config = settings.load();
    let folder = config.client_files.as_deref();
    let client_files = folder.map(ClientFiles::load).transpose()?.map(Arc::new);
    let tokens = Arc::new(AtomicU64::new(1));
    for (number, (home, jobs)) in homes.into_iter().zip(jobs).enumerate() {
        let protocols = Protocols::new(settings, broker, &home, links, &tokens);
        protocols.serve(&broker.pipelines.load());
        let shared = Shared {
            number,
            protocols,
            pace: Arc::new(Pace::new()),
            terms: Mutex::default(),
            settings: settings.clone(),
            client_files: client_files.clone(),
            deflate: deflate.clone(),
            broker: broker.clone(),
            links: links.clone(),
            tls: tls.clone(),
            tls_handshakes: Semaphore::new(TLS_HANDSHAKES),
            reactors: reactors.clone(),
            node: node.clone(),
        };
        reactor::start(jobs, home, Arc::new(shared))?;
    }
    Ok(reactors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_reactor_that_hangs_is_known_by_its_number() {
        let (alive, mut jobs) = Reactor::new();
        let (hanging, _never_read) = Reactor::new();
        let (gone, _) = Reactor::new();
        tokio::spawn(async move {
            while let Some(Job::Answer(here)) = jobs.recv().await {
                let _ = here.send(());
            }
        });
        let patience = Duration::from_secs(1);
        let reactors = [alive, hanging, gone];
        assert_eq!(silent(&reactors, patience).await, [1, 2]);
        assert_eq!(silent(&reactors[..1], patience).await, [] as [usize; 0]);
    }
}
