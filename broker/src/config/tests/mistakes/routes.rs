//! Of routes, and of what back ends are told.

use super::*;

#[test]
fn routes() {
    let wrong = |keys: &str, expected: &str| {
        let toml =
            format!("[[namespace]]\npath = \"/\"\n[[namespace.route]]\nevent = \"e\"\n{keys}");
        let expected = format!(
            "namespace[0].route[0].{}",
            expected.replace(" >", " (namespace `/`, event `e`):")
        );
        check(&toml, &expected);
    };
    wrong(
        "action = \"join\"",
        "room > is missing: the route leads nowhere",
    );
    wrong(
        "action = \"leave\"",
        "room > is missing: the route leads nowhere",
    );
    wrong(
        "action = \"presence\"",
        "room > is missing: the route leads nowhere",
    );
    wrong(
        "action = \"presence\"\nroom = \"/0\"\nas = \"connect\"",
        "as > `connect` is a name that Socket.IO keeps",
    );
    wrong(
        "action = \"presence\"\nroom = \"/0\"\nto = \"all\"",
        "to > has no effect in this route",
    );
    let presence = "action = \"presence\"\nroom = \"/0\"";
    check(
        &format!(
            "[[namespace]]\npath = \"/\"\n[[namespace.route]]\nevent = \"a\"\n{presence}\n[[namespace.route]]\nevent = \"b\"\n{presence}\nas = \"seen\""
        ),
        "namespace[0].route[1].as (namespace `/`, event `b`): `seen` differs from that of an earlier route",
    );
    wrong(
        "action = \"jion\"\nto = \"all\"",
        "action > `jion` is not one of them",
    );
    wrong("to = \"everyone\"", "to > `everyone` is not one of them");
    wrong(
        "room = \"/room\"",
        "room > `/room` does not begin with the number of an argument",
    );
    wrong("room = \"/0/~2\"", "room > `/0/~2` has a `~` that neither");
    wrong("room = \"\"", "room > `` is empty");
    wrong(
        "to = \"all\"\nas = \"connect\"",
        "as > `connect` is a name that Socket.IO keeps",
    );
    wrong(
        "to = \"all\"\nroom = \"x\"",
        "room > has no effect in this route",
    );
    wrong(
        "to = \"sender\"\ninclude_sender = true",
        "include_sender > has no effect",
    );
    wrong(
        "action = \"join\"\nroom = \"x\"\nas = \"y\"",
        "as > has no effect",
    );
    wrong("action = \"ignore\"\nto = \"all\"", "to > has no effect");
    wrong(
        "to = \"all\"\ndurable = true",
        "durable > has no effect in this route",
    );
    wrong(
        "action = \"request\"",
        "action > `request` needs a NATS server",
    );
    wrong(
        "to = \"others\"\nbatch = {}",
        "batch > needs `include_sender = true`, or `to = \"all\"`",
    );
    wrong("to = \"room\"\nroom = \"a\"\nbatch = {}", "batch > needs");
    wrong(
        "action = \"ignore\"\nbatch = {}",
        "batch > has no effect in this route",
    );
    wrong(
        "to = \"all\"\nbatch = { window = \"2min\" }",
        "batch.window > `2min` is out of bounds; expected 1ms to 60s",
    );
    wrong(
        "to = \"all\"\nbatch = { max = 1001 }",
        "batch.max > `1001` is too large; expected 1 to 1000",
    );
    check(
        "[[namespace]]\npath = \"/\"\n[[namespace.route]]\nto = \"all\"",
        "namespace[0].route[0].event (namespace `/`): is missing",
    );
}

#[test]
fn routes_to_back_ends() {
    let wrong = |route: &str, expected: &str| {
        let (key, what) = expected.split_once(" > ").unwrap();
        check(
            &format!(
                "[cluster]\nnats_url = \"nats://n\"\n[[namespace]]\npath = \"/\"\n[[namespace.route]]\nevent = \"a\"\n{route}"
            ),
            &format!("namespace[0].route[0].{key} (namespace `/`, event `a`): {what}"),
        );
    };
    wrong(
        "action = \"publish\"\nsubject = \"a..b\"",
        "subject > `a..b` has an empty token",
    );
    wrong(
        "action = \"publish\"\nsubject = \".emit.{namespace}\"",
        "subject > `.emit.{namespace}` is below `sluice.sluice`, where `emit`",
    );
    wrong(
        "action = \"publish\"\nformat = \"xml\"",
        "format > `xml` is not one of them; expected `json` or `msgpack`",
    );
    wrong(
        "action = \"publish\"\ntimeout = \"1s\"",
        "timeout > has no effect in this route",
    );
    wrong(
        "action = \"request\"\ntimeout = \"0s\"",
        "timeout > `0s` is out of bounds; expected 1ms to 10min",
    );
    wrong(
        "action = \"request\"\ndurable = true",
        "durable > has no effect in this route",
    );
    wrong(
        "action = \"request\"\nbatch = {}",
        "batch > has no effect in this route",
    );
    wrong(
        "action = \"publish\"\nto = \"all\"",
        "to > has no effect in this route",
    );
}

#[test]
fn what_back_ends_are_told_of_sockets() {
    let wrong = |cluster: &str, keys: &str, expected: &str| {
        let (key, what) = expected.split_once(" > ").unwrap();
        check(
            &format!("{cluster}\n[[namespace]]\npath = \"/\"\n[namespace.lifecycle]\n{keys}"),
            &format!("namespace[0].{key} (namespace `/`): {what}"),
        );
    };
    wrong(
        "",
        "",
        "lifecycle > needs a NATS server; expected `cluster.nats_url` beside it",
    );
    let cluster = "[cluster]\nnats_url = \"nats://n\"";
    wrong(
        cluster,
        "events = [\"connected\", \"gone\"]",
        "lifecycle.events[1] > `gone` is none of them; expected `connected` or `disconnected` or `joined` or `left`",
    );
    wrong(
        cluster,
        "events = [\"left\", \"left\"]",
        "lifecycle.events[1] > `left` is in the list already",
    );
    wrong(
        cluster,
        "events = []",
        "lifecycle.events > the value names nothing",
    );
    wrong(
        cluster,
        "subject = \".ctl.{event}\"",
        "lifecycle.subject > `.ctl.{event}` is below `sluice.sluice`, where `emit`",
    );
    wrong(
        cluster,
        "format = \"xml\"",
        "lifecycle.format > `xml` is not one of them",
    );
}
