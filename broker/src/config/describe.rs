//! The list of all keys, as `sluice config` prints it: a file and a set of variables with every default.

use std::fmt::Write as _;

use super::env::PREFIX;

/// One declared key.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub key: String,
    pub name: &'static str,
    pub kind: Kind,
    pub type_name: &'static str,
    pub default: Option<&'static str>,
    /// The default, or what a value could be where there is none.
    pub example: &'static str,
    pub doc: &'static str,
    /// It can be changed while the process runs.
    pub live: bool,
    /// It has to be there.
    pub required: bool,
    /// Between which values it has to be, in words.
    pub bounds: Option<String>,
    /// What a file can have for it.
    pub schema: fn() -> serde_json::Value,
}

/// How a key is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// In quotes.
    Text,
    /// Without: a boolean, a number, a list.
    Bare,
    /// A table with keys of somebody else's.
    Free,
    Table,
    Tables,
    /// A key of a table that may stand in place of a value.
    Inside,
}

impl Entry {
    /// In an entry of an array of tables, which only files have.
    fn in_array(&self) -> bool {
        self.key.contains('[')
    }

    /// The variable that sets the key; `None` for what only files have.
    pub(super) fn variable(&self) -> Option<String> {
        let settable = matches!(self.kind, Kind::Text | Kind::Bare) && !self.in_array();
        settable.then(|| variable(&self.key))
    }

    pub(super) fn secret(&self) -> bool {
        self.type_name.contains("secret")
    }

    /// The doc comment: what the key is for and what it can be.
    fn comment(&self) -> String {
        match self.kind {
            Kind::Table | Kind::Tables => format!("# {}\n", self.doc),
            _ => {
                let bounds = self.bounds.iter().map(|bounds| format!(", {bounds}"));
                let bounds: String = bounds.collect();
                let restart = match self.live {
                    true => "",
                    false => "; a change needs a restart",
                };
                format!("# {} ({}{bounds}{restart})\n", self.doc, self.type_name)
            }
        }
    }
}

/// `server.ping_interval` is set by `SLUICE_SERVER__PING_INTERVAL`.
pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase().replace('.', "__"))
}

/// A TOML file of every key. Lines that begin with `#` and no space are settings that are not in force.
pub(super) fn toml(entries: &[Entry]) -> String {
    let mut out = String::from(
        "# Every key with its default. A line that begins with `#` and no space is a setting that is not made:\n\
         # remove the `#` to make it.\n",
    );
    for entry in entries {
        let header = entry.key.replace("[0]", "");
        let value = match entry.kind {
            Kind::Text => toml::Value::from(entry.example).to_string(),
            _ => entry.example.to_owned(),
        };
        let off = if entry.default.is_none() || entry.in_array() {
            "#"
        } else {
            ""
        };
        // Writing to a String cannot fail.
        _ = match entry.kind {
            Kind::Inside => Ok(()),
            Kind::Table => {
                let off = if entry.in_array() { "#" } else { "" };
                writeln!(out, "\n{}{off}[{header}]", entry.comment())
            }
            Kind::Tables => writeln!(out, "\n{}#[[{header}]]", entry.comment()),
            _ => writeln!(out, "{}{off}{} = {value}", entry.comment(), entry.name),
        };
    }
    out
}

/// The variables with their defaults, in the form of a `.env` file.
pub(super) fn env(entries: &[Entry]) -> String {
    let mut out = String::from(
        "# Every variable with its default, as a .env file has them. Arrays of tables ([[policy]], [[namespace]])\n\
         # come from files only.\n",
    );
    for entry in entries {
        let Some(variable) = entry.variable() else {
            continue;
        };
        let off = if entry.default.is_none() { "#" } else { "" };
        let value = match entry.example {
            _ if entry.secret() => String::new(),
            // Neither a shell nor the reader of .env files leaves the quotes of a list alone otherwise.
            list if list.starts_with('[') => format!("'{list}'"),
            plain => plain.to_owned(),
        };
        _ = writeln!(out, "\n{}{off}{variable}={value}", entry.comment());
    }
    out
}
