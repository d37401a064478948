//! Public keys as OpenSSL and everyone else write them (RFC 7468).

use rsa::pkcs1::RsaPublicKeyRef;
use spki::{Document, ObjectIdentifier, SubjectPublicKeyInfoRef};

use crate::key::Key;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// Reads a public key. What is wrong with it is said without any part of it: it could be a private one.
pub(crate) fn parse(text: &str) -> Result<Key, String> {
    if text.contains("PRIVATE KEY-----") {
        return Err(
            "it is a private key; whoever checks signatures needs the public one only".to_owned(),
        );
    }
    if text.contains("BEGIN CERTIFICATE-----") {
        return Err(
            "it is a certificate; `openssl x509 -pubkey -noout -in FILE` prints its public key"
                .to_owned(),
        );
    }
    let no_pem = "it is no public key that begins with `-----BEGIN PUBLIC KEY-----`";
    let (label, document) = Document::from_pem(text.trim()).map_err(|_| no_pem.to_owned())?;
    match label {
        "PUBLIC KEY" => of_spki(document.as_bytes()),
        "RSA PUBLIC KEY" => of_pkcs1(document.as_bytes()),
        _ => Err(no_pem.to_owned()),
    }
}

fn of_spki(der: &[u8]) -> Result<Key, String> {
    let info = SubjectPublicKeyInfoRef::try_from(der).map_err(|_| damaged())?;
    let key = || info.subject_public_key.as_bytes().ok_or_else(damaged);
    match (info.algorithm.oid, info.algorithm.parameters_oid().ok()) {
        (RSA, _) => of_pkcs1(key()?),
        (EC, Some(P256)) => Key::p256(key()?),
        (EC, Some(P384)) => Key::p384(key()?),
        (EC, _) => Err("of the elliptic curves it may be on P-256 and P-384".to_owned()),
        (ED25519, _) => Key::ed25519(key()?),
        _ => Err("it is for none of RSA, ECDSA over P-256 or P-384, and Ed25519".to_owned()),
    }
}

fn of_pkcs1(der: &[u8]) -> Result<Key, String> {
    let key = RsaPublicKeyRef::try_from(der).map_err(|_| damaged())?;
    Key::rsa(key.modulus.as_bytes(), key.public_exponent.as_bytes())
}

fn damaged() -> String {
    "it is damaged".to_owned()
}
