//! What is in force, shown.

use serde_json::{Value, json};

use super::*;

fn effective(folder: &Folder) -> Value {
    match folder.load() {
        Ok(loaded) => (*loaded.effective).clone(),
        Err(problems) => panic!("{problems}"),
    }
}

#[test]
fn values_are_shown_wherever_they_come_from() {
    let folder = Folder::toml(
        r#"
[server]
ping_interval = "10s"
[server.cors]
origins = ["https://a.example"]
[[policy]]
name = "a"
module = "a.wasm"
on_error = { event = "allow" }
config = { limit = 5, key = "k", deep = [{ on = true, s = "x" }] }
[[namespace]]
path = "/"
policies = ["a"]
[[namespace.route]]
event = "x"
to = "room"
room = "/0"
"#,
    )
    .env("SLUICE_SERVER__MAX_CONNECTIONS", "7")
    .env("SLUICE_SERVER__PROBES", "true")
    .env("SLUICE_SERVER__TRANSPORTS", r#"["websocket"]"#);
    let shown = effective(&folder);
    let server = &shown["server"];
    assert_eq!(server["ping_interval"], "10s");
    // The default.
    assert_eq!(server["ping_timeout"], "20s");
    assert_eq!(server["allow_upgrades"], true);
    assert_eq!(server["max_connections"], 7);
    assert_eq!(server["probes"], true);
    assert_eq!(server["transports"], json!(["websocket"]));
    assert_eq!(server["cors"]["origins"], json!(["https://a.example"]));
    let policy = &shown["policy"][0];
    assert_eq!(policy["name"], "a");
    assert_eq!(policy["on_error"]["event"], "allow");
    // Which of its texts are secrets is for the policy to know.
    assert_eq!(
        policy["config"],
        json!({"limit": 5, "key": "…", "deep": [{"on": true, "s": "…"}]})
    );
    let route = &shown["namespace"][0]["route"][0];
    assert_eq!(
        (&route["event"], &route["room"]),
        (&json!("x"), &json!("/0"))
    );
}

#[test]
fn no_secret_is_shown() {
    let folder = Folder::toml(
        r#"
[server]
path = "/${S}"
[server.cors]
origins = ["https://${S}"]
[admin]
token = "hunter2"
[[admin.tokens]]
name = "ci"
token = "hunter3"
scope = "write"
[cluster]
nats_url = "nats://127.0.0.1:4222"
user = "u"
password = "hunter4"
[[policy]]
name = "a"
module = "a.wasm"
config = { s = "hunter5", t = ["${S}"] }
"#,
    )
    .env("S", "hunter6");
    let shown = effective(&folder);
    assert!(!shown.to_string().contains("hunter"), "{shown:#}");
    assert_eq!(shown["admin"]["token"], "…");
    assert_eq!(
        shown["admin"]["tokens"],
        json!([{"name": "ci", "token": "…", "scope": "write"}])
    );
}
