//! Labels of the metrics: what they can be, and the sets of them.

use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

use super::spread::Tally;
use crate::event::Denial;

/// A few words that a label can be, each the index of its counter.
pub(super) trait Label:
    Copy + Eq + Hash + Debug + EncodeLabelValue + Send + Sync + 'static
{
    const ALL: &'static [Self];

    fn index(self) -> usize;
}

macro_rules! label {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum $name { $($(#[$variant_meta])* $variant),* }

        impl $name {
            pub(crate) fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }

        impl Label for $name {
            const ALL: &'static [Self] = &[$(Self::$variant),*];

            fn index(self) -> usize {
                self as usize
            }
        }

        impl EncodeLabelValue for $name {
            fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
                EncodeLabelValue::encode(&self.as_str(), encoder)
            }
        }
    };
}

pub(super) mod admin;
pub(super) mod admission;
pub(super) mod backend;
pub(super) mod sessions;
pub(super) mod tls;
pub(super) mod traffic;

label! {
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    #[serde(rename_all = "lowercase")]
    Hook { Connect = "connect", Event = "event", Subscribe = "subscribe", Disconnect = "disconnect" }
}

label! {
    /// Why a batch of events left.
    BatchEnd {
        Window = "window",
        /// As many events or bytes as it may have.
        Full = "full",
        /// The node drains, or its configuration was replaced.
        Flushed = "flushed",
        /// There is no room for more batches.
        Crowded = "crowded",
    }
}

label! {
    VerdictKind {
        Pass = "pass",
        Accept = "accept",
        Replace = "replace",
        Deny = "deny",
        Drop = "drop",
        Coalesce = "coalesce",
        Reply = "reply",
    }
}

label! {
    /// How a call of a policy failed.
    TrapKind {
        Trap = "trap",
        Deadline = "deadline",
        Memory = "memory",
        Instantiate = "instantiate",
        /// It answered with what cannot be delivered.
        Verdict = "verdict",
        /// It was not made: earlier ones have failed for too long.
        Budget = "budget",
        /// It was not made: others were waiting for their back end, as many as may at once.
        Busy = "busy",
        /// It was not made: the policy keeps failing, and its breaker is open.
        Breaker = "breaker",
    }
}

label! {
    /// Why an event, or one delivery of it, reached nobody.
    DropReason {
        /// A policy's verdict.
        Policy = "policy",
        /// The recipient does not read, and is being disconnected.
        SlowClient = "slow_client",
        /// The recipient takes nothing at the moment, and the event is not worth waiting.
        Volatile = "volatile",
        /// The recipient is gone.
        Closed = "closed",
        /// A newer one of its coalescing window took its place.
        Superseded = "superseded",
        /// A policy's wish to have a socket join one room more than it may.
        TooManyRooms = "too_many_rooms",
    }
}

label! {
    /// What came of a request that a policy wanted to make.
    FetchOutcome {
        /// An answer, whatever it says.
        Ok = "ok",
        /// None came.
        Error = "error",
        Timeout = "timeout",
        /// It may not be made.
        Refused = "refused",
        /// An earlier answer did, or that of an equal request.
        Cached = "cached",
        TooLarge = "too_large",
        /// Too many were under way.
        Busy = "busy",
    }
}

label! {
    ReloadResult { Applied = "applied", Failed = "failed" }
}

label! {
    /// Where a compiled module comes from.
    Compiled { Fresh = "fresh", Cache = "cache" }
}

label! {
    /// What is wrong with the cache of compiled modules.
    CacheFault {
        /// An entry that this broker has not made, or that is damaged.
        Rejected = "rejected",
        Unwritable = "unwritable",
    }
}

label! {
    /// What the state of a policy is made of.
    StateKind { Bucket = "bucket", Entry = "entry" }
}

label! {
    /// Why an event for another node was not sent.
    Undelivered {
        /// More waited than may.
        QueueFull = "queue_full",
        /// The connection did not come back in time.
        Expired = "expired",
        /// The NATS server takes too little for it even in parts.
        TooLarge = "too_large",
        /// The connection refused it.
        Failed = "failed",
    }
}

label! {
    /// What an operator asked for.
    Changed {
        Reload = "reload",
        Upload = "upload",
        RollBack = "rollback",
        Promote = "promote",
        SetPercent = "canary",
    }
}

label! {
    /// A shadow's verdict, beside that of the version that enforces.
    TrialOutcome { Same = "same", Differs = "differs", Failed = "failed" }
}

label! {
    ChangeResult { Changed = "changed", Unchanged = "unchanged", Refused = "refused" }
}

impl TrapKind {
    /// The policy was called, and it is the one that failed.
    pub(crate) fn was_called(self) -> bool {
        !matches!(self, Self::Budget | Self::Busy | Self::Breaker)
    }
}

impl VerdictKind {
    /// What a hook can answer.
    pub(super) fn of(self, hook: Hook) -> bool {
        match hook {
            Hook::Connect => matches!(self, Self::Pass | Self::Accept | Self::Deny),
            Hook::Event => self != Self::Accept,
            Hook::Subscribe => matches!(self, Self::Pass | Self::Deny),
            Hook::Disconnect => false,
        }
    }
}

/// A key of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct KeyLabel {
    pub key: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct PolicyLabel {
    pub policy: Arc<str>,
}

/// A number of a policy's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OwnLabels {
    pub policy: Arc<str>,
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct HookLabels {
    pub policy: Arc<str>,
    pub hook: Hook,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct FetchLabels {
    pub policy: Arc<str>,
    pub outcome: FetchOutcome,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct VerdictLabels {
    pub policy: Arc<str>,
    pub hook: Hook,
    pub verdict: VerdictKind,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct TrapLabels {
    pub policy: Arc<str>,
    pub hook: Hook,
    pub kind: TrapKind,
}

/// One of the two is empty: codes of policies are their own and without bound.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct DenialLabels {
    pub policy: Option<Arc<str>>,
    pub code: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct DisconnectLabel {
    pub reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct CodeLabel {
    pub code: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct SocketErrorLabel {
    pub code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct StateLabels {
    pub policy: Arc<str>,
    pub kind: StateKind,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ChangeLabels {
    pub action: Changed,
    pub result: ChangeResult,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct CauseLabels {
    pub policy: Arc<str>,
    pub cause: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct TrialLabels {
    pub policy: Arc<str>,
    pub outcome: TrialOutcome,
}

/// A counter for each word of a label, resolved once.
#[derive(Debug, Clone)]
pub(super) struct Counters<L>(Arc<[Tally]>, PhantomData<L>);

impl<L: Label> Counters<L> {
    pub(super) fn new(counter: impl Fn(L) -> Tally) -> Self {
        Self(
            L::ALL.iter().map(|word| counter(*word)).collect(),
            PhantomData,
        )
    }

    pub(super) fn inc(&self, word: L) {
        if let Some(counter) = self.0.get(word.index()) {
            counter.inc();
        }
    }

    pub(super) fn inc_by(&self, word: L, by: u64) {
        if let Some(counter) = self.0.get(word.index()) {
            counter.inc_by(by);
        }
    }

    /// The words that were counted, and how often.
    pub(super) fn counts(&self) -> impl Iterator<Item = (L, u64)> {
        let counts = self.0.iter().map(Tally::get);
        L::ALL.iter().copied().zip(counts).filter(|it| it.1 > 0)
    }
}

// === impl PolicyLabel ===

impl PolicyLabel {
    pub(super) fn new(name: &str) -> Self {
        Self {
            policy: name.into(),
        }
    }
}

// === impl StateLabels ===

impl StateLabels {
    pub(super) fn new(policy: &Arc<str>, kind: StateKind) -> Self {
        Self {
            policy: Arc::clone(policy),
            kind,
        }
    }
}

// === impl DenialLabels ===

impl DenialLabels {
    pub(super) fn new(denial: &Denial) -> Self {
        Self {
            policy: denial.policy.clone(),
            code: match denial.policy {
                Some(_) => String::new(),
                None => denial.code.clone(),
            },
        }
    }
}
