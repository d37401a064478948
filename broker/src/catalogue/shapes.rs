//! What the arguments of events look like, as far as the policies of a namespace declare it.
//!
//! The broker hands a policy its settings unread. Those of the first-party policy `validate` are public and say just
//! that, so they are read here; a module is known by the name that it gives itself. What cannot be read is any value.

use serde_json::{Map, Value, json};

use crate::config::Mode;
use crate::glob::Glob;
use crate::pipeline::Pipeline;

/// The name that the module gives itself.
const VALIDATE: &str = "validate";

/// What one namespace's policies declare.
pub(super) struct Shapes<'a> {
    policies: Vec<Declared<'a>>,
}

/// One policy's settings.
struct Declared<'a> {
    /// In order; the first that matches an event is about it.
    events: Vec<(Glob, &'a Value)>,
    denies_unknown: bool,
}

/// An event's arguments, as they come and as they go on.
pub(super) struct Arguments {
    pub received: Value,
    pub delivered: Value,
}

impl<'a> Shapes<'a> {
    pub(super) fn of(pipeline: &'a Pipeline) -> Self {
        let steps = pipeline.steps.iter().map(|step| &step.policy);
        let declaring = steps.filter(|policy| {
            policy.module.description.name == VALIDATE && policy.settings.mode == Mode::Enforce
        });
        Self::new(declaring.map(|policy| &policy.settings.config))
    }

    pub(super) fn new(settings: impl Iterator<Item = &'a Value>) -> Self {
        Self {
            policies: settings.map(Declared::of).collect(),
        }
    }

    /// The events, or globs of events, about which something is declared.
    pub(super) fn events(&self) -> impl Iterator<Item = &str> {
        let rules = self.policies.iter().flat_map(|it| &it.events);
        rules.map(|(glob, _)| glob.as_str())
    }

    /// The arguments of an event; `None`: it is denied whatever they are.
    pub(super) fn arguments(&self, event: &str) -> Option<Arguments> {
        let mut found = Arguments {
            received: json!({ "type": "array" }),
            delivered: json!({ "type": "array" }),
        };
        for policy in &self.policies {
            match policy.events.iter().find(|(glob, _)| glob.matches(event)) {
                Some((_, rule)) => {
                    // What one policy lets through is what the next one sees.
                    let is_first = found.received == json!({ "type": "array" });
                    let received = arguments(rule);
                    if is_first {
                        found.received = received.clone();
                    }
                    found.delivered = enveloped(rule, &received).unwrap_or(received);
                }
                None if policy.denies_unknown => return None,
                None => {}
            }
        }
        Some(found)
    }
}

impl<'a> Declared<'a> {
    fn of(settings: &'a Value) -> Self {
        let events = settings["events"].as_array().into_iter().flatten();
        Self {
            events: events
                .filter_map(|rule| Some((Glob::new(rule["event"].as_str()?), rule)))
                .collect(),
            denies_unknown: settings["unknown_events"] == "deny",
        }
    }
}

fn arguments(rule: &Value) -> Value {
    let mut schema = object(json!({ "type": "array" }));
    let (mut min, mut max) = (None, None);
    if let Some(declared) = rule["args"].as_array() {
        schema.insert("items".to_owned(), declared.iter().map(value).collect());
        min = declared
            .iter()
            .rposition(|it| !is_optional(it))
            .map(|last| last + 1);
        max = Some(declared.len());
    }
    let bound = |name: &str, declared: Option<usize>| {
        let said = rule[name].as_u64().map(Value::from);
        said.or(declared.map(Value::from))
    };
    for (name, bound) in [
        ("minItems", bound("min_args", min)),
        ("maxItems", bound("max_args", max)),
    ] {
        if let Some(bound) = bound {
            schema.insert(name.to_owned(), bound);
        }
    }
    schema.into()
}

/// The arguments that an envelope makes of them; `None`: there is none.
fn enveloped(rule: &Value, arguments: &Value) -> Option<Value> {
    let names = match &rule["envelope"] {
        Value::Bool(true) => &Value::Null,
        names @ Value::Object(_) => names,
        _ => return None,
    };
    let name = |key: &str| names[key].as_str().unwrap_or(key).to_owned();
    let text = arguments["items"].get(0).cloned().unwrap_or(json!({}));
    let (from, stamp) = (name("from"), name("timestamp"));
    let required = [from.clone(), name("text"), stamp.clone()];
    let envelope = json!({
        "type": "object",
        "required": required,
        "properties": {
            from: { "type": ["string", "null"], "description": "The user who sent it." },
            name("text"): text,
            stamp: { "type": "string", "format": "date-time" },
        },
        "additionalProperties": false,
    });
    Some(json!({ "type": "array", "items": [envelope], "minItems": 1, "maxItems": 1 }))
}

fn is_optional(declared: &Value) -> bool {
    declared["optional"] == true || declared["required"] == false
}

/// The keys of a declaration with those of JSON Schema, and the type that each is about.
const SAME: [(&str, &str, &str); 5] = [
    ("min_length", "minLength", "string"),
    ("max_length", "maxLength", "string"),
    ("min", "minimum", "number"),
    ("max", "maximum", "number"),
    ("max_items", "maxItems", "array"),
];

/// The JSON Schema of what is declared about a value.
fn value(declared: &Value) -> Value {
    let types = types(declared);
    let is_binary = |name: &String| name == "binary";
    if types.iter().any(is_binary) {
        // An attachment is none of JSON's types.
        let binary =
            json!({ "title": "binary", "description": "An attachment, such as an ArrayBuffer." });
        let others: Vec<String> = types.into_iter().filter(|name| !is_binary(name)).collect();
        return match others.is_empty() {
            true => binary,
            false => json!({ "anyOf": [of_types(declared, &others), binary] }),
        };
    }
    of_types(declared, &types)
}

fn of_types(declared: &Value, types: &[String]) -> Value {
    let mut schema = Map::new();
    match types {
        [] => {}
        [one] => _ = schema.insert("type".to_owned(), one.as_str().into()),
        several => _ = schema.insert("type".to_owned(), json!(several)),
    }
    for (key, name, _) in SAME {
        if let Some(bound) = declared.get(key) {
            schema.insert(name.to_owned(), bound.clone());
        }
    }
    if declared["non_empty"] == true {
        for (of, name) in [
            ("string", "minLength"),
            ("array", "minItems"),
            ("object", "minProperties"),
        ] {
            if types.iter().any(|it| it == of) {
                schema.entry(name).or_insert(1.into());
            }
        }
    }
    if let Some(items) = declared.get("items") {
        schema.insert("items".to_owned(), value(items));
    }
    if let Some(keys) = declared["keys"].as_object() {
        let required: Vec<_> = keys
            .iter()
            .filter(|(_, it)| !is_optional(it))
            .map(|(key, _)| key)
            .collect();
        if !required.is_empty() {
            schema.insert("required".to_owned(), json!(required));
        }
        let properties: Map<_, _> = keys
            .iter()
            .map(|(key, it)| (key.clone(), value(it)))
            .collect();
        schema.insert("properties".to_owned(), properties.into());
        let allows = declared["unknown_keys"] == "allow";
        schema.insert("additionalProperties".to_owned(), allows.into());
    }
    schema.into()
}

/// The types that a declaration names, or those that it is about; none: any.
fn types(declared: &Value) -> Vec<String> {
    let named = match &declared["type"] {
        Value::String(one) => vec![one.clone()],
        Value::Array(several) => {
            let several = several.iter().filter_map(Value::as_str);
            several.map(str::to_owned).collect()
        }
        _ => {
            let about = SAME.iter().filter(|(key, ..)| declared.get(key).is_some());
            let mut about: Vec<_> = about.map(|(_, _, of)| *of).collect();
            for (key, of) in [("keys", "object"), ("items", "array")] {
                if declared.get(key).is_some() {
                    about.push(of);
                }
            }
            if declared["escape"] == true {
                about.push("string");
            }
            about.sort_unstable();
            about.dedup();
            about.into_iter().map(str::to_owned).collect()
        }
    };
    match named.iter().any(|name| name == "any") {
        true => Vec::new(),
        false => named,
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
