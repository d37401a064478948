//! The keys of a policy: which of them may have signed a token, and whether one has.

use std::cell::OnceCell;

use crate::jwk::Jwk;
use crate::key::{Algorithm, Key};
use crate::refusal::Refusal;
use crate::token::Token;

/// A key with the name that tokens have for it, if any.
#[derive(Clone)]
pub struct NamedKey {
    pub(crate) kid: Option<String>,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) key: Made,
}

#[derive(Clone)]
pub(crate) enum Made {
    Now(Key),
    /// When it is first needed: making a key takes a third of a millisecond, and of a large set most are never used.
    Later(Box<Jwk>, OnceCell<Option<Key>>),
}

/// Some keys, of which any may sign.
#[derive(Clone, Default)]
pub struct Keys(Vec<NamedKey>);

/// So many signatures are checked for one token at most: one that names no key could be of any of them, and each takes
/// up to two milliseconds, and one on P-384 nearly three.
pub(crate) const MAX_TRIES: usize = 4;

// === impl NamedKey ===

impl NamedKey {
    /// A key for the algorithms that its kind is for, or for the one that it is said to be for.
    pub(crate) fn new(kid: Option<String>, alg: Option<&str>, key: Key) -> Result<Self, String> {
        let algorithms = key.algorithms().to_vec();
        let key = Self {
            kid: None,
            algorithms,
            key: Made::Now(key),
        };
        key.with(kid, alg)
    }

    /// With another name and for one algorithm only, where they are there.
    pub(crate) fn with(mut self, kid: Option<String>, alg: Option<&str>) -> Result<Self, String> {
        if let Some(name) = alg {
            let one = Algorithm::parse(name).filter(|one| self.algorithms.contains(one));
            let Some(one) = one else {
                let names: Vec<_> = self.algorithms.iter().map(|one| one.name()).collect();
                return Err(format!(
                    "`alg`: {name:?} is not what the key is for, which is {}",
                    names.join(", ")
                ));
            };
            self.algorithms = vec![one];
        }
        self.kid = kid.or(self.kid);
        Ok(self)
    }

    /// None where it turns out to be no key.
    fn key(&self) -> Option<&Key> {
        match &self.key {
            Made::Now(key) => Some(key),
            Made::Later(jwk, key) => key.get_or_init(|| jwk.make().ok()).as_ref(),
        }
    }
}

// === impl Keys ===

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
            if key.key().is_some_and(|key| token.is_signed_by(key)) {
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
    fn candidates<'k>(&'k self, token: &'k Token<'_>) -> impl Iterator<Item = &'k NamedKey> {
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
        of_rank(0).chain(of_rank(1)).chain(of_rank(2))
    }
}
