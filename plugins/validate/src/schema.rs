//! What is declared about a value.

/// What is declared about a value.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) types: Types,
    /// Whether it may be left out.
    pub(crate) optional: bool,
    /// Of a text, an array or an object.
    pub(crate) non_empty: bool,
    /// In characters: Unicode scalar values.
    pub(crate) min_length: Option<usize>,
    pub(crate) max_length: Option<usize>,
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
    pub(crate) escape: bool,
    /// In no particular order. None: any keys, with any values.
    pub(crate) keys: Option<Vec<(String, Schema)>>,
    /// Whether keys that are not among them are let through, unchecked.
    pub(crate) allow_unknown: bool,
    pub(crate) items: Option<Box<Schema>>,
    pub(crate) max_items: Option<usize>,
}

/// Whether texts are escaped before or after their length is looked at.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(crate) enum EscapeOrder {
    #[default]
    Before,
    After,
}

/// One of the types that a value can have.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(u8)]
pub(crate) enum Type {
    String = 1,
    Number = 1 << 1,
    /// A number without a fraction, however it is written.
    Integer = 1 << 2,
    Boolean = 1 << 3,
    Object = 1 << 4,
    Array = 1 << 5,
    Null = 1 << 6,
    /// An attachment.
    Binary = 1 << 7,
}

/// A set of types.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Types(u8);

impl Schema {
    /// Nothing is declared.
    pub(crate) const ANYTHING: Self = Self {
        types: Types::ANY,
        optional: false,
        non_empty: false,
        min_length: None,
        max_length: None,
        min: None,
        max: None,
        escape: false,
        keys: None,
        allow_unknown: false,
        items: None,
        max_items: None,
    };
}

impl Type {
    pub(crate) const ALL: [Self; 8] = [
        Self::String,
        Self::Number,
        Self::Integer,
        Self::Boolean,
        Self::Object,
        Self::Array,
        Self::Null,
        Self::Binary,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Object => "object",
            Self::Array => "array",
            Self::Null => "null",
            Self::Binary => "binary",
        }
    }
}

impl Types {
    pub(crate) const ANY: Self = Self(u8::MAX);
    pub(crate) const NONE: Self = Self(0);

    pub(crate) fn with(self, one: Type) -> Self {
        Self(self.0 | one as u8)
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn contains(self, one: Type) -> bool {
        self.0 & one as u8 != 0
    }

    pub(crate) fn names(self) -> Vec<&'static str> {
        Type::ALL
            .into_iter()
            .filter(|one| self.contains(*one))
            .map(Type::name)
            .collect()
    }
}
