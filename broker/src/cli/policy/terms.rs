//! The terms on which `test` and `bench` run a policy.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::cli::Exit;
use crate::config::Capability;
use crate::replay::{self, NotReady, Player, ScriptError};

#[derive(clap::Args)]
pub(super) struct Terms {
    /// The compiled policy
    file: PathBuf,
    /// The policy's configuration: JSON, or @FILE with JSON in it
    #[arg(long, value_name = "JSON|@FILE", value_parser = config)]
    config: Option<Value>,
    /// Grant this and nothing else: emit, rooms, cluster-state or http (repeatable); by default what the policy asks for
    #[arg(long, value_name = "CAPABILITY", value_parser = capability)]
    grant: Vec<Capability>,
    /// The longest that one call may take
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
}

/// Without the configuration, which may hold secrets.
impl std::fmt::Debug for Terms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terms")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl Terms {
    pub(super) fn config(&self) -> Option<Value> {
        self.config.clone()
    }

    /// The policy, not configured yet.
    pub(super) fn load(&self, cache: Option<PathBuf>) -> Result<Player, Exit> {
        let terms = replay::Terms {
            grant: (!self.grant.is_empty()).then(|| self.grant.clone()),
            timeout: self.timeout,
            cache,
        };
        Player::load(&self.file, &terms).map_err(|error| self.not_ready(&error))
    }

    pub(super) fn exit(&self, error: ScriptError) -> Exit {
        match error {
            ScriptError::NotReady(error) => self.not_ready(&error),
            ScriptError::Configuration { .. } => Exit::Configuration(error.to_string()),
            ScriptError::Unreadable(..) | ScriptError::Line { .. } => {
                Exit::Usage(error.to_string())
            }
            ScriptError::Output(error) => Exit::Failed(error.into()),
        }
    }

    fn not_ready(&self, error: &NotReady) -> Exit {
        Exit::Configuration(format!("{}: {error}", self.file.display()))
    }
}

fn config(text: &str) -> Result<Value, String> {
    let read;
    let (text, of) = match text.strip_prefix('@') {
        Some(file) => {
            read = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
            (read.as_str(), file)
        }
        None => (text, "the configuration"),
    };
    serde_json::from_str(text).map_err(|error| format!("{of} is not JSON: {error}"))
}

fn capability(name: &str) -> Result<Capability, String> {
    let mut all = Capability::ALL.into_iter();
    all.find(|it| it.as_str() == name)
        .ok_or_else(|| "expected emit, rooms, cluster-state or http".to_owned())
}
