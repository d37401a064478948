//! One reactor a core: a thread with a runtime of its own, on which a connection and all its tasks live.
//!
//! Nothing of a connection ever changes threads, so a wake-up is a push onto a local list. Measured against a
//! work-stealing runtime with the same library, that doubles the throughput.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;

use super::{Shared, http};
use crate::pipeline::Pipelines;
use crate::plugin;

/// Connections on their way to a reactor. It takes one in microseconds; a full queue makes the accept loop wait,
/// and the kernel's backlog hold what comes meanwhile.
const QUEUE: usize = 256;

/// Deep guest stacks and deep JSON both end far above this.
const STACK: usize = 8 << 20;

/// How the threads are named; a panic on one of them ends the process.
pub(crate) const THREAD_NAME: &str = "reactor";

pub(super) enum Job {
    Serve(std::net::TcpStream, SocketAddr, Place),
    /// The pipelines have been replaced: what belonged to older ones is to be freed.
    Prune(Arc<Pipelines>),
}

/// A reactor as the accept loop sees it.
#[derive(Clone)]
pub(super) struct Reactor {
    pub jobs: mpsc::Sender<Job>,
    pub connections: Arc<AtomicUsize>,
}

/// Starts a reactor; its thread ends with the process.
pub(super) fn start(number: usize, shared: Arc<Shared>) -> io::Result<Reactor> {
    let (jobs, inbox) = mpsc::channel(QUEUE);
    let connections = Arc::new(AtomicUsize::new(0));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name(format!("{THREAD_NAME}-{number}"))
        .stack_size(STACK)
        .spawn(move || runtime.block_on(run(inbox, shared)))?;
    Ok(Reactor { jobs, connections })
}

async fn run(mut inbox: mpsc::Receiver<Job>, shared: Arc<Shared>) {
    while let Some(job) = inbox.recv().await {
        match job {
            Job::Serve(stream, address, place) => {
                let Ok(stream) = tokio::net::TcpStream::from_std(stream) else {
                    // Out of file descriptors for the poller, or the socket is dead: the client sees it closed.
                    continue;
                };
                tokio::spawn(http::serve(
                    stream,
                    address,
                    Arc::new(place),
                    shared.clone(),
                ));
            }
            Job::Prune(pipelines) => plugin::prune(&pipelines.versions()),
        }
    }
}

/// A connection's place: counted from its accept to its end, as HTTP and then as a WebSocket.
pub(super) struct Place(Arc<AtomicUsize>);

impl Reactor {
    pub(super) fn place(&self) -> Place {
        self.connections.fetch_add(1, Ordering::Relaxed);
        Place(self.connections.clone())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
