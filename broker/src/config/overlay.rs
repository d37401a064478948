//! The variables `SLUICE_…` as a layer over the file.

use std::collections::{BTreeMap, HashMap};

use config::{Map, Value};

use super::describe::{Kind, variable};
use super::entries;
use super::env::{Env, PREFIX};
use super::nearest::nearest;
use super::problem::Problem;

/// What the environment sets.
pub(super) struct Overlay {
    /// Dotted keys and raw texts; the merger makes tables of them.
    pub values: Map<String, Value>,
    /// What to call the variable that sets a key.
    pub origins: HashMap<String, String>,
}

/// Finds the key of each variable. One that names none is a problem, and takes no part.
pub(super) fn overlay(env: &Env, problems: &mut Vec<Problem>) -> Overlay {
    let entries = entries();
    let keys: BTreeMap<String, &str> = entries
        .iter()
        .filter_map(|entry| Some((entry.variable()?, entry.key.as_str())))
        .collect();
    let begin = |kind: Kind| {
        let of_kind = entries.iter().filter(move |entry| entry.kind == kind);
        let names: Vec<String> = of_kind.map(|entry| variable(&entry.key)).collect();
        move |name: &str| {
            let names = names.iter();
            let mut rests = names.filter_map(|begin| name.strip_prefix(begin.as_str()));
            rests.any(|rest| rest.is_empty() || rest.starts_with("__"))
        }
    };
    let (in_array, in_table) = (begin(Kind::Tables), begin(Kind::Table));
    let mut overlay = Overlay {
        values: Map::new(),
        origins: HashMap::new(),
    };
    for variable in env.settings() {
        let name = variable.name;
        let what = match (keys.get(name), variable.value) {
            (Some(key), Ok(value)) => {
                let value = Value::new(Some(&variable.origin), value);
                overlay.values.insert((*key).to_owned(), value);
                overlay.origins.insert((*key).to_owned(), variable.origin);
                continue;
            }
            (Some(_), Err(())) => "is not UTF-8".to_owned(),
            _ if in_array(name) => "arrays of tables come from files only".to_owned(),
            _ => match nearest(name, keys.keys().map(String::as_str)) {
                Some(meant) => format!("names no key; did you mean `{meant}`?"),
                None if in_table(name) => "names no key of that table".to_owned(),
                None => format!("names no key; variables are of the form `{PREFIX}TABLE__KEY`"),
            },
        };
        problems.push(Problem::of_source(variable.origin, what));
    }
    overlay
}
