//! Who signed a module: minisign's format, Ed25519 over the module's BLAKE2b hash, and digests that pin a module.
//!
//! [`check`] is pure. What is checked is checked each time a module is read, before anything of it is compiled.

use std::ffi::OsString;
use std::fs;
use std::io::{Cursor, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minisign::SignatureBox;

use super::folder::Artifact;
use super::module::Digest;
use crate::config::{self, Pin, TrustedKey, key_id};

/// Four lines; a comment has its bound in minisign too.
const MAX_SIGNATURE: u64 = 16 << 10;

/// A signature proper: kind and number of the key before the 64 bytes.
const SIGNATURE_BYTES: usize = 2 + 8 + SIGNED_BYTES;
const SIGNED_BYTES: usize = 64;

/// Who vouches for a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signer {
    pub key_id: String,
    /// What they say of it; signed as well.
    pub trusted_comment: Option<String>,
}

/// Why a module is not trusted. Each is to be read after the name of the signature's file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Untrusted {
    #[error("is missing: the module has to be signed with {}", one_of(.trusted))]
    Missing { trusted: Vec<String> },
    #[error("is no signature in minisign's format: {0}")]
    Malformed(&'static str),
    #[error(
        "is a signature of the old kind, over the module itself and not its hash: sign it again, \
         with `sluice policy sign` or minisign 0.11 and later"
    )]
    Legacy,
    #[error("was made with the key {key_id}, which is not trusted: it has to be {}", one_of(.trusted))]
    UnknownKey {
        key_id: String,
        trusted: Vec<String>,
    },
    #[error("is of another module, or one of the two has been changed (key {key_id})")]
    Wrong { key_id: String },
}

fn one_of(keys: &[String]) -> String {
    match keys {
        [key] => format!("the key {key}"),
        keys => format!("one of the keys {}", keys.join(", ")),
    }
}

/// Checks a module against its signature, the text of a `.minisig` file. Without keys nobody is trusted more than
/// others, and nothing has to be signed.
pub(crate) fn check(
    module: &[u8],
    signature: Option<&str>,
    keys: &[TrustedKey],
) -> Result<Option<Signer>, Untrusted> {
    if keys.is_empty() {
        return Ok(None);
    }
    let trusted = || keys.iter().map(TrustedKey::id).collect();
    let signature = signature.ok_or_else(|| Untrusted::Missing { trusted: trusted() })?;
    let signature = read(signature)?;
    let key_id = key_id(signature.keynum());
    let mut of_this_number = keys.iter().filter(|key| key.id() == key_id).peekable();
    if of_this_number.peek().is_none() {
        return Err(Untrusted::UnknownKey {
            key_id,
            trusted: trusted(),
        });
    }
    // Numbers are random, but nothing keeps two keys from having the same.
    let is_signed = of_this_number.any(|key| {
        minisign::verify(
            key.as_minisign(),
            &signature,
            Cursor::new(module),
            true,
            false,
            false,
        )
        .is_ok()
    });
    if !is_signed {
        return Err(Untrusted::Wrong { key_id });
    }
    let comment = signature.trusted_comment().ok();
    Ok(Some(Signer {
        key_id,
        trusted_comment: comment.filter(|comment| !comment.is_empty()),
    }))
}

/// The number of the key that a signature says it was made with.
pub(crate) fn claimed_key(signature: &str) -> Result<String, Untrusted> {
    read(signature).map(|signature| key_id(signature.keynum()))
}

/// The library takes the lengths for granted, so they are checked first.
fn read(text: &str) -> Result<SignatureBox, Untrusted> {
    let mut lines = text.lines();
    let mut line = || {
        lines
            .next()
            .ok_or(Untrusted::Malformed("it has no four lines"))
    };
    let [comment, signature, trusted, global] = [line()?, line()?, line()?, line()?];
    if !comment.starts_with("untrusted comment: ") || !trusted.starts_with("trusted comment: ") {
        return Err(Untrusted::Malformed("a comment is missing"));
    }
    let bytes = |line: &str| STANDARD.decode(line.trim()).map_or(0, |bytes| bytes.len());
    if bytes(signature) != SIGNATURE_BYTES || bytes(global) != SIGNED_BYTES {
        return Err(Untrusted::Malformed("a signature is not of its length"));
    }
    let signature =
        SignatureBox::from_string(text).map_err(|_| Untrusted::Malformed("its kind is unknown"))?;
    match signature.is_prehashed() {
        true => Ok(signature),
        false => Err(Untrusted::Legacy),
    }
}

/// The file that holds a module's signature.
pub(crate) fn file_of(module: &Path) -> PathBuf {
    let mut name = OsString::from(module);
    name.push(".minisig");
    name.into()
}

/// The text of the file that holds a module's signature; `None` where there is none.
///
/// # Errors
/// Why it cannot be read.
pub(crate) fn beside(module: &Path) -> Result<Option<String>, String> {
    let file = match fs::metadata(file_of(module)) {
        Ok(found) if found.is_file() => fs::File::open(file_of(module)),
        Ok(_) => return Err("is not a file".to_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let mut text = String::new();
    match file.and_then(|file| file.take(MAX_SIGNATURE + 1).read_to_string(&mut text)) {
        Ok(length) if length as u64 > MAX_SIGNATURE => {
            Err(Untrusted::Malformed("it is too long").to_string())
        }
        Ok(_) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            Err(Untrusted::Malformed("it is not text").to_string())
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Whether a module may be loaded: it is the one that is pinned, and signed by whom the operator trusts.
pub(crate) fn admit(
    settings: &config::Policy,
    artifact: &Artifact,
    digest: Digest,
    keys: &[TrustedKey],
) -> Result<Option<Signer>, String> {
    check_pin(settings.sha256.as_ref(), digest)?;
    if keys.is_empty() {
        return Ok(None);
    }
    let path = file_of(&settings.module);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let signature = artifact.signature.as_ref();
    let signature = signature.map_err(|error| format!("`{name}` {error}"))?;
    check(&artifact.bytes, signature.as_deref(), keys).map_err(|error| format!("`{name}` {error}"))
}

/// Whether a module is the one that its policy is pinned to.
pub(crate) fn check_pin(pin: Option<&Pin>, digest: Digest) -> Result<(), String> {
    let digest = digest.to_string();
    match pin {
        Some(pin) if pin.to_string() != digest => Err(format!(
            "its digest is {digest}, and `sha256` pins it to {pin}"
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
