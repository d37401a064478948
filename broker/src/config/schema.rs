//! JSON Schema (2020-12) of a configuration file, as `sluice config schema` prints it, for editors.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::describe::{Entry, Kind};
use super::effective::bare;

/// What a text has that a variable fills in.
const VARIABLE: &str = "variable";

/// The schema of every key.
pub(super) fn schema(entries: &[Entry]) -> Value {
    let mut root = Node::default();
    for entry in entries {
        root.add(&entry.key.replace("[0]", ""), entry);
    }
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of Sluice",
        "$comment": concat!("sluice ", env!("CARGO_PKG_VERSION")),
        "$defs": { VARIABLE: {
            "description": "`${NAME}` is replaced by the variable of that name",
            "type": "string",
            "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*\}",
        }},
    });
    merge(&mut schema, root.object());
    schema
}

/// A key and, of a table, the keys in it.
#[derive(Default)]
struct Node<'a> {
    entry: Option<&'a Entry>,
    /// In the order of the declarations.
    keys: Vec<&'a str>,
    nodes: BTreeMap<&'a str, Node<'a>>,
}

impl<'a> Node<'a> {
    fn add(&mut self, key: &str, entry: &'a Entry) {
        let mut node = self;
        // The name of a key stands in its entry for as long as that; those of tables around it are there already.
        for part in key.split('.') {
            let known = node.keys.iter().copied().find(|known| *known == part);
            let Some(name) = known.or_else(|| (part == entry.name).then_some(entry.name)) else {
                return;
            };
            if known.is_none() {
                node.keys.push(name);
            }
            node = node.nodes.entry(name).or_default();
        }
        node.entry.get_or_insert(entry);
    }

    /// A table with these keys and no others.
    fn object(&self) -> Value {
        let mut properties = Map::new();
        for key in &self.keys {
            if let Some(node) = self.nodes.get(key) {
                properties.insert((*key).to_owned(), node.schema());
            }
        }
        let is_required = |key: &&&str| {
            let node = self.nodes.get(**key);
            node.and_then(|node| node.entry)
                .is_some_and(|entry| entry.required)
        };
        let required: Vec<_> = self.keys.iter().filter(is_required).collect();
        let mut object = json!({
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
        });
        if !required.is_empty() {
            merge(&mut object, json!({ "required": required }));
        }
        object
    }

    fn schema(&self) -> Value {
        let Some(entry) = self.entry else {
            return self.object();
        };
        let mut schema = match entry.kind {
            Kind::Free => json!({ "type": "object" }),
            // YAML writes a table without keys as nothing at all.
            Kind::Table => or_nothing(self.object()),
            Kind::Tables => or_nothing(json!({ "type": "array", "items": self.object() })),
            // A value that may be a table as well.
            _ if !self.keys.is_empty() => {
                json!({ "anyOf": [with_variables((entry.schema)()), self.object()] })
            }
            _ => with_variables((entry.schema)()),
        };
        merge(&mut schema, described(entry));
        schema
    }
}

fn or_nothing(schema: Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
}

/// What an editor shows of a key.
fn described(entry: &Entry) -> Value {
    let mut doc = entry.doc.to_owned();
    if let Some(bounds) = &entry.bounds {
        doc.push_str(&format!(" ({bounds})"));
    }
    if !entry.live && matches!(entry.kind, Kind::Text | Kind::Bare) {
        doc.push_str(" A change needs a restart.");
    }
    let mut described = json!({ "description": doc });
    if entry.secret() {
        merge(&mut described, json!({ "writeOnly": true }));
    } else if let Some(default) = entry.default.and_then(|text| value(entry.kind, text)) {
        merge(&mut described, json!({ "default": default }));
    }
    described
}

/// A default as a file would have it.
fn value(kind: Kind, text: &str) -> Option<Value> {
    match kind {
        Kind::Text => Some(text.into()),
        _ => bare(text),
    }
}

/// The same, or a text with `${NAME}` in it, wherever a text is not free anyway.
fn with_variables(schema: Value) -> Value {
    let schema = match schema {
        Value::Object(mut object) => {
            if let Some(items) = object.remove("items") {
                object.insert("items".to_owned(), with_variables(items));
            }
            Value::Object(object)
        }
        other => other,
    };
    let is_free = schema["type"] == "string" && schema.get("pattern").is_none();
    match is_free {
        true => schema,
        false => json!({ "anyOf": [schema, { "$ref": format!("#/$defs/{VARIABLE}") }] }),
    }
}

fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}
