//! `sluice policies`: the policies of a node that runs, by its admin API. Tables for people, JSON for programs.

mod table;

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use http::Method;
use serde_json::Value;

use super::Exit;
use super::client::{Asking, Client, piece};

const POLICIES: &str = "/api/v1/policies";

#[derive(Debug, Args)]
pub(super) struct Policies {
    #[command(flatten)]
    asking: Asking,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the policies (what is done without a command)
    List,
    /// Show a policy: what serves, what served before, what is on trial
    Show { name: String },
    /// Serve a module in place of the one that a policy has, or put it on trial beside it
    Upload(Upload),
    /// Make the version on trial the one that enforces
    Promote { name: String },
    /// Let a canary decide for another part of the sockets
    Canary { name: String, percent: u32 },
    /// Drop the version on trial, or go back to the generation before
    Rollback {
        name: String,
        /// The generation to go back to
        #[arg(long, value_name = "NUMBER")]
        generation: Option<u64>,
    },
    /// Follow the files now: those of one policy, or everything
    Reload { name: Option<String> },
}

#[derive(Debug, Args)]
struct Upload {
    name: String,
    /// The module
    file: PathBuf,
    /// Its signature; without this FILE.minisig, where there is one
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    /// Compare it with what enforces, and follow it nowhere
    #[arg(long, conflicts_with = "canary")]
    shadow: bool,
    /// Let it decide for this many of a hundred sockets
    #[arg(long, value_name = "PERCENT")]
    canary: Option<u32>,
}

impl Policies {
    /// Asks the node, and says what to print.
    pub(super) fn run(&self) -> Result<String, Exit> {
        let client = self.asking.client()?;
        let answer = match self.action.as_ref().unwrap_or(&Action::List) {
            Action::List => return self.shown(&client.get(POLICIES)?, table::list),
            Action::Show { name } => {
                return self.shown(&client.get(&path(name, ""))?, table::show);
            }
            Action::Upload(upload) => upload.send(&client)?,
            Action::Promote { name } => client.post(&path(name, "/promote"))?,
            Action::Canary { name, percent } => {
                client.post(&path(name, &format!("/candidate?percent={percent}")))?
            }
            Action::Rollback { name, generation } => {
                let query = generation.map_or(String::new(), |it| format!("?generation={it}"));
                client.post(&path(name, &format!("/rollback{query}")))?
            }
            Action::Reload { name } => match name {
                Some(name) => client.post(&path(name, "/reload"))?,
                None => client.post(&format!("{POLICIES}/reload"))?,
            },
        };
        self.shown(&answer, table::change)
    }

    fn shown(&self, answer: &Value, table: impl Fn(&Value) -> String) -> Result<String, Exit> {
        Ok(self.asking.shown(answer, table))
    }
}

impl Upload {
    fn send(&self, client: &Client) -> Result<Value, Exit> {
        let query = match (self.shadow, self.canary) {
            (true, _) => "?mode=shadow".to_owned(),
            (false, Some(percent)) => format!("?mode=canary&percent={percent}"),
            (false, None) => String::new(),
        };
        let path = path(&self.name, &query);
        send(
            client,
            Method::PUT,
            &path,
            &self.file,
            self.signature.as_deref(),
        )
    }
}

/// The path of a policy; a name may be anything that was typed.
fn path(name: &str, rest: &str) -> String {
    format!("{POLICIES}/{}{rest}", piece(name))
}

/// Sends a module, with its signature where there is one.
pub(super) fn send(
    client: &Client,
    method: Method,
    path: &str,
    module: &Path,
    signature: Option<&Path>,
) -> Result<Value, Exit> {
    let bytes = read(module)?;
    let signature = signature_of(module, signature)?;
    let signature = signature.map(|text| STANDARD.encode(text));
    let headers: Vec<_> = signature
        .iter()
        .map(|it| ("sluice-signature", &**it))
        .collect();
    client.may_write()?;
    client.call(method, path, &headers, bytes)
}

/// The signature that is given, or that stands beside the module.
fn signature_of(module: &Path, given: Option<&Path>) -> Result<Option<Vec<u8>>, Exit> {
    if let Some(file) = given {
        return read(file).map(Some);
    }
    let mut beside = module.as_os_str().to_owned();
    beside.push(".minisig");
    let beside = PathBuf::from(beside);
    beside.is_file().then(|| read(&beside)).transpose()
}

fn read(file: &Path) -> Result<Vec<u8>, Exit> {
    std::fs::read(file)
        .map_err(|error| Exit::Failed(anyhow::anyhow!("{}: {error}", file.display())))
}
