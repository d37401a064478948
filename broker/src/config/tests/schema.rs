//! What editors are told: the schema accepts whatever the reader does, which every test of a right configuration asks,
//! and refuses slips.

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Value as Json, json};

use super::*;
use crate::config::effective::json;
use crate::config::file::File;

const ADDRESS: &str = "https://sluice.test/schema.json";

fn compiled() -> (Schemas, SchemaIndex) {
    let mut schemas = Schemas::new();
    let mut compiler = Compiler::new();
    compiler.add_resource(ADDRESS, schema()).unwrap();
    let index = compiler.compile(ADDRESS, &mut schemas).unwrap();
    (schemas, index)
}

/// A file that the reader takes.
#[track_caller]
pub(super) fn accepts(path: &Path) {
    let file = File::read(path, &mut Vec::new()).unwrap();
    let instance = json(&ValueKind::Table(file.values));
    let (schemas, index) = compiled();
    if let Err(error) = schemas.validate(&instance, index) {
        panic!("the schema refuses {instance:#}\n{error:#}");
    }
}

fn refuses(instance: &Json) -> bool {
    let (schemas, index) = compiled();
    schemas.validate(instance, index).is_err()
}

#[test]
fn refuses_slips() {
    for slip in [
        json!({"sever": {}}),
        json!({"server": {"pong": 1}}),
        json!({"server": {"tls_": {}}}),
        json!({"server": []}),
        json!({"server": {"listen": "here"}}),
        json!({"server": {"listen": 3000}}),
        json!({"server": {"ping_interval": "25 parsecs"}}),
        json!({"server": {"ping_interval": 25}}),
        json!({"server": {"max_payload": "1M"}}),
        json!({"server": {"max_payload": true}}),
        json!({"server": {"max_connections": 0}}),
        json!({"server": {"max_connections": "many"}}),
        json!({"server": {"probes": "yes"}}),
        json!({"server": {"transports": ["webtransport"]}}),
        json!({"server": {"transports": []}}),
        json!({"server": {"cors": {"origins": [5]}}}),
        json!({"telemetry": {"format": "xml"}}),
        json!({"policy": {"name": "a"}}),
        json!({"policy": [{"module": "a.wasm"}]}),
        json!({"policy": [{"name": "a", "grant": ["fly"]}]}),
        json!({"policy": [{"name": "a", "on_error": "ignore"}]}),
        json!({"policy": [{"name": "a", "on_error": {"conect": "deny"}}]}),
        json!({"policy": [{"name": "a", "sha256": "12"}]}),
        json!({"policy": [{"name": "a", "config": 5}]}),
        json!({"namespace": [{}]}),
        json!({"namespace": [{"path": "/", "route": [{"event": "x", "action": "fly"}]}]}),
        json!({"namespace": [{"path": "/", "route": [{"action": "ignore"}]}]}),
    ] {
        assert!(refuses(&slip), "{slip}");
    }
}

#[test]
fn accepts_both_ways_to_write_a_value() {
    for right in [
        "[server]\nconnect_rate = 500\nconnect_rate_per_ip = \"60 per minute\"",
        "[server]\nmax_memory = 536870912",
        "[server]\nmax_memory = \"512MiB\"",
        "[server]\nmax_memory = \"auto\"",
        "[server]\ntrusted_proxies = \"10.0.0.0/8\"",
        "[telemetry]\ntrace_sample = \"0.5\"",
        "[telemetry]\ntrace_sample = 1",
    ] {
        Folder::toml(right).config();
    }
}

#[test]
fn knows_what_variables_can_fill_in() {
    for right in [
        json!({"server": {"listen": "${HOST}:3000", "max_payload": "${SIZE}", "probes": "${ON}"}}),
        json!({"server": {"max_connections": "${N}", "transports": "${LIST}"}}),
        json!({"server": {"transports": ["${ONE}"], "ping_interval": "${TIME}s"}}),
        json!({"policy": [{"name": "a", "grant": "${GRANT}", "on_error": {"connect": "${X}"}}]}),
    ] {
        assert!(!refuses(&right), "{right}");
    }
}

#[test]
fn says_what_the_declarations_say() {
    let schema = schema();
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    let at = |pointer: &str| {
        let found = schema.pointer(pointer);
        found
            .unwrap_or_else(|| panic!("{pointer} is not in {schema:#}"))
            .clone()
    };
    let server = "/properties/server/anyOf/0/properties";
    let interval = at(&format!("{server}/ping_interval"));
    assert_eq!(interval["default"], "25s");
    let doc = interval["description"].as_str().unwrap();
    assert!(
        doc.starts_with("Time between two heartbeats. (1ms to 24days)"),
        "{doc}"
    );
    assert!(doc.ends_with("A change needs a restart."), "{doc}");
    let origins = at(&format!("{server}/cors/anyOf/0/properties/origins"));
    assert_eq!(origins["default"], json!([]));
    assert!(!origins["description"].as_str().unwrap().contains("restart"));
    assert_eq!(at(&format!("{server}/probes"))["default"], false);
    let password = at("/properties/cluster/anyOf/0/properties/password");
    assert_eq!(password["writeOnly"], true);
    let policy = at("/properties/policy/anyOf/0/items");
    assert_eq!(policy["required"], json!(["name"]));
    assert_eq!(policy["additionalProperties"], false);
}
