//! Which certificate a listener shows, and what becomes of new ones and of wrong ones.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use sluice_tests::{Broker, Driver, Record, Setup, eventually};

use super::authority::{Asks, Authority, Pem, Tls};
use super::{OWN, put, setup, trusting, url};
use crate::settings::{hang_up, text};
use crate::shared::RELAY;

/// What is shown to who asks for a name.
fn shown(broker: &Broker, authority: &Authority, name: &str) -> String {
    let asks = Asks::of(authority, name);
    let tls = Tls::open(broker.listen, &asks);
    tls.unwrap_or_else(|error| panic!("{name}: {error}"))
        .shown()
}

fn until_shown(broker: &Broker, authority: &Authority, pem: &Pem) {
    eventually("the new certificate", || {
        (shown(broker, authority, "localhost") == pem.body()).then_some(())
    });
}

fn loads(broker: &Broker, result: &str) -> f64 {
    let labels = [("listener", "public"), ("result", result)];
    let metrics = broker.metrics();
    metrics.sum("sluice_tls_certificate_loads_total", &labels)
}

#[test]
fn a_name_chooses_its_certificate() {
    const HOSTS: &str = r#"
        [[server.tls.host]]
        cert = "chat.pem"
        key = "chat.key"
        [[server.tls.host]]
        names = ["*.example.org", "Example.net"]
        cert = "org.pem"
        key = "org.key"
    "#;
    let authority = Authority::new();
    let setup = setup(&authority, HOSTS);
    let chat = authority.server(&["chat.example.com", "www.example.com"]);
    let org = authority.server(&["*.example.org", "example.net"]);
    put(setup.dir(), "chat", &chat);
    put(setup.dir(), "org", &org);
    let broker = setup.start();
    for (name, pem) in [
        ("chat.example.com", &chat),
        ("www.example.com", &chat),
        ("a.example.org", &org),
        ("example.net", &org),
    ] {
        assert_eq!(shown(&broker, &authority, name), pem.body(), "{name}");
    }
    // Who asks for another name, or for none, sees the listener's own.
    let own = shown(&broker, &authority, "localhost");
    assert_eq!(shown(&broker, &authority, "127.0.0.1"), own);
    let expiry = "sluice_tls_certificate_expiry_timestamp_seconds";
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    for host in ["default", "chat.example.com", "*.example.org"] {
        let labels = [("listener", "public"), ("host", host)];
        let expires = broker.metrics().sum(expiry, &labels);
        assert!(expires > now.as_secs_f64(), "{host}: {expires}");
    }
}

/// As certbot renews: the files are links, and are turned to the next generation.
#[test]
fn a_renewed_certificate_is_shown_and_connections_stay() {
    let authority = Authority::new();
    let setup = setup(&authority, "[plugins]\nwatch = false");
    let dir = setup.dir().to_owned();
    let turn = |generation: &str| {
        for ending in ["pem", "key"] {
            let (beside, own) = (dir.join(".link"), dir.join(format!("own.{ending}")));
            std::os::unix::fs::symlink(format!("{generation}.{ending}"), &beside).unwrap();
            std::fs::rename(beside, own).unwrap();
        }
    };
    let [first, second] = [(), ()].map(|()| authority.server(&["127.0.0.1", "localhost"]));
    put(&dir, "first", &first);
    turn("first");
    let broker = setup.start();
    let node = Driver::node();
    let ways = ["websocket", "polling"];
    let clients =
        ways.map(|way| node.connect(way, &url(&broker), &trusting(&authority, json!([way]))));
    assert_eq!(shown(&broker, &authority, "localhost"), first.body());
    put(&dir, "second", &second);
    turn("second");
    until_shown(&broker, &authority, &second);
    clients[0].emit("all:still", json!(["here"]));
    for client in &clients {
        assert_eq!(client.expect("all:still"), [json!("here")]);
    }
    let late = node.connect(
        "late",
        &url(&broker),
        &trusting(&authority, json!(["websocket"])),
    );
    late.emit("all:new", json!([]));
    clients[0].expect("all:new");
    // Counted a moment after it is shown.
    eventually("both to be counted", || {
        (loads(&broker, "applied") == 2.0).then_some(())
    });
    assert_eq!(loads(&broker, "failed"), 0.0);
}

#[test]
fn what_cannot_be_used_changes_nothing() {
    let authority = Authority::new();
    let setup = setup(&authority, "");
    let broker = setup.start();
    let before = shown(&broker, &authority, "localhost");
    let other = authority.server(&["localhost"]);
    let dir = broker.dir();
    put(dir, "other", &other);
    // The key of another certificate, renamed: nobody reads half of it.
    std::fs::rename(dir.join("other.key"), dir.join("own.key")).unwrap();
    eventually("the failure to be told", || {
        (loads(&broker, "failed") == 1.0).then_some(())
    });
    // Counted a moment before it is in the log.
    let told = broker.logs.wait("its record", |record| {
        record.message() == "certificates not renewed"
    });
    let reason = told.field("reason").as_str().unwrap();
    assert!(reason.starts_with("server.tls.key: `"), "{reason}");
    assert!(reason.contains("own.key` does not belong"), "{reason}");
    assert_eq!(shown(&broker, &authority, "localhost"), before);
    // Its certificate follows.
    std::fs::rename(dir.join("other.pem"), dir.join("own.pem")).unwrap();
    until_shown(&broker, &authority, &other);
}

#[test]
fn wrong_files_are_mistakes_of_the_configuration() {
    const CONFIG: &str = r#"
        [server.tls]
        cert = "own.pem"
        key = "other.key"
        client_ca = "absent.pem"
        [[server.tls.host]]
        cert = "own.pem"
        key = "own.pem"
        [admin.tls]
        cert = "own.pem"
        client_auth = "optional"
        min_version = "1.1"
    "#;
    let authority = Authority::new();
    let setup = Setup::new(CONFIG);
    put(setup.dir(), "own", &authority.server(&["localhost"]));
    put(setup.dir(), "other", &authority.server(&["localhost"]));
    let checked = setup.run(&["check", "--config", "sluice.toml"]);
    assert_eq!(checked.code, Some(78), "{checked:?}");
    for (key, what) in [
        (
            "server.tls.key",
            "`other.key` does not belong to the first certificate of",
        ),
        ("server.tls.host[0].key", "`own.pem` holds no private key"),
        ("admin.tls.key", "is missing"),
        ("admin.tls.client_auth", "needs `client_ca`"),
        ("admin.tls.min_version", "`1.1` is not one of them"),
    ] {
        let line = checked.stderr.lines().find(|line| line.contains(key));
        let line = line.unwrap_or_else(|| panic!("no word of {key}: {}", checked.stderr));
        assert!(line.contains(what), "{line}");
    }
}

#[test]
fn a_certificate_that_has_expired_is_shown_and_told() {
    let authority = Authority::new();
    let setup = Setup::new(OWN);
    put(setup.dir(), "own", &authority.expired(&["localhost"]));
    let key = setup.dir().join("own.key");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(key, mode).unwrap();
    let broker = setup.start();
    for (reason, message) in [
        ("expired", "certificate has expired"),
        (
            "exposed_key",
            "the key of a certificate can be read by everyone",
        ),
    ] {
        let labels = [("listener", "public"), ("reason", reason)];
        let metrics = broker.metrics();
        let faults = metrics.sum("sluice_tls_certificate_faults_total", &labels);
        assert_eq!(faults, 1.0, "{reason}");
        // Counted a moment before it is in the log.
        let told = |record: &Record| record.message() == message;
        broker.logs.wait(message, told);
        let told = broker.logs.find(|record| told(record));
        assert_eq!(told.len(), 1, "{message}");
    }
}

/// All of `[server.tls]` can change while clients are served; what stands beside it and cannot is named.
#[test]
fn a_hang_up_changes_the_section() {
    let authority = Authority::new();
    let listen = |config: &str| format!("[plugins]\nwatch = false\n{RELAY}{config}");
    let setup = Setup::new(&listen(OWN));
    put(
        setup.dir(),
        "own",
        &authority.server(&["localhost", "127.0.0.1"]),
    );
    let chat = authority.server(&["chat.example.com"]);
    put(setup.dir(), "chat", &chat);
    let broker = setup.start();
    let node = Driver::node();
    let opts = trusting(&authority, json!(["websocket"]));
    let stays = node.connect("stays", &url(&broker), &opts);
    let open = |version: &'static rustls::SupportedProtocolVersion| {
        let asks = Asks {
            version: Some(version),
            ..Asks::of(&authority, "localhost")
        };
        Tls::open(broker.listen, &asks).is_ok()
    };
    assert!(open(&rustls::version::TLS12));

    const HOST: &str = "[[server.tls.host]]\ncert = \"chat.pem\"\nkey = \"chat.key\"\n";
    let newer = format!("[server]\nreactors = 3\n{OWN}min_version = \"1.3\"\n{HOST}");
    let answer = hang_up(&broker, &listen(&newer));
    assert!(answer.has("result", "changed"), "{answer:?}");
    let changes = text(&answer, "changes");
    assert!(changes.contains("server.tls.min_version"), "{answer:?}");
    assert!(changes.contains("server.tls.host"), "{answer:?}");
    assert!(!changes.contains("server.reactors"), "{answer:?}");
    let waits = broker.get("/api/v1/node").json()["restart_needed"].clone();
    assert_eq!(waits[0]["key"], "server.reactors", "{waits}");
    assert_eq!(waits.as_array().map(Vec::len), Some(1), "{waits}");
    assert!(!open(&rustls::version::TLS12) && open(&rustls::version::TLS13));
    assert_eq!(shown(&broker, &authority, "chat.example.com"), chat.body());

    // What cannot be used is named, and changes nothing.
    let wrong = newer.replace("chat.key", "own.key");
    let answer = hang_up(&broker, &listen(&wrong));
    assert!(answer.has("result", "refused"), "{answer:?}");
    let refused = text(&answer, "refused");
    assert!(refused.contains("server.tls.host[0].key"), "{answer:?}");
    assert_eq!(shown(&broker, &authority, "chat.example.com"), chat.body());

    // Off, and on again: whoever is connected stays as it is.
    assert!(hang_up(&broker, &listen("")).has("result", "changed"));
    assert!(!open(&rustls::version::TLS13));
    let plain = node.connect(
        "plain",
        &broker.url("/"),
        &json!({"transports": ["websocket"]}),
    );
    assert!(hang_up(&broker, &listen(OWN)).has("result", "changed"));
    assert!(open(&rustls::version::TLS12));
    plain.emit("all:news", json!([1]));
    for client in [&stays, &plain] {
        client.expect("all:news");
    }
    let secure = |id: &str| broker.get(&format!("/api/v1/sockets/{id}")).json()["secure"].clone();
    assert_eq!(
        (secure(&stays.sid), secure(&plain.sid)),
        (json!(true), json!(false))
    );
}
