//! Puts fields into the text of the arguments. What a client has sent under the keys of the fields is left out, however
//! it has spelled them and however often.

use policy_json::{Kind, Malformed, Reader};
use sluice_plugin_sdk::EventCall;

use crate::Field;

/// Into the first argument that is an object; into a further one where none is.
pub(crate) fn into_object(call: &EventCall<'_>, fields: &[Field]) -> Result<String, Malformed> {
    let text = call.args_text();
    let mut reader = Reader::new(text);
    let mut new = String::with_capacity(text.len() + 128);
    let mut first = true;
    reader.expect(b'[')?;
    while reader.next_item(first, b']')? {
        first = false;
        let kind = reader.kind()?;
        if kind == Kind::Object && !is_attachment(call, reader) {
            new.push_str(part(text, 0, reader.position()));
            members(text, &mut reader, &mut new, fields)?;
            new.push_str(part(text, reader.position(), text.len()));
            return Ok(new);
        }
        reader.skip_value()?;
    }
    let end = reader.position() - 1;
    new.push_str(part(text, 0, end));
    new.push_str(if first { "{" } else { ",{" });
    push(fields, &mut new, true);
    new.push(']');
    Ok(new)
}

/// As the argument of this number, in place of what stands there; arguments that are missing before it are null.
pub(crate) fn as_argument(
    call: &EventCall<'_>,
    number: usize,
    fields: &[Field],
) -> Result<String, Malformed> {
    let text = call.args_text();
    let mut reader = Reader::new(text);
    let mut count = 0;
    reader.expect(b'[')?;
    // Where the argument stands, or would stand.
    let mut place = reader.position()..reader.position();
    let mut is_there = false;
    while reader.next_item(count == 0, b']')? {
        reader.kind()?;
        let start = reader.position();
        reader.skip_value()?;
        if count == number {
            place = start..reader.position();
            is_there = true;
            break;
        }
        place = reader.position()..reader.position();
        count += 1;
    }
    let mut new = String::with_capacity(text.len() + 128);
    new.push_str(part(text, 0, place.start));
    if !is_there {
        for missing in count..number {
            new.push_str(if missing == 0 { "null" } else { ",null" });
        }
        if number > 0 {
            new.push(',');
        }
    }
    new.push('{');
    push(fields, &mut new, true);
    new.push_str(part(text, place.end, text.len()));
    Ok(new)
}

/// Copies the object that comes next, with the fields in place of its members of their names.
fn members(
    text: &str,
    reader: &mut Reader<'_>,
    new: &mut String,
    fields: &[Field],
) -> Result<(), Malformed> {
    reader.expect(b'{')?;
    new.push('{');
    let (mut first, mut empty) = (true, true);
    while reader.next_item(first, b'}')? {
        first = false;
        reader.kind()?;
        let start = reader.position();
        let key = reader.string()?;
        reader.expect(b':')?;
        reader.skip_value()?;
        if fields.iter().any(|field| field.key == key) {
            continue;
        }
        if !empty {
            new.push(',');
        }
        empty = false;
        new.push_str(part(text, start, reader.position()));
    }
    push(fields, new, empty);
    Ok(())
}

/// The fields and the end of their object.
fn push(fields: &[Field], new: &mut String, empty: bool) {
    for (number, field) in fields.iter().enumerate() {
        if !empty || number > 0 {
            new.push(',');
        }
        new.push_str(&field.json);
        new.push_str(&field.source.json());
    }
    new.push('}');
}

/// What stands for an attachment is no object of the client's. Without attachments it is one that the client made up.
fn is_attachment(call: &EventCall<'_>, reader: Reader<'_>) -> bool {
    call.has_attachments() && reader.placeholder().is_some()
}

fn part(text: &str, start: usize, end: usize) -> &str {
    text.get(start..end).unwrap_or_default()
}
