//! The configuration in force, as it may be shown: every key with its value, the defaults among them, and no secret.

use config::ValueKind;
use serde_json::{Map, Value};

/// What stands for a value that is not shown.
const HIDDEN: &str = "…";

/// What keys were read as, in the order in which they were read.
#[derive(Debug, Default)]
pub(super) struct Effective(Vec<(String, Value)>);

// === impl Effective ===

impl Effective {
    pub(super) fn hidden(&mut self, key: String) {
        self.0.push((key, HIDDEN.into()));
    }

    /// A value as the environment and defaults have it.
    pub(super) fn text(&mut self, key: String, text: &str, is_quoted: bool) {
        let value = match is_quoted {
            true => None,
            false => bare(text),
        };
        self.0.push((key, value.unwrap_or_else(|| text.into())));
    }

    /// A value as files have it.
    pub(super) fn value(&mut self, key: String, value: &ValueKind) {
        self.0.push((key, json(value)));
    }

    /// A table that is somebody else's to read: which of its texts are secrets is not known here.
    pub(super) fn foreign(&mut self, key: String, value: &Value) {
        self.0.push((key, without_texts(value)));
    }

    /// All of it, as the file would have it.
    pub(super) fn tree(self) -> Value {
        let mut tree = Value::Object(Map::new());
        for (key, value) in self.0 {
            *at(&mut tree, &key) = value;
        }
        tree
    }
}

/// The place of a key such as `policy[0].breaker.window`.
fn at<'a>(tree: &'a mut Value, key: &str) -> &'a mut Value {
    let mut place = tree;
    for piece in key.split('.') {
        let (name, index) = match piece.strip_suffix(']').and_then(|it| it.split_once('[')) {
            Some((name, index)) => (name, index.parse::<usize>().ok()),
            None => (piece, None),
        };
        place = step(place, name);
        if let Some(index) = index {
            place = entry(place, index);
        }
    }
    place
}

fn step<'a>(place: &'a mut Value, name: &str) -> &'a mut Value {
    if !place.is_object() {
        *place = Value::Object(Map::new());
    }
    &mut place[name]
}

fn entry(place: &mut Value, index: usize) -> &mut Value {
    if !place.is_array() {
        *place = Value::Array(Vec::new());
    }
    if let Value::Array(items) = &mut *place
        && items.len() <= index
    {
        items.resize(index + 1, Value::Null);
    }
    &mut place[index]
}

/// A value that TOML writes without quotes.
pub(super) fn bare(text: &str) -> Option<Value> {
    let table: toml::Table = format!("v = {text}").parse().ok()?;
    serde_json::to_value(table.get("v")?).ok()
}

pub(super) fn json(value: &ValueKind) -> Value {
    match value {
        ValueKind::Nil => Value::Null,
        ValueKind::Boolean(value) => (*value).into(),
        ValueKind::I64(value) => (*value).into(),
        ValueKind::U64(value) => (*value).into(),
        ValueKind::Float(value) => (*value).into(),
        ValueKind::I128(_) | ValueKind::U128(_) => value.to_string().into(),
        ValueKind::String(value) => value.as_str().into(),
        ValueKind::Array(items) => items.iter().map(|item| json(&item.kind)).collect(),
        ValueKind::Table(table) => table
            .iter()
            .map(|(name, item)| (name.clone(), json(&item.kind)))
            .collect(),
    }
}

fn without_texts(value: &Value) -> Value {
    match value {
        Value::String(_) => HIDDEN.into(),
        Value::Array(items) => items.iter().map(without_texts).collect(),
        Value::Object(table) => table
            .iter()
            .map(|(name, item)| (name.clone(), without_texts(item)))
            .collect(),
        other => other.clone(),
    }
}
