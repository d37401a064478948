//! What the typed events count here: each of these is called where the record is written, and nowhere else.

use super::Metrics;
use crate::event::Denial;
use crate::telemetry::labels::{
    CacheFault, CodeLabel, Compiled, DenialLabels, DisconnectLabel, KeyLabel, ReloadResult,
    SocketErrorLabel,
};

impl Metrics {
    pub(in crate::telemetry) fn slow_client(&self) {
        self.slow_clients.inc();
    }

    pub(in crate::telemetry) fn reload(&self, result: ReloadResult) {
        self.reloads.inc(result);
    }

    /// These keys wait for a restart, and no others.
    pub(in crate::telemetry) fn restart_needed<'a>(&self, keys: impl Iterator<Item = &'a str>) {
        self.restart_needed.clear();
        for key in keys {
            let label = KeyLabel {
                key: key.to_owned(),
            };
            self.restart_needed.get_or_create(&label).set(1);
        }
    }

    pub(in crate::telemetry) fn compiled(&self, compiled: Compiled) {
        self.compiled.inc(compiled);
    }

    pub(in crate::telemetry) fn cache_fault(&self, fault: CacheFault) {
        self.cache_faults.inc(fault);
    }

    pub(in crate::telemetry) fn connection_denied(&self, denial: &Denial) {
        self.operators.denied(denial.policy.is_none());
        self.connections_denied
            .get_or_create(&DenialLabels::new(denial))
            .inc();
    }

    /// Refused for a reason that is the broker's own.
    pub(in crate::telemetry) fn connection_denied_with(&self, code: &str) {
        self.operators.denied(true);
        self.connections_denied
            .get_or_create(&DenialLabels {
                policy: None,
                code: code.to_owned(),
            })
            .inc();
    }

    pub(in crate::telemetry) fn event_denied(&self, denial: &Denial) {
        self.operators.denied(denial.policy.is_none());
        self.events_denied
            .get_or_create(&DenialLabels::new(denial))
            .inc();
    }

    pub(in crate::telemetry) fn origin_refused(&self) {
        self.origins_refused.inc();
    }

    pub(in crate::telemetry) fn handshake_error(&self, code: u8) {
        self.handshake_errors
            .get_or_create(&CodeLabel { code })
            .inc();
    }

    pub(in crate::telemetry) fn socket_error(&self, code: &'static str) {
        self.socket_errors
            .get_or_create(&SocketErrorLabel { code })
            .inc();
    }

    pub(in crate::telemetry) fn disconnected(&self, reason: &'static str) {
        self.disconnects
            .get_or_create(&DisconnectLabel { reason })
            .inc();
    }
}
