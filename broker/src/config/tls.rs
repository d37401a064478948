//! `[server.tls]` and `[admin.tls]`: the certificates of a listener, and those that its clients are to show.

use std::collections::HashSet;
use std::path::PathBuf;

use super::section::Section;
use super::setting::names;
use crate::tls::{ClientAuth, Fault, Host, Identity, MinVersion, Settings};

names!(ClientAuth, "required" => Self::Required, "optional" => Self::Optional);
names!(MinVersion, "1.2" => Self::V1_2, "1.3" => Self::V1_3);

const TABLE: &str = "tls";

/// Any of them means that there is to be TLS: none is forgotten in silence.
const KEYS: [&str; 7] = [
    "cert",
    "key",
    "client_ca",
    "client_crl",
    "client_auth",
    "min_version",
    "host",
];

/// `None`: there is no such table, or a problem has been reported.
pub(super) fn read(s: &mut Section<'_, '_>) -> Option<Settings> {
    s.table(
        TABLE,
        "TLS on this listener; without `cert` and `key`, it speaks plain text.",
        |s| {
            let is_on = KEYS.iter().any(|key| s.has(key));
            let default = identity(s, is_on);
            let client_ca = file(
                s,
                "client_ca",
                "client-ca.pem",
                "The authorities that clients' certificates are signed by, as PEM. With it, clients have to show one.",
            );
            let client_crl = file(
                s,
                "client_crl",
                "client-crl.pem",
                "Lists of clients' certificates that are revoked, as PEM.",
            );
            let client_auth = s.optional(
                "client_auth",
                "required",
                "Whether clients have to show a certificate, or may. Default: `required` with `client_ca`.",
            );
            let min_version = s.optional(
                "min_version",
                "1.2",
                "The oldest version of TLS that is spoken. Default: 1.2.",
            );
            let mut taken = HashSet::new();
            let hosts = s.each(
                "host",
                "A further certificate, for clients that ask for one of its names.",
                |s| host(s, &mut taken),
            );
            for needy in ["client_crl", "client_auth"] {
                if s.has(needy) && !s.has("client_ca") {
                    s.report(needy, "needs `client_ca` beside it", None);
                }
            }
            let settings = Settings {
                default: default?,
                hosts: hosts.into_iter().flatten().collect(),
                client_ca,
                client_crl,
                client_auth: client_auth.unwrap_or(ClientAuth::Required),
                min_version: min_version.unwrap_or(MinVersion::V1_2),
            };
            if let Err(fault) = settings.check_clients() {
                complain(s, &fault);
            }
            Some(settings)
        },
    )
}

/// `None`: a file is missing, or cannot be used.
fn identity(s: &mut Section<'_, '_>, is_required: bool) -> Option<Identity> {
    let identity = paths(s, is_required)?;
    let checked = identity.check();
    checked.map_err(|fault| complain(s, &fault)).ok()?;
    Some(identity)
}

fn paths(s: &mut Section<'_, '_>, is_required: bool) -> Option<Identity> {
    let mut path = |name, example, doc| {
        let path: Option<PathBuf> = match is_required {
            true => s.required(name, example, doc),
            false => s.optional(name, example, doc),
        };
        Some(s.resolve(&path?))
    };
    let cert = path(
        "cert",
        "fullchain.pem",
        "The certificate, and behind it those of the authorities in between, as PEM.",
    );
    let key = path(
        "key",
        "privkey.pem",
        "The certificate's private key, as PEM.",
    );
    Some(Identity {
        cert: cert?,
        key: key?,
    })
}

fn host(s: &mut Section<'_, '_>, taken: &mut HashSet<String>) -> Option<Host> {
    let names: Option<Vec<String>> = s.optional(
        "names",
        r#"["chat.example.com", "*.example.org"]"#,
        "The host names that it is for. Default: those that the certificate names.",
    );
    let mut host = Host {
        names: Vec::new(),
        identity: paths(s, true)?,
    };
    for (position, name) in names.iter().flatten().enumerate() {
        let labels = name.strip_prefix("*.").unwrap_or(name);
        let is_name = rustls::pki_types::DnsName::try_from(labels).is_ok();
        match is_name {
            true => host.names.push(name.to_ascii_lowercase()),
            false => s.complain_item("names", position, name, "is no host name"),
        }
    }
    let shown = host.check().map_err(|fault| complain(s, &fault)).ok()?;
    for name in shown {
        if !taken.insert(name.clone()) {
            let what = format!("is for `{name}`, as another `host` is");
            let key = if s.has("names") { "names" } else { "cert" };
            s.complain(key, &what, Some("one certificate a name"));
        }
    }
    Some(host)
}

fn file(
    s: &mut Section<'_, '_>,
    name: &'static str,
    example: &'static str,
    doc: &'static str,
) -> Option<PathBuf> {
    let path: PathBuf = s.optional(name, example, doc)?;
    Some(s.resolve(&path))
}

fn complain(s: &mut Section<'_, '_>, fault: &Fault) {
    s.complain(fault.key, &fault.what, Some("a PEM file"));
}
