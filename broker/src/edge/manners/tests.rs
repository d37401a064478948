use std::cell::RefCell;

use super::*;

/// A client in `/` and `/in`.
struct In(RefCell<Vec<String>>);

impl Namespaces for In {
    fn is_in(&self, namespace: &str) -> bool {
        self.0.borrow().iter().any(|it| it == namespace)
    }

    fn leaves(&self, namespace: &str) {
        self.0.borrow_mut().retain(|it| it != namespace);
    }
}

fn client() -> In {
    In(RefCell::new(vec!["/".to_owned(), "/in".to_owned()]))
}

fn judge(text: &str) -> Judgement {
    Manners::new(Parser::Text)
        .text(text.bytes(), true, &client())
        .unwrap()
}

const PARSE: Judgement = Judgement::End(Fault::Parse);
const DIRECTION: Judgement = Judgement::End(Fault::Direction);
const STATE: Judgement = Judgement::End(Fault::State);

#[test]
fn what_clients_say_passes() {
    for text in [
        "3",
        "1",
        "40/new,",
        "40/new",
        r#"40/new,{"token":"x"}"#,
        "41",
        "41/in,",
        r#"42["x"]"#,
        r#"42/in,17[ "x",{}]"#,
        r#"42["",1]"#,
        "437[]",
        r#"451-["x",{"_placeholder":true,"num":0}]"#,
        r#"4510-/in,7["x"]"#,
        r#"461-7[{"_placeholder":true,"num":0}]"#,
    ] {
        assert_eq!(judge(text), Judgement::Pass, "{text}");
    }
}

#[test]
fn what_has_no_effect_is_ignored() {
    for text in ["0{}", "3probe", "5", "6", "6x", r#"43["x"]"#, "437"] {
        assert_eq!(judge(text), Judgement::Ignore, "{text}");
    }
}

#[test]
fn what_is_no_packet_ends_the_connection() {
    for text in [
        "",
        "7",
        "abc",
        "é",
        "4",
        "47",
        "4abc",
        "40\"x\"",
        "40/new,[]",
        "40null",
        "41{}",
        "42",
        "427",
        "42[",
        "42[]",
        "42[1]",
        "42[null]",
        "42{}",
        "42\"x\"",
        "42-1[\"x\"]",
        "437{}",
        "45-[\"x\"]",
        "450-[\"x\"]",
        "451[\"x\"]",
        "45-1-[\"x\"]",
        "451.5-[\"x\"]",
        "4565-[\"x\"]",
        "4599999999999999999999-[\"x\"]",
        "451-",
        "461-[]",
        "bAAA=",
    ] {
        assert_eq!(judge(text), PARSE, "{text}");
    }
    assert_eq!(judge("2"), DIRECTION);
    assert_eq!(judge("2probe"), DIRECTION);
}

#[test]
fn a_namespace_is_entered_once_and_before_anything_else() {
    for text in [
        "40",
        "40{}",
        "40/in,",
        "41/out,",
        r#"42/out,["x"]"#,
        "43/out,1[]",
        r#"451-/out,["x"]"#,
        r#"44{"message":"x"}"#,
    ] {
        assert_eq!(judge(text), STATE, "{text}");
    }
    let (mut manners, client) = (Manners::new(Parser::Text), client());
    let mut judge = |text: &str| manners.text(text.bytes(), true, &client).unwrap();
    assert_eq!(judge("41/in,"), Judgement::Pass);
    assert_eq!(judge(r#"42["x"]"#), Judgement::Pass);
    assert_eq!(judge(r#"42/in,["x"]"#), STATE);
    assert_eq!(judge("40/in,"), Judgement::Pass);
}

#[test]
fn attachments_come_at_once_and_in_number() {
    let (mut manners, client) = (Manners::new(Parser::Text), client());
    assert_eq!(manners.binary(), PARSE);
    let judge =
        |manners: &mut Manners, text: &str| manners.text(text.bytes(), true, &client).unwrap();
    assert_eq!(judge(&mut manners, "452-[\"x\"]"), Judgement::Pass);
    assert_eq!(manners.binary(), Judgement::Pass);
    assert_eq!(judge(&mut manners, "bAAA="), Judgement::Pass);
    assert_eq!(manners.binary(), PARSE);
    assert_eq!(judge(&mut manners, "452-[\"x\"]"), Judgement::Pass);
    assert_eq!(judge(&mut manners, "42[\"x\"]"), PARSE);
}

#[test]
fn a_text_that_goes_on_is_judged_when_enough_is_there() {
    let text = r#"4512-/in,345[ "x",1]"#;
    let enough = text.find('x').unwrap();
    for length in 0..text.len() {
        let judged = Manners::new(Parser::Text).text(text.bytes().take(length), false, &client());
        let expected = if length < enough {
            Err(Undecided)
        } else {
            Ok(Judgement::Pass)
        };
        assert_eq!(judged, expected, "{length}");
    }
    let long = format!("42/{},[\"x\"]", "n".repeat(LONGEST_NAMESPACE));
    assert_eq!(judge(&long), Judgement::Pass);
}

#[test]
fn messages_of_another_parser_are_not_judged() {
    let mut manners = Manners::new(Parser::Msgpack);
    assert_eq!(manners.binary(), Judgement::Pass);
    let mut judge = |text: &str| manners.text(text.bytes(), true, &client()).unwrap();
    assert_eq!(judge("b3/8="), Judgement::Pass);
    assert_eq!(judge("3"), Judgement::Pass);
    assert_eq!(judge("2"), DIRECTION);
    assert_eq!(judge("7"), PARSE);
}
