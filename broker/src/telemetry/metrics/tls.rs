//! TLS of the listeners in numbers.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::add;
use crate::telemetry::labels::ReloadResult;
use crate::telemetry::labels::tls::{
    CertificateFault, CertificateFaultLabels, CertificatesLabels, Handshaken, HandshakenLabels,
    HostLabels, Listener,
};

pub(crate) struct Tls {
    handshakes: Family<HandshakenLabels, Counter>,
    loaded: Family<CertificatesLabels, Counter>,
    faults: Family<CertificateFaultLabels, Counter>,
    expiry: Family<HostLabels, Gauge>,
}

impl Tls {
    pub(super) fn new(r: &mut Registry) -> Self {
        let expiry = Family::default();
        r.register_with_unit(
            "tls_certificate_expiry_timestamp",
            "When a certificate expires, in seconds since the Unix epoch",
            Unit::Seconds,
            Family::clone(&expiry),
        );
        Self {
            handshakes: add(
                r,
                "tls_handshakes",
                "Connections that were to be under TLS, by what came of it",
            ),
            loaded: add(
                r,
                "tls_certificate_loads",
                "Times that certificates were taken up, or could not be",
            ),
            faults: add(
                r,
                "tls_certificate_faults",
                "Certificates that were taken up and had expired, or whose key others may read",
            ),
            expiry,
        }
    }

    /// Until when the certificate for a host holds.
    pub(crate) fn expires(&self, listener: Listener, host: &str, not_after: i64) {
        let host = host.into();
        let labels = HostLabels { listener, host };
        self.expiry.get_or_create(&labels).set(not_after);
    }

    pub(crate) fn forget(&self, listener: Listener, host: &str) {
        let host = host.into();
        self.expiry.remove(&HostLabels { listener, host });
    }

    pub(in crate::telemetry) fn handshaken(&self, listener: Listener, outcome: Handshaken) {
        let labels = HandshakenLabels { listener, outcome };
        self.handshakes.get_or_create(&labels).inc();
    }

    pub(in crate::telemetry) fn loaded(&self, listener: Listener, result: ReloadResult) {
        let labels = CertificatesLabels { listener, result };
        self.loaded.get_or_create(&labels).inc();
    }

    pub(in crate::telemetry) fn fault(&self, listener: Listener, reason: CertificateFault) {
        let labels = CertificateFaultLabels { listener, reason };
        self.faults.get_or_create(&labels).inc();
    }
}
