//! The library's adapter of each namespace, lent to whoever sends raw packets through it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use socketioxide::adapter::Emitter;
use socketioxide_core::adapter::{
    BroadcastOptions, CoreAdapter, CoreLocalAdapter, DefinedAdapter, SocketEmitter,
};
use socketioxide_core::packet::Packet;

use super::namespaces::Namespaces;

pub(super) type Local = Arc<CoreLocalAdapter<Emitter>>;

/// Lends the library's own adapter of each namespace to whoever sends raw packets.
pub(super) struct Adapter {
    local: Local,
    namespaces: Arc<Namespaces>,
}

impl CoreAdapter<Emitter> for Adapter {
    type Error = Infallible;
    type State = Arc<Namespaces>;
    type AckStream = <Emitter as SocketEmitter>::AckStream;
    type InitRes = ();

    fn new(namespaces: &Arc<Namespaces>, local: CoreLocalAdapter<Emitter>) -> Self {
        Self {
            local: Arc::new(local),
            namespaces: namespaces.clone(),
        }
    }

    fn init(self: Arc<Self>, on_success: impl FnOnce() + Send + 'static) {
        self.namespaces.insert(self.local.clone(), on_success);
    }

    async fn broadcast_with_ack(
        &self,
        packet: Packet,
        options: BroadcastOptions,
        timeout: Option<Duration>,
    ) -> Result<Self::AckStream, Infallible> {
        Ok(self.local.broadcast_with_ack(packet, options, timeout).0)
    }

    fn get_local(&self) -> &CoreLocalAdapter<Emitter> {
        &self.local
    }
}

impl DefinedAdapter for Adapter {}
