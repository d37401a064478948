//! TLS towards an admin listener that has it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::authorities;
use crate::cli::Exit;

/// Whom to trust, and what to show.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Trust {
    /// The authorities to trust for https:// instead of the system's, as PEM
    #[arg(long, global = true, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// A certificate for a node that asks for one, as PEM
    #[arg(long, global = true, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The certificate's private key, as PEM
    #[arg(long, global = true, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
}

/// How a node is spoken to.
pub(super) struct Secure {
    connector: TlsConnector,
    name: ServerName<'static>,
}

/// What HTTP is spoken over.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

impl Trust {
    /// Whether it says anything, which only https:// has a use for.
    pub(super) fn is_given(&self) -> bool {
        self.ca.is_some() || self.cert.is_some()
    }

    /// `host` is that of a URL.
    pub(super) fn secure(&self, host: &str) -> Result<Secure, Exit> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Exit::Usage(format!("`{host}` is no name of a host")))?;
        let wrong = |error: rustls::Error| Exit::Usage(format!("TLS cannot be set up: {error}"));
        let builder = authorities::client(self.roots()?).map_err(wrong)?;
        let config = match self.cert.as_deref().zip(self.key.as_deref()) {
            None => builder.with_no_client_auth(),
            Some((cert, key)) => builder
                .with_client_auth_cert(certificates(cert)?, private_key(key)?)
                .map_err(|error| Exit::Usage(format!("`{}`: {error}", cert.display())))?,
        };
        Ok(Secure {
            connector: Arc::new(config).into(),
            name,
        })
    }

    fn roots(&self) -> Result<RootCertStore, Exit> {
        let Some(ca) = &self.ca else {
            return Ok(authorities::of_system());
        };
        let mut roots = RootCertStore::empty();
        for authority in certificates(ca)? {
            roots
                .add(authority)
                .map_err(|error| Exit::Usage(format!("`{}`: {error}", ca.display())))?;
        }
        Ok(roots)
    }
}

impl Secure {
    pub(super) async fn connect(&self, stream: TcpStream) -> io::Result<Box<dyn Wire>> {
        let connected = self.connector.connect(self.name.clone(), stream).await?;
        Ok(Box::new(connected))
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Exit> {
    let unusable = |what: String| Exit::Usage(format!("`{}` {what}", file.display()));
    let certificates: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|error| unusable(format!("cannot be read: {error}")))?;
    match certificates.is_empty() {
        true => Err(unusable("holds no certificate in PEM".to_owned())),
        false => Ok(certificates),
    }
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, Exit> {
    PrivateKeyDer::from_pem_file(file)
        .map_err(|error| Exit::Usage(format!("`{}` cannot be read: {error}", file.display())))
}
