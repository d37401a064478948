//! The connection to NATS: one a process, shared by whatever speaks through it. It is made in the background, comes
//! back by itself, and its state is known to whoever asks. Nothing here is on an event's path.

mod options;
pub(crate) mod subject;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use crate::config;
use crate::telemetry::events::{NatsConnected, NatsDisconnected, NatsFailed, NatsSlow};

pub(crate) use options::OptionsError;
use subject::Subjects;

/// The broker's connection.
pub(crate) struct Nats {
    client: async_nats::Client,
    state: watch::Receiver<State>,
    pub(crate) subjects: Subjects,
    /// Copies of what JetStream is asked to keep.
    pub(crate) replicas: usize,
}

/// Whether there is a connection, and which one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub is_connected: bool,
    /// Connections so far. Whoever sees it grow has missed what was said in between.
    pub connections: u64,
}

impl Nats {
    /// Begins to connect, and goes on until the process ends. Fails only if what it is to log in with cannot be read.
    pub(crate) async fn start(
        config: &config::Cluster,
        node: impl std::fmt::Display,
    ) -> Result<Arc<Self>, OptionsError> {
        let (told, state) = watch::channel(State::default());
        let connections = AtomicU64::new(0);
        let options = options::of(config, node)?.event_callback(move |event| {
            follow(&told, &connections, &event);
            std::future::ready(())
        });
        let client = options
            .connect(config.servers.clone())
            .await
            .map_err(|error| {
                // With `retry_on_initial_connect` only what is configured wrongly ends here.
                OptionsError::Refused(error.to_string())
            })?;
        Ok(Arc::new(Self {
            client,
            state,
            subjects: Subjects::of(&config.name),
            replicas: config.replicas,
        }))
    }

    pub(crate) fn client(&self) -> &async_nats::Client {
        &self.client
    }

    pub(crate) fn state(&self) -> State {
        *self.state.borrow()
    }

    /// For whoever waits for changes.
    pub(crate) fn watch(&self) -> watch::Receiver<State> {
        self.state.clone()
    }
}

fn follow(told: &watch::Sender<State>, connections: &AtomicU64, event: &async_nats::Event) {
    use async_nats::Event;
    match event {
        Event::Connected => {
            let connections = connections.fetch_add(1, Ordering::Relaxed) + 1;
            // Logged and counted first: who has seen that it is there finds it in the metrics.
            NatsConnected { connections }.emit();
            told.send_replace(State {
                is_connected: true,
                connections,
            });
        }
        Event::Disconnected | Event::Closed => {
            let was_connected = told.borrow().is_connected;
            if was_connected {
                NatsDisconnected.emit();
            }
            told.send_replace(State {
                is_connected: false,
                connections: connections.load(Ordering::Relaxed),
            });
        }
        Event::SlowConsumer(_) => NatsSlow.emit(),
        Event::ServerError(error) => NatsFailed {
            reason: &error.to_string(),
        }
        .emit(),
        Event::ClientError(error) => NatsFailed {
            reason: &error.to_string(),
        }
        .emit(),
        Event::LameDuckMode | Event::Draining => {}
    }
}
