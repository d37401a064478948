//! The configuration as it is written, and its way to the policy.

mod declaration;

use serde::Deserialize;

use crate::envelope::Envelope;
use crate::schema::{EscapeOrder, Schema};
use crate::{EventRule, Validate};
use declaration::Declaration;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    #[serde(default)]
    events: Vec<Event>,
    #[serde(default)]
    unknown_events: Unknown,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Event {
    event: String,
    /// None: any arguments.
    args: Option<Vec<Declaration>>,
    min_args: Option<usize>,
    max_args: Option<usize>,
    max_depth: Option<u32>,
    #[serde(default)]
    escape: Order,
    envelope: Option<EnvelopeKeys>,
    message: Option<String>,
}

#[derive(Default, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Unknown {
    #[default]
    Pass,
    Deny,
}

#[derive(Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    #[default]
    Before,
    After,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "true, or a table of the names for `from`, `text` and `timestamp`"
)]
enum EnvelopeKeys {
    Plain(bool),
    Named(Names),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Names {
    from: String,
    text: String,
    timestamp: String,
}

/// How deep arguments may be nested where nothing else is said.
const DEFAULT_DEPTH: u32 = 32;
/// As deep as the readers of most languages go; and every level takes room on the policy's stack.
const MAX_DEPTH: u32 = 128;

impl TryFrom<Config> for Validate {
    type Error = String;

    fn try_from(config: Config) -> Result<Self, String> {
        let deny_unknown = config.unknown_events == Unknown::Deny;
        let mut events = Vec::new();
        for (number, event) in config.events.into_iter().enumerate() {
            let rule = event.rule(&format!("events[{number}]"))?;
            if events
                .iter()
                .any(|earlier: &EventRule| earlier.event == rule.event)
            {
                return Err(format!(
                    "`events[{number}].event`: {:?} is declared twice",
                    rule.event
                ));
            }
            events.push(rule);
        }
        if events.is_empty() && !deny_unknown {
            return Err("`events` is empty, so nothing would be validated".to_owned());
        }
        Ok(Self {
            events,
            deny_unknown,
        })
    }
}

impl Event {
    /// `at` is where it stands in the configuration.
    fn rule(self, at: &str) -> Result<EventRule, String> {
        let mut args: Vec<Schema> = Vec::new();
        // Arguments that are not declared are not counted either.
        let (mut min_args, mut max_args) = (0, usize::MAX);
        if let Some(declared) = self.args {
            for (index, declaration) in declared.into_iter().enumerate() {
                args.push(declaration.schema(&format!("{at}.args[{index}]"))?);
            }
            let last_needed = args.iter().rposition(|schema| !schema.optional);
            min_args = last_needed.map_or(0, |last| last + 1);
            max_args = args.len();
        }
        let (min_args, max_args) = (
            self.min_args.unwrap_or(min_args),
            self.max_args.unwrap_or(max_args),
        );
        if min_args > max_args {
            return Err(format!(
                "`{at}.min_args`: {min_args} is more than the {max_args} allowed"
            ));
        }
        let max_depth = self.max_depth.unwrap_or(DEFAULT_DEPTH);
        if max_depth > MAX_DEPTH {
            return Err(format!(
                "`{at}.max_depth`: {max_depth} is more than {MAX_DEPTH}"
            ));
        }
        let envelope = self.envelope.and_then(EnvelopeKeys::names);
        Ok(EventRule {
            event: self.event,
            args,
            min_args,
            max_args,
            max_depth,
            escape: match self.escape {
                Order::Before => EscapeOrder::Before,
                Order::After => EscapeOrder::After,
            },
            envelope: envelope.map(|names| names.envelope(at)).transpose()?,
            message: self.message,
        })
    }
}

impl EnvelopeKeys {
    fn names(self) -> Option<Names> {
        match self {
            Self::Plain(wanted) => wanted.then(Names::default),
            Self::Named(names) => Some(names),
        }
    }
}

impl Names {
    fn envelope(&self, at: &str) -> Result<Envelope, String> {
        let Self {
            from,
            text,
            timestamp,
        } = self;
        if from == text || text == timestamp || from == timestamp {
            return Err(format!("`{at}.envelope`: two of its names are the same"));
        }
        Ok(Envelope::new(from, text, timestamp))
    }
}

impl Default for Names {
    fn default() -> Self {
        Self {
            from: "from".to_owned(),
            text: "text".to_owned(),
            timestamp: "timestamp".to_owned(),
        }
    }
}
