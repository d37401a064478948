//! Keys from files, minisign's and our own.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minisign::{SecretKey, SecretKeyBox};

use crate::config::TrustedKey;

/// A public key as it stands on the command line: itself, or the file that holds it.
pub(super) fn public(text: &str) -> anyhow::Result<TrustedKey> {
    if let Some(key) = TrustedKey::from_base64(text) {
        return Ok(key);
    }
    let file = fs::read_to_string(text).with_context(|| {
        format!("{text}: neither a public key of minisign nor a file that holds one")
    })?;
    let last = file.lines().map(str::trim).rfind(|line| !line.is_empty());
    last.and_then(TrustedKey::from_base64)
        .with_context(|| format!("{text}: holds no public key of minisign"))
}

/// The secret key in a file.
pub(super) fn secret(file: &Path, passphrase_file: Option<&Path>) -> anyhow::Result<SecretKey> {
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let key = match (kind(&text), passphrase_file) {
        (Some(Kind::Encrypted), None) => {
            bail!("{} is encrypted: give `--passphrase-file`", file.display())
        }
        (Some(Kind::Encrypted), Some(passphrase_file)) => {
            let passphrase = passphrase(passphrase_file)?;
            SecretKeyBox::from(text).into_secret_key(Some(passphrase))
        }
        (Some(Kind::Plain), _) => SecretKeyBox::from(text).into_unencrypted_secret_key(),
        (Some(Kind::PlainUnchecked(bytes)), _) => SecretKey::from_bytes(&bytes),
        (None, _) => bail!("{} holds no secret key of minisign", file.display()),
    };
    key.with_context(|| file.display().to_string())
}

/// A text that stands in a file, by itself; an editor's line break at its end is not part of it.
pub(super) fn passphrase(file: &Path) -> anyhow::Result<String> {
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    // The library would take it for the wish to be asked on the terminal, or for a key without one.
    anyhow::ensure!(!text.is_empty(), "{} is empty", file.display());
    Ok(text.to_owned())
}

enum Kind {
    Encrypted,
    Plain,
    /// The reference tool leaves the checksum of a key without a passphrase empty, which the library takes for damage.
    PlainUnchecked(Vec<u8>),
}

/// Kinds of signature, key derivation and checksum, salt and two limits, number, key, checksum.
const SECRET_KEY_BYTES: usize = 2 + 2 + 2 + 32 + 8 + 8 + 8 + 64 + CHECKSUM_BYTES;
const CHECKSUM_BYTES: usize = 32;

fn kind(text: &str) -> Option<Kind> {
    let bytes = STANDARD.decode(text.lines().nth(1)?.trim()).ok()?;
    if bytes.len() != SECRET_KEY_BYTES || !bytes.starts_with(b"Ed") {
        return None;
    }
    match bytes.get(2..4)? {
        b"Sc" => Some(Kind::Encrypted),
        b"\0\0" if bytes.ends_with(&[0; CHECKSUM_BYTES]) => Some(Kind::PlainUnchecked(bytes)),
        b"\0\0" => Some(Kind::Plain),
        _ => None,
    }
}
