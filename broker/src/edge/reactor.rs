//! One reactor a core: a thread with a runtime of its own, on which a connection and all its tasks live.
//!
//! Nothing of a connection ever changes threads, so a wake-up is a push onto a local list. Measured against a
//! work-stealing runtime with the same library, that doubles the throughput. A session that began with polling stays
//! where its handshake came in; its later requests are brought there (`forward`).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::{Shared, forward, http};
use crate::admission::Held;
use crate::fanout::Home;
use crate::pipeline::Pipelines;
use crate::plugin;
use crate::tls::Parted;

/// Connections and requests on their way to a reactor. It takes one in microseconds; a full queue makes the accept loop
/// wait, and the kernel's backlog hold what comes meanwhile.
const QUEUE: usize = 256;

/// Deep guest stacks and deep JSON both end far above this.
const STACK: usize = 8 << 20;

/// What a reactor may take to do what it is told.
const PATIENCE: Duration = Duration::from_secs(5);

/// How the threads are named; a panic on one of them ends the process.
pub(crate) const THREAD_NAME: &str = "reactor";

pub(super) enum Job {
    Serve(std::net::TcpStream, SocketAddr, Place),
    /// A request whose session is here.
    Poll(Box<forward::Poll>),
    /// A WebSocket whose session is here.
    Open(Box<forward::Upgraded<Parted>>),
    /// The pipelines have been replaced: namespaces follow, and what belonged to older ones is freed.
    Follow(Arc<Pipelines>, oneshot::Sender<()>),
    /// Ends a polling session. The answer is false if it was over already.
    ClosePolled(String, oneshot::Sender<bool>),
    /// Whoever asks wants to know that somebody is there.
    Answer(oneshot::Sender<()>),
    /// Ends every session.
    Close(oneshot::Sender<()>),
}

/// A reactor as others see it.
#[derive(Clone)]
pub(super) struct Reactor {
    pub jobs: mpsc::Sender<Job>,
    pub connections: Arc<AtomicUsize>,
}

/// What a reactor is told.
pub(super) type Jobs = mpsc::Receiver<Job>;

/// Starts a reactor; its thread ends with the process.
pub(super) fn start(jobs: Jobs, home: Home, shared: Arc<Shared>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name(format!("{THREAD_NAME}-{}", shared.number))
        .stack_size(STACK)
        .spawn(move || {
            runtime.block_on(async {
                let pace = shared.pace.clone();
                tokio::spawn(async move { pace.run().await });
                tokio::spawn(shared.broker.clone().look_after(home.number()));
                tokio::spawn(home.serve());
                run(jobs, shared).await;
            });
        })?;
    Ok(())
}

async fn run(mut jobs: Jobs, shared: Arc<Shared>) {
    while let Some(job) = jobs.recv().await {
        let shared = shared.clone();
        // Whoever no longer waits for an answer has had enough of waiting.
        match job {
            Job::Serve(stream, address, place) => {
                let Ok(stream) = tokio::net::TcpStream::from_std(stream) else {
                    // Out of file descriptors for the poller, or the socket is dead: the client sees it closed.
                    continue;
                };
                tokio::spawn(http::serve(stream, address, place, shared));
            }
            Job::Poll(poll) => drop(tokio::spawn(forward::answer(poll, shared))),
            Job::Open(websocket) => drop(tokio::spawn(forward::arrive(websocket, shared))),
            Job::Follow(pipelines, done) => {
                shared.protocols.serve(&pipelines);
                plugin::prune(&pipelines.versions());
                let _ = done.send(());
            }
            Job::ClosePolled(sid, answer) => drop(tokio::spawn(async move {
                let _ = answer.send(shared.protocols.close_polled(&sid).await);
            })),
            Job::Answer(here) => drop(here.send(())),
            Job::Close(done) => drop(tokio::spawn(async move {
                shared.protocols.close().await;
                let _ = done.send(());
            })),
        }
    }
}

/// A connection's place: counted from its accept to its end, as HTTP and then as a WebSocket.
pub(super) struct Place {
    connections: Arc<AtomicUsize>,
    /// Among those of its address, where their number is bounded.
    held: Option<Arc<Held>>,
}

impl Reactor {
    /// A reactor that has yet to be started, and what it is told until then and afterwards.
    pub(super) fn new() -> (Self, Jobs) {
        let (jobs, inbox) = mpsc::channel(QUEUE);
        let connections = Arc::default();
        (Self { jobs, connections }, inbox)
    }

    pub(super) fn place(&self, held: Option<Held>) -> Place {
        self.place_with(held.map(Arc::new))
    }

    /// For a connection that moves here.
    pub(super) fn place_of(&self, place: &Place) -> Place {
        self.place_with(place.held.clone())
    }

    fn place_with(&self, held: Option<Arc<Held>>) -> Place {
        self.connections.fetch_add(1, Ordering::Relaxed);
        Place {
            connections: self.connections.clone(),
            held,
        }
    }

    /// Has something done. `None`: it was not done in time, and the reactor still may do it.
    pub(super) async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<T>) -> Job) -> Option<T> {
        self.ask_within(PATIENCE, job).await
    }

    /// The same with a time of the asker's own.
    pub(super) async fn ask_within<T>(
        &self,
        patience: Duration,
        job: impl FnOnce(oneshot::Sender<T>) -> Job,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let asked = async {
            self.jobs.send(job(answer)).await.ok()?;
            answered.await.ok()
        };
        tokio::time::timeout(patience, asked).await.ok()?
    }
}

/// A place that nobody else is about to give back any more, or a part of one.
pub(super) enum Kept {
    Alone { _place: Place },
    Shared { _place: Arc<Place> },
}

impl Place {
    /// For as long as a WebSocket lives. The HTTP connection that it was has nearly always ended by then, and leaves it
    /// the place alone.
    pub(super) fn kept(place: Arc<Self>) -> Kept {
        match Arc::try_unwrap(place) {
            Ok(place) => Kept::Alone { _place: place },
            Err(place) => Kept::Shared { _place: place },
        }
    }

    /// Its address is only known now.
    pub(super) fn holds(&mut self, held: Option<Held>) {
        self.held = held.map(Arc::new);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
