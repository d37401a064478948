//! A back end of a test's own: what it publishes, takes and answers over NATS.

use std::future::Future;
use std::time::Duration;

use async_nats::{HeaderMap, jetstream};
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::{Nats, PATIENCE};

/// A connection to NATS that comes back by itself.
pub struct Bus {
    runtime: Runtime,
    client: async_nats::Client,
}

/// What was published to a subject.
#[derive(Debug, Clone)]
pub struct Published {
    pub subject: String,
    pub headers: HeaderMap,
    pub payload: Bytes,
    pub reply: Option<String>,
}

/// What is published to a subject, from now on, in the order in which it comes.
pub struct Subscription<'a> {
    bus: &'a Bus,
    subscriber: async_nats::Subscriber,
}

impl Bus {
    /// # Panics
    ///
    /// When it does not come about.
    pub fn connect(nats: &Nats) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let connect = async_nats::ConnectOptions::new()
            .reconnect_delay_callback(|_| Duration::from_millis(20))
            .connect(nats.url());
        let client = runtime.block_on(connect).expect("a connection to NATS");
        Self { runtime, client }
    }

    fn wait<T>(&self, what: &str, future: impl Future<Output = T>) -> T {
        let timed = async { tokio::time::timeout(PATIENCE, future).await };
        let done = self.runtime.block_on(timed);
        done.unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain for: {what}"))
    }

    /// Whether JetStream keeps so many copies.
    pub(crate) fn can_keep(&self, copies: usize) -> bool {
        let jetstream = self.jetstream();
        let config = jetstream::stream::Config {
            name: "PROBE".to_owned(),
            num_replicas: copies,
            ..jetstream::stream::Config::default()
        };
        self.wait("JetStream", async {
            jetstream.create_stream(config).await.is_ok()
                && jetstream.delete_stream("PROBE").await.is_ok()
        })
    }

    /// Returns once the server knows of it.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub fn subscribe(&self, subject: &str) -> Subscription<'_> {
        let subscribe = self.client.subscribe(subject.to_owned());
        let subscriber = self.wait("a subscription", subscribe).expect("a subject");
        self.barrier();
        Subscription {
            bus: self,
            subscriber,
        }
    }

    /// Answers requests until the test ends; `None`: not this one. Returns once the server knows of it.
    ///
    /// # Panics
    ///
    /// When the server does not.
    pub fn serve(&self, subject: &str, answer: impl Fn(Value) -> Option<Vec<u8>> + Send + 'static) {
        let subscribe = self.client.subscribe(subject.to_owned());
        let mut requests = self.wait("a subscription", subscribe).expect("a subject");
        let client = self.client.clone();
        self.runtime.spawn(async move {
            while let Some(request) = requests.next().await {
                let asked = serde_json::from_slice(&request.payload).unwrap_or_default();
                if let Some(reply) = request.reply
                    && let Some(answer) = answer(asked)
                {
                    drop(client.publish(reply, answer.into()).await);
                }
            }
        });
        self.barrier();
    }

    /// # Panics
    ///
    /// When it does not leave.
    pub fn publish(&self, subject: &str, payload: impl Into<Bytes>) {
        let publish = self.client.publish(subject.to_owned(), payload.into());
        self.wait("publishing", publish).expect("a subject");
    }

    /// The same with headers.
    ///
    /// # Panics
    ///
    /// When it does not leave.
    pub fn publish_with(&self, subject: &str, of: &[(&str, &str)], payload: impl Into<Bytes>) {
        let (subject, payload) = (subject.to_owned(), payload.into());
        let publish = self
            .client
            .publish_with_headers(subject, headers(of), payload);
        self.wait("publishing", publish).expect("a subject");
    }

    /// What is replied.
    ///
    /// # Panics
    ///
    /// When nothing is.
    pub fn request(&self, subject: &str, payload: impl Into<Bytes>) -> Published {
        self.request_with(subject, &[], payload)
    }

    /// The same with headers.
    ///
    /// # Panics
    ///
    /// When nothing is replied.
    pub fn request_with(
        &self,
        subject: &str,
        of: &[(&str, &str)],
        payload: impl Into<Bytes>,
    ) -> Published {
        let request =
            self.client
                .request_with_headers(subject.to_owned(), headers(of), payload.into());
        self.wait("a reply", request).expect("a reply").into()
    }

    /// The server has read everything before this. That nobody serves a subject is its own answer.
    fn barrier(&self) {
        let request = self.client.request("nobody.is.here", Bytes::new());
        let _ = self.wait("the server's word", request);
    }

    fn jetstream(&self) -> jetstream::Context {
        // It begins a task.
        let _guard = self.runtime.enter();
        jetstream::new(self.client.clone())
    }

    /// The messages of a stream, from its first; `None`: there is no such stream.
    ///
    /// # Panics
    ///
    /// When they cannot be read.
    pub fn stored(&self, stream: &str) -> Option<Vec<Published>> {
        let jetstream = self.jetstream();
        let stream = self.wait("a stream", jetstream.get_stream(stream)).ok()?;
        let state = &stream.cached_info().state;
        let messages = (state.first_sequence.max(1)..=state.last_sequence).map(|sequence| {
            let message = self.wait("a message", stream.get_raw_message(sequence));
            let message = message.expect("a message");
            Published {
                subject: message.subject.to_string(),
                headers: message.headers,
                payload: message.payload,
                reply: None,
            }
        });
        Some(messages.collect())
    }

    /// Makes a stream for a subject.
    ///
    /// # Panics
    ///
    /// When it is refused.
    pub fn make_stream(&self, name: &str, subject: &str) {
        let jetstream = self.jetstream();
        let made = jetstream.create_stream(jetstream::stream::Config {
            name: name.to_owned(),
            subjects: vec![subject.to_owned()],
            ..Default::default()
        });
        self.wait("a stream", made).expect("a stream");
    }

    /// # Panics
    ///
    /// When there is no such stream.
    pub fn delete_stream(&self, name: &str) {
        let jetstream = self.jetstream();
        let deleted = self.wait("a stream's end", jetstream.delete_stream(name));
        deleted.expect("a stream");
    }
}

impl Subscription<'_> {
    /// # Panics
    ///
    /// When nothing comes.
    pub fn expect(&mut self) -> Published {
        let next = self.subscriber.next();
        self.bus.wait("a message", next).expect("a message").into()
    }

    /// So many, in JSON.
    ///
    /// # Panics
    ///
    /// When they do not come.
    pub fn take(&mut self, count: usize) -> Vec<Value> {
        (0..count).map(|_| self.expect().json()).collect()
    }

    /// Whether something came that was not taken: everything that this connection has published so far is known to have
    /// come.
    pub fn is_empty(&mut self) -> bool {
        self.bus.barrier();
        let next =
            async { tokio::time::timeout(Duration::from_millis(1), self.subscriber.next()).await };
        self.bus.runtime.block_on(next).is_err()
    }
}

impl Published {
    /// # Panics
    ///
    /// When it is no JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.payload)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.as_str())
    }
}

fn headers(of: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in of {
        headers.insert(*name, *value);
    }
    headers
}

impl From<async_nats::Message> for Published {
    fn from(message: async_nats::Message) -> Self {
        Self {
            subject: message.subject.to_string(),
            headers: message.headers.unwrap_or_default(),
            payload: message.payload,
            reply: message.reply.map(|reply| reply.to_string()),
        }
    }
}
