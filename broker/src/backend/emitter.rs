//! Does what back ends ask for.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::emit::{Emit, EmitError, Emitted};
use crate::session::Broker;

pub(crate) struct Emitter {
    broker: Arc<Broker>,
}

impl Emitter {
    pub(crate) fn new(broker: Arc<Broker>) -> Self {
        Self { broker }
    }

    /// Delivers an event of a back end, and says what became of it when all of this node's clients have been handed
    /// it.
    pub(crate) async fn emit(&self, emit: Emit) -> Result<Emitted, EmitError> {
        if self.broker.draining.load(Ordering::Relaxed) {
            return Err(EmitError::Draining);
        }
        if self.broker.pipelines.load().at(&emit.namespace).is_none() {
            return Err(EmitError::UnknownNamespace);
        }
        if emit.ack.is_some() {
            return Err(EmitError::NotImplemented("ack"));
        }
        let (rooms, event) = (emit.recipients(), emit.event());
        let fanout = &self.broker.fanout;
        let deliveries = fanout.publish(&emit.namespace, &rooms, &emit.except, &event);
        Ok(Emitted {
            deliveries: deliveries.await as u64,
        })
    }
}
