//! `sluice policy new`: a crate that builds, passes its test and can be dropped in.
//!
//! The SDK is on no registry: it is part of this binary, and written beside the policy.

mod manifest;
mod sdk;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::config;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct New {
    /// What the policy is called
    name: String,
    /// The folder that the crate's folder is made in
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

/// The files of the crate. In their texts, `{{name}}` and the like stand for what [`fill`] puts there.
const TEMPLATE: [(&str, &str); 5] = [
    ("Cargo.toml", include_str!("new/template/Cargo.toml.in")),
    ("src/lib.rs", include_str!("new/template/lib.rs.in")),
    ("tests/policy.rs", include_str!("new/template/test.rs.in")),
    ("README.md", include_str!("new/template/README.md.in")),
    (".gitignore", "/target\n"),
];

/// Where the SDK lies in the crate.
const VENDORED: &str = "vendor/sluice-plugin-sdk";

impl New {
    pub(super) fn run(&self) -> anyhow::Result<String> {
        check_name(&self.name)?;
        let folder = self.dir.join(&self.name);
        fs::create_dir_all(&self.dir)
            .and_then(|()| fs::create_dir(&folder))
            .with_context(|| format!("cannot make {}", folder.display()))?;
        for (file, text) in TEMPLATE {
            write(&folder.join(file), &fill(text, &self.name))?;
        }
        let vendored = folder.join(VENDORED);
        for (file, text) in sdk::files().context("the SDK in this binary is damaged")? {
            write(&vendored.join(file), &text)?;
        }
        let lock = manifest::lock(sdk::LOCK, sdk::NAME).context("the SDK's lock is damaged")?;
        write(&folder.join("Cargo.lock"), &lock)?;
        Ok(format!(
            "{folder}: a policy that limits how long a message is\n\n\
             \x20 cd {folder}\n\
             \x20 cargo test\n\
             \x20 cargo build --release --target wasm32-wasip2\n\
             \x20 cp target/wasm32-wasip2/release/{}.wasm PLUGINS/{}.wasm\n\n\
             PLUGINS is the folder that `plugins.dir` names; README.md says more.\n",
            underscored(&self.name),
            self.name,
            folder = folder.display(),
        ))
    }
}

/// The rule of policies, which are called like the file that is dropped in, and of crates.
fn check_name(name: &str) -> anyhow::Result<()> {
    anyhow::ensure!(
        config::is_policy_name(name),
        "`{name}` is no name of a policy; expected {}",
        config::POLICY_NAME
    );
    anyhow::ensure!(
        name.starts_with(|first: char| first.is_ascii_lowercase()) && !name.ends_with('-'),
        "`{name}` is no name of a crate: it begins with a letter and does not end with `-`"
    );
    anyhow::ensure!(
        !TAKEN.contains(&name) && !name.starts_with(sdk::NAME),
        "`{name}` is no name of a crate: Rust or the SDK has it for itself"
    );
    Ok(())
}

/// Words and crates of Rust (The Rust Reference, "Keywords"), and folders that cargo makes.
const TAKEN: [&str; 66] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "build",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "do",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "self",
    "serde",
    "serde-json",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "union",
    "unsafe",
    "unsized",
    "use",
    "vendor",
    "virtual",
    "where",
    "while",
    "wit-bindgen",
    "yield",
    "humantime",
];

fn fill(text: &str, name: &str) -> String {
    text.replace("{{name}}", name)
        .replace("{{crate}}", &underscored(name))
        .replace("{{type}}", &camel(name))
        .replace("{{sdk}}", VENDORED)
}

/// What Rust and the files that cargo makes call the crate.
fn underscored(name: &str) -> String {
    name.replace('-', "_")
}

/// The name of a type.
fn camel(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let mut chars = word.chars();
        let first = chars.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(chars).collect::<String>()
    });
    words.collect()
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, text))
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["chat", "my-chat-2", "a"] {
            check_name(good).unwrap();
        }
        let bad = [
            ("", "a-z, 0-9 and -"),
            ("Chat", "a-z, 0-9 and -"),
            ("a/b", "a-z, 0-9 and -"),
            ("..", "a-z, 0-9 and -"),
            ("2fast", "begins with a letter"),
            ("chat-", "does not end"),
            ("fn", "Rust"),
            ("core", "Rust"),
            ("sluice-plugin-sdk", "the SDK"),
        ];
        for (name, rule) in bad {
            let refused = check_name(name).unwrap_err().to_string();
            assert!(refused.contains(rule), "{refused}");
        }
        assert_eq!(camel("my-chat-2"), "MyChat2");
    }

    #[test]
    fn a_crate_is_written_once() {
        let dir = tempfile::tempdir().unwrap();
        let new = New {
            name: "my-chat".to_owned(),
            dir: dir.path().join("policies"),
        };
        let told = new.run().unwrap();
        assert!(
            told.contains("release/my_chat.wasm PLUGINS/my-chat.wasm"),
            "{told}"
        );
        let folder = dir.path().join("policies/my-chat");
        for (file, _) in TEMPLATE {
            let text = fs::read_to_string(folder.join(file)).unwrap();
            assert!(!text.contains("{{"), "{file}: {text}");
        }
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        assert_eq!(manifest["package"]["name"].as_str(), Some("my-chat"));
        assert!(folder.join(VENDORED).join("wit/policy.wit").is_file());
        let again = format!("{:#}", new.run().unwrap_err());
        assert!(
            again.contains("my-chat") && again.contains("exists"),
            "{again}"
        );
    }
}
