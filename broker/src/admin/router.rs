//! The routes, and what surrounds them: the token, headers that every answer has.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::{Extension, Router};
use bytes::Bytes;

use super::auth::{self, Auth, Guard};
use super::describe::{About, Parameter, header, number, one_of, text};
use super::node::{Node, NodeInfo};
use super::policies::{self, PolicyChanged, PolicyInfo, Uploads};
use super::problem::Problem;
use super::routes::{Routes, Table, Verb};
use super::{
    ClusterInfo, DrainInfo, api, cluster, drain, emit, health, metrics, record, reload, rollout,
    sockets, state,
};
use crate::backend::{SocketInfo, Steered};
use crate::rollout::{Report, Shown as ClusterPolicy};
use crate::state::Shown as PolicyState;

/// An event as large as a client may send by default.
pub(super) const MAX_BODY: usize = 1 << 20;

/// The OpenAPI document.
#[derive(Clone)]
struct Described(Bytes);

pub(super) fn router(node: Arc<dyn Node>, auth: Arc<Auth>) -> Router {
    let Table {
        guarded,
        open,
        names,
        document,
    } = table();
    let guard = Guard {
        auth,
        names: Arc::new(names),
    };
    let guarded = guarded
        .layer(Extension(Uploads::new()))
        .layer(Extension(Described(document.into())))
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(guard, auth::require));
    open.method_not_allowed_fallback(wrong_method)
        .merge(guarded)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn(surround))
        .with_state(node)
}

/// Everything there is.
pub(super) fn table() -> Table {
    let routes = Routes::new();
    let routes = node_routes(routes);
    let routes = socket_routes(routes);
    let routes = policy_routes(routes);
    cluster_policy_routes(routes).finish()
}

fn node_routes(routes: Routes) -> Routes {
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

const NAMESPACE: Parameter = text("namespace", "The namespace; `/` without this.");
const LIMIT: Parameter = number("limit", 1, 10_000, "How many are listed; 100 without this.");
const ROOM: Parameter = text("room", "Only those in this room.");

fn socket_routes(routes: Routes) -> Routes {
    let about = |name, summary| About::new(name, "sockets", summary);
    let steers = |name, summary, example| {
        about(name, summary)
            .takes::<sockets::Body>(example)
            .answers::<Steered>("With how many sockets it was done.")
            .problems(&[(404, "There is no such namespace.")])
    };
    routes
        .get(
            "/api/v1/sockets",
            sockets::list,
            about("listSockets", "Sockets, on all nodes or on one")
                .parameters(&[
                    text("namespace", "Only those in this namespace."),
                    ROOM,
                    text("user", "Only those of this user."),
                    text("node", "Only those of this node."),
                    LIMIT,
                ])
                .answers::<sockets::SocketList>("By namespace, the oldest first."),
        )
        .get(
            "/api/v1/sockets/{id}",
            sockets::show,
            about("showSocket", "One socket")
                .answers::<SocketInfo>("The socket.")
                .problems(&[(404, "No socket of this id is connected.")]),
        )
        .post(
            "/api/v1/sockets/join",
            sockets::join,
            steers(
                "join",
                "Has sockets join rooms, on all nodes",
                r#"{"users": ["alice"], "join": ["general"]}"#,
            ),
        )
        .post(
            "/api/v1/sockets/leave",
            sockets::leave,
            steers(
                "leave",
                "Has sockets leave rooms, on all nodes",
                r#"{"rooms": ["general"], "leave": ["general"]}"#,
            ),
        )
        .post(
            "/api/v1/sockets/disconnect",
            sockets::disconnect,
            steers(
                "disconnect",
                "Disconnects sockets, on all nodes",
                r#"{"users": ["mallory"], "close": true}"#,
            ),
        )
        .get(
            "/api/v1/presence",
            sockets::presence,
            about("presence", "Who is in a room, on all nodes")
                .parameters(&[NAMESPACE, text("room", "The room.").required(), LIMIT])
                .answers::<sockets::Present>("Its members."),
        )
        .get(
            "/api/v1/rooms",
            sockets::rooms,
            about("listRooms", "Rooms of a namespace, over all nodes")
                .parameters(&[
                    NAMESPACE,
                    text("prefix", "Only those whose names begin so."),
                    LIMIT,
                ])
                .answers::<sockets::RoomList>("By name."),
        )
        .get(
            "/api/v1/namespaces",
            sockets::namespaces,
            about(
                "listNamespaces",
                "Namespaces that have sockets, over all nodes",
            )
            .answers::<sockets::NamespaceList>("By path."),
        )
        .post(
            "/api/v1/emit",
            emit::emit,
            about(
                "emit",
                "Sends an event, or several, to clients on all nodes",
            )
            .parameters(&[header(
                "Idempotency-Key",
                "The same request with the same key is done once within two minutes.",
            )])
            .takes::<emit::EmitRequest>(
                r#"{"rooms": ["general"], "event": "news", "args": [{"text": "hi"}]}"#,
            )
            .answers::<emit::EmitAnswer>("What became of it; of several, of each in its order.")
            .problems(&[(404, "There is no such namespace.")])
            .patient(),
        )
}

const SIGNATURE: Parameter = header(
    "Sluice-Signature",
    "The text of the module's minisign signature, in base64.",
);
const PERCENT: Parameter = number(
    "percent",
    1,
    100,
    "Of how many of a hundred sockets it decides.",
);

fn policy_routes(routes: Routes) -> Routes {
    let about = |name, summary| About::new(name, "policies", summary);
    let changes = |name, summary| {
        about(name, summary)
            .answers::<PolicyChanged>("What serves now.")
            .problems(CHANGE_PROBLEMS)
            .patient()
    };
    let narrowed = [
        text(
            "prefix",
            "Only what begins so: names of buckets, keys of entries.",
        ),
        text(
            "subject",
            "Only buckets that count this: `user:…`, `socket:…`, `address:…`, `namespace:…` or `global`.",
        ),
    ];
    let [prefix, subject] = narrowed;
    routes
        .get(
            "/api/v1/policies",
            policies::list,
            about(
                "listPolicies",
                "Policies, in the order in which they are asked",
            )
            .answers::<Vec<PolicyInfo>>("The policies."),
        )
        .get(
            "/api/v1/policies/{name}",
            policies::show,
            about("showPolicy", "One policy")
                .answers::<PolicyInfo>("The policy.")
                .problems(&[(404, "There is no such policy.")]),
        )
        .add(
            Verb::Put,
            "/api/v1/policies/{name}",
            policies::upload,
            changes(
                "uploadPolicy",
                "Serves a module as a policy, or puts it on trial",
            )
            .parameters(&[
                one_of(
                    "mode",
                    &["enforce", "shadow", "canary"],
                    "What the module is to do; `enforce` without this.",
                ),
                PERCENT,
                SIGNATURE,
            ])
            .takes_a_module(),
        )
        .post(
            "/api/v1/policies/reload",
            policies::reload_all,
            changes("reloadPolicies", "Follows the files now, of everything"),
        )
        .post(
            "/api/v1/policies/{name}/reload",
            policies::reload,
            changes("reloadPolicy", "Follows the files of one policy now"),
        )
        .post(
            "/api/v1/policies/{name}/promote",
            policies::promote,
            changes(
                "promotePolicy",
                "Makes the version on trial the one that enforces",
            ),
        )
        .post(
            "/api/v1/policies/{name}/candidate",
            policies::set_percent,
            changes(
                "setCanaryPercent",
                "Changes for how many sockets a canary decides",
            )
            .parameters(&[PERCENT.required()]),
        )
        .post(
            "/api/v1/policies/{name}/rollback",
            policies::roll_back,
            changes(
                "rollBackPolicy",
                "Drops the version on trial, or serves an earlier generation",
            )
            .parameters(&[number(
                "generation",
                1,
                u64::MAX,
                "The generation to go back to; the one before without this.",
            )]),
        )
        .get(
            "/api/v1/policies/{name}/state",
            state::show,
            about("showPolicyState", "What a policy has counted and stored")
                .parameters(&[prefix, subject, LIMIT])
                .answers::<PolicyState>("Buckets and entries, by name.")
                .problems(&[(404, "There is no such policy.")]),
        )
        .add(
            Verb::Delete,
            "/api/v1/policies/{name}/state",
            state::clear,
            about(
                "clearPolicyState",
                "Drops what a policy has counted and stored, or a part of it",
            )
            .parameters(&[prefix, subject])
            .answers::<state::Cleared>("How much of it there was.")
            .problems(&[(404, "There is no such policy.")]),
        )
}

const CHANGE_PROBLEMS: &[(u16, &str)] = &[
    (404, "There is no such policy, or generation."),
    (409, "There is nothing of the kind that is asked for."),
    (
        422,
        "The module, or what the files say, is no good: nothing was changed.",
    ),
    (503, "As many changes as may be are under way."),
    (504, "It took too long."),
];

fn cluster_policy_routes(routes: Routes) -> Routes {
    let about = |name, summary| About::new(name, "policies", summary).patient();
    routes
        .get(
            "/api/v1/cluster/policies",
            rollout::list,
            about("listClusterPolicies", "What every node is to serve")
                .answers::<Vec<ClusterPolicy>>("By policy.")
                .problems(&[(404, "The node is alone."), (503, "There is no NATS.")]),
        )
        .post(
            "/api/v1/cluster/policies/{name}",
            rollout::push,
            about("rollOutPolicy", "Has all nodes serve a module, or none")
                .parameters(&[SIGNATURE])
                .takes_a_module()
                .answers::<Report>("It serves on every node.")
                .problems(&[
                    (404, "The node is alone."),
                    (409, "Another module is being rolled out."),
                    (
                        422,
                        "A node refused it, so it serves nowhere: `nodes` says why.",
                    ),
                    (503, "There is no NATS."),
                ]),
        )
}

async fn openapi(
    Extension(Described(document)): Extension<Described>,
) -> impl axum::response::IntoResponse {
    ([(CONTENT_TYPE, "application/json")], document)
}

/// Headers that every answer has.
async fn surround(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn not_found(request: Request) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "unknown_path",
        format!("there is nothing at {}", request.uri().path()),
    )
}

async fn wrong_method(request: Request) -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "wrong_method",
        format!("{} is not what this path takes", request.method()),
    )
}
