//! The command line and the configuration: all errors at once, each with its key and where it came from.

use sluice_tests::{Driver, Exited, Setup};

use crate::shared::websocket;

const CONFIGURATION_ERROR: Option<i32> = Some(78);

fn lines_with<'a>(exited: &'a Exited, key: &str) -> Vec<&'a str> {
    exited
        .stderr
        .lines()
        .filter(|line| line.contains(key))
        .collect()
}

#[test]
fn every_error_is_reported_at_once_with_its_key_and_its_origin() {
    let config = r#"
[server]
listen = "here"
ping_interval = "25 parsecs"
max_payload = true
pong = 1
[server.tls]
cert = "x.pem"
[telemetry]
format = "xml"
[[policy]]
name = "absent"
[[policy]]
name = "odd"
module = "nowhere.wasm"
timeout = "2h"
config = { key = "${NOT_SET_ANYWHERE}" }
[[namespace]]
path = "/"
policies = ["odd", "unheard-of"]
[[namespace.route]]
event = "x"
action = "emit"
[[namespace.route]]
event = "y"
action = "join"
[[namespace.route]]
event = "z"
action = "emit"
to = "all"
as = "disconnect"
"#;
    let setup = Setup::new(config)
        .env("SLUICE_SERVER__PING_TIMEOUT", "soon")
        .without_env("SLUICE_SERVER__LISTEN")
        .without_env("SLUICE_TELEMETRY__FORMAT");
    for command in ["check", "run"] {
        let exited = setup.run(&[command, "--config", "sluice.toml"]);
        assert_eq!(exited.code, CONFIGURATION_ERROR, "{command}: {exited:?}");
        assert_eq!(exited.stdout, "", "{command}");
        for key in [
            "server.listen",
            "server.ping_interval",
            "server.max_payload",
            "server.pong",
            "server.tls",
            "telemetry.format",
            "policy[0].module",
            "policy[1].module",
            "policy[1].timeout",
            "policy[1].config.key",
            "namespace[0].policies[1]",
            "namespace[0].route[0].to",
            "namespace[0].route[1].room",
            "namespace[0].route[2].as",
        ] {
            let lines = lines_with(&exited, key);
            assert!(
                !lines.is_empty(),
                "{command} does not mention {key}:\n{}",
                exited.stderr
            );
            assert!(
                lines.iter().all(|line| line.contains("sluice.toml:")),
                "{key} with its line: {lines:?}"
            );
        }
        let from_variable = lines_with(&exited, "server.ping_timeout");
        assert!(
            from_variable
                .iter()
                .any(|line| line.contains("SLUICE_SERVER__PING_TIMEOUT")),
            "the variable's name:\n{}",
            exited.stderr
        );
        assert!(
            exited.stderr.contains("NOT_SET_ANYWHERE"),
            "{}",
            exited.stderr
        );
        assert!(exited.stderr.contains("nowhere.wasm"), "{}", exited.stderr);
    }
}

#[test]
fn a_good_configuration_passes_the_check() {
    let exited = Setup::new("[server]\nping_interval = \"10s\"\n").run(&[
        "check",
        "--config",
        "sluice.toml",
    ]);
    assert_eq!(exited.code, Some(0), "{exited:?}");
}

#[test]
fn what_config_default_prints_is_a_configuration() {
    let printed = Setup::new("").run(&["config", "default"]);
    assert_eq!(printed.code, Some(0), "{printed:?}");
    let exited = Setup::new(&printed.stdout).run(&["check", "--config", "sluice.toml"]);
    assert_eq!(exited.code, Some(0), "{exited:?}\n{}", printed.stdout);
}

#[test]
fn config_env_lists_the_variables() {
    let printed = Setup::new("").run(&["config", "env"]);
    assert_eq!(printed.code, Some(0), "{printed:?}");
    for name in [
        "SLUICE_SERVER__LISTEN",
        "SLUICE_SERVER__PING_INTERVAL",
        "SLUICE_ADMIN__TOKEN",
    ] {
        assert!(printed.stdout.contains(name), "{name}:\n{}", printed.stdout);
    }
}

#[test]
fn a_misused_command_line_is_told_apart() {
    assert_eq!(Setup::new("").run(&["dance"]).code, Some(2));
    assert_eq!(Setup::new("").run(&["run", "--config"]).code, Some(2));
    let missing = Setup::new("").run(&["run", "--config", "not-there.toml"]);
    assert_eq!(missing.code, CONFIGURATION_ERROR, "{missing:?}");
    assert!(
        missing.stderr.contains("not-there.toml"),
        "{}",
        missing.stderr
    );
}

#[test]
fn a_port_in_use_is_no_fault_of_the_configuration() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let exited = Setup::new("").env("SLUICE_SERVER__LISTEN", &address).run(&[
        "run",
        "--config",
        "sluice.toml",
    ]);
    assert_eq!(exited.code, Some(1), "{exited:?}");
    assert!(
        exited.stderr.contains(&address),
        "the address that is taken: {}",
        exited.stderr
    );
}

/// File, then `.env` beside it, then the environment; the later wins.
#[test]
fn the_environment_wins_over_the_file() {
    let broker = Setup::new(
        "[server]\nping_interval = \"1h\"\nping_timeout = \"1h\"\nconnect_timeout = \"1h\"\n",
    )
    .file(
        ".env",
        "SLUICE_SERVER__PING_TIMEOUT=7s\nSLUICE_SERVER__PING_INTERVAL=8s\n",
    )
    .env("SLUICE_SERVER__PING_INTERVAL", "9s")
    .start();
    let handshake = broker.socket().handshake;
    assert_eq!(handshake["pingInterval"], 9000, "{handshake}");
    assert_eq!(handshake["pingTimeout"], 7000, "{handshake}");
}

#[test]
fn node_s_defaults_hold() {
    let broker = Setup::new("").start();
    let handshake = broker.socket().handshake;
    assert_eq!(handshake["pingInterval"], 25_000, "{handshake}");
    assert_eq!(handshake["pingTimeout"], 20_000, "{handshake}");
    assert_eq!(handshake["maxPayload"], 1_000_000, "{handshake}");
}

#[test]
fn yaml_and_json_are_read_too() {
    let node = Driver::node();
    for (name, content) in [
        (
            "sluice.yaml",
            "namespace:\n  - path: /yaml\n    route:\n      - {event: '*', action: ignore}\n",
        ),
        (
            "sluice.json",
            r#"{"namespace":[{"path":"/json","route":[{"event":"*","action":"ignore"}]}]}"#,
        ),
    ] {
        let checked = Setup::new("")
            .file(name, content)
            .run(&["check", "--config", name]);
        assert_eq!(checked.code, Some(0), "{checked:?}");
        let broker = Setup::new("").file(name, content).config_file(name).start();
        let path = format!("/{}", name.rsplit_once('.').unwrap().1);
        node.connect(name, &broker.url(&path), &websocket())
            .ok("x", serde_json::json!([]));
    }
}

/// A value of a secret is in no log and in no output of `config`, right or wrong.
#[test]
fn secrets_are_not_shown() {
    const HIDDEN: &str = "hush-hush-hush-hush-hush-hush-hush";
    let config = r#"
        [server]
        drain_period = "200ms"
        [admin]
        token = "${ADMIN_TOKEN}"
        [[policy]]
        name = "jwt-auth"
        config = { secret = "${JWT_SECRET}" }
    "#;
    let with_secrets = |setup: Setup| setup.env("ADMIN_TOKEN", HIDDEN).env("JWT_SECRET", HIDDEN);
    let setup = with_secrets(Setup::new(config).modules(&["jwt-auth"]).env(
        "SLUICE_TELEMETRY__LOG",
        "info,sluice=trace,socketioxide=trace,engineioxide=trace,hyper=trace",
    ));
    for arguments in [
        &["check", "--config", "sluice.toml"][..],
        &["config", "default"],
        &["config", "env"],
    ] {
        let exited = setup.run(arguments);
        assert!(
            !format!("{exited:?}").contains(HIDDEN),
            "{arguments:?} shows a secret: {exited:?}"
        );
    }
    let broker = setup.start();
    let refused = Driver::node().try_connect("a", &broker.url("/"), &websocket());
    assert!(refused.is_err(), "no token was sent");
    let logs = broker.logs.clone();
    assert_eq!(broker.stop(), 0);
    assert!(!logs.text().contains(HIDDEN), "the log shows a secret");

    // A secret of the wrong kind is reported without its value.
    let wrong = with_secrets(Setup::new(
        "[server]\nlisten = \"${JWT_SECRET}\"\n[admin]\ntoken = 5\n",
    ))
    .without_env("SLUICE_SERVER__LISTEN")
    .run(&["check", "--config", "sluice.toml"]);
    assert_eq!(wrong.code, CONFIGURATION_ERROR, "{wrong:?}");
    assert!(
        wrong.stderr.contains("server.listen") && wrong.stderr.contains("admin.token"),
        "{}",
        wrong.stderr
    );
    assert!(!wrong.stderr.contains(HIDDEN), "{}", wrong.stderr);
}
