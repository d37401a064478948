use super::*;

fn wrong(text: &str) -> String {
    read(text).unwrap_err()
}

#[test]
fn a_call_keeps_the_spelling_of_what_reaches_the_policy() {
    let text = r#"{"hook":"event","event":"e","args":[1.0, "\u0041"],"user":null}"#;
    let Says::Call(call) = read(text).unwrap().says else {
        panic!("a call");
    };
    assert_eq!(call.facts.user, Some(None));
    assert_eq!(call.socket, 1);
    let Ask::Event { event, .. } = call.ask else {
        panic!("an event");
    };
    assert_eq!(&*event.args, r#"[1.0, "\u0041"]"#);
    let text = r#"{"hook":"connect","auth":null}"#;
    let Says::Call(call) = read(text).unwrap().says else {
        panic!("a call");
    };
    assert!(matches!(call.ask, Ask::Connect { auth, is_refresh } if auth == "null" && !is_refresh));
    assert_eq!(call.facts.user, None);
}

#[test]
fn an_expectation_is_replaced_and_nothing_else() {
    let text = r#"{ "hook":"event" , "expect":{"verdict":"drop"}, "args":[1.0,  "\u0041"] }"#;
    assert_eq!(
        expecting(text, r#"{"verdict":"pass"}"#).unwrap(),
        r#"{"hook":"event","args":[1.0,  "\u0041"],"expect":{"verdict":"pass"}}"#
    );
}

#[test]
fn mistakes_are_told_with_their_keys() {
    let told = wrong(r#"{"hook":"event","event":"e","arg":[]}"#);
    assert!(told.contains("unknown field `arg`"), "{told}");
    let told = wrong(r#"{"hook":"event","args":[]}"#);
    assert!(told.contains("`event`"), "{told}");
    let told = wrong(r#"{"hook":"event","event":"e","args":{}}"#);
    assert!(told.starts_with("args: "), "{told}");
    let told = wrong(r#"{"hook":"subscribe"}"#);
    assert!(told.contains("`room`"), "{told}");
    let told = wrong(r#"{"hook":"disconnect","reason":"boredom"}"#);
    assert!(told.starts_with("reason: "), "{told}");
    let told = wrong(r#"{"hook":"connect","rooms":[1]}"#);
    assert!(told.starts_with("rooms[0]: "), "{told}");
    let told = wrong(r#"{"hook":"connect","expect":{"verdit":"pass"}}"#);
    assert!(told.contains("verdit"), "{told}");
    let told = wrong(r#"{"hook":"connect","http":{"url":"x","status":200}}"#);
    assert!(told.contains("one of"), "{told}");
    let told = wrong(r#"{"http":{"url":"x"}}"#);
    assert!(told.contains("`status` or `error`"), "{told}");
    assert!(wrong("{}").contains("one of"));
    assert!(wrong(r#"{"dropped":1} x"#).contains("trailing"));
}
