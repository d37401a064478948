//! TOML, YAML and JSON mean the same, and leave a policy's own settings alone.

use serde_json::json;

use super::*;

#[test]
fn three_formats_one_configuration() {
    let folder = Folder::new()
        .file("a.wasm", "")
        .file(
            "c.toml",
            "[server]\nping_interval = '10s'\nmax_connections = 5\ntransports = ['polling']\n\
             [[policy]]\nname = 'a'\nmodule = 'a.wasm'\nconfig = { 'user:x' = 1 }\n\
             [[namespace]]\npath = '/'\n[[namespace.route]]\nevent = '*'\nto = 'all'\n",
        )
        .file(
            "c.yaml",
            "server:\n  ping_interval: 10s\n  max_connections: 5\n  transports: [polling]\nadmin:\n\
             policy:\n  - name: a\n    module: a.wasm\n    config:\n      user:x: 1\n\
             namespace:\n  - path: /\n    route:\n      - {event: '*', to: all}\n",
        )
        .file(
            "c.json",
            r#"{"server": {"ping_interval": "10s", "max_connections": 5, "transports": ["polling"]},
                "policy": [{"name": "a", "module": "a.wasm", "config": {"user:x": 1}}],
                "namespace": [{"path": "/", "route": [{"event": "*", "to": "all"}]}]}"#,
        );
    let [toml, yaml, json] =
        ["c.toml", "c.yaml", "c.json"].map(|name| folder.load_file(name).unwrap().config);
    assert_eq!(toml.server.admission.max_connections, 5);
    assert_eq!(toml, yaml);
    assert_eq!(toml, json);
}

#[test]
fn mistakes_name_the_file() {
    let folder = Folder::new()
        .file("c.yaml", "server:\n  probes: 5\n")
        .file("c.yml", "# nothing\n");
    let text = folder.load_file("c.yaml").unwrap_err().to_string();
    assert!(
        text.starts_with("server.probes: `5` is a number; expected `true` or `false` ["),
        "{text}"
    );
    assert!(text.ends_with("c.yaml]"), "{text}");
    folder.load_file("c.yml").unwrap();
}

#[test]
fn the_settings_of_a_policy_arrive_unchanged() {
    let folder = Folder::toml(
        r#"
        [[policy]]
        name = "a"
        module = "a.wasm"
        [policy.config]
        "user:x" = 1
        A = 2
        a = 3
        "a.b" = 4
        "a[0]" = 5
        a-b_C = true
        big = 9223372036854775807
        small = -9223372036854775808
        half = 0.5
        one = 1.0
        date = 2024-05-06T07:08:09Z
        "" = "empty"
        "é" = "É"
        empty = {}
        list = [1, "two", [3], {four = 4}]
        [policy.config."x.Y".Z]
        deep = 'C:\path "quoted"'
        "#,
    );
    assert_eq!(
        folder.config().policies[0].config,
        json!({
            "user:x": 1, "A": 2, "a": 3, "a.b": 4, "a[0]": 5, "a-b_C": true,
            "big": i64::MAX, "small": i64::MIN, "half": 0.5, "one": 1.0,
            "date": "2024-05-06T07:08:09Z", "": "empty", "é": "É", "empty": {},
            "list": [1, "two", [3], {"four": 4}],
            "x.Y": {"Z": {"deep": "C:\\path \"quoted\""}},
        })
    );
}

#[test]
fn json_keeps_what_toml_cannot_say() {
    let folder = Folder::new().file("a.wasm", "").file(
        "c.json",
        r#"{"policy": [{"name": "a", "module": "a.wasm", "config": {"n": null, "u": 18446744073709551615}}]}"#,
    );
    let config = folder.load_file("c.json").unwrap().config;
    assert_eq!(config.policies[0].config, json!({"n": null, "u": u64::MAX}));
}
