//! Whole configurations, read from a folder of files and a made-up environment.

mod bounds;
mod drop_ins;
mod effective;
mod environment;
mod following;
mod formats;
mod mistakes;
mod policy_breaker;
mod policy_http;
mod schema;
mod secrets;
mod tokens;
mod trial;

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use tempfile::TempDir;

use super::*;

/// A folder with a configuration, to be loaded.
struct Folder {
    dir: TempDir,
    env: Vec<(&'static str, &'static str)>,
}

impl Folder {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            env: Vec::new(),
        }
    }

    /// A folder with a `sluice.toml` and a module `a.wasm`.
    fn toml(text: &str) -> Self {
        Self::new().file("sluice.toml", text).file("a.wasm", "")
    }

    fn file(self, name: &str, text: &str) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn env(mut self, name: &'static str, value: &'static str) -> Self {
        self.env.push((name, value));
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn load_file(&self, name: &str) -> Result<Loaded, Problems> {
        let path = self.path(name);
        let loaded = load(Some(&path), self.env.iter().copied().collect());
        if loaded.is_ok() {
            schema::accepts(&path);
        }
        loaded
    }

    fn load(&self) -> Result<Loaded, Problems> {
        self.load_file("sluice.toml")
    }

    #[track_caller]
    fn config(&self) -> Config {
        match self.load() {
            Ok(loaded) => loaded.config,
            Err(problems) => panic!("{problems}"),
        }
    }

    /// The lines of the error, with the folder's path taken out.
    #[track_caller]
    fn problems(&self) -> Vec<String> {
        let problems = self.load().map(|loaded| loaded.config).unwrap_err();
        let here = format!("{}/", self.dir.path().display());
        let lines = problems.to_string().replace(&here, "");
        lines.lines().map(str::to_owned).collect()
    }
}

#[test]
fn without_anything_it_is_a_relay_on_loopback() {
    let Loaded {
        config,
        files,
        path,
        ..
    } = load(None, Env::default()).unwrap();
    assert_eq!(
        config.server.listen,
        SocketAddr::from(([127, 0, 0, 1], 3000))
    );
    assert_eq!(config.server.path, "/socket.io");
    assert!(config.server.reactors >= 1);
    assert_eq!(config.server.ping_interval, Duration::from_secs(25));
    assert_eq!(config.server.max_payload, 1_000_000);
    assert_eq!(config.server.cors.origins, Origins::SameOrigin);
    assert_eq!(config.admin.token, None);
    assert_eq!(config.policies, []);
    let [namespace] = &config.namespaces[..] else {
        panic!("{:?}", config.namespaces);
    };
    assert_eq!((namespace.path.as_str(), namespace.routes.len()), ("/", 3));
    assert_eq!(namespace.routes[2].action, Action::Emit { to: To::Others });
    assert_eq!((files, path), (Vec::new(), None));
}

#[test]
fn the_printed_default_is_the_default() {
    let printed = default_toml();
    let folder = Folder::toml(&printed);
    assert_eq!(folder.config(), load(None, Env::default()).unwrap().config);
    // Each key once, also where the default is not to have it.
    for key in [
        "listen",
        "token",
        "reactors",
        "memory",
        "denial_event",
        "include_sender",
    ] {
        let lines = printed.lines().map(|line| line.trim_start_matches('#'));
        let count = lines
            .filter(|line| line.starts_with(&format!("{key} =")))
            .count();
        assert!(count >= 1, "{key} is not in\n{printed}");
    }
}

#[test]
fn the_printed_examples_are_valid_too() {
    let on = default_toml().lines().fold(String::new(), |text, line| {
        let setting = line.strip_prefix('#').filter(|rest| !rest.starts_with(' '));
        text + setting.unwrap_or(line) + "\n"
    });
    let folder = with_certificates(Folder::toml(&on))
        .env("ADMIN_TOKEN", "t")
        .env("PROMETHEUS_TOKEN", "p")
        .env(
            "ADMIN_UI_PASSWORD",
            "$2b$10$heqvAkYMez.Va6Et2uXInOnkCT6/uQj1brkrbyG3LpopDklcq7ZOS",
        )
        .env("NATS_PASSWORD", "p")
        .env("NATS_TOKEN", "t")
        .env("NATS_SEED", "s")
        .env("OTLP_TOKEN", "t")
        .file("ca.pem", "")
        .file("node_modules/socket.io-client/dist/socket.io.js", "")
        .file("policies/chat.wasm", "");
    // Hosts want a grant, and there is one way to log in; a route that emits has no use for what is said to back ends;
    // everything else may stand together.
    let route = |key: &str, what: &str| {
        let line = line_of(&on, &format!("{key} = "));
        format!("namespace[0].route[0].{key} (namespace `/chat`, event `*`): {what} [{line}]")
    };
    let mut expected = vec![
        "cluster.token: is a second way to log in, beside `user` [LINE]"
            .replace("LINE", &line_of(&on, "token = \"${NATS_")),
        r"policy[0].http.hosts (policy `chat`): the value takes the capability `http`, which `grant` does not hold [LINE]"
            .replace("LINE", &line_of(&on, "hosts = ")),
        r#"namespace[0].route[0].batch (namespace `/chat`, event `*`): needs `include_sender = true`, or `to = "all"`: a batch holds events of several senders, so it is for all of them [LINE]"#
            .replace("LINE", &line_of(&on, "[namespace.route.batch]")),
    ];
    let idle = ["room", "subject", "format", "durable", "timeout"];
    expected.extend(idle.map(|key| route(key, "has no effect in this route")));
    assert_eq!(folder.problems(), expected);
}

/// The files that the examples of TLS name.
fn with_certificates(folder: Folder) -> Folder {
    use rcgen::{
        BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
        IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, SerialNumber,
    };
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::CrlSign];
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let revoked = CertificateRevocationListParams {
        this_update: rcgen::date_time_ymd(2020, 1, 1),
        next_update: rcgen::date_time_ymd(2099, 1, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let revoked = revoked.signed_by(&ca).unwrap().pem().unwrap();
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    folder
        .file("fullchain.pem", &own.cert.pem())
        .file("privkey.pem", &own.signing_key.serialize_pem())
        .file("client-ca.pem", &ca.pem())
        .file("client-crl.pem", &revoked)
}

/// The last one.
fn line_of(text: &str, start: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    let position = lines.iter().rposition(|line| line.starts_with(start));
    format!("sluice.toml:{}", position.unwrap() + 1)
}

#[test]
fn a_whole_configuration() {
    let folder = Folder::toml(
        r##"
        [server]
        listen = "0.0.0.0:0"
        path = "/live/"
        reactors = 2
        transports = ["websocket"]
        ping_interval = "10s"
        max_payload = "2MiB"
        drain_period = "0s"
        [server.cors]
        origins = ["https://example.com"]
        credentials = true

        [plugins]
        dir = "policies"

        [[policy]]
        name = "a"
        module = "a.wasm"
        mode = "shadow"
        on_error = { connect = "allow" }
        timeout = "50ms"
        memory = "32MiB"
        grant = ["rooms", "cluster-state"]
        config = { limit = 5 }

        [[policy]]
        name = "b-2"
        on_error = "allow"

        [[namespace]]
        path = "/"

        [[namespace]]
        path = "/org-{id}"
        policies = ["b-2"]
        denial_event = "denied"
        route = [
            { event = "chat:*", to = "others", include_sender = true, as = "message" },
            { event = "to:*", room = "/0/room" },
            { event = "in", action = "join", room = "lobby" },
            { event = "mine", to = "rooms", include_sender = true },
            { event = "*", action = "ignore" },
        ]
        "##,
    )
    .file("policies/b-2.wasm", "");
    let config = folder.config();
    assert_eq!(config.server.path, "/live");
    assert_eq!(config.server.max_payload, 2 << 20);
    assert!(!config.server.transports.polling && config.server.transports.websocket);
    let [a, b] = &config.policies[..] else {
        panic!("{:?}", config.policies);
    };
    assert_eq!(a.module, folder.path("a.wasm"));
    assert_eq!(a.mode, Mode::Shadow);
    assert_eq!(
        (a.on_error.connect, a.on_error.event),
        (Failure::Allow, Failure::Deny)
    );
    assert_eq!((a.timeout, a.memory), (Duration::from_millis(50), 32 << 20));
    assert_eq!(a.grant, [Capability::Rooms, Capability::ClusterState]);
    assert_eq!(a.config, serde_json::json!({"limit": 5}));
    assert_eq!(b.module, folder.path("policies/b-2.wasm"));
    assert_eq!(
        (b.on_error.connect, b.on_error.event),
        (Failure::Allow, Failure::Allow)
    );
    assert_eq!((b.timeout, b.memory), (Duration::from_millis(10), 16 << 20));
    assert_eq!(b.config, serde_json::json!({}));
    let [root, org] = &config.namespaces[..] else {
        panic!("{:?}", config.namespaces);
    };
    assert_eq!(root.policies, ["a", "b-2"]);
    assert!(!root.is_pattern() && org.is_pattern());
    assert_eq!(
        (&org.policies[..], org.denial_event.as_str()),
        (&["b-2".to_owned()][..], "denied")
    );
    let pointer = RoomSource::Pointer(crate::router::Pointer::parse("/0/room").unwrap());
    let actions: Vec<_> = org
        .routes
        .iter()
        .map(|route| route.action.clone())
        .collect();
    let (room, include_sender) = (RoomSource::Literal("lobby".to_owned()), true);
    assert_eq!(
        actions,
        [
            Action::Emit { to: To::All },
            Action::Emit {
                to: To::Room {
                    room: pointer,
                    include_sender: false
                }
            },
            Action::Join { room },
            Action::Emit {
                to: To::Rooms { include_sender }
            },
            Action::Ignore,
        ]
    );
    assert_eq!(org.routes[0].rename.as_deref(), Some("message"));
}

#[test]
fn back_ends_are_told_of_sockets_what_they_want() {
    let read = |keys: &str| {
        let toml = format!(
            "[cluster]\nnats_url = \"nats://n\"\nname = \"eu\"\n[[namespace]]\npath = \"/\"\n{keys}"
        );
        let loaded = Folder::toml(&toml).load().unwrap();
        loaded.config.namespaces[0].lifecycle.clone()
    };
    assert_eq!(read(""), None);
    let all = read("[namespace.lifecycle]").unwrap();
    use LifecycleEvent::{Connected, Disconnected, Joined, Left};
    let is_wanted = |it: &Lifecycle| [Connected, Disconnected, Joined, Left].map(|e| it.wants(e));
    assert_eq!(is_wanted(&all), [true; 4]);
    assert_eq!(
        all.subject.fill("/a", "joined").unwrap(),
        "sluice.eu.lifecycle.=2Fa.joined"
    );
    assert_eq!(all.encoding, Encoding::Json);
    let some = read(
        "lifecycle = { events = [\"left\"], subject = \"rooms.{event}\", format = \"msgpack\" }",
    );
    let some = some.unwrap();
    assert_eq!(is_wanted(&some), [false, false, false, true]);
    assert_eq!(some.subject.fill("/a", "left").unwrap(), "rooms.left");
    assert_eq!(some.encoding, Encoding::Msgpack);
}
