use super::*;
use crate::plain::CLASS;

fn chars(text: &str) -> Result<Vec<(usize, char)>, Malformed> {
    let mut reader = Reader::new(text);
    reader.expect(b'"')?;
    let mut chars = Vec::new();
    while let Some((at, char)) = reader.next_char()? {
        chars.push((at.len(), char));
    }
    reader.end()?;
    Ok(chars)
}

#[test]
fn a_text_is_read_by_character() {
    assert_eq!(chars(r#""aé😀""#), Ok(vec![(1, 'a'), (2, 'é'), (4, '😀')]));
    assert_eq!(
        chars(r#""\"\\\/\b\f\n\r\t\u0041\u00e9""#)
            .map(|chars| chars.into_iter().map(|(_, char)| char).collect()),
        Ok("\"\\/\u{8}\u{c}\n\r\tAé".to_owned())
    );
    assert_eq!(chars(r#""\ud83d\ude00""#), Ok(vec![(12, '😀')]));
    assert_eq!(chars(r#""\ud83d""#), Ok(vec![(6, '\u{fffd}')]));
    assert_eq!(
        chars(r#""\ude00\ud83d\u0041""#),
        Ok(vec![(6, '\u{fffd}'), (6, '\u{fffd}'), (6, 'A')])
    );
}

#[test]
fn what_is_no_text_is_malformed() {
    for text in [
        "\"",
        "\"\\\"",
        "\"a\nb\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\ud83d\\u1\"",
        "\"a\"b",
        "'a'",
        "",
    ] {
        assert_eq!(chars(text), Err(Malformed), "{text}");
    }
}

#[test]
fn a_key_is_borrowed_where_it_is_plain() {
    let string = |text| Reader::new(text).string();
    assert!(matches!(string("\"key\""), Ok(Cow::Borrowed("key"))));
    assert!(matches!(string("\"\""), Ok(Cow::Borrowed(""))));
    assert_eq!(string(r#""aé\u0062\n""#).as_deref(), Ok("aéb\n"));
    assert_eq!(string("\"key"), Err(Malformed));
}

#[test]
fn what_html_gives_a_meaning_is_of_interest() {
    for byte in 0..128u8 {
        let is_html = crate::html::html(char::from(byte)).is_some();
        let of_interest = |interest| CLASS[usize::from(byte)] & interest as u8 != 0;
        assert_eq!(
            of_interest(Interest::JsonAndHtml),
            is_html || of_interest(Interest::Json),
            "{byte}"
        );
    }
}

#[test]
fn numbers_are_those_of_json() {
    let number = |text| {
        let mut reader = Reader::new(text);
        let number = reader.number()?;
        reader.end().map(|()| number)
    };
    for text in [
        "0",
        "-0",
        "12345678901234567890",
        "1.0",
        "1e400",
        "-1.5E-7",
        "0.10",
        "2e+3",
    ] {
        assert_eq!(number(text), Ok(text));
    }
    for text in [
        "", "-", "01", "1.", ".5", "1e", "1e+", "+1", "0x1", "1_0", "Infinity", "NaN", "--1",
    ] {
        assert_eq!(number(text), Err(Malformed), "{text}");
    }
}

#[test]
fn a_placeholder_is_exactly_that() {
    let is = |text| {
        Reader::new(text)
            .placeholder()
            .is_some_and(|mut after| after.end().is_ok())
    };
    for text in [
        r#"{"_placeholder":true,"num":0}"#,
        r#" { "num" : 12 , "_placeholder" : true } "#,
    ] {
        assert!(is(text), "{text}");
    }
    for text in [
        "{}",
        "[]",
        r#"{"_placeholder":true}"#,
        r#"{"num":0}"#,
        r#"{"_placeholder":false,"num":0}"#,
        r#"{"_placeholder":true,"num":-1}"#,
        r#"{"_placeholder":true,"num":1.5}"#,
        r#"{"_placeholder":true,"num":"0"}"#,
        r#"{"_placeholder":true,"num":0,"more":1}"#,
        r#"{"_placeholder":true,"num":0"#,
    ] {
        assert!(!is(text), "{text}");
    }
}

#[test]
fn a_value_is_skipped_as_a_whole() {
    for value in [
        "1",
        "-1.5e3",
        "true",
        "null",
        r#""a]}\"\\""#,
        "[]",
        "{}",
        "[[],[[]]]",
        r#"{"a" : [1, {"b":"]"} , null],"c":{}}"#,
        r#"[ {} , [ ] ,"x" ]"#,
    ] {
        let text = format!("{value} , 7");
        let mut reader = Reader::new(&text);
        reader.skip_value().unwrap();
        assert_eq!(reader.position(), value.len(), "{value}");
    }
    for text in [
        "", "[", "[1", "{\"a\"", "{\"a\":", "\"a", "[1,", "x", "[\u{1}]",
    ] {
        assert_eq!(Reader::new(text).skip_value(), Err(Malformed), "{text}");
    }
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    assert_eq!(Reader::new(&deep).skip_value(), Ok(()));
}
