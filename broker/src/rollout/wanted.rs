//! What a cluster is to serve: one entry a policy, kept where all nodes read it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A policy as all nodes are to serve it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Wanted {
    pub policy: String,
    /// What is to be served; `None`: nothing has ever been rolled out completely.
    #[serde(default)]
    pub current: Option<Release>,
    /// What is being rolled out.
    #[serde(default)]
    pub pending: Option<Release>,
}

/// A module, and who wants it served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Release {
    /// Of this attempt: the same module may be tried again.
    pub id: String,
    pub digest: String,
    #[serde(default)]
    pub signature: Option<String>,
    /// The address that the request came from, where it is known.
    #[serde(default)]
    pub by: Option<String>,
    /// The node that was asked.
    pub node: String,
    /// Milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// An attempt whose node does not end it, because that node has died, is over after this.
pub(super) const ABANDONED_MS: u64 = 120_000;

impl Wanted {
    /// What is being rolled out by somebody who may be alive.
    pub(super) fn under_way(&self, now_ms: u64) -> Option<&Release> {
        let pending = self.pending.as_ref()?;
        (now_ms.saturating_sub(pending.at_ms) < ABANDONED_MS).then_some(pending)
    }

    /// The modules that it names.
    pub(super) fn digests(&self) -> impl Iterator<Item = &str> {
        let releases = [&self.current, &self.pending].into_iter().flatten();
        releases.map(|release| &*release.digest)
    }

    pub(super) fn begun(&self, policy: &str, release: &Release) -> Self {
        Self {
            policy: policy.to_owned(),
            current: self.current.clone(),
            pending: Some(release.clone()),
        }
    }

    pub(super) fn completed(&self) -> Self {
        Self {
            policy: self.policy.clone(),
            current: self.pending.clone(),
            pending: None,
        }
    }

    /// Nothing is asked for any more.
    pub(super) fn withdrawn(&self) -> Self {
        Self {
            policy: self.policy.clone(),
            ..Self::default()
        }
    }

    pub(super) fn given_up(&self) -> Self {
        Self {
            pending: None,
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(id: &str, at_ms: u64) -> Release {
        Release {
            id: id.to_owned(),
            digest: format!("sha256:{id}"),
            signature: None,
            by: None,
            node: "n".to_owned(),
            at_ms,
        }
    }

    #[test]
    fn an_attempt_ends_in_what_it_wanted_or_in_what_was_before() {
        let begun = Wanted::default().begun("p", &release("a", 0));
        assert_eq!(begun.current, None);
        let done = begun.completed();
        assert_eq!(
            (done.current.clone(), done.pending.clone()),
            (Some(release("a", 0)), None)
        );
        let again = done.begun("p", &release("b", 5));
        assert_eq!(
            again.digests().collect::<Vec<_>>(),
            ["sha256:a", "sha256:b"]
        );
        assert_eq!(again.given_up(), done);
    }

    #[test]
    fn an_attempt_whose_node_has_died_does_not_stand_in_the_way_for_ever() {
        let begun = Wanted::default().begun("p", &release("a", 1000));
        assert!(begun.under_way(1000 + ABANDONED_MS - 1).is_some());
        assert!(begun.under_way(1000 + ABANDONED_MS).is_none());
        // A clock that is behind does not end it.
        assert!(begun.under_way(0).is_some());
    }

    #[test]
    fn nodes_of_other_versions_understand_it() {
        let text =
            r#"{"policy":"p","current":{"id":"1","digest":"d","node":"n","at_ms":1,"new":2}}"#;
        let wanted: Wanted = serde_json::from_str(text).unwrap();
        assert_eq!(wanted.current.unwrap().digest, "d");
    }
}
