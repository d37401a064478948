//! What is declared of a key besides how it is read: for the lists of keys, the schema, and whoever wants to know
//! whether it can be changed.

use super::describe::{Entry, Kind};
use super::file::join;
use super::section::Section;
use super::setting::Setting;

impl Section<'_, '_> {
    /// The keys that `read` declares can be changed while the process runs; others are kept until a restart.
    pub(super) fn live<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let around = std::mem::replace(&mut self.reader.live, true);
        let value = read(self);
        self.reader.live = around;
        value
    }

    pub(super) fn declare<T: Setting>(
        &mut self,
        name: &'static str,
        default: Option<&'static str>,
        example: &'static str,
        doc: &'static str,
    ) {
        let kind = if T::QUOTED { Kind::Text } else { Kind::Bare };
        self.note(name, kind, T::TYPE, default, example, doc);
        self.detail(name, |entry| entry.schema = T::schema);
    }

    /// Says more of a key that has just been declared.
    pub(super) fn detail(&mut self, name: &str, say: impl FnOnce(&mut Entry)) {
        let key = self.key_of(name);
        let mut entries = self.reader.entries.iter_mut().flatten().rev();
        if let Some(entry) = entries.find(|entry| entry.key == key) {
            say(entry);
        }
    }

    /// A value with a default that may also be given apart for each of several keys, in a table.
    pub(super) fn one_or_each<T: Setting + Copy, const N: usize>(
        &mut self,
        name: &'static str,
        default: &'static str,
        doc: &'static str,
        each: [(&'static str, &'static str); N],
    ) -> [T; N] {
        if self.is_table(name) {
            return self.table(name, doc, |s| {
                each.map(|(name, doc)| s.get(name, default, doc))
            });
        }
        let value = self.get(name, default, doc);
        if self.reader.entries.is_some() {
            for (inside, doc) in each {
                let full = join(&self.key_of(name), inside);
                self.declare::<T>(inside, Some(default), default, doc);
                self.detail(inside, |entry| {
                    entry.key = full;
                    entry.kind = Kind::Inside;
                });
            }
        }
        [value; N]
    }

    pub(super) fn note(
        &mut self,
        name: &'static str,
        kind: Kind,
        type_name: &'static str,
        default: Option<&'static str>,
        example: &'static str,
        doc: &'static str,
    ) {
        self.known.push(name);
        let key = self.key_of(name);
        if let Some(entries) = &mut self.reader.entries {
            entries.push(Entry {
                key,
                name,
                kind,
                type_name,
                default,
                example,
                doc,
                live: self.reader.live,
                required: false,
                bounds: None,
                schema: || serde_json::Value::Bool(true),
            });
        }
    }
}
