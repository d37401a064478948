//! Variables, `.env` and `${…}`.

use super::*;

#[test]
fn a_variable_wins_over_the_file() {
    let config = Folder::toml("[server]\nping_interval = \"1s\"\nping_timeout = \"2s\"")
        .env("SLUICE_SERVER__PING_INTERVAL", "10s")
        .env("SLUICE_SERVER__MAX_PAYLOAD", "1MiB")
        .env("SLUICE_SERVER__MAX_CONNECTIONS", "12")
        .env("SLUICE_SERVER__PROBES", "true")
        .env("SLUICE_SERVER__TRANSPORTS", r#"["websocket"]"#)
        .env(
            "SLUICE_SERVER__CORS__ORIGINS",
            r#"["https://a.b", "https://c.d"]"#,
        )
        .env("SLUICE_SERVER__CORS__HEADERS", "[\n  'x-a',\n]")
        .env("SLUICE_ADMIN__TOKEN", "123")
        .env("SLUICE_TELEMETRY__FORMAT", "json")
        .config();
    assert_eq!(config.server.ping_interval, Duration::from_secs(10));
    assert_eq!(config.server.ping_timeout, Duration::from_secs(2));
    assert_eq!(config.server.max_payload, 1 << 20);
    assert_eq!(config.server.admission.max_connections, 12);
    assert!(config.server.probes && !config.server.transports.polling);
    let origins = ["https://a.b", "https://c.d"].map(|it| Allowed::Exact(it.to_owned()));
    assert_eq!(config.server.cors.origins, Origins::List(origins.into()));
    assert_eq!(config.server.cors.headers, ["x-a"]);
    assert_eq!(config.admin.token.unwrap().expose(), "123");
    assert_eq!(config.telemetry.format, Format::Json);
}

#[test]
fn variables_do_without_a_file() {
    let env = Env::from_iter([("SLUICE_SERVER__LISTEN", "127.0.0.1:0")]);
    assert_eq!(load(None, env).unwrap().config.server.listen.port(), 0);
}

#[test]
fn a_variable_is_text_of_the_type_of_its_key() {
    let problems = Folder::toml("")
        .env("SLUICE_SERVER__CORS__HEADERS", "x-a,x-b")
        .env("SLUICE_SERVER__PING_INTERVAL", "25")
        .env("SLUICE_SERVER__PROBES", "on")
        .problems();
    let expected = [
        "server.ping_interval: `25` has no unit",
        "server.probes: `on` is not a boolean; expected `true` or `false` [SLUICE_SERVER__PROBES]",
        "server.cors.headers: `x-a,x-b` is not a list in TOML's syntax",
    ];
    assert_eq!(problems.len(), expected.len(), "{problems:?}");
    for (problem, expected) in problems.iter().zip(expected) {
        assert!(problem.starts_with(expected), "{problem}");
    }
}

#[test]
fn variables_that_name_no_key() {
    let problems = Folder::toml("[[policy]]\nname = \"a\"\nmodule = \"a.wasm\"")
        .env("SLUICE_POLICY__0__MEMORY", "1MiB")
        .env("SLUICE_NAMESPACE", "x")
        .env("SLUICE_SERVER", "x")
        .env("SLUICE_SERVER__LISTNE", "x")
        .env("SLUICE_Server__Path", "/x")
        .env("SLUICE_SERVER__TLS__CERT", "x")
        .env("SLUICE_ANYTHING", "x")
        .env("SLUICE_CONFIG", "x")
        .problems();
    assert_eq!(
        problems,
        [
            "SLUICE_ANYTHING: names no key; variables are of the form `SLUICE_TABLE__KEY`",
            "SLUICE_NAMESPACE: arrays of tables come from files only",
            "SLUICE_POLICY__0__MEMORY: arrays of tables come from files only",
            "SLUICE_SERVER: names no key of that table",
            "SLUICE_SERVER__LISTNE: names no key; did you mean `SLUICE_SERVER__LISTEN`?",
            "SLUICE_Server__Path: names no key; did you mean `SLUICE_SERVER__PATH`?",
            "server.tls.key: is missing; expected a path [sluice.toml]",
        ]
    );
}

#[test]
fn the_printed_variables_are_the_defaults() {
    let printed = default_env();
    assert!(
        printed.contains("\nSLUICE_SERVER__PING_INTERVAL=25s\n"),
        "{printed}"
    );
    assert!(printed.contains("\n#SLUICE_ADMIN__TOKEN=\n"), "{printed}");
    assert!(!printed.contains("SLUICE_POLICY") && !printed.contains("SLUICE_NAMESPACE"));
    let config = Folder::toml("").file(".env", &printed).config();
    assert_eq!(config, load(None, Env::default()).unwrap().config);
}

// === .env ===

#[test]
fn a_dot_env_stands_behind_the_process() {
    let folder = Folder::toml("[server]\npath = \"${SECOND}\"")
        .file(
            ".env",
            "# comment\nSLUICE_SERVER__PING_INTERVAL=1s\nSLUICE_SERVER__PING_TIMEOUT=2s\nSECOND=/env\nOTHER=x\n",
        )
        .env("SLUICE_SERVER__PING_INTERVAL", "3s");
    let loaded = folder.load().unwrap();
    assert_eq!(loaded.config.server.ping_interval, Duration::from_secs(3));
    assert_eq!(loaded.config.server.ping_timeout, Duration::from_secs(2));
    assert_eq!(loaded.config.server.path, "/env");
    assert_eq!(
        loaded.files,
        [folder.path("sluice.toml"), folder.path(".env")]
    );
    // A reload sees what has changed, and what has gone.
    let folder = folder.file(".env", "SECOND=/new\n");
    let again = load(loaded.path.as_deref(), loaded.env).unwrap().config;
    assert_eq!(again.server.path, "/new");
    assert_eq!(again.server.ping_timeout, Duration::from_secs(20));
    drop(folder);
}

#[test]
fn mistakes_in_a_dot_env_name_it() {
    let folder = Folder::toml("").file(
        ".env",
        "A=1\nSLUICE_SERVER__PROBES=maybe\nSLUICE_CONFIG=x.toml\nhunter2 hunter2\n",
    );
    assert_eq!(
        folder.problems(),
        [
            ".env:4: is not of the form NAME=value",
            "SLUICE_CONFIG in .env: names no key; variables are of the form `SLUICE_TABLE__KEY`",
            "server.probes: `maybe` is not a boolean; expected `true` or `false` [SLUICE_SERVER__PROBES in .env]",
        ]
    );
    // A virtual environment may bear the name.
    Folder::toml("").file(".env/bin/python", "").config();
}

// === ${…} ===

const POLICY: &str = "[[policy]]\nname = \"a\"\nmodule = \"a.wasm\"\n";

#[test]
fn names_in_texts_are_replaced() {
    let folder = Folder::toml(&format!(
        "[server]\npath = \"/${{P}}/x\"\nmax_connections = \"${{N}}\"\n\
         [server.cors]\norigins = [\"https://${{HOST}}\"]\n{POLICY}\
         config = {{ secret = \"${{P}}\", n = \"${{N}}\", deep = [{{ x = \"<${{HOST}}>\" }}], text = \"$${{P}}\" }}"
    ))
    .env("P", "live")
    .env("N", "12")
    .env("HOST", "a.b");
    let config = folder.config();
    assert_eq!(config.server.path, "/live/x");
    assert_eq!(config.server.admission.max_connections, 12);
    assert_eq!(
        config.server.cors.origins,
        Origins::List(vec![Allowed::Exact("https://a.b".to_owned())])
    );
    assert_eq!(
        config.policies[0].config,
        serde_json::json!({"secret": "live", "n": "12", "deep": [{"x": "<a.b>"}], "text": "${P}"})
    );
}

#[test]
fn a_missing_name_is_an_error() {
    let folder = Folder::toml(&format!(
        "[server]\npath = \"${{NOPE}}\"\n[server.cors]\nheaders = [\"a\", \"${{NOPE}}\"]\n{POLICY}\
         config = {{ \"a.b\" = [\"${{NOPE}}\"], x = \"${{\" }}"
    ));
    let mut problems = folder.problems();
    problems.sort();
    assert_eq!(
        problems,
        [
            "policy[0].config.\"a.b\"[0] (policy `a`): the variable `NOPE` is not set [sluice.toml:8]",
            "policy[0].config.x (policy `a`): `${` is not followed by a name and `}`; \
             write `$${` for a literal `${` [sluice.toml:8]",
            "server.cors.headers[1]: the variable `NOPE` is not set [sluice.toml:4]",
            "server.path: the variable `NOPE` is not set [sluice.toml:2]",
        ]
    );
}

#[test]
fn variables_themselves_are_raw() {
    let config = Folder::toml("")
        .env("SLUICE_ADMIN__TOKEN", "${X}$${Y}")
        .config();
    assert_eq!(config.admin.token.unwrap().expose(), "${X}$${Y}");
}
