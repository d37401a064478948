//! Real Socket.IO clients: a process of Node or Python that follows commands on its standard input.

use std::collections::{HashMap, VecDeque};
use std::io::Write;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::process::{Process, each_line};
use crate::{PATIENCE, prepared};

/// Something that happened to a client.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Notice {
    Event { name: String, args: Vec<Value> },
    Connect { sid: Value, transport: Value },
    ConnectError { message: String, data: Value },
    Disconnect { reason: Value },
    Upgrade { transport: String },
}

/// Why a client was not let in.
#[derive(Debug, Clone, Deserialize)]
pub struct Refusal {
    pub message: String,
    #[serde(default)]
    pub data: Value,
    /// The HTTP status, when the transport itself was refused.
    #[serde(default)]
    pub status: Option<u16>,
}

#[derive(Default)]
struct Shared {
    inboxes: Mutex<HashMap<String, VecDeque<Notice>>>,
    arrived: Condvar,
    answers: Mutex<HashMap<u64, mpsc::Sender<Result<Value, String>>>>,
}

struct Inner {
    shared: Arc<Shared>,
    stdin: Mutex<ChildStdin>,
    next: Mutex<u64>,
    _process: Process,
}

/// A process that holds the clients of one test.
#[derive(Clone)]
pub struct Driver(Arc<Inner>);

impl Driver {
    /// The official client, on Node.
    pub fn node() -> Self {
        let script = prepared("SLUICE_TEST_NODE_CLIENT");
        Self::spawn(Path::new("node"), &script)
    }

    /// python-socketio.
    pub fn python() -> Self {
        let script = prepared("SLUICE_TEST_PYTHON_CLIENT");
        Self::spawn(&prepared("SLUICE_TEST_PYTHON"), &script)
    }

    fn spawn(program: &Path, script: &Path) -> Self {
        let mut child = Command::new(program)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let shared = Arc::new(Shared::default());
        let stdin = child.stdin.take().expect("a pipe");
        let stdout = child.stdout.take().expect("a pipe");
        let sink = Arc::clone(&shared);
        each_line(stdout, move |line| sink.receive(&line));
        Self(Arc::new(Inner {
            shared,
            stdin: Mutex::new(stdin),
            next: Mutex::new(0),
            _process: Process(child),
        }))
    }

    fn send(&self, mut command: Value) -> Pending<Value> {
        let id = {
            let mut next = self.0.next.lock().unwrap();
            *next += 1;
            *next
        };
        let (sender, receiver) = mpsc::channel();
        self.0.shared.answers.lock().unwrap().insert(id, sender);
        command["id"] = json!(id);
        let what = command.to_string();
        let mut stdin = self.0.stdin.lock().unwrap();
        writeln!(stdin, "{what}")
            .and_then(|()| stdin.flush())
            .expect("the client process listens");
        Pending {
            receiver,
            what,
            read: |value| value,
        }
    }

    fn call(&self, command: Value) -> Value {
        self.send(command).wait()
    }

    /// Connects a client; the error when it is refused. `opts` are those of the official client.
    ///
    /// # Errors
    ///
    /// With what the client was told when it was not let in.
    pub fn try_connect(&self, name: &str, url: &str, opts: &Value) -> Result<Client, Refusal> {
        self.dial(name, url, opts, false)
    }

    fn dial(&self, name: &str, url: &str, opts: &Value, quiet: bool) -> Result<Client, Refusal> {
        let answer = self.call(
            json!({"do": "connect", "client": name, "url": url, "opts": opts, "quiet": quiet}),
        );
        if answer["connected"] == true {
            let sid = answer["sid"].as_str().unwrap_or_default().to_owned();
            let client = Client {
                name: name.to_owned(),
                driver: self.clone(),
                sid,
            };
            // What the answer already said; everything that follows stays in the inbox.
            client.take("its own connect", |notice| {
                matches!(notice, Notice::Connect { .. })
            });
            return Ok(client);
        }
        Err(serde_json::from_value(answer).expect("a refusal"))
    }

    /// Connects a client.
    ///
    /// # Panics
    ///
    /// When it is refused.
    pub fn connect(&self, name: &str, url: &str, opts: &Value) -> Client {
        self.try_connect(name, url, opts)
            .unwrap_or_else(|refusal| panic!("{name} was not let in: {refusal:?}"))
    }

    /// Connects a client that keeps what it receives until [`Client::collect`], for large numbers of events.
    ///
    /// # Panics
    ///
    /// When it is refused.
    pub fn connect_quiet(&self, name: &str, url: &str, opts: &Value) -> Client {
        self.dial(name, url, opts, true)
            .unwrap_or_else(|refusal| panic!("{name} was not let in: {refusal:?}"))
    }

    /// Starts Node's own server with the routes of a broker without a configuration. Its address.
    pub fn reference(&self) -> String {
        let answer = self.call(json!({"do": "reference"}));
        format!("http://127.0.0.1:{}", answer["port"])
    }
}

impl Shared {
    fn receive(&self, line: &str) {
        let mut message: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        if let Some(id) = message["id"].as_u64() {
            let answer = match message.get("error").and_then(Value::as_str) {
                Some(error) => Err(error.to_owned()),
                None => Ok(message["ok"].take()),
            };
            if let Some(waiting) = self.answers.lock().unwrap().remove(&id) {
                // Nobody may wait any more: a test that has failed is gone.
                let _ = waiting.send(answer);
            }
            return;
        }
        let client = message["client"]
            .as_str()
            .expect("the name of a client")
            .to_owned();
        let notice =
            serde_json::from_value(message).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.inboxes
            .lock()
            .unwrap()
            .entry(client)
            .or_default()
            .push_back(notice);
        self.arrived.notify_all();
    }
}

/// An answer that is still to come.
pub struct Pending<T> {
    receiver: mpsc::Receiver<Result<Value, String>>,
    what: String,
    read: fn(Value) -> T,
}

impl<T> Pending<T> {
    /// # Panics
    ///
    /// When the command failed, or is not answered within twice [`PATIENCE`].
    pub fn wait(self) -> T {
        match self.receiver.recv_timeout(PATIENCE * 2) {
            Ok(Ok(value)) => (self.read)(value),
            Ok(Err(error)) => panic!("{}: {error}", self.what),
            Err(error) => panic!("{}: no answer: {error}", self.what),
        }
    }
}

/// What became of a flood.
#[derive(Debug)]
pub struct Flood {
    /// Each sequence number with its ack (`{"timeout":…}` where none came) and the milliseconds since the start,
    /// in the order in which the acks came.
    pub answers: Vec<(u64, Value, f64)>,
    pub elapsed: Duration,
}

/// A client of a [`Driver`]. It is gone with its driver.
#[derive(Clone)]
pub struct Client {
    pub name: String,
    pub sid: String,
    driver: Driver,
}

impl Client {
    fn call(&self, command: &str, mut fields: Value) -> Value {
        fields["do"] = json!(command);
        fields["client"] = json!(self.name);
        self.driver.call(fields)
    }

    /// Sends an event without asking for an ack.
    pub fn emit(&self, event: &str, args: Value) {
        self.call("emit", json!({"event": event, "args": args}));
    }

    /// Sends an event and waits for its ack: the ack's arguments.
    ///
    /// # Panics
    ///
    /// When no ack comes.
    pub fn ask(&self, event: &str, args: Value) -> Vec<Value> {
        self.ask_within(event, args, PATIENCE)
            .unwrap_or_else(|| panic!("{}: no ack for {event}", self.name))
    }

    /// The same, with a limit of the test's own; `None` when no ack has come by then.
    pub fn ask_within(&self, event: &str, args: Value, limit: Duration) -> Option<Vec<Value>> {
        let timeout = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        let mut answer = self.call(
            "emitAck",
            json!({"event": event, "args": args, "timeout": timeout}),
        );
        match answer["args"].take() {
            Value::Array(args) => Some(args),
            _ => None,
        }
    }

    /// Sends an event that has to be allowed.
    ///
    /// # Panics
    ///
    /// When its ack is anything but `{"ok":true}`.
    pub fn ok(&self, event: &str, args: Value) {
        let ack = self.ask(event, args);
        assert_eq!(ack, [json!({"ok": true})], "{} sent {event}", self.name);
    }

    /// Sends an event that has to be denied: the denial in its ack.
    ///
    /// # Panics
    ///
    /// When it is not denied.
    pub fn denied(&self, event: &str, args: Value) -> Value {
        let mut ack = self.ask(event, args);
        assert_eq!(ack.len(), 1, "{} sent {event}: {ack:?}", self.name);
        let denial = ack[0]["error"].take();
        assert!(
            denial["code"].is_string(),
            "{} sent {event} and got no denial: {denial}",
            self.name
        );
        denial
    }

    /// Starts sending `count` numbered events at `rate` a second; see `driver.mjs`. `options`: `ack`, `template`,
    /// `first`.
    pub fn flood(&self, event: &str, count: u64, rate: u64, options: &Value) -> Pending<Flood> {
        let mut command = json!({
            "do": "flood", "client": self.name, "event": event, "count": count, "rate": rate,
        });
        for (key, value) in options.as_object().into_iter().flatten() {
            command[key] = value.clone();
        }
        let Pending { receiver, what, .. } = self.driver.send(command);
        Pending {
            receiver,
            what,
            read: read_flood,
        }
    }

    /// Everything that a quiet client has received so far: name and arguments.
    pub fn collect(&self) -> Vec<Vec<Value>> {
        let mut answer = self.call("collect", json!({}));
        serde_json::from_value(answer["received"].take()).expect("a list of events")
    }

    /// Waits until a quiet client has received at least so many events.
    ///
    /// # Panics
    ///
    /// When they do not come.
    pub fn wait_received(&self, count: usize) {
        let timeout = u64::try_from(PATIENCE.as_millis()).unwrap_or(u64::MAX);
        let answer = self.call("received", json!({"count": count, "timeout": timeout}));
        assert!(
            answer["count"].as_u64() >= u64::try_from(count).ok(),
            "{} waits for {count} events: {answer}",
            self.name
        );
    }

    pub fn state(&self) -> Value {
        self.call("state", json!({}))
    }

    /// The transport that is in use.
    pub fn transport(&self) -> String {
        self.state()["transport"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    pub fn disconnect(&self) {
        self.call("disconnect", json!({}));
    }

    /// Loses the connection without a goodbye.
    pub fn cut(&self) {
        self.call("cut", json!({}));
    }

    /// Connects again after a disconnection; whether it was let in.
    pub fn reconnect(&self) -> bool {
        self.call("reconnect", json!({}))["connected"] == true
    }

    /// The next thing that happens to the client, whatever it is.
    ///
    /// # Panics
    ///
    /// When nothing happens.
    pub fn next(&self) -> Notice {
        self.take("anything", |_| true)
    }

    /// The arguments of the next event, which has to have this name: so a test notices what should not have come.
    ///
    /// # Panics
    ///
    /// When another event comes first, or none.
    pub fn expect(&self, event: &str) -> Vec<Value> {
        match self.take(event, |notice| !matches!(notice, Notice::Upgrade { .. })) {
            Notice::Event { name, args } if name == event => args,
            other => panic!("{} expected {event} and got {other:?}", self.name),
        }
    }

    /// Waits for the end of the connection: the client's reason.
    ///
    /// # Panics
    ///
    /// When it does not end.
    pub fn disconnected(&self) -> String {
        match self.take("disconnect", |notice| {
            matches!(notice, Notice::Disconnect { .. })
        }) {
            Notice::Disconnect { reason } => reason.as_str().unwrap_or_default().to_owned(),
            other => panic!("not a disconnection: {other:?}"),
        }
    }

    /// Waits until the transport has been upgraded.
    ///
    /// # Panics
    ///
    /// When it is not.
    pub fn upgraded(&self) -> String {
        match self.take("upgrade", |notice| matches!(notice, Notice::Upgrade { .. })) {
            Notice::Upgrade { transport } => transport,
            other => panic!("not an upgrade: {other:?}"),
        }
    }

    /// Takes the first notice that `wanted` accepts out of the inbox, waiting for it if need be.
    fn take(&self, what: &str, wanted: impl Fn(&Notice) -> bool) -> Notice {
        let shared = &self.driver.0.shared;
        let deadline = Instant::now() + PATIENCE;
        let mut inboxes = shared.inboxes.lock().unwrap();
        loop {
            let inbox = inboxes.entry(self.name.clone()).or_default();
            if let Some(found) = inbox.iter().position(&wanted) {
                return inbox.remove(found).expect("what was just found");
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "{} waited in vain for {what}; it has {inbox:?}",
                self.name
            );
            inboxes = shared.arrived.wait_timeout(inboxes, left).unwrap().0;
        }
    }
}

fn read_flood(mut value: Value) -> Flood {
    Flood {
        answers: serde_json::from_value(value["answers"].take()).expect("a list of answers"),
        elapsed: Duration::from_secs_f64(value["elapsed_ms"].as_f64().unwrap_or_default() / 1000.0),
    }
}
