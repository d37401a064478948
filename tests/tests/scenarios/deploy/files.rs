//! Configurations, the unit, the container and the manifests: each is read by the tool it is for, and what they say of
//! each other's times and limits agrees.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use sluice_tests::proxy::shipped;
use sluice_tests::{Record, Setup, prepared};
use tempfile::TempDir;

/// What the end of a node takes beyond `server.drain_period`: last words to other nodes and to back ends.
const LEAVE_TAKING: u64 = 15;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/deploy")
}

/// All policies that are part of the product, as every deployment has them in one folder.
const SHIPPED: [&str; 8] = [
    "enrich",
    "jwks-auth",
    "jwt-auth",
    "rate-limit",
    "room-access",
    "throttle",
    "validate",
    "webhook-auth",
];

/// The environment that the deployments' configurations ask for.
fn setup(config: &str) -> Setup {
    Setup::new(config)
        .modules(&SHIPPED)
        // What the configuration itself says.
        .without_env("SLUICE_PLUGINS__DIR")
        .env("CLIENT_URL", "https://app.example")
        .env("JWT_SECRET", "0123456789abcdef0123456789abcdef")
        .env("ADMIN_TOKEN", "0123456789abcdef")
        .env("NATS_URL", "nats://127.0.0.1:4222")
        .env("POLICIES", "policies")
}

fn passes(config: &str) {
    let checked = setup(config).run(&["check", "--config", "sluice.toml"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
}

/// The seconds of a key such as `drain_period = "30s"`.
fn seconds(text: &str, key: &str) -> u64 {
    let found = text.lines().find_map(|line| {
        let value = line.trim().strip_prefix(key)?.trim().strip_prefix('=')?;
        value
            .trim()
            .trim_matches('"')
            .strip_suffix('s')?
            .parse()
            .ok()
    });
    found.unwrap_or_else(|| panic!("no {key} in seconds: {text}"))
}

fn number(text: &str, key: &str) -> u64 {
    let found = text.lines().find_map(|line| {
        let value = line.trim().strip_prefix(key)?.trim().strip_prefix('=')?;
        value.trim().parse().ok()
    });
    found.unwrap_or_else(|| panic!("no number {key}: {text}"))
}

#[test]
fn the_configuration_serves() {
    let config = shipped("sluice.toml");
    passes(&config);
    let broker = setup(&config).start();
    assert_eq!(broker.get("/readyz").status, 200);
    assert_eq!(broker.get("/metrics").status, 401, "operators have a token");
    // Of all that lies there, what is named takes part and nothing else. The log may come after the ready line.
    let is_loaded = |record: &Record| record.message() == "policy loaded";
    for name in ["jwt-auth", "rate-limit"] {
        broker.logs.wait(name, |record| {
            is_loaded(record) && record.has("policy", name)
        });
    }
    let loaded = broker.logs.find(|record| is_loaded(record));
    let mut loaded: Vec<_> = loaded.iter().map(|it| it.field("policy")).collect();
    loaded.sort_by_key(|name| name.as_str());
    assert_eq!(loaded, ["jwt-auth", "rate-limit"]);
}

#[test]
fn the_unit_leaves_clients_their_time() {
    let unit = shipped("systemd/sluice.service");
    let config = shipped("sluice.toml");
    let drain = seconds(&config, "drain_period");
    assert!(seconds(&unit, "TimeoutStopSec") >= drain + LEAVE_TAKING);
    assert!(number(&unit, "LimitNOFILE") > number(&config, "max_connections"));
    let says = |line: &str| assert!(unit.lines().any(|it| it == line), "no {line}");
    says("Type=notify");
    says("Restart=on-failure");
    says("RestartPreventExitStatus=78 2");
    says("NoNewPrivileges=yes");
    says("CapabilityBoundingSet=");
    says("ProtectSystem=strict");
    // Everything that the configuration takes from the environment is in the file of it, or in the unit.
    let environment = shipped("systemd/sluice.env") + &unit;
    for name in ["CLIENT_URL", "JWT_SECRET", "ADMIN_TOKEN", "POLICIES"] {
        assert!(config.contains(&format!("${{{name}}}")), "{name}");
        assert!(environment.contains(&format!("{name}=")), "{name}");
    }
}

/// Where there is systemd.
#[test]
fn the_unit_is_one() {
    let dir = TempDir::new().unwrap();
    let unit = shipped("systemd/sluice.service")
        .replace(
            "/usr/bin/sluice",
            prepared("SLUICE_TEST_BIN").to_str().unwrap(),
        )
        // The manual need not be installed to read a unit.
        .replace("Documentation=man:sluice(1)\n", "");
    let path = dir.path().join("sluice.service");
    fs::write(&path, unit).unwrap();
    let analyze = |arguments: &[&str]| -> Option<Output> {
        let mut command = Command::new("systemd-analyze");
        command.args(arguments).arg(&path).output().ok()
    };
    let Some(verified) = analyze(&["verify", "--man=no"]) else {
        eprintln!("no systemd-analyze here");
        return;
    };
    assert!(
        verified.status.success() && verified.stderr.is_empty(),
        "{verified:?}"
    );
    // Tenths, of ten: what it could do to the machine.
    let rated = analyze(&["security", "--offline=true", "--threshold=20"]).unwrap();
    assert!(rated.status.success(), "{rated:?}");
}

#[test]
fn the_container_is_built_by_the_rules() {
    let linter = prepared("SLUICE_TEST_PYTHON").with_file_name("hadolint");
    let lint = |file: &Path| {
        let linted = Command::new(&linter).arg(file).output();
        linted.unwrap_or_else(|error| panic!("hadolint: {error}: run `cargo xtask test`"))
    };
    let linted = lint(&folder().join("container/Containerfile"));
    assert!(linted.status.success(), "{linted:?}");
    // And the linter finds something where there is something.
    let dir = TempDir::new().unwrap();
    let worse = dir.path().join("Containerfile");
    fs::write(&worse, "FROM debian\nRUN cd /tmp && sudo true\n").unwrap();
    assert!(!lint(&worse).status.success());
    let container = shipped("container/Containerfile");
    let user = container
        .lines()
        .find_map(|line| line.strip_prefix("USER "));
    assert_eq!(user, Some("65532:65532"));
}

fn manifests(folder: &Path) -> Result<Vec<Value>, String> {
    let script = prepared("SLUICE_TEST_PYTHON_CLIENT").with_file_name("manifests.py");
    let read = Command::new(prepared("SLUICE_TEST_PYTHON"))
        .arg(script)
        .arg(folder)
        .output()
        .expect("Python");
    if !read.status.success() {
        return Err(String::from_utf8_lossy(&read.stderr).into_owned());
    }
    Ok(serde_json::from_slice(&read.stdout).expect("JSON"))
}

fn of_kind<'a>(manifests: &'a [Value], kind: &str) -> &'a Value {
    let found = manifests.iter().find(|manifest| manifest["kind"] == kind);
    found.unwrap_or_else(|| panic!("no {kind}"))
}

#[test]
fn the_manifests_are_what_kubernetes_takes() {
    let manifests = manifests(&folder().join("kubernetes")).unwrap();
    let config = of_kind(&manifests, "ConfigMap")["data"]["sluice.toml"].as_str();
    let config = config.expect("a configuration");
    // In the pod, policies are where the image has them.
    let here = config.replace("/usr/lib/sluice/policies", "policies");
    assert_ne!(here, config);
    passes(&here);

    let pod = &of_kind(&manifests, "Deployment")["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
    let sleep = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        .as_u64()
        .unwrap();
    let drain = seconds(config, "drain_period");
    assert!(grace >= sleep + drain + LEAVE_TAKING, "{grace} s");
    for (probe, path) in [
        ("startupProbe", "/healthz"),
        ("livenessProbe", "/healthz"),
        ("readinessProbe", "/readyz"),
    ] {
        assert_eq!(container[probe]["httpGet"]["path"], path);
        assert_eq!(container[probe]["httpGet"]["port"], "admin");
    }
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    let secret = &of_kind(&manifests, "Secret")["stringData"];
    for name in ["JWT_SECRET", "ADMIN_TOKEN", "NATS_URL"] {
        assert!(config.contains(&format!("${{{name}}}")) && secret[name].is_string());
    }
    // All that finds the pods finds them by the same label.
    let label = &of_kind(&manifests, "Deployment")["spec"]["template"]["metadata"]["labels"];
    for (kind, selector) in [
        ("Deployment", "/spec/selector/matchLabels"),
        ("PodDisruptionBudget", "/spec/selector/matchLabels"),
        ("NetworkPolicy", "/spec/podSelector/matchLabels"),
        ("Service", "/spec/selector"),
    ] {
        assert_eq!(
            of_kind(&manifests, kind).pointer(selector),
            Some(label),
            "{kind}"
        );
    }
    let metric = &of_kind(&manifests, "HorizontalPodAutoscaler")["spec"]["metrics"][0];
    assert_eq!(metric["pods"]["metric"]["name"], "sluice_connections");
}

/// Who reads them notices.
#[test]
fn a_manifest_with_a_slip_is_noticed() {
    let dir = TempDir::new().unwrap();
    let slipped =
        shipped("kubernetes/poddisruptionbudget.yaml").replace("maxUnavailable", "maxUnavailble");
    fs::write(dir.path().join("a.yaml"), slipped).unwrap();
    let problems = manifests(dir.path()).unwrap_err();
    assert!(problems.contains("maxUnavailble"), "{problems}");
}
