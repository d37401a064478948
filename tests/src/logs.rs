//! The broker's log as records that a test can wait for.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};
use serde_json::Value;

use crate::PATIENCE;

/// One record: a line of the log.
#[derive(Debug, Clone)]
pub struct Record {
    /// The line as it was written.
    pub line: String,
    json: Value,
}

impl Record {
    fn new(line: String) -> Self {
        // What a panicking process prints is no record, and has to be seen all the same.
        let json = serde_json::from_str(&line).unwrap_or(Value::Null);
        Self { line, json }
    }

    /// Whether the line is a structured record.
    pub fn is_structured(&self) -> bool {
        self.json.is_object()
    }

    pub fn level(&self) -> &str {
        self.json["level"].as_str().unwrap_or_default()
    }

    pub fn message(&self) -> &str {
        self.field("message").as_str().unwrap_or_default()
    }

    /// A field of the record, `null` where it has none.
    pub fn field(&self, name: &str) -> &Value {
        static NULL: Value = Value::Null;
        self.json["fields"]
            .get(name)
            .or_else(|| self.json.get(name))
            .unwrap_or(&NULL)
    }

    /// Whether a field is there and, read as text, equals `value`.
    pub fn has(&self, name: &str, value: &str) -> bool {
        match self.field(name) {
            Value::String(text) => text == value,
            Value::Number(number) => number.to_string() == value,
            Value::Bool(truth) => truth.to_string() == value,
            _ => false,
        }
    }
}

/// All records so far, and those to come.
#[derive(Debug, Clone, Default)]
pub struct Logs(Arc<(Mutex<Vec<Record>>, Condvar)>);

impl Logs {
    pub(crate) fn push(&self, line: String) {
        let (records, changed) = &*self.0;
        records.lock().push(Record::new(line));
        changed.notify_all();
    }

    /// The first record, past or to come, that `wanted` accepts.
    ///
    /// # Panics
    ///
    /// When none has come within [`PATIENCE`].
    pub fn wait(&self, what: &str, mut wanted: impl FnMut(&Record) -> bool) -> Record {
        let (records, changed) = &*self.0;
        let deadline = Instant::now() + PATIENCE;
        let mut guard = records.lock();
        let mut seen = 0;
        loop {
            if let Some(found) = guard.iter().skip(seen).find(|record| wanted(record)) {
                return found.clone();
            }
            seen = guard.len();
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "waited {PATIENCE:?} in vain for a log record: {what}"
            );
            changed.wait_for(&mut guard, left);
        }
    }

    /// The records so far that `wanted` accepts.
    pub fn find(&self, wanted: impl FnMut(&&Record) -> bool) -> Vec<Record> {
        self.0.0.lock().iter().filter(wanted).cloned().collect()
    }

    /// The whole log so far.
    pub fn text(&self) -> String {
        let records = self.0.0.lock();
        records
            .iter()
            .map(|record| record.line.as_str())
            .collect::<Vec<_>>()
            .join("\n")
    }
}
