//! What is done over the official Admin UI.

use tracing::info;

use super::{SECURITY, clip, metrics};

/// An operator has had something done.
pub(crate) struct AdminUiCommanded<'a> {
    /// The Admin UI's own socket.
    pub socket: &'a str,
    pub command: &'static str,
    pub namespace: &'a str,
    /// Why it was not done.
    pub error: Option<&'a str>,
}

impl AdminUiCommanded<'_> {
    pub(crate) fn emit(self) {
        metrics().operators.commands.inc();
        info!(
            target: SECURITY,
            socket = self.socket,
            command = self.command,
            namespace = &*clip(self.namespace),
            error = self.error,
            "admin ui command"
        );
    }
}
