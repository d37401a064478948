//! Against a stand-in for the broker: a script that answers each line as the protocol says.

use super::*;
use crate::log::Level;
use crate::testing::effects::Audience;
use crate::{Admission, DisconnectReason, Identity, Subscription, Verdict};

/// Answers lines that have these parts in them, in order; `*` stands between parts.
fn broker(cases: &[(&str, &str)]) -> Component {
    let cases: String = cases
        .iter()
        .map(|(parts, reply)| {
            let parts: Vec<_> = parts.split('*').map(|part| format!("'{part}'")).collect();
            format!("*{}*) echo '{reply}';;\n", parts.join("*"))
        })
        .collect();
    let script = format!("while read -r line; do case \"$line\" in\n{cases}esac; done");
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    Component::start(command)
}

fn ask(component: &mut Component, world: &mut World, ask: Ask<'_>) -> (Answer, Vec<Effect>) {
    component.ask(world, &Socket::new(7), ask)
}

fn event(args: &str) -> Ask<'_> {
    Ask::Event {
        name: "message",
        args,
        wants_ack: true,
        replaced: false,
        attachments: vec![b"hi".to_vec()],
    }
}

#[test]
fn a_configuration_comes_back_as_interests() {
    let mut component = broker(&[
        (r#""bad""#, r#"{"refused":"`bad`: unknown field"}"#),
        (
            r#""at_ms":5,"configure":{}"#,
            r#"{"configured":{"name":"p","version":"1","hooks":["event"],"capabilities":[],"interests":{"events":[{"name":"a","args":true}],"rooms":["r:*"],"buckets":[{"name":"b","burst":3,"per_second":1.5,"window_ms":0,"scope":"cluster"}],"metrics":[{"name":"m","kind":"gauge"}]}}}"#,
        ),
    ]);
    let expected = Interests::new()
        .event_with_args("a")
        .room("r:*")
        .bucket(crate::Bucket::tokens("b", 3, 1.5).cluster())
        .gauge("m");
    assert_eq!(component.configure(&json!({}), 5), Ok(expected));
    let refused = component.configure(&json!({ "bad": 1 }), 5);
    assert_eq!(refused.unwrap_err(), "`bad`: unknown field");
}

#[test]
fn answers_become_what_a_native_policy_answers() {
    let mut component = broker(&[
        (
            r#""hook":"connect"*"auth":{"b":1,"a":2}"#,
            r#"{"verdict":"accept","identity":{"user":"alice","attributes":[["k","v"]],"rooms":["r"],"expires_ms":5,"token_id":"t","issued_ms":2},"ns":1}"#,
        ),
        (
            r#""args":[1]"#,
            r#"{"verdict":"deny","denial":{"code":"c","message":"m","retry_after_ms":5,"data":{"z":1,"a":2}},"ns":1}"#,
        ),
        (r#""args":[2]"#, r#"{"verdict":"replace","args":["x" ,1]}"#),
        (
            r#""args":[3]"#,
            r#"{"verdict":"coalesce","coalesce":{"key":"k","window_ms":100,"leading":true}}"#,
        ),
        (r#""args":[4]"#, r#"{"verdict":"not_called"}"#),
        (r#""hook":"subscribe"*"room":"r""#, r#"{"verdict":"pass"}"#),
        (
            r#""hook":"disconnect"*"reason":"timeout""#,
            r#"{"verdict":"pass"}"#,
        ),
    ]);
    let world = &mut World::new();
    let component = &mut component;
    let auth = r#"{"b":1,"a":2}"#;
    let identity = Identity::user("alice").attribute("k", "v").room("r");
    let identity = identity.expires_ms(5).token_id("t").issued_ms(2);
    let (answer, _) = ask(
        component,
        world,
        Ask::Connect {
            auth,
            is_refresh: false,
        },
    );
    assert_eq!(answer, Answer::Admission(Admission::Accept(identity)));
    let mut denial = crate::Denial::new("c", "m").retry_after_ms(5);
    denial.data = Some(r#"{"z":1,"a":2}"#.to_owned());
    let window = Duration::from_millis(100);
    for (args, verdict) in [
        ("[1]", Verdict::Deny(denial)),
        ("[2]", Verdict::Replace(r#"["x" ,1]"#.to_owned())),
        ("[3]", Verdict::coalesce_leading("k", window)),
    ] {
        assert_eq!(
            ask(component, world, event(args)).0,
            Answer::Verdict(verdict)
        );
    }
    assert_eq!(ask(component, world, event("[4]")).0, Answer::NotCalled);
    let (answer, _) = ask(component, world, Ask::Subscribe { room: "r" });
    assert_eq!(answer, Answer::Subscription(Subscription::Pass));
    let reason = DisconnectReason::Timeout;
    assert_eq!(
        ask(component, world, Ask::Disconnect { reason }).0,
        Answer::Gone
    );
}

#[test]
fn what_happened_beside_the_verdict_is_known() {
    let mut component = broker(&[
        (r#""http":{"#, r#"{"ok":true}"#),
        (
            r#""attachments":["aGk="]"#,
            r#"{"verdict":"pass","effects":[{"effect":"emit","to":"room","room":"r","event":"e","args":[1]},{"effect":"join","room":"r"},{"effect":"disconnect"},{"effect":"set_attribute","name":"n","value":"v"}],"logs":[{"level":"warn","message":"w"}],"metrics":{"m":2.5},"http":[{"method":"GET","url":"u","headers":[["a","b"]],"body":"text"}]}"#,
        ),
    ]);
    component.answer("u", &Err(Error::Timeout));
    let world = &mut World::new();
    let (answer, effects) = ask(&mut component, world, event("[]"));
    assert_eq!(answer, Answer::Verdict(Verdict::Pass));
    let emitted = Effect::Emit {
        to: Audience::Room("r".into()),
        event: "e".into(),
        args: json!([1]),
    };
    let attribute = Effect::SetAttribute {
        name: "n".into(),
        value: "v".into(),
    };
    let expected = [
        emitted,
        Effect::Join("r".into()),
        Effect::Disconnect,
        attribute,
    ];
    assert_eq!(effects, expected);
    assert_eq!(world.logs, [(Level::Warn, "w".to_owned())]);
    assert_eq!(world.values["m"], 2.5);
    let requests = &world.upstream.requests;
    assert_eq!(
        (requests[0].url.as_str(), requests[0].body.as_slice()),
        ("u", &b"text"[..])
    );
}

#[test]
#[should_panic(expected = "the policy failed: it trapped")]
fn a_policy_that_fails_fails_the_test() {
    let mut component = broker(&[("", r#"{"verdict":"failed","reason":"it trapped"}"#)]);
    ask(&mut component, &mut World::new(), event("[]"));
}

#[test]
#[should_panic(expected = "the broker does not understand")]
fn what_the_broker_does_not_understand_fails_the_test() {
    let mut component = broker(&[("", r#"{"error":"no such hook"}"#)]);
    ask(&mut component, &mut World::new(), event("[]"));
}

#[test]
fn answers_of_back_ends_are_handed_over() {
    let response = Response {
        status: 200,
        headers: vec![("a".into(), "b".into())],
        body: b"{}".to_vec(),
    };
    let expected = json!({ "url": "u", "status": 200, "headers": [["a", "b"]], "body": "{}" });
    assert_eq!(wire::upstream("u", &Ok(response)), expected);
    for (error, text) in [
        (Error::Timeout, "timeout"),
        (Error::TooLarge, "too_large"),
        (Error::Refused("x".into()), "refused: x"),
        (Error::Failed("x".into()), "failed: x"),
    ] {
        assert_eq!(
            wire::upstream("u", &Err(error)),
            json!({ "url": "u", "error": text })
        );
    }
}
