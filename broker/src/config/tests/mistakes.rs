//! What is wrong is said all at once, with key, expectation and origin.

mod cluster;
mod routes;

use super::*;

#[test]
fn all_mistakes_at_once() {
    let folder = Folder::toml(
        r#"
[server]
listen = "localhost:3000"
ping_intervall = "25s"
ping_timeout = 20
max_payload = "1M"
transports = ["carrier-pigeon"]
reactors = 0
[server.tls]
cert = "x"
[[policy]]
name = "chat"
module = "nowhere.wasm"
timeout = "5s"
[[namespace]]
path = "/"
policies = ["chat", "nobody"]
[[namespace.route]]
event = "a"
to = "room"
[[namespace.route]]
event = "b"
[[namespace.route]]
event = "c"
action = "publish"
"#,
    )
    .env("SLUICE_SERVER__CONNECT_TIMEOUT", "soon")
    .env("SLUICE_SERVER_PATH", "/x");
    assert_eq!(
        folder.problems(),
        [
            "SLUICE_SERVER_PATH: names no key; did you mean `SLUICE_SERVER__PATH`?",
            "server.listen: `localhost:3000` is not an IP address with a port; \
             expected an IP address with a port, such as `0.0.0.0:3000` or `[::]:3000` [sluice.toml:3]",
            "server.reactors: `0` is too small; expected a whole number of at least 1 [sluice.toml:8]",
            "server.transports: the value holds something else; \
             expected a list of \"polling\" and \"websocket\" [sluice.toml:7]",
            "server.ping_timeout: `20` has no unit: write one, such as `s` or `ms`; \
             expected a duration such as `25s`, `500ms` or `1h30m` [sluice.toml:5]",
            "server.connect_timeout: `soon` is not a duration; \
             expected a duration such as `25s`, `500ms` or `1h30m` [SLUICE_SERVER__CONNECT_TIMEOUT]",
            "server.max_payload: `1M` is not a size; expected a size such as `1MiB` (1024 × 1024), \
             `64KB` (64 × 1000) or a number of bytes [sluice.toml:6]",
            "server.tls.key: is missing; expected a path [sluice.toml:9]",
            "server.ping_intervall: unknown key; did you mean `ping_interval`? [sluice.toml:4]",
            "policy[0].timeout (policy `chat`): `5s` is out of bounds; expected 1ms to 1s [sluice.toml:14]",
            "policy[0].module (policy `chat`): `nowhere.wasm` cannot be opened: \
             No such file or directory (os error 2); expected a WebAssembly component [sluice.toml:13]",
            "namespace[0].policies[1] (namespace `/`): `nobody` names no [[policy]] [sluice.toml:17]",
            "namespace[0].route[0].room (namespace `/`, event `a`): is missing: the route leads nowhere; \
             expected a room's name, or a JSON Pointer into the arguments such as `/0` or `/0/room` [sluice.toml:18]",
            "namespace[0].route[1].to (namespace `/`, event `b`): is missing: the route leads nowhere; \
             expected `all` or `others` or `sender` or `rooms` or `room` [sluice.toml:21]",
            "namespace[0].route[2].action (namespace `/`, event `c`): `publish` needs a NATS server; \
             expected `cluster.nats_url` beside it [sluice.toml:25]",
        ]
    );
}

/// One mistake, and how its line begins.
#[track_caller]
pub(super) fn check(toml: &str, expected: &str) {
    let problems = Folder::toml(toml).problems();
    assert!(
        problems.len() == 1 && problems[0].starts_with(expected),
        "{expected}\nis not\n{}",
        problems.join("\n")
    );
}

#[test]
fn servers() {
    check(
        "[server]\npath = \"live\"",
        "server.path: `live` does not begin with `/`",
    );
    check(
        "[server]\npath = \"/a?b\"",
        "server.path: `/a?b` is not a path",
    );
    check(
        "[server]\nping_interval = \"0s\"",
        "server.ping_interval: `0s` is out of bounds",
    );
    check(
        "[server]\nping_interval = \"1y\"",
        "server.ping_interval: `1y` is out of bounds",
    );
    check(
        "[server]\nmax_connections = -1",
        "server.max_connections: `-1` is not such a number",
    );
    check(
        "[server]\nmax_payload = 5",
        "server.max_payload: `5` is out of bounds",
    );
    check(
        "[server]\nprobes = \"true\"",
        "server.probes: `true` is a text; expected `true` or `false`",
    );
    check("server = 5", "server: `5` is a number; expected a table");
    check(
        "[server.cors]\norigins = [\"https://a.b/\"]",
        "server.cors.origins: the value holds something",
    );
    check(
        "[server.cors]\nmethods = [\"G T\"]",
        "server.cors.methods: the value holds something",
    );
    check(
        "[sever]",
        "sever: unknown key; did you mean `server`? [sluice.toml:1]",
    );
    check("\"server[9]\" = 1", "sluice.toml: unknown key `server[9]`");
}

/// What would panic, or end at once, when it is used.
#[test]
fn listeners() {
    check(
        "[admin]\nlisten = \"0.0.0.0:1\"",
        "admin.listen: `0.0.0.0:1` is not a loopback address and",
    );
    check(
        "[admin]\nlisten = \"[::]:1\"",
        "admin.listen: `[::]:1` is not a loopback address and",
    );
    check(
        "[admin]\nlisten = \"127.0.0.1:3000\"",
        "admin.listen: `127.0.0.1:3000` is `server.listen` too",
    );
    let folder = Folder::toml("[admin]\nlisten = \"0.0.0.0:1\"\ntoken = \"t\"");
    assert_eq!(folder.config().admin.token.unwrap().expose(), "t");
    let folder =
        Folder::toml("[admin]\nlisten = \"127.0.0.1:0\"\n[server]\nlisten = \"127.0.0.1:0\"");
    folder.config();
}

#[test]
fn telemetry() {
    check(
        "[telemetry]\nlog = \"debugg\"",
        "telemetry.log: `debugg` names no level; did you mean `debug`?",
    );
    check(
        "[telemetry]\nlog = \"a=b=c\"",
        "telemetry.log: `a=b=c` is not a list of log directives",
    );
    check(
        "[telemetry]\nformat = \"xml\"",
        "telemetry.format: `xml` is not one of them; expected `readable` or `json`",
    );
    check(
        "[telemetry]\notlp_endpoint = \"ftp://x\"",
        "telemetry.otlp_endpoint: `ftp://x` is no address of HTTP; expected an address such as `http://127.0.0.1:4318`",
    );
    check(
        "[telemetry]\ntrace_sample = 1.5",
        "telemetry.trace_sample: `1.5` is no share; expected a number from 0 to 1",
    );
}

#[test]
fn policies() {
    let policy = |keys: &str| format!("[[policy]]\nname = \"a\"\nmodule = \"a.wasm\"\n{keys}");
    let wrong = |keys: &str, expected: &str| check(&policy(keys), &format!("policy[0].{expected}"));
    wrong(
        "memory = \"1KiB\"",
        "memory (policy `a`): `1KiB` is out of bounds; expected 1MiB to 1GiB",
    );
    wrong(
        "on_error = \"ignore\"",
        "on_error (policy `a`): `ignore` is not one of them; expected `deny` or `allow`",
    );
    wrong(
        "on_error = { event = 1 }",
        "on_error.event (policy `a`): `1` is a number",
    );
    wrong(
        "on_error = { evnt = \"deny\" }",
        "on_error.evnt (policy `a`): unknown key; did you mean `event`?",
    );
    wrong(
        "grant = [\"everything\"]",
        "grant (policy `a`): the value holds something else",
    );
    wrong(
        "config = 5",
        "config (policy `a`): `5` is a number; expected a table",
    );
    wrong(
        "config = { x = { y = nan } }",
        "config.x.y (policy `a`): is a number that JSON cannot express",
    );
    wrong(
        "cnfig = {}",
        "cnfig (policy `a`): unknown key; did you mean `config`?",
    );
    check(
        &policy(&policy("")),
        "policy[1].name (policy `a`): `a` is the name of an earlier policy",
    );
    check(
        "[[policy]]\nname = \"A b\"\nmodule = \"a.wasm\"",
        "policy[0].name (policy `A b`): `A b` is not a name",
    );
    check(
        "[[policy]]\nmodule = \"a.wasm\"",
        "policy[0].name: is missing; expected a text [sluice.toml:1]",
    );
    check(
        "[[policy]]\nname = \"a\"",
        "policy[0].module (policy `a`): is missing, and there is no plugins.dir",
    );
    check(
        "[policy]\nname = \"a\"",
        "policy: the value is a table; expected an array of tables",
    );
    check("policy = [5]", "policy[0]: is a number; expected a table");
    let folder = Folder::toml("[plugins]\ndir = \"d\"\n[[policy]]\nname = \"b\"").file("d/x", "");
    let problems = folder.problems();
    assert!(
        problems[0]
            .starts_with("policy[0].module (policy `b`): is not given, and `d/b.wasm` cannot"),
        "{problems:?}"
    );
    check(
        "[plugins]\ndir = \"nowhere\"",
        "plugins.dir: `nowhere` is not a folder",
    );
    check(
        "[[policy]]\nname = \"a\"\nmodule = \".\"",
        "policy[0].module (policy `a`): `.` is not a file",
    );
}

#[test]
fn namespaces() {
    let paths = |paths: &[&str]| {
        let namespace = |path: &&str| format!("[[namespace]]\npath = \"{path}\"\n");
        paths.iter().map(namespace).collect::<String>()
    };
    let wrong =
        |given: &[&str], expected: &str| check(&paths(given), &format!("namespace{expected}"));
    wrong(
        &["chat"],
        "[0].path (namespace `chat`): `chat` is not a namespace",
    );
    wrong(
        &["/a,b"],
        "[0].path (namespace `/a,b`): `/a,b` is not a namespace",
    );
    wrong(
        &["/a", "/b", "/a"],
        "[2].path (namespace `/a`): `/a` is the path of namespace[0] already",
    );
    wrong(
        &["/org-{id}", "/org-{name}"],
        "[1].path (namespace `/org-{name}`): `/org-{name}` conflicts with",
    );
    wrong(
        &["/{a}-{b}"],
        "[0].path (namespace `/{a}-{b}`): `/{a}-{b}` has two parameters",
    );
    wrong(
        &["/{}"],
        "[0].path (namespace `/{}`): `/{}` has a parameter without a name",
    );
    wrong(
        &["/{*a}/b"],
        "[0].path (namespace `/{*a}/b`): `/{*a}/b` goes on after",
    );
    check("[[namespace]]", "namespace[0].path: is missing");
    check(
        "[[namespace]]\npath = \"/\"\ndenial_event = \"disconnect\"",
        "namespace[0].denial_event (namespace `/`): `disconnect` is a name that Socket.IO keeps",
    );
    Folder::toml(&paths(&["/", "/a", "/org-{id}", "/{name}"])).config();
}

#[test]
fn a_policy_twice_in_a_namespace() {
    check(
        "[[policy]]\nname = \"a\"\nmodule = \"a.wasm\"\n[[namespace]]\npath = \"/\"\npolicies = [\"a\", \"a\"]",
        "namespace[0].policies[1] (namespace `/`): `a` is in the list already",
    );
}

#[test]
fn a_route_behind_its_own_glob() {
    check(
        "[[namespace]]\npath = \"/\"\nroute = [{event = \"*\", to = \"all\"}, {event = \"a\", to = \"all\"}, \
         {event = \"*\", to = \"others\"}]",
        "namespace[0].route[2].event (namespace `/`, event `*`): `*` is the glob of route[0] already",
    );
}

#[test]
fn files_that_cannot_be_read() {
    let folder = Folder::new()
        .file("sluice.ini", "")
        .file("sluice.toml", "[server\nx = \n");
    let text = |name: &str| folder.load_file(name).unwrap_err().to_string();
    assert!(text("sluice.ini").ends_with("the extension has to be .toml, .yaml, .yml or .json"));
    assert!(text("none.toml").contains("none.toml: cannot be read: No such file"));
    assert!(text("sluice.toml").contains("sluice.toml:1: "));
}

#[test]
fn keys_and_digests_that_are_none() {
    let folder = Folder::toml(
        "[plugins]\ntrusted_keys = [\"RWQ\"]\n[[policy]]\nname = \"chat\"\nmodule = \"chat.wasm\"\nsha256 = \"abc\"\n",
    )
    .file("chat.wasm", "");
    assert_eq!(
        folder.problems(),
        [
            "plugins.trusted_keys: the value holds something that is no such key; expected a list of public keys as \
             minisign prints them, such as `[\"RWQ…\"]` [sluice.toml:2]",
            "policy[0].sha256 (policy `chat`): `abc` is not a digest; \
             expected 64 hexadecimal digits, after `sha256:` or alone [sluice.toml:6]",
        ]
    );
    // Not what one may take it for, that nobody is trusted, and not what one would get.
    assert_eq!(
        Folder::toml("[plugins]\ntrusted_keys = []\n").problems(),
        [
            "plugins.trusted_keys: the value trusts nobody, so that no module loads; \
             expected a key, or no `trusted_keys` where modules need no signature [sluice.toml:2]"
        ]
    );
}
