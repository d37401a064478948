//! Real Socket.IO clients: a process of Node or Python that follows commands on its standard input.

use std::collections::{HashMap, VecDeque};
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Instant;

use parking_lot::{Condvar, Mutex};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::process::{Process, each_line};
use crate::{Client, PATIENCE, prepared};

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

impl Refusal {
    /// The code of the denial that came with it.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn code(&self) -> &str {
        let code = self.data["code"].as_str();
        code.unwrap_or_else(|| panic!("no denial: {self:?}"))
    }
}

#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) inboxes: Mutex<HashMap<String, VecDeque<(Instant, Notice)>>>,
    pub(crate) arrived: Condvar,
    answers: Mutex<HashMap<u64, mpsc::Sender<Result<Value, String>>>>,
}

pub(crate) struct Inner {
    pub(crate) shared: Arc<Shared>,
    stdin: Mutex<ChildStdin>,
    next: Mutex<u64>,
    _process: Process,
}

/// A process that holds the clients of one test.
#[derive(Clone)]
pub struct Driver(pub(crate) Arc<Inner>);

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

    pub(crate) fn send(&self, mut command: Value) -> Pending<Value> {
        let id = {
            let mut next = self.0.next.lock();
            *next += 1;
            *next
        };
        let (sender, receiver) = mpsc::channel();
        self.0.shared.answers.lock().insert(id, sender);
        command["id"] = json!(id);
        let what = command.to_string();
        let mut stdin = self.0.stdin.lock();
        writeln!(stdin, "{what}")
            .and_then(|()| stdin.flush())
            .expect("the client process listens");
        Pending {
            receiver,
            what,
            read: |value| value,
        }
    }

    pub(crate) fn call(&self, command: Value) -> Value {
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

    /// Starts Node's own server, which sends back what it is sent, with these options of the official server.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn echo(&self, opts: &Value) -> SocketAddr {
        let answer = self.call(json!({"do": "echo", "opts": opts}));
        let port = answer["port"]
            .as_u64()
            .and_then(|port| port.try_into().ok());
        SocketAddr::from(([127, 0, 0, 1], port.expect("a port")))
    }

    /// Ends such a server in good order.
    pub fn close_echo(&self, at: SocketAddr) {
        self.call(json!({"do": "closeEcho", "port": at.port()}));
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
            if let Some(waiting) = self.answers.lock().remove(&id) {
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
            .entry(client)
            .or_default()
            .push_back((Instant::now(), notice));
        self.arrived.notify_all();
    }
}

/// An answer that is still to come.
pub struct Pending<T> {
    pub(crate) receiver: mpsc::Receiver<Result<Value, String>>,
    pub(crate) what: String,
    pub(crate) read: fn(Value) -> T,
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
