//! Names of rooms with a part that a token fills in: `user:{user}`, `org-{claims.org}`.

use crate::claims::Claims;
use crate::refusal::Refusal;

/// A room's name, taken apart.
#[derive(Debug, PartialEq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, PartialEq)]
enum Part {
    Text(String),
    User,
    Claim(String),
}

impl Template {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, after)) = after.split_once('}') else {
                return Err(format!("{text:?} has a `{{` without its `}}`"));
            };
            parts.push(Part::Text(before.to_owned()));
            parts.push(match (name, name.strip_prefix("claims.")) {
                ("user", _) => Part::User,
                (_, Some(claim)) if !claim.is_empty() => Part::Claim(claim.to_owned()),
                _ => {
                    return Err(format!(
                        "{text:?} has `{{{name}}}`, there are `{{user}}` and `{{claims.NAME}}`"
                    ));
                }
            });
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        if text.is_empty() {
            return Err("the name of a room is empty".to_owned());
        }
        Ok(Self(parts))
    }

    /// The room's name. None where the token has no such claim, or an empty one, or one that is neither a text nor
    /// a number: everyone without an organisation would otherwise share the room `org-`.
    pub(crate) fn fill(&self, user: &str, claims: &Claims<'_>) -> Result<Option<String>, Refusal> {
        let mut room = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => room.push_str(text),
                Part::User => room.push_str(user),
                Part::Claim(name) => match claims.scalar(name)? {
                    Some(text) if !text.is_empty() => room.push_str(&text),
                    _ => return Ok(None),
                },
            }
        }
        Ok(Some(room))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(template: &str, claims: &str) -> Option<String> {
        let claims = Claims::parse(claims).unwrap();
        Template::parse(template)
            .unwrap()
            .fill("alice", &claims)
            .unwrap()
    }

    #[test]
    fn a_token_fills_in_the_names() {
        let claims = r#"{"org": "acme", "team": 7, "https://a.example/tier": "pro", "empty": "", "list": ["a"]}"#;
        assert_eq!(fill("lobby", claims).as_deref(), Some("lobby"));
        assert_eq!(fill("user:{user}", claims).as_deref(), Some("user:alice"));
        assert_eq!(
            fill("{claims.org}/{claims.team}!", claims).as_deref(),
            Some("acme/7!")
        );
        assert_eq!(
            fill("{claims.https://a.example/tier}", claims).as_deref(),
            Some("pro")
        );
        for missing in [
            "org-{claims.none}",
            "org-{claims.empty}",
            "org-{claims.list}",
        ] {
            assert_eq!(fill(missing, claims), None, "{missing}");
        }
    }

    #[test]
    fn what_cannot_be_filled_in_is_an_error() {
        for (template, says) in [
            ("", "empty"),
            ("user:{user", "without its"),
            ("user:{name}", "`{name}`"),
            ("{claims.}", "`{claims.}`"),
            ("{}", "`{}`"),
        ] {
            let error = Template::parse(template).unwrap_err();
            assert!(error.contains(says), "{template}: {error}");
        }
    }
}
