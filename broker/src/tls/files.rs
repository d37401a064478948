//! Certificates and keys, as files have them.

use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use sha2::{Digest as _, Sha256};

use super::certificate::{self, Facts};
use crate::authorities::provider;

/// No file of certificates is longer.
const LONGEST: u64 = 4 << 20;

/// What everyone may do with a file.
const OTHERS: u32 = 0o007;

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// With those of the authorities in between, its own first.
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// What is wrong with a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The key of the configuration that names the file.
    pub key: &'static str,
    pub file: PathBuf,
    /// To be read after the file's name: "holds no certificate".
    pub what: String,
}

/// An [`Identity`] that has been read.
pub(super) struct Certified {
    pub key: Arc<CertifiedKey>,
    pub facts: Facts,
    /// Others than the broker's user and group may read the key.
    pub is_exposed: bool,
}

/// Everything that is read goes into it, so that one can tell whether anything has changed.
#[derive(Default)]
pub(super) struct Seen(Sha256);

impl Seen {
    pub(super) fn digest(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

pub(super) const CERT: &str = "cert";
pub(super) const KEY: &str = "key";
pub(super) const CLIENT_CA: &str = "client_ca";
pub(super) const CLIENT_CRL: &str = "client_crl";

impl Identity {
    pub(super) fn read(&self, seen: &mut Seen) -> Result<Certified, Fault> {
        let of_cert = |what: String| Fault::new(CERT, &self.cert, what);
        let of_key = |what: String| Fault::new(KEY, &self.key, what);
        let chain: Vec<CertificateDer<'static>> = items(CERT, &self.cert, "certificate", seen)?;
        let facts = chain.first().and_then(|first| certificate::facts(first));
        let facts = facts.ok_or_else(|| of_cert("begins with no usable certificate".to_owned()))?;
        let bytes = read(KEY, &self.key, seen)?;
        let key = PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| of_key(no_key(&error)))?;
        let key = provider().key_provider.load_private_key(key);
        let key =
            key.map_err(|error| of_key(format!("holds a key that cannot be used: {error}")))?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            // A kind of key that cannot say whose it is.
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
            Err(rustls::Error::InconsistentKeys(_)) => {
                let cert = self.cert.display();
                return Err(of_key(format!(
                    "does not belong to the first certificate of `{cert}`"
                )));
            }
            Err(error) => {
                return Err(of_cert(format!(
                    "holds a certificate that cannot be used: {error}"
                )));
            }
        }
        let is_exposed = std::fs::metadata(&self.key).is_ok_and(|of| of.mode() & OTHERS != 0);
        Ok(Certified {
            key: Arc::new(certified),
            facts,
            is_exposed,
        })
    }
}

fn no_key(error: &pem::Error) -> String {
    match error {
        pem::Error::NoItemsFound => {
            "holds no private key in PEM; one with a passphrase cannot be read".to_owned()
        }
        error => format!("is no PEM: {error}"),
    }
}

pub(super) fn authorities(file: &Path, seen: &mut Seen) -> Result<RootCertStore, Fault> {
    let mut roots = RootCertStore::empty();
    for authority in items(CLIENT_CA, file, "certificate", seen)? {
        roots.add(authority).map_err(|error| {
            let what = format!("holds a certificate that cannot be used: {error}");
            Fault::new(CLIENT_CA, file, what)
        })?;
    }
    Ok(roots)
}

pub(super) fn revoked(
    file: &Path,
    seen: &mut Seen,
) -> Result<Vec<CertificateRevocationListDer<'static>>, Fault> {
    items(CLIENT_CRL, file, "list of revoked certificates", seen)
}

/// At least one.
fn items<T: PemObject>(
    key: &'static str,
    file: &Path,
    kind: &str,
    seen: &mut Seen,
) -> Result<Vec<T>, Fault> {
    let bytes = read(key, file, seen)?;
    let items: Result<Vec<T>, pem::Error> = T::pem_slice_iter(&bytes).collect();
    match items {
        Ok(items) if items.is_empty() => {
            Err(Fault::new(key, file, format!("holds no {kind} in PEM")))
        }
        Ok(items) => Ok(items),
        Err(error) => Err(Fault::new(key, file, format!("is no PEM: {error}"))),
    }
}

fn read(key: &'static str, file: &Path, seen: &mut Seen) -> Result<Vec<u8>, Fault> {
    let unreadable =
        |error: std::io::Error| Fault::new(key, file, format!("cannot be read: {error}"));
    if std::fs::metadata(file).map_err(unreadable)?.len() > LONGEST {
        return Err(Fault::new(key, file, "is too long".to_owned()));
    }
    let bytes = std::fs::read(file).map_err(unreadable)?;
    seen.0.update((bytes.len() as u64).to_be_bytes());
    seen.0.update(&bytes);
    Ok(bytes)
}

impl Fault {
    pub(super) fn new(key: &'static str, file: &Path, what: String) -> Self {
        Self {
            key,
            file: file.to_owned(),
            what,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: `{}` {}", self.key, self.file.display(), self.what)
    }
}
