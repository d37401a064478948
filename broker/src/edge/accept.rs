//! The accept loop: each connection goes to the reactor that has the fewest.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};

use super::reactor::{Job, Reactor};
use super::traced;
use crate::admission::{Admission, Refused};
use crate::telemetry::events::AcceptFailed;
use crate::tls::{Stream, Tls};

/// After a failure that a further try will meet again at once, such as too many open files.
const PAUSE: Duration = Duration::from_millis(50);

/// What the kernel may keep for a client that does not read; by default it is megabytes, and the broker would learn
/// late that somebody does not read. Several round trips' worth of a busy client.
const SEND_BUFFER: u32 = 64 << 10;

/// Connections that the kernel completes and nobody has taken yet.
const BACKLOG: u32 = 4096;

/// `patience` is how long a client may acknowledge nothing of what is written to it. One that reads nothing of an answer
/// would otherwise keep its connection, and the answer, for as long as it likes: nothing above TCP waits for that.
pub(super) fn listen(address: SocketAddr, patience: Duration) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // So that the next process can listen at once.
    socket.set_reuseaddr(true)?;
    // Each connection inherits these.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    #[cfg(target_os = "linux")]
    rustix::net::sockopt::set_tcp_user_timeout(
        &socket,
        u32::try_from(patience.as_millis()).unwrap_or(u32::MAX),
    )?;
    #[cfg(not(target_os = "linux"))]
    let _ = patience;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

pub(super) async fn run(
    listener: TcpListener,
    reactors: Arc<[Reactor]>,
    admission: Arc<Admission>,
    tls: Arc<Tls>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => return,
        };
        match accepted {
            Ok((stream, address)) => {
                hand_over(stream, address, &reactors, &admission, &tls).await;
            }
            Err(error) => {
                AcceptFailed { error: &error }.emit();
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn hand_over(
    stream: TcpStream,
    address: SocketAddr,
    reactors: &[Reactor],
    admission: &Arc<Admission>,
    tls: &Arc<Tls>,
) {
    let count = |reactor: &Reactor| reactor.connections.load(Ordering::Relaxed);
    let open = reactors.iter().map(count).sum();
    let held = match admission.connection(address.ip(), open) {
        Ok(held) => held,
        Err(refused) => return refuse(stream, address.ip(), refused, tls),
    };
    // Events are small and wait for nobody.
    let _ = stream.set_nodelay(true);
    let Ok(stream) = stream.into_std() else {
        return;
    };
    if let Some(reactor) = reactors.iter().min_by_key(|reactor| count(reactor)) {
        // A reactor that is gone has ended the process.
        let _ = reactor
            .jobs
            .send(Job::Serve(stream, address, reactor.place(held)))
            .await;
    }
}

/// Refused connections that are heard out at a time. More are closed as they are: they are a flood.
static HEARD_OUT: Semaphore = Semaphore::const_new(64);

/// What a refused client may take to read why, and send meanwhile; the same to agree on TLS before.
const FAREWELL: Duration = Duration::from_secs(1);
const FAREWELL_BYTES: u64 = 64 << 10;

/// Answers whatever the client is about to ask. Closed with something unread, the connection would be reset, and the
/// answer with it be lost.
pub(super) fn refuse(stream: TcpStream, address: IpAddr, refused: Refused, tls: &Arc<Tls>) {
    refused.tell(address);
    traced::turned_away(refused);
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: {}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        refused.seconds()
    );
    let loaded = tls.serving();
    let Ok(heard_out) = HEARD_OUT.try_acquire() else {
        if loaded.is_none() {
            let _ = stream.try_write(answer.as_bytes());
        }
        return;
    };
    let tls = tls.clone();
    tokio::spawn(async move {
        let _heard_out = heard_out;
        let mut stream = match loaded {
            None => Stream::Plain(stream),
            // In plain text nobody would read it.
            Some(loaded) => match tls.accept(&loaded, stream, address, FAREWELL).await {
                Some(accepted) => accepted.stream,
                None => return,
            },
        };
        let _ = tokio::time::timeout(FAREWELL, async {
            stream.write_all(answer.as_bytes()).await?;
            stream.shutdown().await?;
            tokio::io::copy(&mut stream.take(FAREWELL_BYTES), &mut tokio::io::sink()).await
        })
        .await;
    });
}
