//! What the benchmarks in `benches/` need of the inside. Not an interface: it changes with the rooms it opens.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use crate::cli::Exit;
use crate::config::{self, Env};
use crate::event::{Client, Event, Handshake, Identity, Peer};
use crate::pipeline::{Judged, Passage, Pipelines};
use crate::{app, packet, router};

/// The way of an event from its text to the router's answer, with the policies of a configuration.
pub struct Line {
    pipelines: Arc<Pipelines>,
    client: Arc<Client>,
}

impl Line {
    /// Loads the policies of a configuration for a client of `/` with this user.
    ///
    /// # Errors
    /// As `sluice run`.
    pub fn new(config: &Path, user: &str) -> Result<Self, Exit> {
        // Not the environment of this process: a benchmark measures what its file says.
        let loaded = config::load(Some(config), Env::default())?;
        let client = Client {
            peer: Peer {
                token: 1,
                name: "abcdefgh".into(),
                id: "bench".to_owned(),
                address: IpAddr::V4(Ipv4Addr::LOCALHOST),
                handshake: Arc::new(Handshake {
                    headers: http::HeaderMap::new(),
                    query: String::new(),
                }),
            },
            namespace: "/".into(),
            identity: parking_lot::RwLock::new(Identity {
                user: Some(user.into()),
                ..Identity::default()
            }),
            rooms: Default::default(),
        };
        Ok(Self {
            pipelines: app::pipelines(loaded)?,
            client: Arc::new(client),
        })
    }

    /// Passes one event through. False: it was denied, which a benchmark does not want to measure by mistake.
    #[must_use]
    pub fn event(&self, text: &str) -> bool {
        let Ok((name, args)) = packet::read(text, 0) else {
            return false;
        };
        let event = Event {
            name,
            args,
            attachments: Arc::new([]),
        };
        let Some(pipeline) = self.pipelines.at("/") else {
            return false;
        };
        let mut effects = Vec::new();
        match pipeline.judge(&self.client, Passage::new(event, 0, false), &mut effects) {
            Judged::Passed(event) => router::route(&pipeline.namespace.routes, &event).is_ok(),
            _ => false,
        }
    }
}
