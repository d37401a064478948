//! What is configured, and what the files make of it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};

use super::files::{self, CERT, CLIENT_CA, CLIENT_CRL, Certified, Fault, Identity, Seen};
use super::names::Names;
use crate::authorities::provider;

/// Clients are spoken to in HTTP/1.1, WebSockets included.
const PROTOCOL: &[u8] = b"http/1.1";

/// TLS of one listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// For clients that ask for no name, or for one that no other certificate is for.
    pub default: Identity,
    pub hosts: Vec<Host>,
    /// Of clients' certificates. `None`: they are not asked for one.
    pub client_ca: Option<PathBuf>,
    pub client_crl: Option<PathBuf>,
    pub client_auth: ClientAuth,
    pub min_version: MinVersion,
}

/// A certificate for some host names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Host {
    /// In lower case. Empty: those that the certificate names.
    pub names: Vec<String>,
    pub identity: Identity,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientAuth {
    Required,
    /// A client may show none; one that does not hold is refused.
    Optional,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MinVersion {
    V1_2,
    V1_3,
}

/// Settings with their files read.
pub(crate) struct Loaded {
    pub(super) settings: Settings,
    pub(super) config: Arc<ServerConfig>,
    pub(super) certificates: Vec<Shown>,
    /// Of everything that was read.
    pub(super) digest: [u8; 32],
}

/// A certificate as the operator is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    /// `default`, or the first name that it is shown for.
    pub host: String,
    pub file: PathBuf,
    pub key: PathBuf,
    pub not_after: i64,
    pub is_exposed: bool,
}

impl Host {
    /// The names that the certificate is shown for.
    fn names(&self, certified: &Certified) -> Result<Vec<String>, Fault> {
        let names = match self.names.is_empty() {
            true => &certified.facts.hosts,
            false => &self.names,
        };
        if names.is_empty() {
            let what = "is for no host name: set `names`".to_owned();
            return Err(Fault::new(CERT, &self.identity.cert, what));
        }
        Ok(names.clone())
    }
}

impl Settings {
    /// The files that all of it is in.
    pub(crate) fn files(&self) -> BTreeSet<PathBuf> {
        let hosts = self.hosts.iter().map(|host| &host.identity);
        let identities = std::iter::once(&self.default).chain(hosts);
        let identities = identities.flat_map(|identity| [&identity.cert, &identity.key]);
        let clients = self.client_ca.iter().chain(&self.client_crl);
        identities.chain(clients).cloned().collect()
    }

    /// Reads and checks all files.
    pub(crate) fn load(self) -> Result<Loaded, Fault> {
        let mut seen = Seen::default();
        let default = self.default.read(&mut seen)?;
        let mut names = Names::new(Arc::clone(&default.key));
        let mut certificates = vec![shown("default", &self.default, &default)];
        for host in &self.hosts {
            let certified = host.identity.read(&mut seen)?;
            let of_host = host.names(&certified)?;
            for name in &of_host {
                // The first one counts; the configuration has none for two.
                names.add(name, &certified.key);
            }
            let first = of_host.first().map_or("", String::as_str);
            certificates.push(shown(first, &host.identity, &certified));
        }
        let config = self.server_config(names, &mut seen)?;
        Ok(Loaded {
            config: Arc::new(config),
            certificates,
            digest: seen.digest(),
            settings: self,
        })
    }

    /// Whether what is asked of clients can be asked.
    pub(crate) fn check_clients(&self) -> Result<(), Fault> {
        self.verifier(&mut Seen::default()).map(drop)
    }

    /// `None`: clients are not asked for a certificate.
    fn verifier(&self, seen: &mut Seen) -> Result<Option<Arc<dyn ClientCertVerifier>>, Fault> {
        let Some(authorities) = &self.client_ca else {
            return Ok(None);
        };
        let roots = Arc::new(files::authorities(authorities, seen)?);
        let mut verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
        if let Some(list) = &self.client_crl {
            // An authority that has no list has revoked nothing.
            verifier = verifier
                .with_crls(files::revoked(list, seen)?)
                .allow_unknown_revocation_status();
        }
        if self.client_auth == ClientAuth::Optional {
            verifier = verifier.allow_unauthenticated();
        }
        let verifier = verifier.build().map_err(|error| {
            let (key, file) = match &self.client_crl {
                Some(list) => (CLIENT_CRL, list),
                None => (CLIENT_CA, authorities),
            };
            Fault::new(key, file, format!("cannot be used: {error}"))
        })?;
        Ok(Some(verifier))
    }

    fn server_config(&self, names: Names, seen: &mut Seen) -> Result<ServerConfig, Fault> {
        let of_default = |error: rustls::Error| {
            Fault::new(CERT, &self.default.cert, format!("cannot be used: {error}"))
        };
        let versions: &[&SupportedProtocolVersion] = match self.min_version {
            MinVersion::V1_2 => &[&TLS13, &TLS12],
            MinVersion::V1_3 => &[&TLS13],
        };
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .map_err(of_default)?;
        let builder = match self.verifier(seen)? {
            None => builder.with_no_client_auth(),
            Some(verifier) => builder.with_client_cert_verifier(verifier),
        };
        let mut config = builder.with_cert_resolver(Arc::new(names));
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        if self.client_ca.is_none() {
            // The keys of tickets are these settings' own: nobody goes on by what held before a change.
            config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(of_default)?;
        } else {
            // A client's certificate is looked at on each connection, so that one that no longer holds is of no use.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(config)
    }
}

fn shown(host: &str, identity: &Identity, certified: &Certified) -> Shown {
    Shown {
        host: host.to_owned(),
        file: identity.cert.clone(),
        key: identity.key.clone(),
        not_after: certified.facts.not_after,
        is_exposed: certified.is_exposed,
    }
}

/// For the configuration, which tells of every mistake at once.
impl Identity {
    /// Whether the files can be used together.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        self.read(&mut Seen::default()).map(drop)
    }
}

impl Host {
    /// The names that it is shown for, if the files can be used together.
    pub(crate) fn check(&self) -> Result<Vec<String>, Fault> {
        self.names(&self.identity.read(&mut Seen::default())?)
    }
}

#[cfg(test)]
mod tests;
