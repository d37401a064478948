//! `sluice policy inspect`: what a module says of itself, before anything runs it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;

use crate::plugin::inspect::{Bucket, Inspection, Interests, inspect};
use crate::plugin::signature;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Inspect {
    /// The module
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The policy's configuration: a JSON object, or the file that holds it
    #[arg(long, value_name = "JSON|@FILE", default_value = "{}")]
    config: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    inspection: Inspection,
    signature: Signature,
}

/// Who signed it can only be told by those who know whom to trust, with `verify`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Signature {
    /// There is no file beside it.
    None,
    /// It says that it was made with this key.
    Claimed(String),
    /// Why the file beside it is no signature.
    Unreadable(String),
}

impl Inspect {
    pub(super) fn run(&self) -> anyhow::Result<String> {
        let file = &self.file;
        let module = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let config = configuration(&self.config)?;
        let inspection = inspect(&module, &config).with_context(|| file.display().to_string())?;
        let shown = Shown {
            inspection,
            signature: signature_of(file),
        };
        if self.json {
            return Ok(serde_json::to_string_pretty(&shown)? + "\n");
        }
        Ok(shown.lines())
    }
}

fn configuration(given: &str) -> anyhow::Result<String> {
    let text = match given.strip_prefix('@') {
        Some(file) => fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?,
        None => given.to_owned(),
    };
    let value: serde_json::Value =
        serde_json::from_str(&text).context("the configuration is not JSON")?;
    anyhow::ensure!(value.is_object(), "the configuration is not a JSON object");
    Ok(value.to_string())
}

fn signature_of(module: &Path) -> Signature {
    match signature::beside(module) {
        Ok(None) => Signature::None,
        Ok(Some(text)) => match signature::claimed_key(&text) {
            Ok(key) => Signature::Claimed(key),
            Err(error) => Signature::Unreadable(error.to_string()),
        },
        Err(error) => Signature::Unreadable(error),
    }
}

impl Shown {
    fn lines(&self) -> String {
        let Inspection {
            name,
            version,
            contract,
            digest,
            size,
            hooks,
            capabilities,
            interests,
            refused,
            imports,
        } = &self.inspection;
        let mut out = String::new();
        line(&mut out, "name", [plain(name)]);
        line(&mut out, "version", [plain(version)]);
        line(&mut out, "contract", [(*contract).to_owned()]);
        line(&mut out, "digest", [digest.clone()]);
        line(&mut out, "size", [format!("{size} bytes")]);
        line(&mut out, "signature", [self.signature.sentence()]);
        line(&mut out, "hooks", hooks.iter().map(|it| (*it).to_owned()));
        let capabilities = capabilities.iter().map(|it| (*it).to_owned());
        line(&mut out, "capabilities", capabilities);
        if let Some(interests) = interests {
            interests_lines(&mut out, interests);
        }
        if let Some(reason) = refused {
            line(&mut out, "refused", [plain(reason)]);
        }
        line(&mut out, "imports", imports.iter().map(|it| plain(it)));
        out
    }
}

fn interests_lines(out: &mut String, interests: &Interests) {
    let events = interests.events.iter().map(|it| {
        let with = if it.arguments { " with arguments" } else { "" };
        let unasked = it.in_advance.iter().map(|it| format!(": {}", plain(it)));
        let unasked: String = unasked.collect();
        format!("{}{with}{unasked}", plain(&it.event))
    });
    line(out, "events", events);
    line(out, "rooms", interests.rooms.iter().map(|it| plain(it)));
    line(out, "buckets", interests.buckets.iter().map(bucket));
    let metrics = interests.metrics.iter();
    let metrics = metrics.map(|it| format!("{} ({})", plain(&it.name), it.kind));
    line(out, "metrics", metrics);
}

fn bucket(bucket: &Bucket) -> String {
    let Bucket {
        name,
        burst,
        per_second,
        window_ms,
        scope,
    } = bucket;
    let rate = match window_ms {
        0 => format!("{burst}, and {per_second} more a second"),
        window => format!("{burst} in {window} ms"),
    };
    format!("{}: {rate} ({scope})", plain(name))
}

impl Signature {
    fn sentence(&self) -> String {
        match self {
            Self::None => "none".to_owned(),
            Self::Claimed(key) => {
                format!(
                    "made with the key {key} by its own account; `sluice policy verify` checks it"
                )
            }
            Self::Unreadable(reason) => format!("the file beside it {}", plain(reason)),
        }
    }
}

/// A heading, and what stands under it a line each.
fn line(out: &mut String, heading: &str, values: impl IntoIterator<Item = String>) {
    let mut values = values.into_iter().peekable();
    let mut heading = heading;
    if values.peek().is_none() {
        _ = writeln!(out, "{heading:<13} none");
    }
    for value in values {
        // Writing to a String cannot fail.
        _ = writeln!(out, "{heading:<13} {value}");
        heading = "";
    }
}

/// A module's own words, which must not speak to the terminal.
fn plain(text: &str) -> String {
    text.escape_debug()
        .to_string()
        .replace("\\\"", "\"")
        .replace("\\'", "'")
}
