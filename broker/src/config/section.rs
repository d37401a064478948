//! The reader of one table: each key is declared once, with its type, its default and a sentence on what it is for.
//! The same declarations read a configuration, collecting what is wrong, and list the keys that there are.

use std::path::{Path, PathBuf};

use config::{Map, Value, ValueKind};

use super::describe::Kind;
use super::file::join;
use super::nearest::nearest;
use super::problem::Problem;
use super::reader::Reader;
use super::setting::{Setting, Wrong, unfit};
use super::settings::Raw;

/// One table that is being read.
pub(super) struct Section<'r, 'a> {
    pub reader: &'r mut Reader<'a>,
    key: String,
    /// Names the entry of an array of tables to people, who do not count from nought.
    of: Option<String>,
    table: Map<String, Value>,
    /// The keys that have been declared.
    pub known: Vec<&'static str>,
}

impl<'r, 'a> Section<'r, 'a> {
    /// Reads a whole file; keys that `read` does not declare are reported.
    pub(super) fn root<T>(
        reader: &'r mut Reader<'a>,
        table: Map<String, Value>,
        read: impl FnOnce(&mut Section<'_, 'a>) -> T,
    ) -> T {
        let mut section = Section {
            reader,
            key: String::new(),
            of: None,
            table,
            known: Vec::new(),
        };
        let value = read(&mut section);
        section.report_unknown();
        value
    }

    /// A key with a default, which also stands for a value that has been reported.
    pub(super) fn get<T: Setting>(
        &mut self,
        name: &'static str,
        default: &'static str,
        doc: &'static str,
    ) -> T {
        self.valid(name, default, doc)
            .unwrap_or_else(|| read_default(default))
    }

    /// A key with a default; `None` means that its value has been reported.
    pub(super) fn valid<T: Setting>(
        &mut self,
        name: &'static str,
        default: &'static str,
        doc: &'static str,
    ) -> Option<T> {
        self.declare::<T>(name, Some(default), default, doc);
        if self.has(name) {
            return self.value(name);
        }
        let value: T = read_default(default);
        let (key, meaning, live) = (self.key_of(name), format!("{value:?}"), self.reader.live);
        let effective = &mut self.reader.effective;
        effective.text(key.clone(), default, T::QUOTED);
        let settings = &mut self.reader.settings;
        settings.set_default(key, meaning, live, default);
        Some(value)
    }

    /// A key that may be absent; `example` shows how one would be written.
    pub(super) fn optional<T: Setting>(
        &mut self,
        name: &'static str,
        example: &'static str,
        doc: &'static str,
    ) -> Option<T> {
        self.declare::<T>(name, None, example, doc);
        self.value(name)
    }

    /// A key that has to be there; `None` means that it has been reported.
    pub(super) fn required<T: Setting>(
        &mut self,
        name: &'static str,
        example: &'static str,
        doc: &'static str,
    ) -> Option<T> {
        self.declare::<T>(name, None, example, doc);
        self.detail(name, |entry| entry.required = true);
        if !self.has(name) {
            self.report(name, "is missing", Some(T::EXPECTED));
        }
        self.value(name)
    }

    /// A free table, handed on as JSON.
    pub(super) fn json(&mut self, name: &'static str, doc: &'static str) -> serde_json::Value {
        self.note(name, Kind::Free, "table", None, "{}", doc);
        let empty = || serde_json::Value::Object(serde_json::Map::new());
        let Some(value) = self.table.get(name) else {
            return empty();
        };
        let kind = value.kind.clone();
        if !matches!(kind, ValueKind::Table(_)) {
            self.complain(name, &unfit(&kind).0, Some("a table"));
            return empty();
        }
        let key = self.key_of(name);
        let (kind, _) = self.reader.expanded(&key, &self.of, &kind);
        let raw = Raw {
            kind: kind.clone(),
            is_text: false,
            // What a policy is configured with is its own, and may be anything.
            hidden: true,
        };
        let value = self.reader.json(&key, &self.of, kind);
        self.reader.effective.foreign(key.clone(), &value);
        let live = self.reader.live;
        let settings = &mut self.reader.settings;
        settings.set(key, value.to_string(), live, raw);
        value
    }

    /// A table inside this one; an absent one is read as an empty one.
    pub(super) fn table<T>(
        &mut self,
        name: &'static str,
        doc: &'static str,
        read: impl FnOnce(&mut Section<'_, 'a>) -> T,
    ) -> T {
        self.note(name, Kind::Table, "table", None, "", doc);
        let value = self.table.get(name).map(|value| value.kind.clone());
        let table = match value {
            Some(ValueKind::Table(table)) => table,
            None | Some(ValueKind::Nil) => Map::new(),
            Some(other) => {
                self.complain(name, &unfit(&other).0, Some("a table"));
                Map::new()
            }
        };
        let mut section = Section {
            key: self.key_of(name),
            of: self.of.clone(),
            table,
            known: Vec::new(),
            reader: &mut *self.reader,
        };
        let value = read(&mut section);
        section.report_unknown();
        value
    }

    /// An array of tables. While keys are listed, `read` is called for one empty entry.
    pub(super) fn each<T>(
        &mut self,
        name: &'static str,
        doc: &'static str,
        mut read: impl FnMut(&mut Section<'_, 'a>) -> T,
    ) -> Vec<T> {
        self.note(name, Kind::Tables, "array of tables", None, "", doc);
        let items = match self.table.get(name).map(|value| value.kind.clone()) {
            Some(ValueKind::Array(items)) => items,
            None if self.reader.entries.is_some() => vec![Value::from(Map::<String, Value>::new())],
            None | Some(ValueKind::Nil) => Vec::new(),
            Some(other) => {
                self.complain(name, &unfit(&other).0, Some("an array of tables"));
                Vec::new()
            }
        };
        let mut all = Vec::new();
        for (position, item) in items.into_iter().enumerate() {
            let key = format!("{}[{position}]", self.key_of(name));
            let ValueKind::Table(table) = item.kind else {
                self.reader.problems.push(Problem {
                    what: unfit(&item.kind).0,
                    of: None,
                    expected: Some("a table".to_owned()),
                    origin: self.reader.origin(&key),
                    key,
                });
                continue;
            };
            let mut section = Section {
                reader: &mut *self.reader,
                key,
                of: self.of.clone(),
                table,
                known: Vec::new(),
            };
            all.push(read(&mut section));
            section.report_unknown();
        }
        all
    }

    /// A key that has no place in this table, though it has one in a similar table.
    pub(super) fn refuse(&mut self, name: &'static str, why: &str) {
        if self.has(name) {
            self.known.push(name);
            self.report(name, why, None);
        }
    }

    /// Calls the entry by its name in problems from now on, unless the name is not to be shown.
    pub(super) fn label(&mut self, what: &str, name: &'static str) {
        let key = self.key_of(name);
        if let Some(ValueKind::String(text)) = self.table.get(name).map(|value| &value.kind)
            && !self.hides(&key)
        {
            let name = format!("{what} `{}`", clipped(text));
            self.of = Some(match &self.of {
                Some(outer) => format!("{outer}, {name}"),
                None => name,
            });
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        match self.reader.pins.get(&self.key_of(name)) {
            Some(pin) => pin.is_some(),
            None => self.table.contains_key(name),
        }
    }

    pub(super) fn is_table(&self, name: &str) -> bool {
        let kind = self.table.get(name).map(|value| &value.kind);
        matches!(kind, Some(ValueKind::Table(_)))
    }

    /// Reports what is wrong with the value of a key, which is shown unless it must not be.
    pub(super) fn complain(&mut self, name: &str, what: &str, expected: Option<&str>) {
        let shown = self.shown(name);
        self.report(name, &format!("{shown} {what}"), expected);
    }

    /// Reports what is wrong with one text in a list.
    pub(super) fn complain_item(&mut self, name: &str, position: usize, item: &str, what: &str) {
        let shown = if self.hides(&self.key_of(name)) {
            "the value (not shown)".to_owned()
        } else {
            format!("`{}`", clipped(item))
        };
        let key = format!("{}[{position}]", self.key_of(name));
        self.reader.problems.push(Problem {
            origin: self.origin(name),
            key,
            of: self.of.clone(),
            what: format!("{shown} {what}"),
            expected: None,
        });
    }

    /// Reports a problem of a key.
    pub(super) fn report(&mut self, name: &str, what: &str, expected: Option<&str>) {
        let key = self.key_of(name);
        self.reader.problems.push(Problem {
            origin: self.origin(name),
            key,
            of: self.of.clone(),
            what: what.to_owned(),
            expected: expected.map(str::to_owned),
        });
    }

    /// The value of a key for an error: in backticks, or that it is not shown.
    pub(super) fn shown(&self, name: &str) -> String {
        if self.hides(&self.key_of(name)) {
            return "the value (not shown)".to_owned();
        }
        match self.table.get(name).map(|value| &value.kind) {
            Some(ValueKind::String(text)) => format!("`{}`", clipped(text)),
            Some(kind @ (ValueKind::Boolean(_) | ValueKind::Float(_))) => format!("`{kind}`"),
            Some(kind @ (ValueKind::I64(_) | ValueKind::U64(_))) => format!("`{kind}`"),
            _ => "the value".to_owned(),
        }
    }

    /// The key of this table's `name` in full.
    pub(super) fn key_of(&self, name: &str) -> String {
        join(&self.key, name)
    }

    fn origin(&self, name: &str) -> Option<String> {
        self.reader.origin(&self.key_of(name))
    }

    /// Whether the value of a key, given in full, must not be shown.
    pub(super) fn hides(&self, key: &str) -> bool {
        self.reader.hidden.contains(key)
    }

    /// A path as the configuration means it: relative ones begin at the configuration file's folder.
    pub(super) fn resolve(&self, path: &Path) -> PathBuf {
        self.reader.folder.join(path)
    }

    fn value<T: Setting>(&mut self, name: &'static str) -> Option<T> {
        let key = self.key_of(name);
        if T::SECRET {
            self.reader.hidden.insert(key.clone());
        }
        let mut raw = self.raw(name, &key)?;
        raw.hidden |= T::SECRET;
        if raw.hidden {
            self.reader.hidden.insert(key.clone());
        }
        self.reader.shows::<T>(&key, |it, key| match &raw.kind {
            ValueKind::String(text) if raw.is_text => it.text(key, text, T::QUOTED),
            kind => it.value(key, kind),
        });
        let read = match &raw.kind {
            ValueKind::String(text) if raw.is_text => T::from_text(text),
            kind => T::from_value(kind),
        };
        match read {
            Ok(value) => {
                let meaning = match T::SECRET {
                    true => raw.kind.to_string(),
                    false => format!("{value:?}"),
                };
                let live = self.reader.live;
                self.reader.settings.set(key, meaning, live, raw);
                Some(value)
            }
            Err(Wrong(what)) => {
                self.complain(name, &what, Some(T::EXPECTED));
                None
            }
        }
    }

    /// A key's value before it is read; `None`: there is none, or a problem has been reported.
    fn raw(&mut self, name: &str, key: &str) -> Option<Raw> {
        if let Some(pin) = self.reader.pins.get(key) {
            return pin.clone();
        }
        let kind = self.table.get(name)?.kind.clone();
        if matches!(kind, ValueKind::String(_)) && self.reader.overrides.contains_key(key) {
            return Some(Raw {
                kind,
                is_text: true,
                hidden: false,
            });
        }
        let before = self.reader.problems.len();
        let (kind, substituted) = self.reader.expanded(key, &self.of, &kind);
        let is_whole = self.reader.problems.len() == before;
        is_whole.then_some(Raw {
            kind,
            is_text: substituted,
            hidden: substituted,
        })
    }

    fn report_unknown(&mut self) {
        let mut unknown: Vec<String> = self
            .table
            .keys()
            .filter(|name| !self.known.contains(&name.as_str()))
            .cloned()
            .collect();
        unknown.sort();
        for name in unknown {
            let what = match nearest(&name, self.known.iter().copied()) {
                Some(meant) => format!("unknown key; did you mean `{meant}`?"),
                None => "unknown key".to_owned(),
            };
            self.report(&name, &what, None);
        }
    }
}

#[expect(
    clippy::expect_used,
    reason = "defaults are constants, and the test of `config default` reads every one"
)]
fn read_default<T: Setting>(default: &str) -> T {
    T::from_text(default).expect("the default of a key is valid")
}

/// A text that may go into a line of an error.
pub(super) fn clipped(text: &str) -> String {
    const LONGEST: usize = 80;
    let mut shown: String = text.chars().take(LONGEST).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown.escape_debug().to_string().replace("\\\"", "\"")
}
