//! `sluice policy sign`: signatures as minisign makes them.

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use minisign::{PublicKey, SecretKey};

use super::keys;
use crate::config::key_id;
use crate::plugin::signature;

/// As long as minisign reads them.
const MAX_COMMENT: usize = 8192 - "trusted comment: ".len() - 1;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Sign {
    /// The modules
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The secret key: what `keygen` or minisign has made
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The file that holds the passphrase of an encrypted key
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// What to say of the module, signed with it; the time and the file's name unless given
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
}

impl Sign {
    pub(super) fn run(&self) -> anyhow::Result<String> {
        if let Some(comment) = &self.comment {
            let fits = comment.len() <= MAX_COMMENT && !comment.contains(char::is_control);
            anyhow::ensure!(fits, "the comment is one line of up to {MAX_COMMENT} bytes");
        }
        let key = keys::secret(&self.key, self.passphrase_file.as_deref())?;
        let mut out = String::new();
        for file in &self.files {
            let written = sign(file, &key, self.comment.as_deref())?;
            out += &format!(
                "{}: signed with the key {}\n",
                written.display(),
                key_id(key.keynum())
            );
        }
        Ok(out)
    }
}

fn sign(file: &Path, key: &SecretKey, comment: Option<&str>) -> anyhow::Result<PathBuf> {
    let module = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let comment = match comment {
        Some(comment) => comment.to_owned(),
        None => said_of(file),
    };
    let public = PublicKey::from_secret_key(key)?;
    let untrusted = Some("signature of a Sluice policy");
    // Checked against the public half, so that a damaged key makes no signature that nobody can verify.
    let signature = minisign::sign(
        Some(&public),
        key,
        Cursor::new(module),
        Some(&comment),
        untrusted,
    )?;
    let path = signature::file_of(file);
    replace(&path, signature.to_string().as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// As minisign has it.
fn said_of(file: &Path) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let name = name.replace(char::is_control, "");
    let seconds = now.unwrap_or_default().as_secs();
    format!("timestamp:{seconds}\tfile:{name}\thashed")
}

/// In one step: a broker that follows the file must not see half of it.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut file = fs::File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}
