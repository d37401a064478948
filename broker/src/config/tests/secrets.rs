//! What nobody may read is in no error, listing or debug output.

use super::*;

#[test]
fn errors_show_no_secret() {
    let folder = Folder::toml(
        r#"
[server]
path = "${S}"
listen = "${S}"
max_connections = "${S}"
ping_interval = "${S}"
transports = ["${S}"]
[server.cors]
origins = ["${S}"]
methods = ["${S} x"]
[admin]
token = ["hunter2"]
[telemetry]
log = "${S}=x=y"
[plugins]
dir = "${S}"
[[policy]]
name = "${S}"
module = "${S}"
config = { nan = nan, s = "${S}" }
[[policy]]
name = "${S}"
mode = "${S}"
grant = ["${S}"]
[[namespace]]
path = "${S}"
policies = ["${S}", "x${S}"]
[[namespace]]
path = "/${S}"
[[namespace]]
path = "/${S}"
[[namespace.route]]
event = "${S}"
to = "${S}"
[[namespace.route]]
event = "a${S}"
room = "/${S}"
[[namespace.route]]
event = "a${S}"
to = "all"
[[namespace.route]]
event = "a${S}"
to = "all"
"#,
    )
    .env("S", "hunter2,")
    .env("SLUICE_ADMIN__TOKEN", "");
    let problems = folder.problems();
    assert!(problems.len() > 18, "{}", problems.join("\n"));
    for problem in problems {
        assert!(!problem.contains("hunter"), "{problem}");
    }
}

#[test]
fn debug_shows_no_secret() {
    let loaded = Folder::toml(
        "[admin]\ntoken = \"hunter2\"\n[[policy]]\nname = \"a\"\nmodule = \"a.wasm\"\nconfig = { s = \"hunter2\" }",
    )
    .env("S", "hunter2")
    .load()
    .unwrap();
    assert!(!format!("{loaded:?}").contains("hunter2"));
}

#[test]
fn syntax_errors_show_no_secret() {
    let folder = Folder::new()
        .file("a.toml", "[admin]\ntoken = \"hunter2\n")
        .file("a.json", r#"{"admin": {"token": "hunter2" "x": 1}}"#)
        .file("a.yaml", "admin:\n  token: hunter2: hunter3\n")
        .file("b.yaml", "admin:\n  token: 'hunter2\n")
        .file("c.yaml", "hunter2");
    for name in ["a.toml", "a.json", "a.yaml", "b.yaml", "c.yaml"] {
        let text = folder.load_file(name).unwrap_err().to_string();
        assert!(text.contains(name) && !text.contains("hunter"), "{text}");
    }
}
