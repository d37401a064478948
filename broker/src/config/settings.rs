//! What each key is set to, in words: by it a reload tells what it changes, and what only a restart can.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use config::ValueKind;
use schemars::JsonSchema;
use serde::Serialize;

use super::section::clipped;

/// The value of each key, as it was read; keys that have no value are not in it.
#[derive(Clone, Default)]
pub(crate) struct Settings(BTreeMap<String, Set>);

/// One key's value.
#[derive(Clone)]
struct Set {
    /// As the reader understood it, so that two ways to write the same are equal. It may be a secret.
    meaning: String,
    /// `None`: it is not to be shown.
    shown: Option<String>,
    /// It can be changed while the process runs.
    live: bool,
    /// How to read it again; `None`: it is the default.
    raw: Option<Raw>,
}

/// A value as it was given, with every `${…}` filled in.
#[derive(Clone)]
pub(super) struct Raw {
    pub kind: ValueKind,
    /// It is text whatever the key's type is, because the environment gave it.
    pub is_text: bool,
    pub hidden: bool,
}

/// A key whose value differs between two configurations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Change {
    /// An entry of an array of tables is called by its name: `policy[chat].timeout`.
    pub key: String,
    /// What runs; `None`: nothing is set.
    pub old: Option<String>,
    /// What is asked for.
    pub new: Option<String>,
}

/// What stands for a value that must not be shown.
const HIDDEN: &str = "(not shown)";
/// Keys by which people know the entries of an array of tables.
const NAMES: [&str; 3] = ["name", "path", "event"];

/// Two configurations beside each other.
pub(super) struct Differences {
    /// What changes while the process runs.
    pub live: Vec<Change>,
    /// What is kept until a restart.
    pub fixed: Vec<Change>,
    /// The values to keep, for the reader; `None`: the key is not set, or has its default.
    pub pins: HashMap<String, Option<Raw>>,
}

// === impl Settings ===

impl Settings {
    pub(super) fn set(&mut self, key: String, meaning: String, live: bool, raw: Raw) {
        let shown = (!raw.hidden).then(|| show(&raw.kind));
        let set = Set {
            meaning,
            shown,
            live,
            raw: Some(raw),
        };
        self.0.insert(key, set);
    }

    pub(super) fn set_default(&mut self, key: String, meaning: String, live: bool, text: &str) {
        let set = Set {
            meaning,
            shown: Some(text.to_owned()),
            live,
            raw: None,
        };
        self.0.insert(key, set);
    }

    /// The values of some keys, as far as they may be shown.
    pub(crate) fn shown(&self, is_wanted: impl Fn(&str) -> bool) -> BTreeMap<String, String> {
        let wanted = self.0.iter().filter(|(key, _)| is_wanted(key));
        let shown = wanted.filter_map(|(key, set)| Some((key.clone(), set.shown.clone()?)));
        shown.collect()
    }

    /// What differs in another configuration that is to follow this one.
    pub(super) fn differences(&self, new: &Self) -> Differences {
        let is_fixed = |key: &&String| {
            let one_of = |settings: &Self| settings.0.get(*key).is_some_and(|set| !set.live);
            one_of(self) || one_of(new)
        };
        let meaning = |settings: &Self, key: &String| {
            let set = settings.0.get(key);
            set.map(|set| set.meaning.clone())
        };
        let keys: BTreeSet<&String> = self.0.keys().chain(new.0.keys()).collect();
        let fixed: Vec<&String> = keys
            .into_iter()
            .filter(is_fixed)
            .filter(|key| meaning(self, key) != meaning(new, key))
            .collect();
        let raw = |key: &String| self.0.get(key).and_then(|set| set.raw.clone());
        Differences {
            pins: fixed.iter().map(|key| ((*key).clone(), raw(key))).collect(),
            fixed: fixed
                .into_iter()
                .map(|key| Change::of(key.clone(), self.0.get(key), new.0.get(key)))
                .collect(),
            live: self.live_changes(new),
        }
    }

    fn live_changes(&self, new: &Self) -> Vec<Change> {
        let (old, new) = (Named::of(self), Named::of(new));
        let mut changes = Vec::new();
        // Of an entry that is new or gone nobody wants to read all keys.
        for (entry, there, what) in old.entries_beside(&new) {
            let what = Some(what.to_owned());
            changes.push(match there {
                true => Change {
                    key: entry,
                    old: None,
                    new: what,
                },
                false => Change {
                    key: entry,
                    old: what,
                    new: None,
                },
            });
        }
        let whole: Vec<String> = changes.iter().map(|it| format!("{}.", it.key)).collect();
        let keys: BTreeSet<&String> = old.sets.keys().chain(new.sets.keys()).collect();
        for key in keys {
            let (before, after) = (old.sets.get(key), new.sets.get(key));
            let live = before.or(after).is_some_and(|set| set.live);
            let same = before.map(|set| &set.meaning) == after.map(|set| &set.meaning);
            if live && !same && !whole.iter().any(|entry| key.starts_with(entry.as_str())) {
                changes.push(Change::of(key.clone(), before.copied(), after.copied()));
            }
        }
        changes.extend(old.moved(&new));
        changes.sort_by(|a, b| a.key.cmp(&b.key));
        changes
    }
}

/// Not what is in it: there are secrets.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

// === impl Named ===

/// Settings whose entries of arrays are called by their names and not by their positions.
struct Named<'a> {
    sets: BTreeMap<String, &'a Set>,
    /// The entries of each array of tables, in their order.
    arrays: BTreeMap<String, Vec<String>>,
}

impl<'a> Named<'a> {
    fn of(settings: &'a Settings) -> Self {
        let mut named = Self {
            sets: BTreeMap::new(),
            arrays: BTreeMap::new(),
        };
        // Numbers in order, so that entries are found in theirs.
        let mut keys: Vec<_> = settings.0.iter().collect();
        keys.sort_by_cached_key(|(key, _)| numbers(key));
        for (key, set) in keys {
            let called = named.call(key, settings);
            named.sets.insert(called, set);
        }
        named
    }

    /// The key with names in place of positions.
    fn call(&mut self, key: &str, settings: &Settings) -> String {
        let mut called = String::new();
        let mut begin = 0;
        while let Some((open, close)) = brackets(key, begin) {
            let entry = key.get(..=close).unwrap_or_default();
            let name = NAMES
                .iter()
                .find_map(|name| settings.0.get(&format!("{entry}.{name}"))?.shown.as_deref());
            let position = key.get(open + 1..close).unwrap_or_default();
            called.push_str(key.get(begin..open).unwrap_or_default());
            let entries = self.arrays.entry(called.clone()).or_default();
            called.push('[');
            called.push_str(name.unwrap_or(position));
            called.push(']');
            if !entries.contains(&called) {
                entries.push(called.clone());
            }
            begin = close + 1;
        }
        called.push_str(key.get(begin..).unwrap_or_default());
        called
    }

    /// Entries that only one of the two has: whether it is the other, and what has become of the entry. Not those
    /// inside such an entry.
    fn entries_beside(&self, new: &Self) -> Vec<(String, bool, &'static str)> {
        let all = |named: &Self| -> BTreeSet<String> {
            named.arrays.values().flatten().cloned().collect()
        };
        let (before, after) = (all(self), all(new));
        let gone = before.difference(&after).map(|it| (it, false, "removed"));
        let come = after.difference(&before).map(|it| (it, true, "added"));
        let beside: Vec<_> = gone.chain(come).collect();
        let inside = |entry: &str| {
            let mut others = beside.iter();
            others.any(|(other, ..)| entry.starts_with(&format!("{other}.")))
        };
        let outer = beside.iter().filter(|(entry, ..)| !inside(entry));
        outer
            .map(|(entry, there, what)| ((*entry).clone(), *there, *what))
            .collect()
    }

    /// Arrays that have the same entries in another order, which is the order in which they are asked.
    fn moved(&self, new: &Self) -> Vec<Change> {
        let moved = self.arrays.iter().filter_map(|(array, before)| {
            let after = new.arrays.get(array)?;
            let (mut one, mut other) = (before.clone(), after.clone());
            one.sort();
            other.sort();
            (before != after && one == other).then(|| Change {
                key: array.clone(),
                old: Some(before.join(", ")),
                new: Some(after.join(", ")),
            })
        });
        moved.collect()
    }
}

/// Where the next position in a key begins and ends.
fn brackets(key: &str, from: usize) -> Option<(usize, usize)> {
    let rest = key.get(from..)?;
    let open = from + rest.find('[')?;
    let close = open + key.get(open..)?.find(']')?;
    Some((open, close))
}

/// The positions in a key, for sorting: `route[10]` comes after `route[9]`.
fn numbers(key: &str) -> (Vec<usize>, String) {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some((open, close)) = brackets(key, from) {
        found.push(
            key.get(open + 1..close)
                .and_then(|it| it.parse().ok())
                .unwrap_or(0),
        );
        from = close;
    }
    (found, key.to_owned())
}

// === impl Change ===

impl Change {
    fn of(key: String, old: Option<&Set>, new: Option<&Set>) -> Self {
        let shown = |set: &Set| set.shown.clone().unwrap_or_else(|| HIDDEN.to_owned());
        // That one of the two is a secret says what the other may be.
        let hidden = [old, new].iter().flatten().any(|set| set.shown.is_none());
        let shown = |set: &Set| {
            if hidden {
                HIDDEN.to_owned()
            } else {
                shown(set)
            }
        };
        Self {
            key,
            old: old.map(shown),
            new: new.map(shown),
        }
    }
}

/// `server.max_connections: 100 -> 200`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.old.as_deref(), self.new.as_deref()) {
            (None, Some(what @ "added")) | (Some(what @ "removed"), None) => {
                write!(f, "{}: {what}", self.key)
            }
            (old, new) => {
                let unset = "(not set)";
                write!(
                    f,
                    "{}: {} -> {}",
                    self.key,
                    old.unwrap_or(unset),
                    new.unwrap_or(unset)
                )
            }
        }
    }
}

/// A value as it would be written.
fn show(kind: &ValueKind) -> String {
    match kind {
        ValueKind::String(text) => clipped(text),
        ValueKind::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| show_item(&item.kind)).collect();
            format!("[{}]", items.join(", "))
        }
        ValueKind::Table(_) => "{…}".to_owned(),
        other => other.to_string(),
    }
}

fn show_item(kind: &ValueKind) -> String {
    match kind {
        ValueKind::String(text) => format!("\"{}\"", clipped(text)),
        other => show(other),
    }
}
