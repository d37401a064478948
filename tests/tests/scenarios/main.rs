//! What an outsider can rely on, shown with the real binary and real clients; one module a promise.
//!
//! The numbers in brackets are those of the eight demonstrations that this version was asked for.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the lints' own exemption covers test functions, not what they share"
)]

mod abuse;
mod admin;
mod admin_ui; // the official one
mod admission; // who may come in
mod asking; // policies that ask a back end
mod batch; // events that leave together
mod breaker;
mod browsers;
mod chat; // the example's own configuration
mod cluster;
mod coalesce;
mod compiled;
mod compression;
mod config;
mod connect; // [1]
mod consume; // back ends take what clients send
mod containment; // [5]
mod contracts;
mod control; // [1]
mod cors;
mod deploy; // examples/deploy
mod drain; // [7]
mod draining;
mod dropin; // [3], second half
mod effects;
mod fanout; // [2]
mod first_party;
mod following;
mod forwarded; // clients behind proxies
mod generations;
mod guide; // examples/guide
mod hostile; // [8]
mod ids;
mod in_advance;
mod keep_alive;
mod lifecycle;
mod limits; // [3], first half
mod load;
mod logs;
mod manners;
mod modules; // [6]
mod monitoring; // what Prometheus and Grafana make of it
mod msgpack;
mod nats;
mod operator;
mod page; // the operator's, in Chromium
mod policy_cli;
mod presence; // who is in a room
mod publish; // back ends send to clients
mod python;
mod reactors;
mod reload; // [4]
mod replay;
mod revocations; // users and tokens that are kept out
mod rollout; // a policy on all nodes
mod routing;
mod sessions; // how long a socket lasts
mod settings; // the configuration while it is served
mod shared;
mod sharing; // what nodes share of the state of policies
mod signatures;
mod slow;
mod state; // what policies remember
mod stubborn;
mod supervisor; // systemd and its like
mod tls;
mod told; // back ends hear of sockets
mod tools; // what is told of a configuration
mod traces;
mod transports;
mod trial;
mod verdicts;
