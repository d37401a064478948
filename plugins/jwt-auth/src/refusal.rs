//! Everything that can be wrong with a token, told apart by code. No variant carries any part of the token.

use std::collections::BTreeMap;

use sluice_plugin_sdk::Denial;

/// Why a client is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Missing,
    Malformed,
    Algorithm,
    Invalid,
    NotYetValid,
    Expired,
    Audience,
    Issuer,
    NoUser,
}

impl Refusal {
    const ALL: [Self; 9] = [
        Self::Missing,
        Self::Malformed,
        Self::Algorithm,
        Self::Invalid,
        Self::NotYetValid,
        Self::Expired,
        Self::Audience,
        Self::Issuer,
        Self::NoUser,
    ];

    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Missing => "token_missing",
            Self::Malformed => "token_malformed",
            Self::Algorithm => "token_algorithm",
            Self::Invalid => "token_invalid",
            Self::NotYetValid => "token_not_yet_valid",
            Self::Expired => "token_expired",
            Self::Audience => "token_audience",
            Self::Issuer => "token_issuer",
            Self::NoUser => "token_no_user",
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::Missing => "Authentication required",
            Self::Malformed => "The token is malformed",
            Self::Algorithm => "The token is not signed with HS256",
            Self::Invalid => "Invalid token",
            Self::NotYetValid => "The token is not valid yet",
            Self::Expired => "The token has expired",
            Self::Audience => "The token is not meant for this service",
            Self::Issuer => "The token is from an unknown issuer",
            Self::NoUser => "The token names no user",
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

    pub(crate) fn denial(&self, refusal: Refusal) -> Denial {
        let own = self.0.get(refusal.code()).map(String::as_str);
        Denial::new(refusal.code(), own.unwrap_or(refusal.message()))
    }
}
