//! What follows the configuration beside the policies: everything is prepared first, and put in place together.

use std::sync::Arc;

use super::certificates::Certificates;
use crate::admin::Auth;
use crate::config::Config;
use crate::drain::Drain;
use crate::edge::Edge;
use crate::node::Node;
use crate::plugin::{Commit, Live};
use crate::telemetry;

/// Whoever has settings that can change.
pub(super) struct Settings {
    pub edge: Arc<Edge>,
    pub node: Arc<Node>,
    pub auth: Arc<Auth>,
    pub drain: Arc<Drain>,
    pub certificates: Certificates,
}

impl Live for Settings {
    fn prepare(&self, config: &Config) -> Result<Commit, Vec<String>> {
        let (edge, node) = (self.edge.clone(), self.node.clone());
        let (auth, drain) = (self.auth.clone(), self.drain.clone());
        let certificates = self.certificates.prepare(config)?;
        let config = Arc::new(config.clone());
        Ok(Box::new(move || {
            certificates();
            telemetry::reconfigure(&config.telemetry);
            edge.reconfigure(&config.server);
            auth.reconfigure(&config.admin);
            drain.reconfigure(&config.server);
            node.reconfigure(config);
        }))
    }
}
