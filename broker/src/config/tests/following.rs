//! A configuration that has changed under a running process: what changes, what waits for a restart, and what is
//! refused.

use super::*;

/// What `new` comes to for a process that was started with `old`.
fn followed(old: &str, new: &str) -> Result<Followed, Problems> {
    let folder = Folder::toml(old);
    let running = folder.load().unwrap();
    let folder = folder.file("sluice.toml", new);
    let followed = follow(&running);
    // Once followed, there is nothing more to do, and what waits goes on waiting.
    if let Ok(first) = &followed {
        let again = follow(&first.loaded).unwrap();
        assert_eq!(again.changes, []);
        assert_eq!(again.waiting, first.waiting);
    }
    drop(folder);
    followed
}

fn told(changes: &[Change]) -> Vec<String> {
    changes.iter().map(ToString::to_string).collect()
}

#[test]
fn what_can_change_changes_and_the_rest_waits() {
    let followed = followed(
        "[server]\nlisten = '127.0.0.1:1'\nmax_connections = 5\nping_interval = '1000ms'\n",
        "[server]\nlisten = '127.0.0.1:2'\nmax_connections = 6\nping_interval = '1s'\npath = '/x'\n\
         [server.cors]\norigins = ['https://a.example']\n[telemetry]\nlog = 'debug'\nformat = 'json'\n",
    )
    .unwrap();
    assert_eq!(
        told(&followed.changes),
        [
            "server.cors.origins: [] -> [\"https://a.example\"]",
            "server.max_connections: 5 -> 6",
            "telemetry.log: info -> debug",
        ]
    );
    assert_eq!(
        told(&followed.waiting),
        [
            "server.listen: 127.0.0.1:1 -> 127.0.0.1:2",
            "server.path: /socket.io -> /x",
            "telemetry.format: readable -> json",
        ]
    );
    let config = followed.loaded.config;
    assert_eq!(config.server.listen, SocketAddr::from(([127, 0, 0, 1], 1)));
    assert_eq!(config.server.path, "/socket.io");
    assert_eq!(config.telemetry.format, Format::Readable);
    assert_eq!(config.server.admission.max_connections, 6);
    assert_eq!(config.telemetry.log, "debug");
}

#[test]
fn what_was_set_and_is_no_more_is_a_change_too() {
    let cluster = "[cluster]\nnats_url = 'nats://127.0.0.1:4222'\n";
    let before = format!("{cluster}[server]\nmax_connections = 5\n");
    let followed = followed(&before, "").unwrap();
    assert_eq!(
        told(&followed.changes),
        ["server.max_connections: 5 -> 100000"]
    );
    assert_eq!(
        told(&followed.waiting),
        ["cluster.nats_url: nats://127.0.0.1:4222 -> (not set)"]
    );
    assert!(followed.loaded.config.cluster.is_some());
}

/// A route to back ends that the process has no connection to would be half of a change.
#[test]
fn what_makes_no_sense_without_a_restart_is_refused() {
    let route = "[[namespace]]\npath = '/'\n[[namespace.route]]\nevent = 'x'\naction = 'publish'\n";
    let cluster = "[cluster]\nnats_url = 'nats://127.0.0.1:4222'\n";
    let refused = followed("", &format!("{cluster}{route}"))
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("namespace[0].route[0].action"),
        "{refused}"
    );
    assert!(refused.contains("cluster.nats_url"), "{refused}");
    let followed = followed(&format!("{cluster}{route}"), route);
    // The other way round the connection is there until the restart.
    assert!(
        followed
            .unwrap_err()
            .to_string()
            .contains("needs a NATS server")
    );
}

#[test]
fn entries_are_known_by_their_names() {
    let policy = |name: &str, more: &str| {
        format!("[[policy]]\nname = '{name}'\nmodule = 'a.wasm'\n{more}\n")
    };
    let followed = followed(
        &[
            policy("a", "timeout = '10ms'"),
            policy("b", ""),
            policy("c", ""),
        ]
        .concat(),
        &[
            policy("d", ""),
            policy("a", "timeout = '20ms'"),
            policy("c", "config = { k = 'hush' }"),
        ]
        .concat(),
    )
    .unwrap();
    assert_eq!(
        told(&followed.changes),
        [
            "policy[a].timeout: 10ms -> 20ms",
            "policy[b]: removed",
            "policy[c].config: (not set) -> (not shown)",
            "policy[d]: added",
        ]
    );
    let swapped = self::followed(
        &[policy("a", ""), policy("b", "")].concat(),
        &[policy("b", ""), policy("a", "")].concat(),
    );
    assert_eq!(
        told(&swapped.unwrap().changes),
        ["policy: policy[a], policy[b] -> policy[b], policy[a]"]
    );
}

#[test]
fn routes_come_and_go_by_name() {
    let route = |events: &[&str]| {
        let routes = events
            .iter()
            .map(|it| format!("[[namespace.route]]\nevent = '{it}'\nto = 'all'\n"));
        format!(
            "[[namespace]]\npath = '/chat'\n{}",
            routes.collect::<String>()
        )
    };
    let followed = followed(&route(&["a", "b"]), &route(&["b", "c"])).unwrap();
    assert_eq!(
        told(&followed.changes),
        [
            "namespace[/chat].route[a]: removed",
            "namespace[/chat].route[c]: added"
        ]
    );
}

#[test]
fn secrets_are_compared_and_not_shown() {
    let folder = Folder::toml(
        "[cluster]\nnats_url = 'nats://a'\ntoken = '${T}'\n[telemetry]\nlog = '${L}'\n",
    )
    .file(".env", "T=hunter1\nL=info\n");
    let running = folder.load().unwrap();
    let folder = folder.file(".env", "T=hunter2\nL=debug\n");
    let followed = follow(&running).unwrap();
    assert_eq!(
        told(&followed.waiting),
        ["cluster.token: (not shown) -> (not shown)"]
    );
    assert_eq!(
        told(&followed.changes),
        ["telemetry.log: (not shown) -> (not shown)"]
    );
    assert_eq!(followed.loaded.config.telemetry.log, "debug");
    // It is the one that the process has logged in with.
    let Some(Cluster {
        login: Login::Token(token),
        ..
    }) = &followed.loaded.config.cluster
    else {
        panic!("a token");
    };
    assert_eq!(token.expose(), "hunter1");
    assert!(!format!("{followed:?}").contains("hunter"), "{followed:?}");
    drop(folder);
}
