//! A key, and the algorithms that it can check signatures of (RFC 7518, RFC 8037).
//!
//! Which key checks a token is decided by the key and not by the token: a key knows its own algorithms, and answers any
//! other with "no". So a public key can never serve as the secret of an HMAC, whatever a token's header says.

use ed25519_dalek::VerifyingKey as Ed25519Key;
use hmac::{Hmac, KeyInit, Mac};
use p256::ecdsa::VerifyingKey as P256Key;
use p256::ecdsa::signature::Verifier;
use p384::ecdsa::VerifyingKey as P384Key;
use rsa::{BoxedUint, Pkcs1v15Sign, Pss};
use sha2::digest::FixedOutputReset;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// How a token is signed. `none` is not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256, MGF1 with the same, and a salt as long as its digest.
    Ps256,
    /// The same with SHA-384.
    Ps384,
    /// The same with SHA-512.
    Ps512,
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// ECDSA over P-384 with SHA-384.
    Es384,
    /// Ed25519, which tokens call `EdDSA` or, as RFC 9864 has it, `Ed25519`.
    EdDsa,
}

/// What checks a signature. It has no `Debug`, so that no log line can hold a secret.
#[derive(Clone)]
pub struct Key(Kind);

#[derive(Clone)]
enum Kind {
    Secret(Hmac<Sha256>),
    Rsa(rsa::PublicKey),
    P256(Box<P256Key>),
    P384(Box<P384Key>),
    Ed25519(Box<Ed25519Key>),
}

/// RFC 7518, section 3.3, asks for no less.
const MIN_RSA_BITS: usize = 2048;
/// Checking with one of 4096 takes a few milliseconds, and the time grows with the square.
const MAX_RSA_BITS: usize = 4096;

// === impl Algorithm ===

impl Algorithm {
    pub(crate) const ALL: [Self; 10] = [
        Self::Hs256,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];

    /// What the keys of each kind are for.
    pub(crate) const RSA: &[Self] = &[
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
    ];
    pub(crate) const P256: &[Self] = &[Self::Es256];
    pub(crate) const P384: &[Self] = &[Self::Es384];
    pub(crate) const ED25519: &[Self] = &[Self::EdDsa];

    /// Those whose keys may be published.
    pub(crate) fn of_public_keys() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|one| *one != Self::Hs256)
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        if name == "Ed25519" {
            return Some(Self::EdDsa);
        }
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }
}

// === impl Key ===

impl Key {
    pub(crate) fn secret(secret: &str) -> Result<Self, String> {
        Hmac::new_from_slice(secret.as_bytes())
            .map(|mac| Self(Kind::Secret(mac)))
            .map_err(|_| "it cannot be used as a key".to_owned())
    }

    /// Modulus and exponent, the most significant byte first.
    pub(crate) fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, String> {
        let size = MIN_RSA_BITS..=MAX_RSA_BITS;
        // Before anything is computed with it.
        if modulus.len() > MAX_RSA_BITS / 8 + 1 || exponent.len() > 8 {
            return Err(rsa_size());
        }
        let modulus = BoxedUint::from_be_slice_vartime(modulus);
        let exponent = BoxedUint::from_be_slice_vartime(exponent);
        match rsa::PublicKey::new_with_size_limits(modulus, exponent, size) {
            Ok(key) => Ok(Self(Kind::Rsa(key))),
            Err(rsa::Error::ModulusTooSmall | rsa::Error::ModulusTooLarge) => Err(rsa_size()),
            Err(_) => Err("it is no RSA key".to_owned()),
        }
    }

    /// A point as SEC 1 writes it.
    pub(crate) fn p256(point: &[u8]) -> Result<Self, String> {
        P256Key::from_sec1_bytes(point)
            .map(|key| Self(Kind::P256(Box::new(key))))
            .map_err(|_| "it is no point on the curve P-256".to_owned())
    }

    /// The same.
    pub(crate) fn p384(point: &[u8]) -> Result<Self, String> {
        P384Key::from_sec1_bytes(point)
            .map(|key| Self(Kind::P384(Box::new(key))))
            .map_err(|_| "it is no point on the curve P-384".to_owned())
    }

    pub(crate) fn ed25519(point: &[u8]) -> Result<Self, String> {
        let key: Option<Ed25519Key> = point
            .try_into()
            .ok()
            .and_then(|point| Ed25519Key::from_bytes(point).ok());
        match key {
            // Anyone could sign for one of the few weak ones.
            Some(key) if !key.is_weak() => Ok(Self(Kind::Ed25519(Box::new(key)))),
            _ => Err("it is no Ed25519 key".to_owned()),
        }
    }

    /// The algorithms that this kind of key is for.
    pub(crate) fn algorithms(&self) -> &'static [Algorithm] {
        match self.0 {
            Kind::Secret(_) => &[Algorithm::Hs256],
            Kind::Rsa(_) => Algorithm::RSA,
            Kind::P256(_) => Algorithm::P256,
            Kind::P384(_) => Algorithm::P384,
            Kind::Ed25519(_) => Algorithm::ED25519,
        }
    }

    /// Whether this key has made this signature, by this algorithm.
    pub(crate) fn verifies(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        match (&self.0, algorithm) {
            (Kind::Secret(mac), Algorithm::Hs256) => mac
                .clone()
                .chain_update(signed)
                // In constant time.
                .verify_slice(signature)
                .is_ok(),
            (Kind::Rsa(key), _) => rsa_verifies(key, algorithm, signed, signature),
            (Kind::P256(key), Algorithm::Es256) => p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(signed, &signature).is_ok()),
            (Kind::P384(key), Algorithm::Es384) => p384::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(signed, &signature).is_ok()),
            (Kind::Ed25519(key), Algorithm::EdDsa) => {
                ed25519_dalek::Signature::from_slice(signature)
                    .is_ok_and(|signature| key.verify_strict(signed, &signature).is_ok())
            }
            _ => false,
        }
    }
}

fn rsa_size() -> String {
    format!("an RSA key has from {MIN_RSA_BITS} to {MAX_RSA_BITS} bits")
}

fn rsa_verifies(
    key: &rsa::PublicKey,
    algorithm: Algorithm,
    signed: &[u8],
    signature: &[u8],
) -> bool {
    match algorithm {
        Algorithm::Rs256 => pkcs1_verifies::<Sha256>(key, signed, signature),
        Algorithm::Rs384 => pkcs1_verifies::<Sha384>(key, signed, signature),
        Algorithm::Rs512 => pkcs1_verifies::<Sha512>(key, signed, signature),
        Algorithm::Ps256 => pss_verifies::<Sha256>(key, signed, signature),
        Algorithm::Ps384 => pss_verifies::<Sha384>(key, signed, signature),
        Algorithm::Ps512 => pss_verifies::<Sha512>(key, signed, signature),
        _ => false,
    }
}

fn pkcs1_verifies<D>(key: &rsa::PublicKey, signed: &[u8], signature: &[u8]) -> bool
where
    D: Digest + rsa::pkcs8::AssociatedOid,
{
    let scheme = Pkcs1v15Sign::new::<D>();
    key.verify(scheme, &D::digest(signed), signature).is_ok()
}

/// The salt is as long as the digest (RFC 7518, section 3.5).
fn pss_verifies<D>(key: &rsa::PublicKey, signed: &[u8], signature: &[u8]) -> bool
where
    D: Digest + FixedOutputReset,
{
    let scheme = Pss::<D>::new_with_salt(<D as Digest>::output_size());
    key.verify(scheme, &D::digest(signed), signature).is_ok()
}
