//! The declaration of a value as it is written, and its way to a `Schema`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::schema::{Schema, Type, Types};

/// What can be said about an argument, and about a value in it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Declaration {
    r#type: Option<OneOrMany>,
    optional: Option<bool>,
    required: Option<bool>,
    #[serde(default)]
    non_empty: bool,
    min_length: Option<usize>,
    max_length: Option<usize>,
    min: Option<f64>,
    max: Option<f64>,
    #[serde(default)]
    escape: bool,
    keys: Option<BTreeMap<String, Declaration>>,
    unknown_keys: Option<UnknownKeys>,
    items: Option<Box<Declaration>>,
    max_items: Option<usize>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "one of \"string\", \"number\", \"integer\", \"boolean\", \"object\", \"array\", \"null\", \
                 \"binary\" and \"any\", or a list of them"
)]
enum OneOrMany {
    One(Name),
    Many(Vec<Name>),
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum UnknownKeys {
    Deny,
    Allow,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Name {
    String,
    Number,
    Integer,
    Boolean,
    Object,
    Array,
    Null,
    Binary,
    Any,
}

impl Declaration {
    /// `at` is where it stands in the configuration.
    pub(super) fn schema(self, at: &str) -> Result<Schema, String> {
        let types = self.types(at)?;
        let optional = match (self.optional, self.required) {
            (None, None) => false,
            (Some(optional), None) => optional,
            (None, Some(required)) => !required,
            (Some(_), Some(_)) => {
                return Err(format!(
                    "`{at}`: `optional` and `required` say the same, one is enough"
                ));
            }
        };
        if self.unknown_keys.is_some() && self.keys.is_none() {
            return Err(format!(
                "`{at}.unknown_keys`: without `keys` any key is allowed"
            ));
        }
        if self.min_length > self.max_length && self.max_length.is_some() {
            return Err(format!("`{at}.min_length` is more than `max_length`"));
        }
        if let (Some(min), Some(max)) = (self.min, self.max)
            && min > max
        {
            return Err(format!("`{at}.min` is more than `max`"));
        }
        let keys = self.keys.map(|keys| {
            let keys = keys.into_iter().map(|(key, declaration)| {
                let schema = declaration.schema(&format!("{at}.keys.{key}"))?;
                Ok::<_, String>((key, schema))
            });
            keys.collect()
        });
        let items = self
            .items
            .map(|items| items.schema(&format!("{at}.items")).map(Box::new));
        Ok(Schema {
            types,
            optional,
            non_empty: self.non_empty,
            min_length: self.min_length,
            max_length: self.max_length,
            min: self.min,
            max: self.max,
            escape: self.escape,
            keys: keys.transpose()?,
            allow_unknown: matches!(self.unknown_keys, Some(UnknownKeys::Allow)),
            items: items.transpose()?,
            max_items: self.max_items,
        })
    }

    /// The types that it names, or those that it is about. What is said about another type would never count, and
    /// is a mistake.
    fn types(&self, at: &str) -> Result<Types, String> {
        let mut types = match &self.r#type {
            Some(OneOrMany::One(one)) => one.types(),
            Some(OneOrMany::Many(names)) => names
                .iter()
                .fold(Types::NONE, |types, name| types.or(name.types())),
            None => Types::NONE,
        };
        let is_named = self.r#type.is_some();
        for (key, about) in self.about() {
            if !is_named {
                types = about.iter().fold(types, |types, one| types.with(*one));
            } else if !about.iter().any(|one| types.contains(*one)) {
                let names = about.iter().map(|one| one.name()).collect::<Vec<_>>();
                return Err(format!(
                    "`{at}.{key}` is about {}, which `type` excludes",
                    names.join(" and ")
                ));
            }
        }
        if self.non_empty && !is_named && types == Types::NONE {
            return Err(format!("`{at}.non_empty` needs a `type`"));
        }
        match (is_named, types) {
            (true, Types::NONE) => Err(format!("`{at}.type` names no type")),
            (false, Types::NONE) => Ok(Types::ANY),
            (_, types) => Ok(types),
        }
    }

    /// The keys that are there, and the types that they are about.
    fn about(&self) -> impl Iterator<Item = (&'static str, &'static [Type])> {
        const TEXT: &[Type] = &[Type::String];
        const NUMBER: &[Type] = &[Type::Number, Type::Integer];
        const OBJECT: &[Type] = &[Type::Object];
        const ARRAY: &[Type] = &[Type::Array];
        [
            ("min_length", self.min_length.is_some(), TEXT),
            ("max_length", self.max_length.is_some(), TEXT),
            ("escape", self.escape, TEXT),
            ("min", self.min.is_some(), NUMBER),
            ("max", self.max.is_some(), NUMBER),
            ("keys", self.keys.is_some(), OBJECT),
            ("unknown_keys", self.unknown_keys.is_some(), OBJECT),
            ("items", self.items.is_some(), ARRAY),
            ("max_items", self.max_items.is_some(), ARRAY),
        ]
        .into_iter()
        .filter_map(|(key, is_there, about)| is_there.then_some((key, about)))
    }
}

impl Name {
    fn types(self) -> Types {
        let one = match self {
            Self::String => Type::String,
            Self::Number => Type::Number,
            Self::Integer => Type::Integer,
            Self::Boolean => Type::Boolean,
            Self::Object => Type::Object,
            Self::Array => Type::Array,
            Self::Null => Type::Null,
            Self::Binary => Type::Binary,
            Self::Any => return Types::ANY,
        };
        Types::NONE.with(one)
    }
}
