//! `sluice policy verify`: what the broker would say of a module's signature.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::keys;
use crate::config::TrustedKey;
use crate::plugin::signature::{self, Signer};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Verify {
    /// The modules
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A public key, or the file that holds it (repeatable)
    #[arg(long, required = true, value_name = "KEY")]
    key: Vec<String>,
}

impl Verify {
    pub(super) fn run(&self) -> anyhow::Result<String> {
        let keys: Vec<_> = self.key.iter().map(|key| keys::public(key)).collect();
        let keys: Vec<TrustedKey> = keys.into_iter().collect::<Result<_, _>>()?;
        let mut out = String::new();
        for file in &self.files {
            let signer = verify(file, &keys)?;
            out += &format!("{}: {}\n", file.display(), sentence(&signer));
        }
        Ok(out)
    }
}

fn verify(file: &Path, keys: &[TrustedKey]) -> anyhow::Result<Signer> {
    let module = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let signature_file = signature::file_of(file);
    let failed = |reason: String| anyhow::anyhow!("{} {reason}", signature_file.display());
    let signature = signature::beside(file).map_err(failed)?;
    let signer = signature::check(&module, signature.as_deref(), keys)
        .map_err(|untrusted| failed(untrusted.to_string()))?;
    // There is a key at least, so there is a signer.
    signer.context("no key is given")
}

/// A comment is another's text, and must not speak to the terminal.
pub(super) fn sentence(signer: &Signer) -> String {
    match &signer.trusted_comment {
        Some(comment) => format!(
            "signed with the key {}, with the comment \"{}\"",
            signer.key_id,
            comment.escape_debug()
        ),
        None => format!("signed with the key {}", signer.key_id),
    }
}

#[cfg(test)]
mod tests {
    use super::super::keygen::Keygen;
    use super::super::sign::Sign;
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(subcommand)]
        command: Command,
    }

    #[derive(Debug, clap::Subcommand)]
    enum Command {
        Keygen(Keygen),
        Sign(Sign),
        Verify(Verify),
    }

    fn run(arguments: &[&str]) -> Result<String, String> {
        let ran = match Cli::parse_from([&["policy"], arguments].concat()).command {
            Command::Keygen(keygen) => keygen.run(),
            Command::Sign(sign) => sign.run(),
            Command::Verify(verify) => verify.run(),
        };
        ran.map_err(|error| format!("{error:#}"))
    }

    /// Files of these contents and the path of any.
    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new(files: &[(&str, &str)]) -> Self {
            let folder = Self(tempfile::tempdir().unwrap());
            for (name, text) in files {
                fs::write(folder.at(name), text).unwrap();
            }
            folder
        }

        fn at(&self, name: &str) -> String {
            self.0.path().join(name).to_str().unwrap().to_owned()
        }
    }

    #[test]
    fn what_is_signed_verifies() {
        let folder = Folder::new(&[("chat.wasm", "a module"), ("pass", "open sesame\n")]);
        let [module, prefix, pass] = ["chat.wasm", "k", "pass"].map(|name| folder.at(name));
        let [public, secret] = ["k.pub", "k.key"].map(|name| folder.at(name));
        run(&["keygen", "--out", &prefix]).unwrap();
        run(&["sign", &module, "--key", &secret, "--comment", "ready"]).unwrap();
        let told = run(&["verify", &module, "--key", &public]).unwrap();
        assert!(told.ends_with("with the comment \"ready\"\n"), "{told}");
        fs::write(&module, "another module").unwrap();
        let told = run(&["verify", &module, "--key", &public]).unwrap_err();
        assert!(told.contains("another module"), "{told}");

        // Encrypted, the key is of no use without its passphrase.
        let locked = folder.at("locked");
        run(&["keygen", "--out", &locked, "--passphrase-file", &pass]).unwrap();
        let [public, secret] = ["locked.pub", "locked.key"].map(|name| folder.at(name));
        let told = run(&["sign", &module, "--key", &secret]).unwrap_err();
        assert!(told.contains("--passphrase-file"), "{told}");
        run(&[
            "sign",
            &module,
            "--key",
            &secret,
            "--passphrase-file",
            &pass,
        ])
        .unwrap();
        let told = run(&["verify", &module, "--key", &public]).unwrap();
        assert!(told.contains("file:chat.wasm"), "{told}");
        fs::write(&pass, "wrong").unwrap();
        let told = run(&[
            "sign",
            &module,
            "--key",
            &secret,
            "--passphrase-file",
            &pass,
        ]);
        assert!(told.unwrap_err().contains("password"));
    }

    /// Made by minisign 0.11: with `-W`, so without a passphrase and, of its own making, without a checksum.
    #[test]
    fn a_key_of_the_reference_tool_signs() {
        let folder = Folder::new(&[
            ("chat.wasm", "a module"),
            (
                "k.key",
                "untrusted comment: minisign encrypted secret key\n\
                 RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAZS1HwilAwAkqNStshuKgasMsxz\
                 5nFQNlnsYsTOpHqYgxUhpls9M8JJ5+NSOAsg91BSbptrBQ31x+AU7F0Th4XSOPJJp0fQe7AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\
                 AAAAAAAAAAA=\n",
            ),
        ]);
        let [module, secret] = ["chat.wasm", "k.key"].map(|name| folder.at(name));
        run(&["sign", &module, "--key", &secret]).unwrap();
        let public = "RWRlLUfCKUDACZ5+NSOAsg91BSbptrBQ31x+AU7F0Th4XSOPJJp0fQe7";
        let told = run(&["verify", &module, "--key", public]).unwrap();
        assert!(told.contains("09C04029C2472D65"), "{told}");
    }

    #[test]
    fn what_is_no_key_or_no_comment_is_told() {
        let folder = Folder::new(&[("chat.wasm", "a module"), ("k", "x\ny\n")]);
        let [module, key] = ["chat.wasm", "k"].map(|name| folder.at(name));
        let told = run(&["verify", &module, "--key", &key]).unwrap_err();
        assert!(told.contains("holds no public key"), "{told}");
        let told = run(&["verify", &module, "--key", "RWQ"]).unwrap_err();
        assert!(told.contains("neither"), "{told}");
        let told = run(&["sign", &module, "--key", &key]).unwrap_err();
        assert!(told.contains("holds no secret key"), "{told}");
        let told = run(&["sign", &module, "--key", &key, "--comment", "a\nb"]).unwrap_err();
        assert!(told.contains("one line"), "{told}");
    }
}
