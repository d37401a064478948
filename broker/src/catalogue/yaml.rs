//! JSON values as YAML.

use serde_json::Value;
use yaml_rust2::yaml::Hash;
use yaml_rust2::{Yaml, YamlEmitter};

/// The value in YAML's block style.
pub(crate) fn yaml(value: &Value) -> String {
    let mut out = String::new();
    let mut emitter = YamlEmitter::new(&mut out);
    // Writing to a string does not fail.
    let _ = emitter.dump(&convert(value));
    // Without the mark of a document among others.
    let mut text = out.strip_prefix("---\n").unwrap_or(&out).to_owned();
    text.push('\n');
    text
}

fn convert(value: &Value) -> Yaml {
    match value {
        Value::Null => Yaml::Null,
        Value::Bool(value) => Yaml::Boolean(*value),
        Value::Number(number) => match number.as_i64() {
            Some(number) => Yaml::Integer(number),
            None => Yaml::Real(number.to_string()),
        },
        Value::String(text) => Yaml::String(text.clone()),
        Value::Array(items) => Yaml::Array(items.iter().map(convert).collect()),
        Value::Object(map) => {
            let pairs = map
                .iter()
                .map(|(key, item)| (Yaml::String(key.clone()), convert(item)));
            Yaml::Hash(pairs.collect::<Hash>())
        }
    }
}
