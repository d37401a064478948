//! What a request says beside its body: in its path, its query and its headers.

use serde_json::{Value, json};

#[derive(Debug, Clone, Copy)]
pub(in crate::admin) struct Parameter {
    name: &'static str,
    place: Place,
    kind: Kind,
    about: &'static str,
    is_required: bool,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Query,
    Header,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    /// From, to.
    Number(u64, u64),
    OneOf(&'static [&'static str]),
}

/// A parameter of the query.
pub(in crate::admin) const fn text(name: &'static str, about: &'static str) -> Parameter {
    Parameter {
        name,
        place: Place::Query,
        kind: Kind::Text,
        about,
        is_required: false,
    }
}

pub(in crate::admin) const fn number(
    name: &'static str,
    from: u64,
    to: u64,
    about: &'static str,
) -> Parameter {
    Parameter {
        kind: Kind::Number(from, to),
        ..text(name, about)
    }
}

pub(in crate::admin) const fn one_of(
    name: &'static str,
    words: &'static [&'static str],
    about: &'static str,
) -> Parameter {
    Parameter {
        kind: Kind::OneOf(words),
        ..text(name, about)
    }
}

pub(in crate::admin) const fn header(name: &'static str, about: &'static str) -> Parameter {
    Parameter {
        place: Place::Header,
        ..text(name, about)
    }
}

impl Parameter {
    pub(in crate::admin) const fn required(self) -> Self {
        Self {
            is_required: true,
            ..self
        }
    }

    pub(super) fn show(&self) -> Value {
        let schema = match self.kind {
            Kind::Text => json!({"type": "string"}),
            Kind::Number(from, to) => json!({"type": "integer", "minimum": from, "maximum": to}),
            Kind::OneOf(words) => json!({"type": "string", "enum": words}),
        };
        json!({
            "name": self.name,
            "in": match self.place {
                Place::Query => "query",
                Place::Header => "header",
            },
            "description": self.about,
            "required": self.is_required,
            "schema": schema,
        })
    }
}

/// The pieces of a path that are the client's to say.
pub(super) fn of_path(path: &str) -> Vec<Value> {
    let pieces = path.split('/');
    let names = pieces.filter_map(|piece| piece.strip_prefix('{')?.strip_suffix('}'));
    let show = |name: &str| {
        json!({
            "name": name,
            "in": "path",
            "required": true,
            "schema": {"type": "string"},
        })
    };
    names.map(show).collect()
}
