//! What happens to certificates, and to connections that are to be under TLS. No key and nothing of one is told.

use std::net::IpAddr;
use std::path::Path;

use tracing::{debug, error, info, warn};

use super::{MAX_DETAIL, NODE, SECURITY, Throttle, clip, cut, metrics};
use crate::telemetry::labels::ReloadResult;
use crate::telemetry::metrics::{CertificateFault, Handshaken, Listener};

/// A listener serves with these certificates from now on.
pub(crate) struct TlsLoaded {
    pub listener: Listener,
    pub certificates: usize,
}

impl TlsLoaded {
    pub(crate) fn emit(self) {
        metrics().tls.loaded(self.listener, ReloadResult::Applied);
        info!(
            target: NODE,
            listener = self.listener.as_str(),
            certificates = self.certificates,
            "certificates loaded"
        );
    }
}

/// Files of certificates have changed and cannot be used; those from before go on serving.
pub(crate) struct TlsRenewalFailed<'a> {
    pub listener: Listener,
    pub reason: &'a str,
}

impl TlsRenewalFailed<'_> {
    pub(crate) fn emit(self) {
        metrics().tls.loaded(self.listener, ReloadResult::Failed);
        error!(
            target: NODE,
            listener = self.listener.as_str(),
            reason = &*cut(self.reason, MAX_DETAIL),
            "certificates not renewed"
        );
    }
}

/// A certificate that is served with does not hold any more.
pub(crate) struct TlsCertificateExpired<'a> {
    pub listener: Listener,
    pub host: &'a str,
    pub file: &'a Path,
}

impl TlsCertificateExpired<'_> {
    pub(crate) fn emit(self) {
        let reason = CertificateFault::Expired;
        metrics().tls.fault(self.listener, reason);
        warn!(
            target: NODE,
            listener = self.listener.as_str(),
            host = &*clip(self.host),
            file = %self.file.display(),
            "certificate has expired"
        );
    }
}

/// Anyone on the machine may read a key.
pub(crate) struct TlsKeyExposed<'a> {
    pub listener: Listener,
    pub file: &'a Path,
}

impl TlsKeyExposed<'_> {
    pub(crate) fn emit(self) {
        let reason = CertificateFault::ExposedKey;
        metrics().tls.fault(self.listener, reason);
        warn!(
            target: SECURITY,
            listener = self.listener.as_str(),
            file = %self.file.display(),
            "the key of a certificate can be read by everyone"
        );
    }
}

/// A client was to agree on TLS.
pub(crate) struct TlsHandshakeEnded<'a> {
    pub listener: Listener,
    pub outcome: Handshaken,
    pub address: IpAddr,
    /// The library's words.
    pub reason: &'a str,
}

impl TlsHandshakeEnded<'_> {
    pub(crate) fn emit(self) {
        metrics().tls.handshaken(self.listener, self.outcome);
        match self.outcome {
            Handshaken::Ok => return,
            // Whatever checks whether the port is open does it all day.
            Handshaken::Gone => {
                debug!(
                    target: SECURITY,
                    listener = self.listener.as_str(),
                    address = %self.address,
                    "client went away before TLS"
                );
                return;
            }
            _ => {}
        }
        static THROTTLE: Throttle = Throttle::new();
        let Some(suppressed) = THROTTLE.admit() else {
            return;
        };
        info!(
            target: SECURITY,
            listener = self.listener.as_str(),
            address = %self.address,
            outcome = self.outcome.as_str(),
            reason = &*clip(self.reason),
            suppressed,
            "tls handshake failed"
        );
    }
}
