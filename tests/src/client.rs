//! One client of a driver: what it is told to do, and what happens to it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::PATIENCE;
use crate::driver::{Driver, Notice, Pending};

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
    pub(crate) driver: Driver,
}

impl Client {
    /// What the broker's log calls the client's socket: as everyone does.
    pub fn logged_as(&self) -> &str {
        &self.sid
    }

    /// The session id of its transport.
    ///
    /// # Panics
    ///
    /// When it has none.
    pub fn engine_id(&self) -> String {
        let state = self.call("state", json!({}));
        state["engine"]
            .as_str()
            .expect("an open transport")
            .to_owned()
    }

    /// What is agreed on the compression of its WebSocket, and how many bytes have come over it.
    ///
    /// # Panics
    ///
    /// When it has no WebSocket.
    pub fn wire(&self) -> (Value, u64) {
        let mut wire = self.call("wire", json!({}));
        let received = wire["received"].as_u64().expect("bytes");
        (wire["compression"].take(), received)
    }

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

    /// Ends a flood before its count is reached.
    pub fn calm(&self) {
        self.call("calm", json!({}));
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

    /// Sends text past the client's encoders: over its WebSocket, or as the body of a request.
    pub fn write(&self, text: &str) {
        self.call("write", json!({"text": text}));
    }

    /// Answers events of this name, where the server asks for it, with these arguments from now on.
    pub fn answers(&self, event: &str, args: Value) {
        self.call("answer", json!({"event": event, "args": args}));
    }

    /// Answers heartbeats no more.
    pub fn mute(&self) {
        self.call("mute", json!({}));
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

    /// Passes over what happens until an event of this name comes.
    ///
    /// # Panics
    ///
    /// When it does not come.
    pub fn skip_to(&self, event: &str) {
        while !matches!(self.next(), Notice::Event { name, .. } if name == event) {}
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

    /// Waits for the end of the connection: when it came.
    ///
    /// # Panics
    ///
    /// When it does not end.
    pub fn disconnected_at(&self) -> Instant {
        self.take_at("disconnect", |notice| {
            matches!(notice, Notice::Disconnect { .. })
        })
        .0
    }

    /// How long the client was without a connection, each time that it lost one and came back.
    pub fn absences(&self) -> Vec<Duration> {
        let mut inboxes = self.driver.0.shared.inboxes.lock();
        let inbox = inboxes.entry(self.name.clone()).or_default();
        let mut lost = None;
        let mut absences = Vec::new();
        for (at, notice) in inbox.iter() {
            match notice {
                Notice::Disconnect { .. } => lost = Some(*at),
                Notice::Connect { .. } => {
                    absences.extend(lost.take().map(|since: Instant| at.duration_since(since)));
                }
                _ => {}
            }
        }
        absences
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
    pub(crate) fn take(&self, what: &str, wanted: impl Fn(&Notice) -> bool) -> Notice {
        self.take_at(what, wanted).1
    }

    /// The same, with the time at which it came.
    fn take_at(&self, what: &str, wanted: impl Fn(&Notice) -> bool) -> (Instant, Notice) {
        let shared = &self.driver.0.shared;
        let deadline = Instant::now() + PATIENCE;
        let mut inboxes = shared.inboxes.lock();
        loop {
            let inbox = inboxes.entry(self.name.clone()).or_default();
            if let Some(found) = inbox.iter().position(|(_, notice)| wanted(notice)) {
                return inbox.remove(found).expect("what was just found");
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "{} waited in vain for {what}; it has {inbox:?}",
                self.name
            );
            shared.arrived.wait_for(&mut inboxes, left);
        }
    }
}

fn read_flood(mut value: Value) -> Flood {
    Flood {
        answers: serde_json::from_value(value["answers"].take()).expect("a list of answers"),
        elapsed: Duration::from_secs_f64(value["elapsed_ms"].as_f64().unwrap_or_default() / 1000.0),
    }
}
