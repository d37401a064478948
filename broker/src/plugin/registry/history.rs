//! The last generations of each policy: all that it takes to serve one of them again as it was.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use crate::config;
use crate::plugin::folder::Artifact;
use crate::plugin::module::Digest;

/// Generations of a policy that are kept, the one that serves included. Each costs its module's bytes, up to 64 MiB;
/// what is compiled goes with the last event that it served.
const KEPT: usize = 5;

/// A policy as it serves or served: its module and its settings.
pub(super) struct Generation {
    pub number: u64,
    pub digest: Digest,
    pub version: String,
    pub settings: Arc<config::Policy>,
    pub namespaces: Option<Vec<String>>,
    pub artifact: Artifact,
    /// When it last began to serve.
    pub since: SystemTime,
    /// `None`: it serves.
    pub ended: Option<End>,
}

/// Why a generation serves no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// A newer one came.
    Replaced,
    /// An older one was taken back.
    RolledBack,
}

/// A generation, for whoever wants to see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Past {
    pub number: u64,
    pub digest: String,
    pub version: String,
    pub since: SystemTime,
    pub ended: Option<End>,
}

#[derive(Default)]
struct History {
    /// The highest number there ever was: none is given twice.
    last: u64,
    /// In the order in which they last began to serve, so that what was served before is what comes before.
    kept: Vec<Generation>,
}

/// By policy name.
#[derive(Default)]
pub(super) struct Histories(HashMap<String, History>);

impl Histories {
    /// The number of the generation that would come next.
    pub(super) fn next(&self, policy: &str) -> u64 {
        self.0.get(policy).map_or(0, |history| history.last) + 1
    }

    /// Takes a number for a generation that may never serve.
    pub(super) fn take(&mut self, policy: &str, number: u64) {
        let history = self.0.entry(policy.to_owned()).or_default();
        history.last = history.last.max(number);
    }

    /// Takes note of a generation that serves from now on; false: it has served before.
    pub(super) fn serves(&mut self, policy: &str, generation: Generation) -> bool {
        let history = self.0.entry(policy.to_owned()).or_default();
        let is_known = history.kept.iter().any(|it| it.number == generation.number);
        history.last = history.last.max(generation.number);
        if let Some(old) = history.kept.last_mut() {
            old.ended.get_or_insert(End::Replaced);
        }
        history.kept.retain(|old| old.number != generation.number);
        history.kept.push(generation);
        let surplus = history.kept.len().saturating_sub(KEPT);
        history.kept.drain(..surplus);
        !is_known
    }

    /// Takes note that a generation was not good: it is not gone back to unless it is named.
    pub(super) fn rolled_back(&mut self, policy: &str, number: u64) {
        let history = self.0.get_mut(policy);
        let mut kept = history.into_iter().flat_map(|history| &mut history.kept);
        if let Some(old) = kept.find(|it| it.number == number) {
            old.ended = Some(End::RolledBack);
        }
    }

    /// A policy that is gone has nothing to go back to; its numbers go on where it comes again.
    pub(super) fn gone(&mut self, policy: &str) {
        if let Some(history) = self.0.get_mut(policy) {
            history.kept = Vec::new();
        }
    }

    /// What served before the one that serves, those left out that were taken back themselves.
    pub(super) fn previous(&self, policy: &str) -> Option<&Generation> {
        let kept = &self.0.get(policy)?.kept;
        let mut earlier = kept.iter().rev().skip(1);
        earlier.find(|it| it.ended != Some(End::RolledBack))
    }

    pub(super) fn get(&self, policy: &str, number: u64) -> Option<&Generation> {
        let kept = &self.0.get(policy)?.kept;
        kept.iter().find(|it| it.number == number)
    }

    /// Those that are kept, the latest to serve first.
    pub(super) fn show(&self) -> HashMap<String, Vec<Past>> {
        let past = |it: &Generation| Past {
            number: it.number,
            digest: it.digest.to_string(),
            version: it.version.clone(),
            since: it.since,
            ended: it.ended,
        };
        self.0
            .iter()
            .map(|(name, history)| (name.clone(), history.kept.iter().rev().map(past).collect()))
            .collect()
    }
}

impl End {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Replaced => "replaced",
            Self::RolledBack => "rolled_back",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generation(number: u64) -> Generation {
        Generation {
            number,
            digest: Digest::of(&number.to_be_bytes()),
            version: String::new(),
            settings: Arc::new(settings()),
            namespaces: None,
            artifact: Artifact {
                bytes: bytes::Bytes::new(),
                signature: Ok(None),
            },
            since: SystemTime::now(),
            ended: None,
        }
    }

    fn settings() -> config::Policy {
        let file = std::path::Path::new("policy.wasm");
        config::drop_in(file, None, &config::Env::default())
            .unwrap()
            .policy
    }

    /// The numbers that are kept, the latest to serve first, and how they ended.
    fn kept(histories: &Histories) -> Vec<(u64, Option<End>)> {
        let past = histories.show().remove("p").unwrap();
        past.iter().map(|it| (it.number, it.ended)).collect()
    }

    fn back(histories: &mut Histories) -> Option<u64> {
        let from = histories.0["p"].kept.last()?.number;
        let number = histories.previous("p")?.number;
        histories.serves("p", generation(number));
        histories.rolled_back("p", from);
        Some(number)
    }

    #[test]
    fn the_last_five_are_kept() {
        let mut histories = Histories::default();
        for number in 1..=7 {
            assert_eq!(histories.next("p"), number);
            histories.serves("p", generation(number));
        }
        let numbers: Vec<_> = kept(&histories).iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [7, 6, 5, 4, 3]);
        assert!(histories.get("p", 2).is_none());
        assert!(histories.previous("other").is_none());
    }

    #[test]
    fn going_back_goes_on_backwards_and_never_to_what_was_taken_back() {
        let mut histories = Histories::default();
        for number in 1..=3 {
            histories.serves("p", generation(number));
        }
        assert_eq!(back(&mut histories), Some(2));
        assert_eq!(back(&mut histories), Some(1));
        assert_eq!(back(&mut histories), None);
        assert_eq!(
            kept(&histories),
            [
                (1, None),
                (2, Some(End::RolledBack)),
                (3, Some(End::RolledBack))
            ]
        );
        // Its number is new although lower ones serve, and what served before it is what it goes back to.
        assert_eq!(histories.next("p"), 4);
        histories.serves("p", generation(4));
        assert_eq!(histories.get("p", 1).unwrap().ended, Some(End::Replaced));
        assert_eq!(back(&mut histories), Some(1));
        // Asked for by name, one that was taken back serves again.
        histories.serves("p", generation(3));
        assert_eq!(back(&mut histories), Some(1));
    }

    #[test]
    fn going_back_from_an_old_one_never_goes_in_circles() {
        let mut histories = Histories::default();
        for number in 1..=5 {
            histories.serves("p", generation(number));
        }
        histories.serves("p", generation(2));
        histories.rolled_back("p", 5);
        let mut seen = Vec::new();
        while let Some(number) = back(&mut histories) {
            seen.push(number);
        }
        assert_eq!(seen, [4, 3, 1]);
    }

    #[test]
    fn what_is_gone_leaves_its_numbers_only() {
        let mut histories = Histories::default();
        histories.serves("p", generation(1));
        histories.gone("p");
        assert_eq!(kept(&histories), []);
        assert_eq!(histories.next("p"), 2);
    }
}
