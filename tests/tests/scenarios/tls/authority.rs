//! An authority of a test's own, and clients of TLS without a library for what goes over it.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use sluice_tests::PATIENCE;

/// A certificate and its key.
#[derive(Clone)]
pub(super) struct Pem {
    pub cert: String,
    pub key: String,
}

pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::default();
        // Unlike those that it signs: clients take what is signed by its own name for signed by itself.
        params.distinguished_name = rcgen::DistinguishedName::new();
        let name = "the test's authority";
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for these hosts.
    pub(super) fn server(&self, hosts: &[&str]) -> Pem {
        let hosts: Vec<_> = hosts.iter().map(ToString::to_string).collect();
        self.sign(&CertificateParams::new(hosts).unwrap())
    }

    /// One that does not hold any more.
    pub(super) fn expired(&self, hosts: &[&str]) -> Pem {
        let hosts: Vec<_> = hosts.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
        self.sign(&params)
    }

    /// A client's certificate.
    pub(super) fn client(&self, name: &str, serial: u64) -> Pem {
        let host = format!("{name}.example.com");
        let mut params = CertificateParams::new([host]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        let organization = DnType::OrganizationName;
        params
            .distinguished_name
            .push(organization, "Example, Inc.");
        params.distinguished_name.push(DnType::CommonName, name);
        params.serial_number = Some(SerialNumber::from(serial));
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Pem {
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.0).unwrap();
        Pem {
            cert: cert.pem(),
            key: key.serialize_pem(),
        }
    }

    /// A list that says that this certificate is no good any more.
    pub(super) fn revokes(&self, serial: u64) -> String {
        let day = rcgen::date_time_ymd(2020, 1, 1);
        let params = CertificateRevocationListParams {
            this_update: day,
            next_update: rcgen::date_time_ymd(2099, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![RevokedCertParams {
                serial_number: SerialNumber::from(serial),
                revocation_time: day,
                reason_code: None,
                invalidity_date: None,
            }],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.0).unwrap().pem().unwrap()
    }
}

/// What a client of TLS asks for.
pub(super) struct Asks<'a> {
    pub authority: &'a Authority,
    pub name: &'a str,
    pub protocols: &'a [&'a str],
    pub shows: Option<&'a Pem>,
    /// The only version that it speaks.
    pub version: Option<&'static rustls::SupportedProtocolVersion>,
}

impl<'a> Asks<'a> {
    pub(super) fn of(authority: &'a Authority, name: &'a str) -> Self {
        Self {
            authority,
            name,
            protocols: &[],
            shows: None,
            version: None,
        }
    }
}

pub(super) struct Tls(StreamOwned<ClientConnection, TcpStream>);

impl Tls {
    /// Connects and agrees on TLS.
    pub(super) fn open(to: SocketAddr, asks: &Asks<'_>) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        let trusted = CertificateDer::from_pem_slice(asks.authority.pem().as_bytes()).unwrap();
        roots.add(trusted).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = match &asks.version {
            Some(version) => std::slice::from_ref(version),
            None => rustls::DEFAULT_VERSIONS,
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match asks.shows {
            None => builder.with_no_client_auth(),
            Some(Pem { cert, key }) => {
                let cert = CertificateDer::from_pem_slice(cert.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                builder.with_client_auth_cert(vec![cert], key).unwrap()
            }
        };
        config.alpn_protocols = asks
            .protocols
            .iter()
            .map(|it| it.as_bytes().into())
            .collect();
        let name = ServerName::try_from(asks.name.to_owned()).unwrap();
        let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut socket = TcpStream::connect(to)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        Ok(Self(StreamOwned::new(connection, socket)))
    }

    /// The certificate that the server has shown.
    pub(super) fn shown(&self) -> String {
        let shown = self.0.conn.peer_certificates().unwrap();
        pem(&shown[0])
    }

    pub(super) fn protocol(&self) -> Option<&[u8]> {
        self.0.conn.alpn_protocol()
    }

    pub(super) fn version(&self) -> rustls::ProtocolVersion {
        self.0.conn.protocol_version().unwrap()
    }

    /// The answer to a request, whole. With TLS 1.3, whether a client's certificate will do is known only here.
    pub(super) fn get(mut self, path: &str) -> io::Result<String> {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        self.0.write_all(request.as_bytes())?;
        let mut answer = String::new();
        self.0.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

/// As files have it, to compare.
fn pem(der: &CertificateDer<'_>) -> String {
    use base64::Engine as _;
    base64::prelude::BASE64_STANDARD.encode(der)
}

impl Pem {
    /// As [`Tls::shown`] has it.
    pub(super) fn body(&self) -> String {
        pem(&CertificateDer::from_pem_slice(self.cert.as_bytes()).unwrap())
    }
}
