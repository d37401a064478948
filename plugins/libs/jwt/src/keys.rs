//! The keys of a policy: which of them may have signed a token, and whether one has.

use crate::key::{Algorithm, Key};
use crate::refusal::Refusal;
use crate::token::Token;

/// A key with the name that tokens have for it, if any.
#[derive(Clone)]
pub struct NamedKey {
    pub(crate) kid: Option<String>,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) key: Key,
}

/// Some keys, of which any may sign.
#[derive(Clone, Default)]
pub struct Keys(Vec<NamedKey>);

/// So many signatures are checked for one token at most: one that names no key could be of any of them, and each takes
/// up to two milliseconds.
pub(crate) const MAX_TRIES: usize = 4;

impl Keys {
    /// All of these.
    #[must_use]
    pub fn new(keys: Vec<NamedKey>) -> Self {
        Self(keys)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The algorithms that these keys are for.
    pub(crate) fn algorithms(&self) -> Vec<Algorithm> {
        let is_there = |one: &Algorithm| self.0.iter().any(|key| key.algorithms.contains(one));
        Algorithm::ALL.into_iter().filter(is_there).collect()
    }

    /// How many keys without a name there are for the algorithm that has most of them.
    pub(crate) fn most_nameless(&self) -> usize {
        let nameless = |one: Algorithm| {
            let keys = self.0.iter().filter(|key| key.kid.is_none());
            keys.filter(|key| key.algorithms.contains(&one)).count()
        };
        Algorithm::ALL.into_iter().map(nameless).max().unwrap_or(0)
    }

    /// Whether one of these keys has signed the token.
    ///
    /// # Errors
    ///
    /// [`Refusal::Key`] when none of them can be the one that the token names, [`Refusal::Invalid`] when those that can
    /// be have not signed it.
    pub fn verify(&self, token: &Token<'_>) -> Result<(), Refusal> {
        let mut tried = false;
        for key in self.candidates(token).take(MAX_TRIES) {
            tried = true;
            if token.is_signed_by(key) {
                return Ok(());
            }
        }
        Err(if tried {
            Refusal::Invalid
        } else {
            Refusal::Key
        })
    }

    /// Those that may have signed the token: first the one that it names, then those without a name, and all others
    /// only where it names none.
    fn candidates<'k>(&'k self, token: &'k Token<'_>) -> impl Iterator<Item = &'k Key> {
        let of_rank = |wanted: u8| {
            let is_for = |key: &&NamedKey| key.algorithms.contains(&token.algorithm());
            let rank = |key: &&NamedKey| match (token.kid(), key.kid.as_deref()) {
                (Some(wanted), Some(kid)) => (wanted == kid).then_some(0),
                (_, None) => Some(1),
                (None, Some(_)) => Some(2),
            };
            let keys = self.0.iter().filter(is_for);
            keys.filter(move |key| rank(key) == Some(wanted))
        };
        let ranks = of_rank(0).chain(of_rank(1)).chain(of_rank(2));
        ranks.map(|key| &key.key)
    }
}
