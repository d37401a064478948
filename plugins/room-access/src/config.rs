//! The configuration as it is written, and its way to the policy.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::pattern::Pattern;
use crate::room::RoomOf;
use crate::rule::{Action, Rule};
use crate::{Defaults, RoomAccess, RoomEvent};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    #[serde(default)]
    default: Default,
    #[serde(default)]
    rules: Vec<RuleTable>,
    #[serde(default)]
    publish: Vec<EventTable>,
    #[serde(default)]
    leave: Vec<EventTable>,
    #[serde(default = "code")]
    code: String,
    message: Option<String>,
}

fn code() -> String {
    "room_denied".to_owned()
}

/// For all actions, or for each.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "\"allow\" or \"deny\", or a table of them for `join`, `leave` and `publish`"
)]
enum Default {
    All(Effect),
    Each(ByAction),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ByAction {
    join: Effect,
    leave: Effect,
    publish: Effect,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Effect {
    Allow,
    Deny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleTable {
    room: OneOrMany,
    actions: Option<Vec<Action>>,
    user: Option<OneOrMany>,
    #[serde(default)]
    r#where: BTreeMap<String, OneOrMany>,
    member: Option<bool>,
    effect: Option<Effect>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventTable {
    event: OneOrMany,
    room: String,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a text or a list of texts")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl TryFrom<Config> for RoomAccess {
    type Error = String;

    fn try_from(config: Config) -> Result<Self, String> {
        let default = Defaults::from(config.default);
        if config.rules.is_empty() && default.join && default.leave && default.publish {
            return Err("`rules` is empty, so everyone could do everything".to_owned());
        }
        let mut events = Vec::new();
        for (key, action, tables) in [
            ("leave", Action::Leave, config.leave),
            ("publish", Action::Publish, config.publish),
        ] {
            for (number, table) in tables.into_iter().enumerate() {
                table.add(&format!("{key}[{number}]"), action, &mut events)?;
            }
        }
        let possible = Action::ALL.into_iter().filter(|action| {
            *action == Action::Join || events.iter().any(|event| event.action == *action)
        });
        let possible: Vec<Action> = possible.collect();
        let rules = config.rules.into_iter().enumerate();
        let rules = rules.map(|(number, rule)| rule.rule(&format!("rules[{number}]"), &possible));
        Ok(Self {
            rules: rules.collect::<Result<_, _>>()?,
            default,
            events,
            code: config.code,
            message: config.message,
        })
    }
}

impl RuleTable {
    /// `at` is where it stands in the configuration, `possible` what any rule can be about.
    fn rule(self, at: &str, possible: &[Action]) -> Result<Rule, String> {
        let actions = match self.actions {
            None => possible.to_vec(),
            Some(actions) if actions.is_empty() => return Err(format!("`{at}.actions` is empty")),
            Some(actions) => actions,
        };
        if let Some(action) = actions.iter().find(|action| !possible.contains(action)) {
            let name = action.name();
            return Err(format!(
                "`{at}.actions`: {name:?} needs `{name}`, which says by which events that is done"
            ));
        }
        if self.member.is_some() && actions == [Action::Join] {
            return Err(format!("`{at}.member`: whoever joins is no member yet"));
        }
        let rooms = self.room.patterns(&format!("{at}.room"))?;
        let users = match self.user {
            None => Vec::new(),
            Some(users) => users.globs(&format!("{at}.user"))?,
        };
        let attributes = self.r#where.into_iter().map(|(name, values)| {
            let values = values.globs(&format!("{at}.where.{name}"))?;
            Ok::<_, String>((name, values))
        });
        Ok(Rule {
            actions,
            rooms,
            users,
            attributes: attributes.collect::<Result<_, _>>()?,
            member: self.member,
            allow: self.effect != Some(Effect::Deny),
        })
    }
}

impl EventTable {
    /// `at` is where it stands in the configuration.
    fn add(self, at: &str, action: Action, events: &mut Vec<RoomEvent>) -> Result<(), String> {
        let names = self.event.texts(&format!("{at}.event"))?;
        for event in names {
            if events.iter().any(|earlier| earlier.event == event) {
                return Err(format!(
                    "`{at}.event`: {event:?} is there twice; the second never counts"
                ));
            }
            let room =
                RoomOf::parse(&self.room).map_err(|error| format!("`{at}.room`: {error}"))?;
            events.push(RoomEvent {
                event,
                action,
                room,
            });
        }
        Ok(())
    }
}

impl OneOrMany {
    fn texts(self, at: &str) -> Result<Vec<String>, String> {
        match self {
            Self::One(text) => Ok(vec![text]),
            Self::Many(texts) if texts.is_empty() => Err(format!("`{at}` is empty")),
            Self::Many(texts) => Ok(texts),
        }
    }

    fn globs(self, at: &str) -> Result<Vec<Pattern>, String> {
        let texts = self.texts(at)?;
        Ok(texts.iter().map(|text| Pattern::glob(text)).collect())
    }

    fn patterns(self, at: &str) -> Result<Vec<Pattern>, String> {
        let texts = self.texts(at)?;
        let patterns = texts.iter().map(|text| Pattern::parse(text));
        patterns
            .collect::<Result<_, _>>()
            .map_err(|error| format!("`{at}`: {error}"))
    }
}

impl std::default::Default for Default {
    fn default() -> Self {
        Self::All(Effect::Deny)
    }
}

impl std::default::Default for ByAction {
    fn default() -> Self {
        Self {
            join: Effect::Deny,
            leave: Effect::Deny,
            publish: Effect::Deny,
        }
    }
}

impl From<Default> for Defaults {
    fn from(default: Default) -> Self {
        let (join, leave, publish) = match default {
            Default::All(effect) => (effect, effect, effect),
            Default::Each(each) => (each.join, each.leave, each.publish),
        };
        Self {
            join: join == Effect::Allow,
            leave: leave == Effect::Allow,
            publish: publish == Effect::Allow,
        }
    }
}
