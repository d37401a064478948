//! The floor: a bare WebSocket server on tokio-tungstenite that says what a Socket.IO server would say, looks at no more
//! of a packet than its first bytes, and knows one room, which everyone is in. It checks nothing.

use std::sync::Arc;

use anyhow::Context as _;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use parking_lot::RwLock;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

const READ_BUFFER: usize = 4096;
const OPEN: &str = r#"0{"sid":"floor","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;

type Room = Arc<RwLock<Vec<(u64, mpsc::UnboundedSender<Utf8Bytes>)>>>;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!(
        "ready {}",
        serde_json::json!({"listen": listener.local_addr()?.to_string()})
    );
    let room = Room::default();
    for id in 0_u64.. {
        let (stream, _) = listener.accept().await?;
        let room = room.clone();
        tokio::spawn(async move {
            // A client that goes away is no news.
            let _ = serve(id, stream, &room).await;
            room.write().retain(|(other, _)| *other != id);
        });
    }
    Ok(())
}

async fn serve(id: u64, stream: TcpStream, room: &Room) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    // Its default is 128 KiB a connection, which would make the floor the most expensive of all.
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
    let mut socket = tokio_tungstenite::accept_async_with_config(stream, Some(config)).await?;
    socket.send(Message::text(OPEN)).await?;
    let (sender, mut receiver) = mpsc::unbounded_channel();
    room.write().push((id, sender));
    loop {
        tokio::select! {
            message = socket.next() => {
                let mut message = message.context("it has gone")??;
                // All that has come is answered with one write.
                loop {
                    if let Message::Text(text) = message
                        && let Some(reply) = answer(id, &text, room)
                    {
                        socket.feed(Message::Text(reply.into())).await?;
                    }
                    match socket.next().now_or_never() {
                        Some(next) => message = next.context("it has gone")??,
                        None => break,
                    }
                }
                socket.flush().await?;
            }
            Some(text) = receiver.recv() => {
                socket.feed(Message::Text(text)).await?;
                while let Ok(text) = receiver.try_recv() {
                    socket.feed(Message::Text(text)).await?;
                }
                socket.flush().await?;
            }
        }
    }
}

/// The reply to a packet; an event without a number for an ack goes to all others.
fn answer(id: u64, packet: &Utf8Bytes, room: &Room) -> Option<String> {
    let text = packet.as_str();
    if text.starts_with("40") {
        return Some(r#"40{"sid":"floor"}"#.to_owned());
    }
    let event = text.strip_prefix("42")?;
    let (number, _) = event.split_once('[')?;
    if !number.is_empty() {
        return Some(format!(r#"43{number}[{{"ok":true}}]"#));
    }
    for (other, sender) in room.read().iter() {
        if *other != id {
            // One that is going is not in the room for much longer.
            let _ = sender.send(packet.clone());
        }
    }
    None
}
