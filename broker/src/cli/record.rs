//! `sluice record`: what the clients of a node that runs do, as lines that `sluice policy test` plays.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::Exit;
use super::client::Admin;

#[derive(Debug, clap::Args)]
pub(super) struct Record {
    #[command(flatten)]
    node: Admin,
    /// How long at most
    #[arg(long, value_name = "N", default_value = "60")]
    seconds: u64,
    /// How many lines at most
    #[arg(long, value_name = "N", default_value = "10000")]
    limit: usize,
    /// Write to this file, and not to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Only what clients of this namespace do
    #[arg(long, value_name = "PATH")]
    namespace: Option<String>,
    /// Only events of these names; `*` stands for any characters (repeatable)
    #[arg(long, value_name = "GLOB")]
    event: Vec<String>,
    /// Only these: connect, event, subscribe or disconnect (repeatable)
    #[arg(long, value_name = "HOOK")]
    hook: Vec<String>,
    /// What is taken out of arguments: `strings`, `none`, or what stands at a JSON Pointer (repeatable)
    #[arg(long, value_name = "WHAT", default_value = "strings")]
    redact: Vec<String>,
    /// Record this header of the handshake (repeatable)
    #[arg(long, value_name = "NAME")]
    header: Vec<String>,
    /// Record what clients authenticate with
    #[arg(long)]
    auth: bool,
}

impl Record {
    pub(super) fn run(&self) -> Result<(), Exit> {
        let client = self.node.client()?;
        let mut out: Box<dyn Write> = match &self.out {
            None => Box::new(io::stdout().lock()),
            Some(path) => {
                let file = File::create(path);
                let cannot = || format!("cannot write {}", path.display());
                Box::new(file.with_context(cannot).map_err(Exit::Failed)?)
            }
        };
        match client.stream("/api/v1/record", &self.wanted(), &mut out) {
            // A reader that has had enough ends the recording.
            Err(Exit::Failed(error)) if is_broken_pipe(&error) => Ok(()),
            result => result,
        }
    }

    fn wanted(&self) -> Value {
        let redact = match &self.redact[..] {
            [word] if !word.starts_with('/') => json!(word),
            pointers => json!(pointers),
        };
        json!({
            "seconds": self.seconds,
            "limit": self.limit,
            "namespace": self.namespace,
            "events": self.event,
            "hooks": self.hook,
            "redact": redact,
            "headers": self.header,
            "auth": self.auth,
        })
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}
