//! `sluice policy keygen`: a pair of keys as minisign has them.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use minisign::KeyPair;

use super::keys::passphrase;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Keygen {
    /// Where to write: PREFIX.pub and PREFIX.key
    #[arg(long, value_name = "PREFIX", default_value = "sluice")]
    out: PathBuf,
    /// Encrypt the secret key with the text of this file
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl Keygen {
    pub(super) fn run(&self) -> anyhow::Result<String> {
        let pair = match &self.passphrase_file {
            Some(file) => KeyPair::generate_encrypted_keypair(Some(passphrase(file)?)),
            None => KeyPair::generate_unencrypted_keypair(),
        }?;
        let [public, secret] = ["pub", "key"].map(|kind| with_suffix(&self.out, kind));
        // Looked for before anything is written: half a pair helps nobody.
        anyhow::ensure!(!public.exists(), "{} exists already", public.display());
        let comment = match self.passphrase_file {
            Some(_) => "minisign encrypted secret key",
            None => "minisign secret key, not encrypted",
        };
        write_new(&secret, 0o600, &pair.sk.to_box(Some(comment))?.to_bytes())?;
        write_new(&public, 0o644, &pair.pk.to_box()?.to_bytes())?;
        Ok(format!(
            "{} signs, and is to be kept secret\n{} is the public key, for the configuration:\n\n\
             [plugins]\ntrusted_keys = [\"{}\"]\n",
            secret.display(),
            public.display(),
            pair.pk.to_base64()
        ))
    }
}

/// Appended, so that a prefix may have dots.
fn with_suffix(prefix: &Path, kind: &str) -> PathBuf {
    let mut path = prefix.as_os_str().to_owned();
    path.push(".");
    path.push(kind);
    path.into()
}

/// Never over a key that is there: what it has signed would be worth nothing any more.
fn write_new(path: &Path, mode: u32, bytes: &[u8]) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    let opened: std::io::Result<File> = options.write(true).create_new(true).mode(mode).open(path);
    opened
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_pair_is_written_once() {
        let dir = tempfile::tempdir().unwrap();
        let keygen = Keygen {
            out: dir.path().join("chat.v1"),
            passphrase_file: None,
        };
        let told = keygen.run().unwrap();
        let public = std::fs::read_to_string(dir.path().join("chat.v1.pub")).unwrap();
        assert!(told.contains(public.lines().last().unwrap()));
        let secret = dir.path().join("chat.v1.key");
        let mode = std::fs::metadata(&secret).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let before = std::fs::read(&secret).unwrap();
        let refused = format!("{:#}", keygen.run().unwrap_err());
        assert!(refused.contains("exists already"), "{refused}");
        std::fs::remove_file(dir.path().join("chat.v1.pub")).unwrap();
        let refused = format!("{:#}", keygen.run().unwrap_err());
        assert!(refused.contains("chat.v1.key"), "{refused}");
        assert_eq!(std::fs::read(&secret).unwrap(), before);
    }
}
