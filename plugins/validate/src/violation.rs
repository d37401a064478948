//! What is wrong with the arguments of an event, and where, as the client is told.

use policy_json::Malformed;
use serde_json::{Map, Value};
use sluice_plugin_sdk::Denial;

use crate::schema::{Type, Types};

/// The first thing that is wrong.
#[derive(Debug)]
pub(crate) struct Violation {
    what: What,
    /// The steps of a JSON Pointer (RFC 6901) into the arguments, the last one first: they are added on the way out.
    path: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum What {
    Malformed,
    TooFewArguments { min: usize },
    TooManyArguments { max: usize },
    Type { expected: Types, actual: Type },
    Missing,
    UnknownKey,
    Empty,
    TooShort { min: usize },
    TooLong { max: usize },
    TooSmall { min: f64 },
    TooLarge { max: f64 },
    TooManyItems { max: usize },
    TooDeep { max: u32 },
}

/// So much of a key is repeated to the client that has sent it.
const MAX_STEP: usize = 64;

impl Violation {
    /// Where something lies in what has been looked at so far.
    #[cold]
    pub(crate) fn within(mut self, step: &str) -> Self {
        let step: String = step.chars().take(MAX_STEP).collect();
        self.path.push(step.replace('~', "~0").replace('/', "~1"));
        self
    }

    #[cold]
    pub(crate) fn denial(self, message: Option<&str>) -> Denial {
        let steps = self.path.iter().rev();
        let path: String = steps.flat_map(|step| ["/", step]).collect();
        let what = if path.is_empty() { "The event" } else { &path };
        let message =
            message.map_or_else(|| format!("{what} {}", self.what.sentence()), str::to_owned);
        let mut data = Map::new();
        data.insert("path".to_owned(), path.into());
        data.insert("reason".to_owned(), self.what.reason().into());
        self.what.details(&mut data);
        Denial::new("invalid_arguments", message).data(&data)
    }
}

impl What {
    fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::TooFewArguments { .. } => "too_few_arguments",
            Self::TooManyArguments { .. } => "too_many_arguments",
            Self::Type { .. } => "type",
            Self::Missing => "missing",
            Self::UnknownKey => "unknown_key",
            Self::Empty => "empty",
            Self::TooShort { .. } => "too_short",
            Self::TooLong { .. } => "too_long",
            Self::TooSmall { .. } => "too_small",
            Self::TooLarge { .. } => "too_large",
            Self::TooManyItems { .. } => "too_many_items",
            Self::TooDeep { .. } => "too_deep",
        }
    }

    fn sentence(self) -> String {
        match self {
            Self::Malformed => "has arguments that are not JSON".to_owned(),
            Self::TooFewArguments { min } => format!("needs at least {min} arguments"),
            Self::TooManyArguments { max } => format!("takes at most {max} arguments"),
            Self::Type { expected, actual } => {
                format!(
                    "has to be {}, not {}",
                    expected.names().join(" or "),
                    actual.name()
                )
            }
            Self::Missing => "is missing".to_owned(),
            Self::UnknownKey => "is not known".to_owned(),
            Self::Empty => "is empty".to_owned(),
            Self::TooShort { min } => format!("is shorter than {min} characters"),
            Self::TooLong { max } => format!("is longer than {max} characters"),
            Self::TooSmall { min } => format!("is less than {min}"),
            Self::TooLarge { max } => format!("is more than {max}"),
            Self::TooManyItems { max } => format!("has more than {max} items"),
            Self::TooDeep { max } => format!("is nested more than {max} deep"),
        }
    }

    /// The numbers and types, by the names that the configuration has for them.
    fn details(self, data: &mut Map<String, Value>) {
        let (name, value) = match self {
            Self::TooFewArguments { min } => ("min_args", min.into()),
            Self::TooManyArguments { max } => ("max_args", max.into()),
            Self::Type { expected, actual } => {
                data.insert("actual".to_owned(), actual.name().into());
                ("expected", expected.names().into())
            }
            Self::TooShort { min } => ("min_length", min.into()),
            Self::TooLong { max } => ("max_length", max.into()),
            Self::TooSmall { min } => ("min", min.into()),
            Self::TooLarge { max } => ("max", max.into()),
            Self::TooManyItems { max } => ("max_items", max.into()),
            Self::TooDeep { max } => ("max_depth", max.into()),
            Self::Malformed | Self::Missing | Self::UnknownKey | Self::Empty => return,
        };
        data.insert(name.to_owned(), value);
    }
}

impl From<What> for Violation {
    #[cold]
    fn from(what: What) -> Self {
        Self {
            what,
            path: Vec::new(),
        }
    }
}

impl From<Malformed> for Violation {
    fn from(_: Malformed) -> Self {
        What::Malformed.into()
    }
}
