//! `examples/guide` and docs/migration.md: a Node server, and what is to behave the same in its place.

mod blocks; // the guide's configurations
mod nodes; // several servers
mod same; // with the same client
mod settings; // one server

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sluice_tests::{Broker, Cluster, Setup, jwt};

use crate::shared::SECRET;

/// `yourdomain.com` of the example's environment.
const ORIGIN: &str = "https://yourdomain.com";

const MODULES: [&str; 4] = ["jwt-auth", "rate-limit", "validate", "throttle"];

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/guide")
}

fn read(name: &str) -> String {
    let path = example().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The example as it is shipped, with its environment; only the ports are any that are free.
fn setup() -> Setup {
    let config = read("sluice.toml");
    let shipped = "module = \"../../target/policies/";
    assert_eq!(config.matches(shipped).count(), 5);
    Setup::new(&config.replace(shipped, "module = \"policies/"))
        .file(".env", read(".env.example"))
        .modules(&MODULES)
        .without_env("SLUICE_SERVER__LISTEN")
        .without_env("SLUICE_ADMIN__LISTEN")
        .env("PORT", "0")
        .env("ADMIN_PORT", "0")
        .env("JWT_SECRET", SECRET)
}

fn start(count: usize) -> Cluster {
    Cluster::start_with(count, |_| setup())
}

fn url(broker: &Broker, namespace: &str) -> String {
    format!("http://127.0.0.1:{}{namespace}", broker.listen.port())
}

/// As the Node server's users are named.
fn token(user: &str) -> String {
    jwt::sign(&json!({"userId": user, "exp": jwt::now() + 600}), SECRET)
}

fn signed_in(user: &str) -> Value {
    json!({"transports": ["websocket"], "auth": {"token": token(user)}})
}
