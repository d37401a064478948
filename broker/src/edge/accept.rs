//! The accept loop: each connection goes to the reactor that has the fewest.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

use super::Settings;
use super::reactor::{Job, Reactor};
use crate::telemetry::events::{AcceptFailed, ConnectionRefused};

/// After a failure that a further try will meet again at once, such as too many open files.
const PAUSE: Duration = Duration::from_millis(50);

/// What the kernel may keep for a client that does not read; by default it is megabytes, and the broker would learn
/// late that somebody does not read. Several round trips' worth of a busy client.
const SEND_BUFFER: u32 = 64 << 10;

/// Connections that the kernel completes and nobody has taken yet.
const BACKLOG: u32 = 4096;

pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // So that the next process can listen at once.
    socket.set_reuseaddr(true)?;
    // Each connection inherits it.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

pub(super) async fn run(
    listener: TcpListener,
    reactors: Arc<[Reactor]>,
    settings: Arc<Settings>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => return,
        };
        match accepted {
            Ok((stream, address)) => {
                let max = settings.config.load().max_connections;
                hand_over(stream, address, &reactors, max).await;
            }
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
