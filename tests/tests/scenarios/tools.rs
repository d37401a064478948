//! What the command line tells of a configuration: its schema, what would run, and the catalogue of events.

use std::path::Path;

use boon::{Compiler, Schemas};
use serde_json::{Value, json};
use sluice_tests::{Exited, Setup, prepared};

use crate::chat;

/// The output of a command that succeeds.
fn told(setup: &Setup, arguments: &[&str]) -> String {
    let exited = setup.run(arguments);
    assert_eq!(exited.code, Some(0), "{arguments:?}: {exited:?}");
    exited.stdout
}

fn json_of(setup: &Setup, arguments: &[&str]) -> Value {
    serde_json::from_str(&told(setup, arguments)).expect("JSON")
}

/// Validates by a schema; the error says where and why.
fn validate(schema: Value, instance: &Value) -> Result<(), String> {
    const ADDRESS: &str = "https://sluice.test/schema.json";
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource(ADDRESS, schema).unwrap();
    let index = compiler.compile(ADDRESS, &mut schemas).unwrap();
    let validated = schemas.validate(instance, index);
    validated.map_err(|error| format!("{error:#}"))
}

fn toml(text: &str) -> Value {
    let table: toml::Table = text.parse().unwrap();
    serde_json::to_value(table).unwrap()
}

/// Every key, with the comments before those that are not in force taken away.
fn all_on(default: &str) -> String {
    default.lines().fold(String::new(), |text, line| {
        let setting = line.strip_prefix('#').filter(|rest| !rest.starts_with(' '));
        text + setting.unwrap_or(line) + "\n"
    })
}

#[test]
fn the_schema_accepts_what_the_broker_does() {
    let setup = Setup::new("");
    let schema = json_of(&setup, &["config", "schema"]);
    let default = told(&setup, &["config", "default"]);
    validate(schema.clone(), &toml(&default)).unwrap();
    validate(schema.clone(), &toml(&all_on(&default))).unwrap();
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    for example in [
        "examples/chat/sluice.toml",
        "examples/cluster/sluice.toml",
        "examples/deploy/sluice.toml",
        "examples/guide/sluice.toml",
        "tests/load/sluice.toml",
    ] {
        let text = std::fs::read_to_string(root.join(example)).unwrap();
        validate(schema.clone(), &toml(&text)).unwrap_or_else(|error| panic!("{example}: {error}"));
        // A slip anywhere in it is seen.
        for slip in ["[sever]\nx = 1\n", "[telemetry]\nlevel = \"info\"\n"] {
            // A table cannot be there twice.
            if slip.starts_with("[telemetry]") && text.contains("[telemetry]") {
                continue;
            }
            let slipped = toml(&format!("{text}\n{slip}"));
            assert!(
                validate(schema.clone(), &slipped).is_err(),
                "{example}: {slip}"
            );
        }
    }
}

/// The shipped example, as somebody would run it.
#[test]
fn a_check_tells_what_would_run() {
    let setup = chat::shipped();
    let text = told(&setup, &["check", "--config", "sluice.toml"]);
    for line in [
        "cluster none: the node is alone",
        "  hooks connect",
        "  policies jwt-auth, rate-limit, validate",
        "  message -> emit to all",
    ] {
        assert!(
            text.lines().any(|it| it == line),
            "{line} is not in\n{text}"
        );
    }
    let plan = json_of(&setup, &["check", "--json", "--config", "sluice.toml"]);
    let names: Vec<_> = plan["policies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["name"])
        .collect();
    assert_eq!(names, ["jwt-auth", "rate-limit", "validate"]);
    for policy in plan["policies"].as_array().unwrap() {
        assert!(
            policy["digest"].as_str().unwrap().starts_with("sha256:"),
            "{policy}"
        );
        assert_eq!(policy["namespaces"], json!(["/"]), "{policy}");
        assert_eq!(
            (&policy["mode"], &policy["source"]),
            (&json!("enforce"), &json!("configured"))
        );
    }
    assert_eq!(plan["limits"]["server.max_payload"], "1MB", "{plan:#}");
    assert_eq!(plan["cluster"], Value::Null);
}

#[test]
fn a_check_says_what_the_admin_ui_s_namespace_is() {
    let config = "[admin.ui]\nenabled = true\nusername = \"admin\"\n\
        password = \"$2b$10$heqvAkYMez.Va6Et2uXInOnkCT6/uQj1brkrbyG3LpopDklcq7ZOS\"\n\
        [[namespace]]\npath = \"/\"\n";
    let setup = Setup::new(config);
    let text = told(&setup, &["check", "--config", "sluice.toml"]);
    let about = |namespace: &str| {
        let mut lines = text.lines().skip_while(|it| *it != namespace).skip(1);
        let about = lines.by_ref().take_while(|it| it.starts_with("  "));
        about.collect::<Vec<_>>().join("\n")
    };
    assert!(
        about("namespace /admin").contains("the Admin UI's"),
        "{text}"
    );
    assert!(!about("namespace /admin").contains("denied"), "{text}");
    assert!(
        about("namespace /").contains("every event is denied"),
        "{text}"
    );
    let plan = json_of(&setup, &["check", "--json", "--config", "sluice.toml"]);
    let are = plan["namespaces"].as_array().unwrap().iter();
    let are: Vec<_> = are.map(|it| (&it["path"], &it["admin_ui"])).collect();
    assert!(are.contains(&(&json!("/admin"), &json!(true))), "{plan:#}");
    assert!(are.contains(&(&json!("/"), &json!(false))), "{plan:#}");
}

#[test]
fn a_check_warns_of_what_is_probably_not_meant() {
    let config = r#"
        [server.cors]
        origins = ["*"]
        credentials = true
        [[policy]]
        name = "jwt-auth"
        on_error = { connect = "allow" }
        config = { secret = "${S}" }
        [[policy]]
        name = "rate-limit"
        config = { limits = [{ events = ["x"], limit = "5 per minute" }] }
        [[namespace]]
        path = "/"
        policies = ["jwt-auth"]
        [[namespace.route]]
        event = "a*"
        action = "ignore"
        [[namespace.route]]
        event = "ab"
        to = "all"
    "#;
    let setup = Setup::new(config)
        .modules(&["jwt-auth", "rate-limit"])
        .env("S", "hush-hush-hush-hush-hush-hush-hush");
    let plan = json_of(&setup, &["check", "--json", "--config", "sluice.toml"]);
    let keys: Vec<_> = plan["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["key"].as_str().unwrap())
        .collect();
    assert_eq!(
        keys,
        [
            "server.cors.origins",
            "admin.token",
            "policy[jwt-auth].on_error",
            "policy[rate-limit]",
            "namespace[/].route[ab]",
        ]
    );
    let text = told(&setup, &["check", "--config", "sluice.toml"]);
    assert_eq!(
        text.lines()
            .filter(|line| line.starts_with("warning: "))
            .count(),
        keys.len(),
        "{text}"
    );
    assert!(!format!("{plan}{text}").contains("hush"), "{text}");
}

/// By the schema that the standard's authors publish.
fn is_asyncapi(document: &Value) {
    let client = prepared("SLUICE_TEST_NODE_CLIENT");
    let path = "node_modules/@asyncapi/specs/schemas/3.0.0-without-$id.json";
    let schema = std::fs::read(client.with_file_name(path)).expect("the npm packages of the tests");
    validate(serde_json::from_slice(&schema).unwrap(), document).unwrap();
    // It refuses what is none, or this would prove nothing.
    let mut broken = document.clone();
    broken["channels"]["root"]["adress"] = json!("/");
    let schema = std::fs::read(client.with_file_name(path)).unwrap();
    assert!(validate(serde_json::from_slice(&schema).unwrap(), &broken).is_err());
}

#[test]
fn the_catalogue_of_the_chat_is_valid_and_says_what_validate_does() {
    let setup = chat::shipped();
    let document = json_of(
        &setup,
        &["config", "asyncapi", "--json", "--config", "sluice.toml"],
    );
    is_asyncapi(&document);
    let messages = &document["channels"]["root"]["messages"];
    let received = &messages["client.message"]["payload"];
    let text = json!({ "type": "string", "minLength": 1, "maxLength": 500 });
    assert_eq!(received["items"], json!([text]), "{messages:#}");
    // The envelope is what others get.
    let sent = &messages["server.message"]["payload"]["items"][0]["properties"];
    assert_eq!(sent["text"], text, "{messages:#}");
    assert_eq!(sent["timestamp"]["format"], "date-time");
    let operations = &document["operations"];
    assert_eq!(operations["root.receive.typing"]["action"], "receive");
    assert_eq!(operations["root.send.typing"]["action"], "send");
    assert_eq!(operations["root.send.error"]["action"], "send");
    let Exited { stdout, code, .. } = setup.run(&["config", "asyncapi", "--config", "sluice.toml"]);
    assert_eq!(code, Some(0));
    assert!(
        stdout.lines().any(|line| line == "asyncapi: 3.0.0"),
        "{stdout}"
    );
}

#[test]
fn the_catalogue_of_the_cluster_names_its_subjects() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../examples/cluster/sluice.toml"
    );
    let setup = Setup::new(&std::fs::read_to_string(path).unwrap());
    let document = json_of(
        &setup,
        &["config", "asyncapi", "--json", "--config", "sluice.toml"],
    );
    is_asyncapi(&document);
    let channels = document["channels"].as_object().unwrap();
    let addresses: Vec<_> = channels
        .values()
        .filter_map(|it| it["address"].as_str())
        .collect();
    for address in ["/", "shop.price", "shop.order", "shop.visit"] {
        assert!(
            addresses.contains(&address),
            "{address} is not in {addresses:?}"
        );
    }
}
