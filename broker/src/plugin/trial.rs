//! A new version of a policy on trial beside the one that enforces: as a shadow it is asked the same and never
//! followed, as a canary it decides for a part of the sockets. What both say is counted, and a candidate that is worse
//! than it may be is not asked any more.

mod said;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime};

use parking_lot::Mutex;

use super::policy::Policy;
use crate::config;
use crate::event::Client;
use crate::telemetry::events::TrialDiffers;
use crate::telemetry::metrics::{Hook, TrialOutcome, TrialOutcomes, VerdictKind, metrics};
pub(crate) use said::{Answer, Said};

/// Differing verdicts that are kept to be shown.
const SAMPLES: usize = 20;

/// Whom a canary decides for is told in parts of this.
pub(crate) const WHOLE: u32 = 100;

/// How a candidate takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Shadow,
    /// For so many of a hundred sockets.
    Canary(u32),
}

pub(crate) struct Trial {
    /// The name of the policy whose version it is.
    pub policy: Arc<str>,
    pub candidate: Arc<Policy>,
    /// `None`: a shadow.
    percent: Option<AtomicU32>,
    bounds: config::Trial,
    pub since: SystemTime,
    start: Instant,
    enforcing: Arm,
    tried: Arm,
    outcomes: TrialOutcomes,
    compared: [AtomicU64; 3],
    samples: Mutex<VecDeque<Sample>>,
    /// The second after the start in which a difference was last logged, from 1 on.
    logged: AtomicU64,
    over: OnceLock<Cause>,
}

/// What one of the two versions has said.
#[derive(Default)]
struct Arm {
    calls: AtomicU64,
    denials: AtomicU64,
    failures: AtomicU64,
}

/// What one of two versions has said so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub calls: u64,
    pub denials: u64,
    pub failures: u64,
}

/// Verdicts of a shadow, as they were to those of the version that enforces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Comparison {
    pub same: u64,
    pub differs: u64,
    pub failed: u64,
}

/// Something that two versions did not say the same about.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub at: SystemTime,
    pub hook: Hook,
    /// The event's name, or the room's; empty for a connection.
    pub about: String,
    pub user: Option<Arc<str>>,
    /// The arguments, if they may be shown.
    pub arguments: Option<String>,
    /// Their length.
    pub bytes: usize,
    pub enforcing: Said,
    pub candidate: Said,
}

/// Why a version is not good enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// More calls failed than may.
    Failures,
    /// It denies more than it may, compared with the version before.
    Denials,
}

/// What a call was about.
pub(crate) struct About<'a> {
    pub hook: Hook,
    pub client: &'a Client,
    /// The event's name, or the room's.
    pub name: &'a str,
    pub args: &'a str,
}

// === impl Trial ===

impl Trial {
    pub(super) fn new(
        policy: Arc<str>,
        candidate: Arc<Policy>,
        kind: Kind,
        bounds: config::Trial,
    ) -> Self {
        Self {
            outcomes: metrics().trial(&policy),
            policy,
            candidate,
            percent: match kind {
                Kind::Shadow => None,
                Kind::Canary(percent) => Some(AtomicU32::new(percent)),
            },
            bounds,
            since: SystemTime::now(),
            start: Instant::now(),
            enforcing: Arm::default(),
            tried: Arm::default(),
            compared: Default::default(),
            samples: Mutex::default(),
            logged: AtomicU64::new(0),
            over: OnceLock::new(),
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        match &self.percent {
            None => Kind::Shadow,
            Some(percent) => Kind::Canary(percent.load(Ordering::Relaxed)),
        }
    }

    /// Changes whom a canary decides for: who is in it at less is in it at more. False: it is a shadow.
    pub(super) fn set_percent(&self, percent: u32) -> bool {
        match &self.percent {
            None => false,
            Some(old) => {
                old.store(percent, Ordering::Relaxed);
                true
            }
        }
    }

    /// The candidate, if it decides for this socket.
    pub(crate) fn decides(&self, socket: u64) -> Option<&Arc<Policy>> {
        let percent = self.percent.as_ref()?.load(Ordering::Relaxed);
        let place = mixed(socket, self.candidate.id) % u64::from(WHOLE);
        (place < u64::from(percent) && self.over.get().is_none()).then_some(&self.candidate)
    }

    /// The candidate, if it is asked beside the version that enforces.
    pub(crate) fn shadows(&self) -> Option<&Arc<Policy>> {
        (self.percent.is_none() && self.over.get().is_none()).then_some(&self.candidate)
    }

    /// Counts what the version that decided has said.
    pub(crate) fn decided(&self, by_candidate: bool, answer: &dyn Answer) {
        if !answer.is_said() {
            return;
        }
        let arm = match by_candidate {
            true => &self.tried,
            false => &self.enforcing,
        };
        arm.count(answer.kind());
        if by_candidate {
            self.judge();
        }
    }

    /// Compares what a shadow has said with what was followed.
    pub(crate) fn compare(&self, about: &About<'_>, enforcing: &dyn Answer, shadow: &dyn Answer) {
        if !enforcing.is_said() && !shadow.is_said() {
            return;
        }
        self.enforcing.count(enforcing.kind());
        self.tried.count(shadow.kind());
        let outcome = if shadow.kind().is_none() {
            TrialOutcome::Failed
        } else if enforcing.is_same(shadow) {
            TrialOutcome::Same
        } else {
            TrialOutcome::Differs
        };
        self.outcomes.inc(outcome);
        if let Some(count) = self.compared.get(outcome as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        if outcome != TrialOutcome::Same {
            self.keep(about, enforcing, shadow);
        }
        self.judge();
    }

    fn keep(&self, about: &About<'_>, enforcing: &dyn Answer, shadow: &dyn Answer) {
        let shows = self.bounds.show_arguments;
        let sample = Sample {
            at: SystemTime::now(),
            hook: about.hook,
            about: said::clipped(about.name),
            user: about.client.identity.read().user.clone(),
            arguments: shows.then(|| said::clipped(about.args)),
            bytes: about.args.len(),
            enforcing: Said::of(enforcing, shows),
            candidate: Said::of(shadow, shows),
        };
        self.log(&sample);
        // No event waits for another one's sample.
        let Some(mut samples) = self.samples.try_lock() else {
            return;
        };
        if samples.len() == SAMPLES {
            samples.pop_front();
        }
        samples.push_back(sample);
    }

    /// One a second: whoever sends what the two differ about must not fill the log.
    fn log(&self, sample: &Sample) {
        let second = self.start.elapsed().as_secs() + 1;
        if self.logged.swap(second, Ordering::Relaxed) < second {
            TrialDiffers {
                policy: &self.policy,
                hook: sample.hook,
                about: &sample.about,
                enforcing: sample.enforcing.verdict,
                candidate: sample.candidate.verdict,
            }
            .emit();
        }
    }

    /// Ends the trial as soon as the candidate is worse than it may be.
    fn judge(&self) {
        let (before, now) = self.tallies();
        // A shadow harms nobody by denying: that it does is what one wants to see.
        let before = match self.kind() {
            Kind::Shadow => None,
            Kind::Canary(_) => Some(before),
        };
        if let Some(cause) = now.is_worse(before, &self.bounds) {
            // The first to notice says why.
            let _ = self.over.set(cause);
        }
    }

    /// Why it is over, if it is.
    pub(crate) fn over(&self) -> Option<Cause> {
        self.over.get().copied()
    }

    /// What the version that enforces has said since the start, and what the candidate has.
    pub(crate) fn tallies(&self) -> (Tally, Tally) {
        (self.enforcing.tally(), self.tried.tally())
    }

    pub(crate) fn comparison(&self) -> Comparison {
        let [same, differs, failed] = self
            .compared
            .each_ref()
            .map(|it| it.load(Ordering::Relaxed));
        Comparison {
            same,
            differs,
            failed,
        }
    }

    /// The latest last.
    pub(crate) fn samples(&self) -> Vec<Sample> {
        self.samples.lock().iter().cloned().collect()
    }
}

// === impl Arm ===

impl Arm {
    /// `None`: the call failed.
    fn count(&self, said: Option<VerdictKind>) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        match said {
            None => _ = self.failures.fetch_add(1, Ordering::Relaxed),
            Some(VerdictKind::Deny) => _ = self.denials.fetch_add(1, Ordering::Relaxed),
            Some(_) => {}
        }
    }

    fn tally(&self) -> Tally {
        Tally {
            calls: self.calls.load(Ordering::Relaxed),
            denials: self.denials.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
        }
    }
}

// === impl Tally ===

impl Tally {
    /// Why a version that has said this is not good enough, given what the one before it has said, if that counts.
    pub(super) fn is_worse(self, before: Option<Self>, bounds: &config::Trial) -> Option<Cause> {
        if self.failures >= u64::from(bounds.max_failures) {
            return Some(Cause::Failures);
        }
        let before = before?;
        let enough = u64::from(bounds.min_calls);
        if self.calls < enough || before.calls < enough {
            return None;
        }
        let increase = (self.denial_rate() - before.denial_rate()) * 100.0;
        (increase > f64::from(bounds.max_denial_increase)).then_some(Cause::Denials)
    }

    fn denial_rate(self) -> f64 {
        self.denials as f64 / self.calls as f64
    }

    /// What has been said since `earlier`.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            calls: self.calls.saturating_sub(earlier.calls),
            denials: self.denials.saturating_sub(earlier.denials),
            failures: self.failures.saturating_sub(earlier.failures),
        }
    }
}

impl Cause {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Failures => "failures",
            Self::Denials => "denials",
        }
    }
}

/// Spreads numbers that count upwards evenly (the finalizer of splitmix64), each trial in its own way.
fn mixed(socket: u64, trial: u64) -> u64 {
    let mut x = socket ^ trial.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
