//! The accept loop: each connection goes to the reactor that has the fewest.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::reactor::{Job, Reactor};
use crate::telemetry::events::{AcceptFailed, ConnectionRefused};

/// After a failure that a further try will meet again at once, such as too many open files.
const PAUSE: Duration = Duration::from_millis(50);

pub(super) async fn run(
    listener: TcpListener,
    reactors: Arc<[Reactor]>,
    max: usize,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => return,
        };
        match accepted {
            Ok((stream, address)) => hand_over(stream, address, &reactors, max).await,
            Err(error) => {
                AcceptFailed { error: &error }.emit();
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn hand_over(stream: TcpStream, address: SocketAddr, reactors: &[Reactor], max: usize) {
    let count = |reactor: &Reactor| reactor.connections.load(Ordering::Relaxed);
    if reactors.iter().map(count).sum::<usize>() >= max {
        return refuse(&stream, address);
    }
    // Events are small and wait for nobody.
    let _ = stream.set_nodelay(true);
    let Ok(stream) = stream.into_std() else {
        return;
    };
    if let Some(reactor) = reactors.iter().min_by_key(|reactor| count(reactor)) {
        // A reactor that is gone has ended the process.
        let _ = reactor
            .jobs
            .send(Job::Serve(stream, address, reactor.place()))
            .await;
    }
}

/// Answers without waiting: what does not fit into an empty send buffer is not worth a task.
fn refuse(stream: &TcpStream, address: SocketAddr) {
    ConnectionRefused {
        address: address.ip(),
    }
    .emit();
    let _ = stream.try_write(
        b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    );
}
