//! `sluice policy push`: a module to all nodes of a cluster, through any of them.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use http::Method;
use serde_json::Value;

use crate::cli::Exit;
use crate::cli::client::{Asking, piece};
use crate::cli::policies::send;

#[derive(Debug, Args)]
pub(in crate::cli) struct Push {
    /// The module
    file: PathBuf,
    /// The policy
    #[arg(long)]
    name: String,
    /// Its signature; without this FILE.minisig, where there is one
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    #[command(flatten)]
    asking: Asking,
}

impl Push {
    pub(super) fn run(&self) -> Result<String, Exit> {
        let client = self.asking.client()?;
        let path = format!("/api/v1/cluster/policies/{}", piece(&self.name));
        let signature = self.signature.as_deref();
        let answer = send(&client, Method::POST, &path, &self.file, signature)?;
        Ok(self.asking.shown(&answer, said))
    }
}

fn said(answer: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let mut said = format!(
        "{} {} serves on all nodes\n",
        text(&answer["policy"]),
        text(&answer["digest"])
    );
    for node in answer["nodes"].as_array().into_iter().flatten() {
        // Writing to a string does not fail.
        let _ = writeln!(
            said,
            "  node {}  generation {}",
            text(&node["node"]),
            node["generation"]
        );
    }
    said
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_node_is_named() {
        let answer = json!({
            "policy": "p", "digest": "sha256:00", "revision": 2,
            "nodes": [{"node": "a", "ok": true, "generation": 3}],
        });
        assert_eq!(
            said(&answer),
            "p sha256:00 serves on all nodes\n  node a  generation 3\n"
        );
    }
}
