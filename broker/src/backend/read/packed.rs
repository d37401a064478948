//! The same requests in msgpack: binary values stand in the arguments where they belong.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{Base64, Body, MALFORMED, Mistake, Request, check, parse};
use crate::backend::Emit;
use crate::packet::{self, msgpack};

/// Of one message. It is a megabyte unless the operator of NATS has said otherwise.
const LIMITS: msgpack::Limits = msgpack::Limits {
    attachments: 1024,
    text: 64 << 20,
};

/// As [`read`](super::read).
///
/// # Errors
/// What is wrong with the request as a whole.
pub(crate) fn read_packed(body: &Bytes, at: Option<&str>) -> Result<Request, Mistake> {
    let (text, attachments) = msgpack::to_json(body, LIMITS).map_err(|denial| {
        Mistake::new(
            MALFORMED,
            format!("the body is not readable: {}", denial.message),
        )
    })?;
    if !text.starts_with('[') {
        return one(&text, &attachments, at).map(Request::One);
    }
    let items: Vec<&RawValue> = parse(text.as_bytes())?;
    let each = items.into_iter().map(|it| one(it.get(), &attachments, at));
    Ok(Request::Batch(each.collect()))
}

fn one(text: &str, attachments: &[Bytes], at: Option<&str>) -> Result<Emit, Mistake> {
    if attachments.is_empty() {
        return parse(text.as_bytes()).and_then(|body| check(body, at));
    }
    // Its own ones, counted from nought. A number that is nobody's is found out by the check.
    let mut own = Vec::new();
    let text = packet::replaced(text, |text, number| {
        text.push_str(&format!(r#"{{"_placeholder":true,"num":{}}}"#, own.len()));
        own.extend(attachments.get(number).cloned().map(Base64));
    });
    let mut body: Body<'_> = parse(text.as_bytes())?;
    if !own.is_empty() {
        if body.attachments.is_some() {
            let what = "in msgpack, binary values stand in `args`";
            return Err(Mistake::new("bad_field", what).at("attachments"));
        }
        body.attachments = Some(own);
    }
    check(body, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &serde_json::Value, attachments: &[Bytes]) -> Result<Request, Mistake> {
        let body = msgpack::data(&value.to_string(), attachments);
        read_packed(&body.into(), Some("/"))
    }

    #[test]
    fn binary_values_belong_to_their_events() {
        let [a, b] = [Bytes::from_static(b"a"), Bytes::from_static(b"b")];
        let place = |num: usize| serde_json::json!({"_placeholder": true, "num": num});
        let batch = serde_json::json!([
            {"event": "x", "args": [place(0)]},
            {"event": "y", "args": [1, place(1)]},
            {"event": "z", "args": [2]},
            {"event": 3},
        ]);
        let Ok(Request::Batch(items)) = read(&batch, &[a.clone(), b.clone()]) else {
            panic!("no batch");
        };
        let [Ok(x), Ok(y), Ok(z), Err(mistake)] = &items[..] else {
            panic!("{items:?}");
        };
        assert_eq!(&*x.attachments, [a]);
        assert_eq!(&*y.attachments, [b]);
        assert_eq!(&*y.args, r#"[1,{"_placeholder":true,"num":0}]"#);
        assert!(z.attachments.is_empty());
        assert_eq!(mistake.field.as_deref(), Some("event"));
    }

    #[test]
    fn what_is_no_msgpack_is_malformed() {
        for wrong in [&[][..], &[0xc1], &[0x81], &[0x80, 0x80]] {
            let mistake = read_packed(&Bytes::copy_from_slice(wrong), None).unwrap_err();
            assert!(!mistake.detail.is_empty(), "{wrong:?}");
        }
    }
}
