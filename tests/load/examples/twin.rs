//! The native twin: stock socketioxide, set up as its documentation shows, with the checks that Sluice's policies make
//! written in Rust. `--checks` has it make them; without, it only relays.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sluice_load::token;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef, TryData};
use socketioxide::handler::ConnectHandler as _;
use socketioxide::socket::Sid;

/// What a user may send at once, and every second. As in the broker's configuration: it is counted, and never reached.
const BURST: f64 = 1e6;
const RATE: f64 = 1e6;
const WINDOW: Duration = Duration::from_millis(100);
const LONGEST_TEXT: usize = 32_000;
const LONGEST_ROOM: usize = 64;

static BUCKETS: LazyLock<Mutex<HashMap<String, Arc<Mutex<Bucket>>>>> =
    LazyLock::new(Mutex::default);

/// Of those that are coming in.
static COMING: LazyLock<Mutex<HashMap<Sid, Arc<Mutex<Bucket>>>>> = LazyLock::new(Mutex::default);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (layer, io) = SocketIo::new_layer();
    if std::env::args().any(|argument| argument == "--checks") {
        io.ns("/", checked.with(authenticate));
    } else {
        io.ns("/", relay);
    }
    let app = axum::Router::new().layer(layer);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!(
        "ready {}",
        json!({"listen": listener.local_addr()?.to_string()})
    );
    axum::serve(listener, app).await?;
    Ok(())
}

#[derive(Deserialize)]
struct Auth {
    token: String,
}

#[derive(Debug)]
struct Denied(&'static str);

impl fmt::Display for Denied {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.0)
    }
}

impl std::error::Error for Denied {}

async fn authenticate(socket: SocketRef, TryData(auth): TryData<Auth>) -> Result<(), Denied> {
    static SECRET: LazyLock<String> =
        LazyLock::new(|| std::env::var("JWT_SECRET").unwrap_or_default());
    let auth = auth.map_err(|_| Denied("token_missing"))?;
    let claims = token::verify(&auth.token, &SECRET).ok_or(Denied("token_invalid"))?;
    let bucket = BUCKETS.lock().entry(claims.sub).or_default().clone();
    COMING.lock().insert(socket.id, bucket);
    Ok(())
}

/// What is said: the shape that every event but `join` has.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Message {
    from: u64,
    seq: u64,
    at: u64,
    room: String,
    text: String,
}

async fn checked(socket: SocketRef) {
    let Some(bucket) = COMING.lock().remove(&socket.id) else {
        return;
    };
    let cursor = Arc::new(Mutex::new(Cursor::default()));
    let limits = bucket.clone();
    socket.on(
        "join",
        async move |socket: SocketRef, Data(room): Data<String>, ack: AckSender| {
            if let Err(denial) = limits.lock().take() {
                return answer(ack, Err(denial));
            }
            socket.join(room);
            answer(ack, Ok(()));
        },
    );
    let limits = bucket.clone();
    socket.on(
        "save",
        async move |TryData(message): TryData<Message>, ack: AckSender| {
            answer(ack, check(&limits, message).map(drop));
        },
    );
    let limits = bucket.clone();
    socket.on(
        "message",
        async move |socket: SocketRef, TryData(message): TryData<Message>| match check(
            &limits, message,
        ) {
            Ok(message) => {
                let room = message.room.clone();
                let _ = socket.to(room).emit("message", &message).await;
            }
            Err(denial) => drop(socket.emit("error", &denial)),
        },
    );
    socket.on(
        "cursor",
        async move |socket: SocketRef, Data(at): Data<Value>| {
            if bucket.lock().take().is_ok() {
                Cursor::moved(&cursor, &socket, at).await;
            }
        },
    );
}

async fn relay(socket: SocketRef) {
    socket.on(
        "join",
        async |socket: SocketRef, Data(room): Data<String>, ack: AckSender| {
            socket.join(room);
            answer(ack, Ok(()));
        },
    );
    socket.on("save", async |Data(_): Data<Value>, ack: AckSender| {
        answer(ack, Ok(()))
    });
    socket.on(
        "message",
        async |socket: SocketRef, Data(message): Data<Value>| {
            if let Some(room) = message["room"].as_str().map(str::to_owned) {
                let _ = socket.to(room).emit("message", &message).await;
            }
        },
    );
}

fn answer(ack: AckSender, outcome: Result<(), Value>) {
    let _ = match outcome {
        Ok(()) => ack.send(&json!({"ok": true})),
        Err(denial) => ack.send(&json!({"error": denial})),
    };
}

/// The message as it may be passed on: within its user's limit, of the right shape, and escaped.
fn check<E>(bucket: &Mutex<Bucket>, message: Result<Message, E>) -> Result<Message, Value> {
    bucket.lock().take()?;
    let invalid = |path| json!({"code": "invalid_arguments", "path": path});
    let mut message = message.map_err(|_| invalid("/0"))?;
    if message.room.chars().count() > LONGEST_ROOM {
        return Err(invalid("/0/room"));
    }
    if let Cow::Owned(escaped) = escape(&message.text) {
        message.text = escaped;
    }
    if message.text.is_empty() || message.text.chars().count() > LONGEST_TEXT {
        return Err(invalid("/0/text"));
    }
    Ok(message)
}

fn escape(text: &str) -> Cow<'_, str> {
    const SPECIAL: [char; 8] = ['&', '<', '>', '"', '\'', '/', '\\', '`'];
    if !text.contains(SPECIAL) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 32);
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#x27;"),
            '/' => escaped.push_str("&#x2F;"),
            '\\' => escaped.push_str("&#x5C;"),
            '`' => escaped.push_str("&#96;"),
            other => escaped.push(other),
        }
    }
    Cow::Owned(escaped)
}

/// A user's token bucket.
struct Bucket {
    tokens: f64,
    since: Instant,
}

impl Default for Bucket {
    fn default() -> Self {
        Self {
            tokens: BURST,
            since: Instant::now(),
        }
    }
}

impl Bucket {
    fn take(&mut self) -> Result<(), Value> {
        let now = Instant::now();
        let gained = now.duration_since(self.since).as_secs_f64() * RATE;
        self.since = now;
        self.tokens = (self.tokens + gained).min(BURST);
        if self.tokens < 1.0 {
            let wait = ((1.0 - self.tokens) / RATE * 1e3).ceil();
            return Err(json!({"code": "rate_limited", "retry_after_ms": wait}));
        }
        self.tokens -= 1.0;
        Ok(())
    }
}

/// A socket's throttle: the first at once, then the newest at the end of each window.
#[derive(Default)]
struct Cursor {
    busy: bool,
    newest: Option<Value>,
}

impl Cursor {
    async fn moved(cursor: &Mutex<Self>, socket: &SocketRef, at: Value) {
        {
            let mut cursor = cursor.lock();
            if cursor.busy {
                cursor.newest = Some(at);
                return;
            }
            cursor.busy = true;
        }
        let mut next = Some(at);
        while let Some(at) = next {
            let _ = socket.broadcast().emit("cursor", &at).await;
            tokio::time::sleep(WINDOW).await;
            let mut cursor = cursor.lock();
            next = cursor.newest.take();
            cursor.busy = next.is_some();
        }
    }
}
