//! Traces: what became of one connection or event, from its reading to its delivery, policy by policy, on all nodes.
//!
//! What is recorded stands in a slot of the thread for as long as it is dealt with: whoever does a part of it asks for a
//! span by [`open`], and gets none unless something is being recorded. So nothing is handed through, and where traces
//! are off all of it costs the look at one flag. What waits keeps its recording by [`scope`], and has it in the slot
//! while it runs. What goes on elsewhere, on another reactor, node or back end, is told the [`Context`].
//!
//! A recording that ends goes into a bounded queue, which `export` empties on the control runtime.

mod context;
mod export;
mod gathered;
mod proto;
mod span;

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::num::{NonZeroU64, NonZeroU128};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

pub(crate) use context::{Context, Parent, TRACEPARENT};
pub(crate) use export::{flush, start};
pub(crate) use gathered::Gathered;
use span::Span;
pub(crate) use span::{Kind, Value};

use crate::config;

/// Somebody takes what is recorded.
static ON: AtomicBool = AtomicBool::new(false);

/// Below which a random number has to be.
static SAMPLE: AtomicU64 = AtomicU64::new(0);

/// Spans of one recording beside its first. One event has a few; a batch of a back end's may have many.
const MOST: usize = 127;

thread_local! {
    static NOW: RefCell<Option<Box<Recording>>> = const { RefCell::new(None) };
    static RANDOM: Cell<u64> = Cell::new(rand::random());
}

/// One piece of work that is recorded, with its parts. Sent off when it is dropped.
pub(crate) struct Recording {
    root: Span,
    /// The span that is open.
    open: NonZeroU64,
    spans: Vec<Span>,
    left_out: usize,
}

/// A part of it that is being done. Forgotten if it is not closed.
#[must_use]
pub(crate) struct Opened {
    span: Span,
    /// The one that was open before; `None`: it is not part of what stands in the slot.
    before: Option<NonZeroU64>,
}

/// What the settings say that can change while the broker serves: how many are recorded.
pub(crate) fn reconfigure(settings: &config::Traces) {
    SAMPLE.store(threshold(settings.sample), Ordering::Relaxed);
}

fn threshold(share: f64) -> u64 {
    // 1 is the largest number there is, which is one in 2^64 too few.
    (share.clamp(0.0, 1.0) * u64::MAX as f64) as u64
}

#[inline]
pub(crate) fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// A new trace for one in so many; what it is called is one of a few names.
#[inline]
pub(crate) fn begin(name: &'static str, kind: Kind) -> Option<Box<Recording>> {
    let sample = match is_on() {
        true => SAMPLE.load(Ordering::Relaxed),
        false => 0,
    };
    if sample == 0 || random() > sample {
        return None;
    }
    let trace = NonZeroU128::new(rand::random())?;
    Recording::new(trace, None, name, kind)
}

/// A part of somebody else's trace: he has decided whether it is recorded. Only of those who may be trusted with it.
pub(crate) fn follow(parent: Parent, name: &'static str, kind: Kind) -> Option<Box<Recording>> {
    match parent {
        Parent::None => begin(name, kind),
        Parent::Sampled(context) => go_on(Some(&context), name, kind),
        Parent::Unsampled => None,
    }
}

/// The same of anyone: he may name a trace, and has no say in how many are recorded.
pub(crate) fn join(parent: Parent, name: &'static str, kind: Kind) -> Option<Box<Recording>> {
    let mut recording = begin(name, kind)?;
    if let Parent::Sampled(context) = parent {
        recording.root.context.trace = context.trace;
        recording.root.parent = Some(context.span);
    }
    Some(recording)
}

/// What was begun before, or elsewhere, goes on here.
pub(crate) fn go_on(
    context: Option<&Context>,
    name: &'static str,
    kind: Kind,
) -> Option<Box<Recording>> {
    let context = context.filter(|_| is_on())?;
    Recording::new(context.trace, Some(context.span), name, kind)
}

/// As good as it has to be for choosing, and much cheaper than that of keys (splitmix64).
fn random() -> u64 {
    RANDOM.with(|state| {
        let next = state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        state.set(next);
        let mixed = (next ^ (next >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

fn new_id() -> Option<NonZeroU64> {
    NonZeroU64::new(rand::random())
}

/// Has the slot hold a recording until the guard is dropped: for work that does not wait.
pub(crate) fn enter(recording: Option<Box<Recording>>) -> Option<Entered> {
    recording.map(|recording| Entered {
        before: swap(Some(recording)),
    })
}

/// Has the slot hold nothing until the guard is dropped: for what is done in between for others.
pub(crate) fn aside() -> Option<Entered> {
    is_on().then(|| Entered { before: swap(None) })
}

pub(crate) struct Entered {
    before: Option<Box<Recording>>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        // What ends is sent off when the slot is free again.
        drop(swap(self.before.take()));
    }
}

/// The same for work that waits: the slot holds the recording whenever it runs.
pub(crate) async fn scope<F: Future>(recording: Option<Box<Recording>>, work: F) -> F::Output {
    if recording.is_none() {
        return work.await;
    }
    let mut recording = recording;
    let mut work = pin!(work);
    poll_fn(|context| {
        let before = swap(recording.take());
        let polled = work.as_mut().poll(context);
        recording = swap(before);
        polled
    })
    .await
}

fn swap(recording: Option<Box<Recording>>) -> Option<Box<Recording>> {
    NOW.with(|now| now.replace(recording))
}

/// A part of what is being recorded; `None`: nothing is.
#[inline]
pub(crate) fn open(name: &'static str) -> Option<Opened> {
    if !is_on() {
        return None;
    }
    NOW.with_borrow_mut(|now| now.as_mut()?.open(name))
}

/// A part of a trace that is done elsewhere than its beginning, and not in the slot.
pub(crate) fn apart(context: Option<&Context>, name: &'static str, kind: Kind) -> Option<Opened> {
    let context = context.filter(|_| is_on())?;
    let own = Context {
        trace: context.trace,
        span: new_id()?,
    };
    Some(Opened {
        span: Span::new(own, Some(context.span), name.into(), kind),
        before: None,
    })
}

/// What those are to be told who go on with what is being done.
#[inline]
pub(crate) fn here() -> Option<Context> {
    if !is_on() {
        return None;
    }
    NOW.with_borrow(|now| {
        let now = now.as_ref()?;
        Some(Context {
            trace: now.root.context.trace,
            span: now.open,
        })
    })
}

/// Says something about what is being recorded as a whole. `value` is asked for only if something is.
#[inline]
pub(crate) fn say<V: Into<Value>>(key: &'static str, value: impl FnOnce() -> V) {
    if !is_on() {
        return;
    }
    NOW.with_borrow_mut(|now| {
        if let Some(now) = now {
            now.say(key, value());
        }
    });
}

impl Recording {
    fn new(
        trace: NonZeroU128,
        parent: Option<NonZeroU64>,
        name: &'static str,
        kind: Kind,
    ) -> Option<Box<Self>> {
        let span = new_id()?;
        Some(Box::new(Self {
            root: Span::new(Context { trace, span }, parent, name.into(), kind),
            open: span,
            spans: Vec::new(),
            left_out: 0,
        }))
    }

    pub(crate) fn say(&mut self, key: &'static str, value: impl Into<Value>) {
        let (attributes, value) = (&mut self.root.attributes, value.into());
        match attributes.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => *old = value,
            None => attributes.push((key, value)),
        }
    }

    fn open(&mut self, name: &'static str) -> Option<Opened> {
        let context = Context {
            trace: self.root.context.trace,
            span: new_id()?,
        };
        let before = std::mem::replace(&mut self.open, context.span);
        Some(Opened {
            span: Span::new(context, Some(before), name.into(), Kind::Internal),
            before: Some(before),
        })
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        if self.left_out > 0 {
            let left_out = ("sluice.spans_left_out", self.left_out.into());
            self.root.attributes.push(left_out);
        }
        let mut spans = std::mem::take(&mut self.spans);
        spans.push(self.root.end());
        export::hand_over(spans);
    }
}

impl Opened {
    pub(crate) fn named(mut self, name: String) -> Self {
        self.span.name = Cow::Owned(name);
        self
    }

    pub(crate) fn kind(mut self, kind: Kind) -> Self {
        self.span.kind = kind;
        self
    }

    pub(crate) fn with(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        self.span.attributes.push((key, value.into()));
        self
    }

    pub(crate) fn failed(mut self) -> Self {
        self.span.has_failed = true;
        self
    }

    /// What those are to be told whom it hands on to.
    pub(crate) fn context(&self) -> Context {
        self.span.context
    }

    pub(crate) fn close(mut self) {
        let span = self.span.end();
        if self.before.is_none() {
            return export::hand_over(vec![span]);
        }
        NOW.with_borrow_mut(|now| match now {
            Some(now) if now.root.context.trace == span.context.trace => {
                if now.spans.len() < MOST {
                    now.spans.push(span);
                } else {
                    now.left_out += 1;
                }
            }
            // Its recording is over.
            _ => {}
        });
        // The one before is open again: `drop`.
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let Some(before) = self.before else {
            return;
        };
        NOW.with_borrow_mut(|now| {
            if let Some(now) = now
                && now.open == self.span.context.span
            {
                now.open = before;
            }
        });
    }
}

#[cfg(test)]
mod tests;
