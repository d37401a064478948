//! The stream that stores durable events where the operator has none for them.
//!
//! An event is stored because a stream takes its subject, whoever made that stream. An operator who wants other bounds,
//! more replicas or streams of their own makes them; only where none takes the default subjects is one made here, so that
//! `durable = true` does what it says without a second tool. One that is there is never changed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use async_nats::jetstream::{self, Context};

use crate::nats::Nats;
use crate::telemetry::events::{BackendStreamFailed, BackendStreamMade};

/// Events are kept so long, and so many bytes of them; then the oldest go.
const MAX_AGE: Duration = Duration::from_hours(24);
const MAX_BYTES: i64 = 1 << 30;

/// JetStream answers within milliseconds where there is one.
const PATIENCE: Duration = Duration::from_secs(2);

/// What has failed is not tried again with every event.
const PAUSE: Duration = Duration::from_secs(5);

pub(super) struct Stream {
    nats: Arc<Nats>,
    jetstream: Context,
    name: String,
    /// What the default subjects begin with.
    below: String,
    seen: Option<Seen>,
}

struct Seen {
    connection: u64,
    at: Instant,
    is_there: bool,
}

impl Stream {
    pub(super) fn new(nats: &Arc<Nats>, cluster: &str) -> Self {
        let mut jetstream = jetstream::new(nats.client().clone());
        jetstream.set_timeout(PATIENCE);
        Self {
            nats: nats.clone(),
            jetstream,
            name: format!("SLUICE_{cluster}_EVENTS"),
            below: format!("{}.event.", nats.subjects.prefix()),
            seen: None,
        }
    }

    /// Looks, once a connection, whether a stream takes the default subjects, and makes one if none does. What has not
    /// worked is told by JetStream's answer to the event.
    pub(super) async fn is_there_for(&mut self, subject: &str) {
        let connection = self.nats.state().connections;
        let is_known = self.seen.as_ref().is_some_and(|seen| {
            seen.connection == connection && (seen.is_there || seen.at.elapsed() < PAUSE)
        });
        if is_known || !subject.starts_with(&self.below) {
            return;
        }
        let made = self.find_or_make().await;
        if let Err(reason) = &made {
            BackendStreamFailed {
                stream: &self.name,
                reason,
            }
            .emit();
        }
        self.seen = Some(Seen {
            connection,
            at: Instant::now(),
            is_there: made.is_ok(),
        });
    }

    /// Somebody has said that no stream takes a subject: looks again with the next event.
    pub(super) fn is_gone(&mut self) {
        // What has just failed has its pause.
        self.seen = self.seen.take().filter(|seen| !seen.is_there);
    }

    async fn find_or_make(&self) -> Result<(), String> {
        let subjects = format!("{}>", self.below);
        let found = self.jetstream.stream_by_subject(subjects.clone());
        match tokio::time::timeout(PATIENCE, found).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error))
                if error.kind() == jetstream::context::GetStreamByNameErrorKind::NotFound => {}
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => return Err("JetStream does not answer".to_owned()),
        }
        let config = Config {
            name: self.name.clone(),
            subjects: vec![subjects],
            description: Some(
                "Durable events of clients; made by Sluice because no stream took them".to_owned(),
            ),
            retention: RetentionPolicy::Limits,
            discard: DiscardPolicy::Old,
            storage: StorageType::File,
            max_age: MAX_AGE,
            max_bytes: MAX_BYTES,
            num_replicas: self.nats.replicas,
            ..Config::default()
        };
        let made = self.jetstream.create_stream(config);
        match tokio::time::timeout(PATIENCE, made).await {
            Ok(Ok(_)) => {
                BackendStreamMade { stream: &self.name }.emit();
                Ok(())
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("JetStream does not answer".to_owned()),
        }
    }
}
