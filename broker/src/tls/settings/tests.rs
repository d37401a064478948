use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::*;

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A certificate for these hosts, and its key.
    fn identity(&self, name: &str, hosts: &[&str]) -> Identity {
        let key = KeyPair::generate().unwrap();
        let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
        let cert = CertificateParams::new(hosts).unwrap();
        let cert = cert.self_signed(&key).unwrap();
        Identity {
            cert: self.write(&format!("{name}.pem"), &cert.pem()),
            key: self.write(&format!("{name}.key"), &key.serialize_pem()),
        }
    }
}

fn settings(default: Identity) -> Settings {
    Settings {
        default,
        hosts: Vec::new(),
        client_ca: None,
        client_crl: None,
        client_auth: ClientAuth::Required,
        min_version: MinVersion::V1_2,
    }
}

/// What is wrong, and with which key of the configuration.
fn fault(settings: Settings) -> (&'static str, String) {
    let fault = settings.load().err().expect("a fault");
    (fault.key, fault.what)
}

#[test]
fn good_files_are_loaded_and_known_again() {
    let files = Files::new();
    let mut all = settings(files.identity("default", &["example.com"]));
    all.hosts.push(Host {
        names: Vec::new(),
        identity: files.identity("other", &["a.example.org", "*.example.org"]),
    });
    let loaded = all.clone().load().unwrap();
    let hosts = loaded.certificates.iter().map(|shown| shown.host.as_str());
    assert!(hosts.eq(["default", "a.example.org"]));
    assert_eq!(loaded.config.alpn_protocols, [b"http/1.1"]);
    assert!(loaded.config.ticketer.enabled());
    assert_eq!(all.files().len(), 4);
    assert_eq!(loaded.digest, all.clone().load().unwrap().digest);
    files.identity("other", &["a.example.org"]);
    assert_ne!(loaded.digest, all.load().unwrap().digest);
}

#[test]
fn what_is_wrong_with_a_file_is_told() {
    let files = Files::new();
    let (one, two) = (files.identity("one", &["x"]), files.identity("two", &["x"]));
    let with = |cert: &Path, key: &Path| {
        settings(Identity {
            cert: cert.to_owned(),
            key: key.to_owned(),
        })
    };
    let nothing = files.write("empty.pem", "");
    let broken = files.write(
        "broken.pem",
        "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n",
    );
    let absent = files.0.path().join("absent.pem");
    for (settings, key, what) in [
        (with(&absent, &one.key), "cert", "cannot be read"),
        (with(&one.cert, &absent), "key", "cannot be read"),
        (with(&nothing, &one.key), "cert", "holds no certificate"),
        (with(&broken, &one.key), "cert", "no usable certificate"),
        (with(&one.key, &one.key), "cert", "holds no certificate"),
        (with(&one.cert, &one.cert), "key", "holds no private key"),
        (with(&one.cert, &two.key), "key", "does not belong"),
    ] {
        let (at, told) = fault(settings);
        assert_eq!(at, key, "{told}");
        assert!(told.contains(what), "{told}");
    }
    let mut nameless = settings(one.clone());
    nameless.hosts.push(Host {
        names: Vec::new(),
        identity: files.identity("nameless", &[]),
    });
    assert!(fault(nameless).1.contains("set `names`"));
    let mut untrusting = settings(one);
    untrusting.client_ca = Some(nothing);
    assert_eq!(fault(untrusting).0, "client_ca");
}

#[test]
fn clients_are_looked_at_on_each_connection() {
    let files = Files::new();
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    let mut settings = settings(files.identity("default", &["x"]));
    settings.client_ca = Some(files.write("ca.pem", &ca.pem()));
    let loaded = settings.load().unwrap();
    assert!(!loaded.config.ticketer.enabled());
    assert_eq!(loaded.config.send_tls13_tickets, 0);
}

#[cfg(unix)]
#[test]
fn a_key_that_everyone_may_read_is_noticed() {
    use std::os::unix::fs::PermissionsExt as _;
    let files = Files::new();
    let identity = files.identity("default", &["x"]);
    for (mode, is_exposed) in [(0o600, false), (0o640, false), (0o644, true)] {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&identity.key, mode).unwrap();
        let loaded = settings(identity.clone()).load().unwrap();
        assert_eq!(loaded.certificates[0].is_exposed, is_exposed);
    }
}
