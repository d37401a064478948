//! What a policy has said, as far as two versions of it are compared: the kind of its verdict, the code of a denial and
//! what it puts in the arguments' place. The words of a denial may differ.

use std::borrow::Cow;

use crate::event::{Denial, Verdict};
use crate::plugin::instance::Fault;
use crate::plugin::policy::Admission;
use crate::telemetry::metrics::VerdictKind;

/// An answer of any hook.
pub(crate) trait Answer {
    /// `None`: the call failed.
    fn kind(&self) -> Option<VerdictKind>;

    /// Of a denial.
    fn code(&self) -> Option<&str> {
        None
    }

    /// What it adds: arguments, or an identity.
    fn content(&self) -> Option<Cow<'_, str>> {
        None
    }

    /// False: the policy is not interested and was not called, which is as good as a pass.
    fn is_said(&self) -> bool {
        true
    }

    fn is_same(&self, other: &dyn Answer) -> bool {
        self.kind() == other.kind()
            && self.code() == other.code()
            && self.content() == other.content()
    }
}

/// An answer to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub verdict: &'static str,
    pub code: Option<String>,
    /// Bytes of what it adds.
    pub bytes: Option<usize>,
    /// What it adds, if that may be shown.
    pub content: Option<String>,
}

impl Said {
    pub(super) fn of(answer: &dyn Answer, shows: bool) -> Self {
        let content = answer.content();
        Self {
            verdict: answer.kind().map_or("failed", VerdictKind::as_str),
            code: answer.code().map(clipped),
            bytes: content.as_ref().map(|content| content.len()),
            content: content.filter(|_| shows).map(|content| clipped(&content)),
        }
    }
}

/// What is shown of a text: samples are kept, and their texts are a client's or a policy's.
pub(super) fn clipped(text: &str) -> String {
    const LONGEST: usize = 2048;
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(LONGEST);
    format!("{}…", text.get(..end).unwrap_or_default())
}

impl<T: Answer> Answer for Option<T> {
    fn kind(&self) -> Option<VerdictKind> {
        self.as_ref().map_or(Some(VerdictKind::Pass), T::kind)
    }

    fn code(&self) -> Option<&str> {
        self.as_ref().and_then(T::code)
    }

    fn content(&self) -> Option<Cow<'_, str>> {
        self.as_ref().and_then(T::content)
    }

    fn is_said(&self) -> bool {
        self.as_ref().is_some_and(T::is_said)
    }
}

impl<T: Answer> Answer for Result<T, Fault> {
    fn kind(&self) -> Option<VerdictKind> {
        self.as_ref().ok().and_then(T::kind)
    }

    fn code(&self) -> Option<&str> {
        self.as_ref().ok().and_then(T::code)
    }

    fn content(&self) -> Option<Cow<'_, str>> {
        self.as_ref().ok().and_then(T::content)
    }
}

impl Answer for Verdict {
    fn kind(&self) -> Option<VerdictKind> {
        Some(match self {
            Self::Pass(None) => VerdictKind::Pass,
            Self::Pass(Some(_)) => VerdictKind::Replace,
            Self::Deny(_) => VerdictKind::Deny,
            Self::Drop => VerdictKind::Drop,
            Self::Coalesce(_) => VerdictKind::Coalesce,
            Self::Reply(_) => VerdictKind::Reply,
        })
    }

    fn code(&self) -> Option<&str> {
        match self {
            Self::Deny(denial) => Some(&denial.code),
            _ => None,
        }
    }

    fn content(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Pass(Some(args)) | Self::Reply(args) => Some(Cow::Borrowed(args)),
            Self::Coalesce(it) => Some(Cow::Owned(format!(
                "{:?} for {:?}, leading: {}",
                it.key, it.window, it.leading
            ))),
            Self::Pass(None) | Self::Deny(_) | Self::Drop => None,
        }
    }
}

impl Answer for Admission {
    fn kind(&self) -> Option<VerdictKind> {
        Some(match self {
            Self::Pass => VerdictKind::Pass,
            Self::Accept(_) => VerdictKind::Accept,
            Self::Deny(_) => VerdictKind::Deny,
        })
    }

    fn code(&self) -> Option<&str> {
        match self {
            Self::Deny(denial) => Some(&denial.code),
            Self::Pass | Self::Accept(_) => None,
        }
    }

    fn content(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Accept(identity) => {
                let mut identity = identity.clone();
                if let Some(grant) = &mut identity.grant {
                    // Both are asked one after the other, and may count from when they are asked.
                    grant.expires_ms = grant.expires_ms.get().map(|_| 0).into();
                }
                Some(Cow::Owned(format!("{identity:?}")))
            }
            Self::Pass | Self::Deny(_) => None,
        }
    }
}

/// Whether a room may be joined.
impl Answer for Result<(), Denial> {
    fn kind(&self) -> Option<VerdictKind> {
        Some(match self {
            Ok(()) => VerdictKind::Pass,
            Err(_) => VerdictKind::Deny,
        })
    }

    fn code(&self) -> Option<&str> {
        self.as_ref().err().map(|denial| &*denial.code)
    }
}
