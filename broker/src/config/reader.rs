//! What the tables of one configuration share while they are read.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use config::{Value, ValueKind};

use super::describe::Entry;
use super::effective::Effective;
use super::env::Env;
use super::expand::{Unexpanded, expand};
use super::file::{File, join};
use super::problem::Problem;
use super::setting::Setting;
use super::settings::{Raw, Settings};

/// One reading: where values come from, and what was found.
pub(super) struct Reader<'a> {
    pub env: &'a Env,
    /// Where relative paths begin.
    pub folder: &'a Path,
    pub file: Option<&'a File>,
    /// The keys that the environment has set, with what to call the variable.
    pub overrides: HashMap<String, String>,
    pub problems: Vec<Problem>,
    /// Keys whose values are secrets or came through `${…}`.
    pub hidden: HashSet<String>,
    /// What was read, as it may be shown.
    pub effective: Effective,
    /// Set while the keys are listed and nothing is read.
    pub entries: Option<Vec<Entry>>,
    /// The keys that are being declared can be changed while the process runs.
    pub live: bool,
    /// What was read.
    pub settings: Settings,
    /// Values that stand for those that are written, because a process runs by them and cannot change them.
    pub pins: HashMap<String, Option<Raw>>,
}

impl<'a> Reader<'a> {
    /// One for which nothing is written anywhere.
    pub(super) fn new(env: &'a Env, folder: &'a Path) -> Self {
        Self {
            env,
            folder,
            file: None,
            overrides: HashMap::new(),
            problems: Vec::new(),
            hidden: HashSet::new(),
            entries: None,
            live: false,
            settings: Settings::default(),
            pins: HashMap::new(),
            effective: Effective::default(),
        }
    }

    /// Notes what a key was read as, unless that is nobody's business.
    pub(super) fn shows<T: Setting>(
        &mut self,
        key: &str,
        note: impl FnOnce(&mut Effective, String),
    ) {
        match T::SECRET || self.hidden.contains(key) {
            true => self.effective.hidden(key.to_owned()),
            false => note(&mut self.effective, key.to_owned()),
        }
    }

    pub(super) fn origin(&self, key: &str) -> Option<String> {
        self.overrides
            .get(key)
            .cloned()
            .or_else(|| Some(self.file?.origin(key)))
    }

    /// Fills in `${…}` wherever a text stands in the value; also tells whether there was one. What cannot be filled
    /// in is reported, and stays as it is.
    pub(super) fn expanded(
        &mut self,
        key: &str,
        of: &Option<String>,
        value: &ValueKind,
    ) -> (ValueKind, bool) {
        let mut substituted = false;
        let value = match value {
            ValueKind::String(text) => {
                match expand(text, |name| self.env.get(name).map(str::to_owned)) {
                    Ok(done) => {
                        substituted = done.substituted;
                        ValueKind::String(done.text.into_owned())
                    }
                    Err(error) => {
                        self.problems.push(Problem {
                            key: key.to_owned(),
                            of: of.clone(),
                            what: unexpanded(error),
                            expected: None,
                            origin: self.origin(key),
                        });
                        // Not shown in a second complaint, and not taken for a value.
                        substituted = true;
                        ValueKind::Nil
                    }
                }
            }
            ValueKind::Array(items) => {
                let items = items.iter().enumerate().map(|(position, item)| {
                    let key = format!("{key}[{position}]");
                    let (kind, some) = self.expanded(&key, of, &item.kind);
                    substituted |= some;
                    Value::new(None, kind)
                });
                ValueKind::Array(items.collect())
            }
            ValueKind::Table(table) => {
                let table = table.iter().map(|(name, item)| {
                    let (kind, some) = self.expanded(&join(key, name), of, &item.kind);
                    substituted |= some;
                    (name.clone(), Value::new(None, kind))
                });
                ValueKind::Table(table.collect())
            }
            other => other.clone(),
        };
        (value, substituted)
    }

    /// A number that JSON does not have is reported.
    pub(super) fn json(
        &mut self,
        key: &str,
        of: &Option<String>,
        value: ValueKind,
    ) -> serde_json::Value {
        match value {
            ValueKind::Nil => serde_json::Value::Null,
            ValueKind::Boolean(value) => value.into(),
            ValueKind::I64(value) => value.into(),
            ValueKind::U64(value) => value.into(),
            ValueKind::Float(value) if value.is_finite() => value.into(),
            ValueKind::Float(_) | ValueKind::I128(_) | ValueKind::U128(_) => {
                self.problems.push(Problem {
                    key: key.to_owned(),
                    of: of.clone(),
                    what: "is a number that JSON cannot express".to_owned(),
                    expected: None,
                    origin: self.origin(key),
                });
                serde_json::Value::Null
            }
            ValueKind::String(value) => value.into(),
            ValueKind::Array(items) => {
                let items = items.into_iter().enumerate();
                items
                    .map(|(position, item)| self.json(&format!("{key}[{position}]"), of, item.kind))
                    .collect()
            }
            ValueKind::Table(table) => table
                .into_iter()
                .map(|(name, item)| {
                    let value = self.json(&join(key, &name), of, item.kind);
                    (name, value)
                })
                .collect(),
        }
    }
}

fn unexpanded(error: Unexpanded) -> String {
    match error {
        Unexpanded::Missing(name) => format!("the variable `{name}` is not set"),
        Unexpanded::Malformed => {
            "`${` is not followed by a name and `}`; write `$${` for a literal `${`".to_owned()
        }
    }
}
