//! The node, its cluster and what is done with them as a whole.

use super::openapi;
use crate::admin::describe::{About, text};
use crate::admin::node::NodeInfo;
use crate::admin::routes::{Routes, Verb};
use crate::admin::{
    ClusterInfo, DrainInfo, api, cluster, drain, health, live, metrics, record, reload, token,
    watch,
};

pub(super) fn routes(routes: Routes) -> Routes {
    let about = |name, summary| About::new(name, "node", summary);
    routes
        .get(
            "/healthz",
            health::healthz,
            about("healthz", "Whether the process serves")
                .answers_as("text/plain", "It does.")
                .answers_as_with(503, "text/plain", "A part of it does not.")
                .open(),
        )
        .get(
            "/readyz",
            health::readyz,
            about("readyz", "Whether the node should get new clients")
                .answers::<health::Readiness>("It should.")
                .answers_with::<health::Readiness>(503, "It should not, with the reasons.")
                .open(),
        )
        .get(
            "/openapi.json",
            openapi,
            about("openapi", "This document").answers::<serde_json::Value>("OpenAPI 3.1."),
        )
        .get(
            "/metrics",
            metrics::get,
            about(
                "metrics",
                "Metrics for Prometheus, or a few numbers as JSON",
            )
            .answers::<metrics::Numbers>("In the form that `Accept` asks for.")
            .answers_as("text/plain", "In the form that `Accept` asks for.")
            .answers_as(
                "application/openmetrics-text",
                "In the form that `Accept` asks for.",
            ),
        )
        .get(
            "/api/v1/node",
            api::node,
            about("node", "What this node is, and what it has").answers::<NodeInfo>("The node."),
        )
        .get(
            "/api/v1/token",
            token::show,
            about("token", "What the token of the request may do")
                .answers::<token::TokenInfo>("Its name and scope."),
        )
        .get(
            "/api/v1/cluster",
            cluster::show,
            about("cluster", "All nodes, as this one sees them")
                .answers::<ClusterInfo>("The nodes."),
        )
        .get(
            "/api/v1/config",
            api::config,
            about(
                "config",
                "The configuration that is followed: every key with its value, secrets as `…`",
            )
            .answers::<serde_json::Map<String, serde_json::Value>>(
                "The tables of the configuration file.",
            ),
        )
        .get(
            "/api/v1/drain",
            drain::show,
            about("showDrain", "How far the node is emptied of its clients")
                .answers::<DrainInfo>("How far."),
        )
        .post(
            "/api/v1/drain",
            drain::begin,
            about(
                "drain",
                "Lets no new client in and closes the others over a period, then ends the process",
            )
            .may_take::<drain::DrainBody>(r#"{"period": "5m", "exit": false}"#)
            .answers_with::<DrainInfo>(202, "It has begun.")
            .problems(&[(409, "The node is on its way to its end.")]),
        )
        .add(
            Verb::Delete,
            "/api/v1/drain",
            drain::undo,
            about(
                "undoDrain",
                "Lets clients in again, where the process was not to end",
            )
            .answers::<DrainInfo>("It serves.")
            .problems(&[(409, "The node is on its way to its end.")]),
        )
        .get(
            "/api/v1/live",
            live::live,
            about(
                "live",
                "What this node does, once a second: what the status page shows",
            )
            .answers_as("text/event-stream", "An event a second, each of JSON.")
            .problems(&[(503, "As many watch already as may.")]),
        )
        .get(
            "/api/v1/watch",
            watch::watch,
            about(
                "watch",
                "What happens to one socket, user or room of this node, texts of arguments crossed out",
            )
            .parameters(&[
                text("socket", "The socket; or one of the two beside."),
                text("user", "The user."),
                text("room", "The room."),
                text("namespace", "Only in this namespace."),
            ])
            .answers_as("application/x-ndjson", "A line each, as it happens.")
            .problems(&[(503, "As many look already as may.")]),
        )
        .post(
            "/api/v1/reload",
            reload::reload,
            about(
                "reload",
                "Follows the configuration and all other files now: all that can change together, or nothing",
            )
            .answers::<reload::Reloaded>("What changed, and what waits for a restart.")
            .problems(&[
                (422, "What the files say is no good: nothing was changed."),
                (503, "As many changes as may be are under way."),
                (504, "It took too long."),
            ])
            .patient(),
        )
        .post(
            "/api/v1/record",
            record::record,
            about(
                "record",
                "What clients do from now on, as lines that `sluice policy test` plays again",
            )
            .takes::<record::RecordBody>(r#"{"seconds": 5, "limit": 100, "events": ["chat*"]}"#)
            .answers_as("application/x-ndjson", "A line each, as it happens.")
            .problems(&[(409, "Somebody else records already.")]),
        )
}
