//! Subjects with places for the names of a namespace and of an event, as configuration writes them.

use super::{TooLong, token};

/// A subject that is complete once a namespace and an event are named. `{namespace}` and `{event}` stand for the two, as
/// tokens; each may stand once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Namespace,
    Event,
}

/// Bytes of a template. With two names in it, a subject stays below what servers take.
const LONGEST: usize = 512;

impl Template {
    /// `prefix` goes before a subject that begins with a dot.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub(crate) fn parse(text: &str, prefix: &str) -> Result<Self, String> {
        let whole = if text.starts_with('.') {
            format!("{prefix}{text}")
        } else {
            text.to_owned()
        };
        if whole.len() > LONGEST {
            return Err(format!("is longer than {LONGEST} bytes"));
        }
        let mut parts = Vec::new();
        let mut rest = &*whole;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, behind) = after.split_once('}').ok_or("has a `{` without its `}`")?;
            let part = match name {
                "namespace" => Part::Namespace,
                "event" => Part::Event,
                _ => {
                    return Err(format!(
                        "names `{{{name}}}`, and only `{{namespace}}` and `{{event}}` are known"
                    ));
                }
            };
            if parts.contains(&part) {
                return Err(format!("has `{{{name}}}` twice"));
            }
            parts.push(Part::Text(before.to_owned()));
            parts.push(part);
            rest = behind;
        }
        parts.push(Part::Text(rest.to_owned()));
        let template = Self { parts };
        template.check(&whole, prefix)?;
        Ok(template)
    }

    fn check(&self, whole: &str, prefix: &str) -> Result<(), String> {
        // Any name would do: as a token it is neither empty nor strange.
        let filled = self.fill("x", "x").map_err(|error| error.to_string())?;
        if filled.split('.').any(str::is_empty) {
            return Err("has an empty token: two dots, or one at an end".to_owned());
        }
        let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '*' | '>' | '}');
        if filled.contains(odd) {
            return Err("holds white space, a wildcard or a `}`".to_owned());
        }
        if whole.starts_with('$') {
            return Err("begins with `$`, as NATS servers' own subjects do".to_owned());
        }
        let own = filled
            .strip_prefix(prefix)
            .and_then(|rest| rest.strip_prefix('.'));
        let kept = ["emit", "node", "ctl"];
        if own
            .and_then(|own| own.split('.').next())
            .is_some_and(|first| kept.contains(&first))
        {
            return Err(format!(
                "is below `{prefix}`, where `emit`, `node` and `ctl` are the brokers' own"
            ));
        }
        Ok(())
    }

    /// # Errors
    /// A name is too long for a subject.
    pub(crate) fn fill(&self, namespace: &str, event: &str) -> Result<String, TooLong> {
        let mut subject = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => subject.push_str(text),
                Part::Namespace => subject.push_str(&token(namespace)?),
                Part::Event => subject.push_str(&token(event)?),
            }
        }
        Ok(subject)
    }
}

/// As it would be written with its prefix.
impl std::fmt::Display for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Namespace => f.write_str("{namespace}"),
            Part::Event => f.write_str("{event}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Template, String> {
        Template::parse(text, "sluice.eu")
    }

    #[test]
    fn names_are_filled_in_as_tokens() {
        let filled = |text: &str| parse(text).unwrap().fill("/chat", "a.b").unwrap();
        assert_eq!(
            filled(".event.{namespace}.{event}"),
            "sluice.eu.event.=2Fchat.a=2Eb"
        );
        assert_eq!(filled("orders.new"), "orders.new");
        assert_eq!(filled("x-{event}.y"), "x-a=2Eb.y");
    }

    #[test]
    fn what_servers_would_refuse_is_refused_before() {
        for wrong in [
            "",
            ".",
            "a..b",
            "a.",
            "a b",
            "a.*",
            ">",
            "a.{name}",
            "a.{event",
            "a.}",
            "{event}.{event}",
            "$JS.x",
            "sluice.eu.emit.x",
            ".node.x",
            ".ctl.all",
            &"x".repeat(513),
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(parse("sluice.us.emit.x").is_ok());
    }
}
