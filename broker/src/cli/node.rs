//! `sluice node` and `sluice cluster`: what runs, and whether it is well.

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::Exit;
use super::client::Asking;
use super::table::{ago, facts, row, span, table, text};

#[derive(Debug, Args)]
pub(super) struct Node {
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
pub(super) struct Cluster {
    #[command(flatten)]
    asking: Asking,
}

impl Node {
    pub(super) fn run(&self) -> Result<String, Exit> {
        let client = self.asking.client()?;
        let mut node = client.get("/api/v1/node")?;
        node["readiness"] = client.look("/readyz")?;
        Ok(self.asking.shown(&node, show))
    }
}

impl Cluster {
    pub(super) fn run(&self) -> Result<String, Exit> {
        let cluster = self.asking.client()?.get("/api/v1/cluster")?;
        Ok(self.asking.shown(&cluster, show_cluster))
    }
}

fn show(node: &Value) -> String {
    let uptime = node["uptime_seconds"].as_u64().unwrap_or_default();
    let mut shown = vec![
        ("node", text(&node["node"])),
        ("version", text(&node["version"])),
        ("uptime", span(Duration::from_secs(uptime))),
        ("clients at", text(&node["listen"]["server"])),
        ("admin at", text(&node["listen"]["admin"])),
        ("reactors", text(&node["reactors"])),
        ("connections", text(&node["connections"])),
        ("rooms", text(&node["rooms"])),
    ];
    let readiness = &node["readiness"];
    shown.push(match readiness["ready"].as_bool() {
        Some(true) => ("ready", "yes".to_owned()),
        _ => ("ready", "no".to_owned()),
    });
    for reason in readiness["reasons"].as_array().into_iter().flatten() {
        let why = [&reason["code"], &reason["policy"], &reason["message"]];
        let why: Vec<_> = why
            .into_iter()
            .filter(|it| it.is_string())
            .map(text)
            .collect();
        shown.push(("", why.join(": ")));
    }
    let mut rows = vec![row(["NAMESPACE", "CONNECTIONS", "ROOMS"])];
    for namespace in node["namespaces"].as_array().into_iter().flatten() {
        rows.push(
            ["path", "connections", "rooms"]
                .map(|it| text(&namespace[it]))
                .to_vec(),
        );
    }
    match rows.len() {
        1 => facts(&shown),
        _ => format!("{}\n{}", facts(&shown), table(&rows)),
    }
}

fn show_cluster(cluster: &Value) -> String {
    let mut rows = vec![row([
        "NODE",
        "VERSION",
        "UP",
        "HEARD",
        "CONNECTIONS",
        "ROOMS",
        "EVENTS",
        "DELIVERIES",
        "STATE",
        "ADMIN",
    ])];
    for node in cluster["nodes"].as_array().into_iter().flatten() {
        let heard = match (node["self"].as_bool(), node["heard_seconds"].as_f64()) {
            (Some(true), _) => "itself".to_owned(),
            (_, heard) => format!("{:.1}s ago", heard.unwrap_or_default()),
        };
        let state = match node["draining"].as_bool() {
            Some(true) => "draining",
            _ => "serving",
        };
        rows.push(row([
            &text(&node["node"]),
            &text(&node["version"]),
            &ago(&node["started"]),
            &heard,
            &text(&node["connections"]),
            &text(&node["rooms"]),
            &text(&node["events"]),
            &text(&node["deliveries"]),
            state,
            &text(&node["admin"]),
        ]));
    }
    let name = match (cluster["name"].as_str(), cluster["connected"].as_bool()) {
        (None, _) => "the node is alone\n\n".to_owned(),
        (Some(_), Some(true)) => format!("cluster {}\n\n", text(&cluster["name"])),
        (Some(_), _) => format!(
            "cluster {}, NATS is not reached\n\n",
            text(&cluster["name"])
        ),
    };
    name + &table(&rows)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_node_says_what_it_is_and_why_it_is_not_ready() {
        let shown = show(&json!({
            "node": "n1", "version": "1.0", "uptime_seconds": 61, "reactors": 2, "connections": 3, "rooms": 1,
            "namespaces": [{"path": "/", "connections": 3, "rooms": 1}],
            "listen": {"server": "127.0.0.1:3000", "admin": "127.0.0.1:9090"},
            "readiness": {"ready": false, "reasons": [{"code": "policy_failed", "policy": "p", "message": "no"}]},
        }));
        for line in [
            "node         n1",
            "uptime       1m 1s",
            "ready        no",
            "policy_failed: p: no",
        ] {
            assert!(shown.contains(line), "{line}: {shown}");
        }
        assert!(
            shown.ends_with("NAMESPACE  CONNECTIONS  ROOMS\n/          3            1\n"),
            "{shown}"
        );
    }

    #[test]
    fn a_cluster_is_a_line_a_node() {
        let shown = show_cluster(&json!({"name": "eu", "connected": false, "nodes": [
            {"node": "n1", "self": true, "connections": 1, "draining": true},
            {"node": "n2", "self": false, "heard_seconds": 0.25},
        ]}));
        assert!(
            shown.starts_with("cluster eu, NATS is not reached\n"),
            "{shown}"
        );
        assert!(
            shown.contains("draining") && shown.contains("0.2s ago"),
            "{shown}"
        );
    }
}
