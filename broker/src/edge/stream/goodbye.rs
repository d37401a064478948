//! The end of a WebSocket that the broker closes: a client that still reads gets its last words.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::edge::lane::Lane;
use crate::tls::ReadHalf;

/// What a client has, once the broker has closed a WebSocket, to close its side.
pub(in crate::edge) const LINGER: Duration = Duration::from_secs(2);

/// What a client has to take what is queued for it when its connection ends, as long as it takes something.
const LAST_WORDS: Duration = Duration::from_secs(30);

/// Writes what is left, closes this side, and waits for the client to close its own.
pub(super) async fn say(mut socket: ReadHalf, lane: &Arc<Lane>) {
    // As long as the client takes it: what is queued may be much.
    let _ = tokio::time::timeout(LAST_WORDS, lane.clone().finish()).await;
    // Closes this side.
    lane.end();
    let _ = tokio::time::timeout(LINGER, hear_out(&mut socket)).await;
}

/// Reads until the client has closed its side, however it does.
pub(in crate::edge) async fn hear_out(client: &mut (impl AsyncRead + Unpin)) {
    let mut rest = [0; 1024];
    // Errors are the other way for a client to be gone.
    while let Ok(1..) = client.read(&mut rest).await {}
}
