//! Everything that can be wrong with a token, told apart by code. No variant carries any part of the token.

use std::collections::BTreeMap;

use sluice_plugin_sdk::Denial;

use crate::key::Algorithm;

/// Why a client is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no token.
    Missing,
    /// It is none, or says what makes no sense.
    Malformed,
    /// It is signed by an algorithm that is not allowed.
    Algorithm,
    /// It names a key that is not known.
    Key,
    /// No key that it may be signed with has signed it.
    Invalid,
    /// It is too early.
    NotYetValid,
    /// It is too late.
    Expired,
    /// It is meant for others.
    Audience,
    /// It comes from others.
    Issuer,
    /// It does not say whose it is.
    NoUser,
    /// There are no keys to check it with.
    Unavailable {
        /// When it is worth trying again.
        retry_after_ms: u32,
    },
}

impl Refusal {
    const ALL: [Self; 11] = [
        Self::Missing,
        Self::Malformed,
        Self::Algorithm,
        Self::Key,
        Self::Invalid,
        Self::NotYetValid,
        Self::Expired,
        Self::Audience,
        Self::Issuer,
        Self::NoUser,
        Self::Unavailable { retry_after_ms: 0 },
    ];

    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Missing => "token_missing",
            Self::Malformed => "token_malformed",
            Self::Algorithm => "token_algorithm",
            Self::Key => "token_key",
            Self::Invalid => "token_invalid",
            Self::NotYetValid => "token_not_yet_valid",
            Self::Expired => "token_expired",
            Self::Audience => "token_audience",
            Self::Issuer => "token_issuer",
            Self::NoUser => "token_no_user",
            Self::Unavailable { .. } => "keys_unavailable",
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::Missing => "Authentication required",
            Self::Malformed => "The token is malformed",
            Self::Algorithm => "The token is signed with an algorithm that is not allowed",
            Self::Key => "The token is signed with an unknown key",
            Self::Invalid => "Invalid token",
            Self::NotYetValid => "The token is not valid yet",
            Self::Expired => "The token has expired",
            Self::Audience => "The token is not meant for this service",
            Self::Issuer => "The token is from an unknown issuer",
            Self::NoUser => "The token names no user",
            Self::Unavailable { .. } => "Tokens cannot be checked at the moment",
        }
    }
}

/// The operator's own messages, by code.
#[derive(Debug, Default)]
pub(crate) struct Messages(BTreeMap<String, String>);

impl Messages {
    pub(crate) fn new(messages: BTreeMap<String, String>) -> Result<Self, String> {
        let known = |code: &str| Refusal::ALL.iter().any(|refusal| refusal.code() == code);
        if let Some(code) = messages.keys().find(|code| !known(code)) {
            let codes = Refusal::ALL.map(Refusal::code).join(", ");
            return Err(format!(
                "`messages.{code}`: no such code, there are {codes}"
            ));
        }
        Ok(Self(messages))
    }

    pub(crate) fn denial(&self, refusal: Refusal, allowed: &[Algorithm]) -> Denial {
        let own = self.0.get(refusal.code()).map(String::as_str);
        let message = match (own, refusal) {
            (Some(own), _) => own.to_owned(),
            (None, Refusal::Algorithm) => {
                let names: Vec<_> = allowed.iter().map(|one| one.name()).collect();
                format!("The token is not signed with {}", names.join(" or "))
            }
            (None, _) => refusal.message().to_owned(),
        };
        let denial = Denial::new(refusal.code(), message);
        match refusal {
            Refusal::Unavailable { retry_after_ms } => denial.retry_after_ms(retry_after_ms),
            _ => denial,
        }
    }
}
