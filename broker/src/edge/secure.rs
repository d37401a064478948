//! TLS of the public listener, on the reactor that a connection came to.

use std::net::IpAddr;
use std::time::Duration;

use tokio::net::TcpStream;

use super::Shared;
use crate::tls::{Accepted, Stream};

/// How long a client may take to agree on TLS; `connect_timeout` where that is shorter.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);

/// Turns of a reactor that the keys of a handshake take.
const TLS_TURNS: usize = 4;

/// Agrees with the client on TLS, where there is to be any. The keys of a handshake take longer than all else that a
/// connection begins with, so it takes several turns.
pub(super) async fn under_tls(
    stream: TcpStream,
    address: IpAddr,
    shared: &Shared,
) -> Option<Accepted> {
    let Some(loaded) = shared.tls.serving() else {
        return Some(Accepted {
            stream: Stream::Plain(stream),
            certificate: None,
        });
    };
    let patience = shared.config().connect_timeout.min(TLS_TIMEOUT);
    let agreed = async {
        for _ in 1..TLS_TURNS {
            shared.pace.turn().await;
        }
        // Their number bounds what clients that begin and do not go on take of memory.
        let permit = tokio::time::timeout(patience, shared.tls_handshakes.acquire()).await;
        let Ok(Ok(_under_way)) = permit else {
            shared.tls.is_busy(address);
            return None;
        };
        shared.tls.accept(&loaded, stream, address, patience).await
    };
    // What is plain does not carry the room for it along.
    Box::pin(agreed).await
}
