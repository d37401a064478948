//! What is read in certificates: whom they are for, and until when they hold.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use sha2::{Digest as _, Sha256};
use x509_parser::asn1_rs::ToDer as _;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use crate::event::ClientCertificate;
use crate::hex::Hex;

/// What matters of a certificate of the broker's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// Seconds since the Unix epoch.
    pub not_after: i64,
    /// The host names that it is for, in lower case; they may begin with `*.`.
    pub hosts: Vec<String>,
}

/// `None`: it cannot be read.
pub(super) fn facts(der: &[u8]) -> Option<Facts> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let hosts = alternative_names(&certificate).filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    Some(Facts {
        not_after: certificate.validity().not_after.timestamp(),
        hosts: hosts.collect(),
    })
}

/// What a client's certificate says; what cannot be read in it is left out.
pub(super) fn of_client(der: &[u8]) -> ClientCertificate {
    let parsed = X509Certificate::from_der(der).ok();
    let certificate = parsed.as_ref().map(|(_, certificate)| certificate);
    let subject = certificate.map(|certificate| certificate.subject());
    let common_name = subject.and_then(|name| name.iter_common_name().last());
    let names = certificate.into_iter().flat_map(alternative_names);
    ClientCertificate {
        subject: subject.map(distinguished_name).unwrap_or_default(),
        common_name: common_name.and_then(|name| Some(name.as_str().ok()?.to_owned())),
        alternative_names: names.filter_map(alternative_name).collect(),
        fingerprint: Hex(&Sha256::digest(der)).to_string(),
    }
}

fn alternative_names<'a>(
    certificate: &'a X509Certificate<'a>,
) -> impl Iterator<Item = &'a GeneralName<'a>> {
    let extension = certificate.subject_alternative_name().ok().flatten();
    let names = extension.map(|extension| &extension.value.general_names);
    names.into_iter().flatten()
}

fn alternative_name(name: &GeneralName<'_>) -> Option<String> {
    Some(match name {
        GeneralName::DNSName(name) => format!("DNS:{name}"),
        GeneralName::RFC822Name(name) => format!("email:{name}"),
        GeneralName::URI(name) => format!("URI:{name}"),
        GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
            Ok(bytes) => format!("IP:{}", Ipv4Addr::from(bytes)),
            Err(_) => format!("IP:{}", Ipv6Addr::from(<[u8; 16]>::try_from(*bytes).ok()?)),
        },
        _ => return None,
    })
}

/// A name as text (RFC 4514): what is said last in the certificate comes first.
fn distinguished_name(name: &X509Name<'_>) -> String {
    let parts: Vec<String> = name
        .iter_rdn()
        .map(|part| {
            let attributes: Vec<String> = part.iter().map(attribute).collect();
            attributes.join("+")
        })
        .collect();
    parts.into_iter().rev().collect::<Vec<_>>().join(",")
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let oid = attribute.attr_type().to_id_string();
    match (short(&oid), attribute.as_str()) {
        (Some(kind), Ok(value)) => format!("{kind}={}", escaped(value)),
        (kind, _) => {
            let der = attribute.attr_value().to_der_vec().unwrap_or_default();
            format!("{}=#{}", kind.unwrap_or(&oid), Hex(&der))
        }
    }
}

/// Short names of attributes (RFC 4514, section 3), and the two more that are common.
fn short(oid: &str) -> Option<&'static str> {
    Some(match oid {
        "2.5.4.3" => "CN",
        "2.5.4.5" => "serialNumber",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "STREET",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "0.9.2342.19200300.100.1.1" => "UID",
        "0.9.2342.19200300.100.1.25" => "DC",
        "1.2.840.113549.1.9.1" => "emailAddress",
        _ => return None,
    })
}

/// A value as it stands in a name (RFC 4514, section 2.4), so that no value looks like a further attribute.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (place, character) in value.chars().enumerate() {
        match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => text.extend(['\\', character]),
            ' ' if place == 0 || place == last => text.push_str("\\ "),
            '#' if place == 0 => text.push_str("\\#"),
            character if character.is_control() => {
                let mut bytes = [0; 4];
                for byte in character.encode_utf8(&mut bytes).bytes() {
                    // Writing to a text does not fail.
                    let _ = write!(text, "\\{byte:02X}");
                }
            }
            character => text.push(character),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use rcgen::string::Ia5String;
    use rcgen::{CertificateParams, CustomExtension, DnType, KeyPair, SanType};

    use super::*;

    fn signed(params: &CertificateParams) -> Vec<u8> {
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn a_clients_certificate_says_who_it_is() {
        let mut params = CertificateParams::new(vec!["device-7.example.com".to_owned()]).unwrap();
        let mut name = rcgen::DistinguishedName::new();
        name.push(DnType::CountryName, "NL");
        name.push(DnType::OrganizationName, "Example, Inc.");
        name.push(DnType::CommonName, " alice=#1\n");
        name.push(DnType::CustomDnType(vec![1, 2, 3]), "x");
        params.distinguished_name = name;
        let text = |text: &str| Ia5String::try_from(text).unwrap();
        params.subject_alt_names.extend([
            SanType::Rfc822Name(text("alice@example.com")),
            SanType::URI(text("spiffe://example.com/alice")),
            SanType::IpAddress("192.0.2.7".parse().unwrap()),
            SanType::IpAddress("2001:db8::7".parse().unwrap()),
        ]);
        let certificate = of_client(&signed(&params));
        assert_eq!(
            certificate.subject,
            r"1.2.3=#0c0178,CN=\ alice=#1\0A,O=Example\, Inc.,C=NL"
        );
        assert_eq!(certificate.common_name.as_deref(), Some(" alice=#1\n"));
        assert_eq!(
            certificate.alternative_names,
            [
                "DNS:device-7.example.com",
                "email:alice@example.com",
                "URI:spiffe://example.com/alice",
                "IP:192.0.2.7",
                "IP:2001:db8::7"
            ]
        );
        assert_eq!(certificate.fingerprint.len(), 64);
    }

    #[test]
    fn what_cannot_be_read_is_nobody() {
        let nobody = of_client(b"no certificate");
        assert_eq!((nobody.subject.as_str(), nobody.common_name), ("", None));
        assert!(facts(b"no certificate").is_none());
        // Names that are no names are left out, and the rest is read.
        let mut params = CertificateParams::default();
        let san = vec![0x30, 0x03, 0x82, 0x01, 0xff];
        let broken = CustomExtension::from_oid_content(&[2, 5, 29, 17], san);
        params.custom_extensions.push(broken);
        let certificate = of_client(&signed(&params));
        assert!(certificate.alternative_names.is_empty());
        assert_eq!(certificate.subject, "CN=rcgen self signed cert");
    }

    #[test]
    fn a_certificate_is_for_hosts_and_until_a_day() {
        let names = vec!["Example.com".to_owned(), "*.example.org".to_owned()];
        let mut params = CertificateParams::new(names).unwrap();
        params.not_after = rcgen::date_time_ymd(2031, 2, 3);
        let facts = facts(&signed(&params)).unwrap();
        assert_eq!(facts.hosts, ["example.com", "*.example.org"]);
        assert_eq!(facts.not_after, 1_927_843_200);
    }
}
