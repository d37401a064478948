//! Which trace something belongs to, as it goes over the wire: the W3C's `traceparent`.

use std::fmt;
use std::num::{NonZeroU64, NonZeroU128};

/// A span of a trace that is recorded, here or wherever the trace began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Context {
    pub(super) trace: NonZeroU128,
    pub(super) span: NonZeroU64,
}

/// What a `traceparent` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parent {
    /// Nothing that can be read: whoever sends it knows of no trace.
    None,
    /// Its sender records the trace.
    Sampled(Context),
    /// Its sender has decided not to.
    Unsampled,
}

/// The name of the header, of HTTP and of NATS.
pub(crate) const TRACEPARENT: &str = "traceparent";

/// `00-<32 digits>-<16 digits>-<2 digits>`
const LENGTH: usize = 55;

const SAMPLED: u8 = 1;

impl Parent {
    pub(crate) fn of(header: Option<&str>) -> Self {
        let Some((context, flags)) = header.and_then(read) else {
            return Self::None;
        };
        match flags & SAMPLED {
            SAMPLED => Self::Sampled(context),
            _ => Self::Unsampled,
        }
    }
}

impl Context {
    /// Of a node that only tells of traces that it records.
    pub(crate) fn read(header: &str) -> Option<Self> {
        match Parent::of(Some(header)) {
            Parent::Sampled(context) => Some(context),
            Parent::None | Parent::Unsampled => None,
        }
    }
}

/// Later versions may have more behind the flags, and mean the same by what comes before.
fn read(header: &str) -> Option<(Context, u8)> {
    let version = digits(header.get(..2)?)?;
    let more = header.get(LENGTH..)?;
    let is_known = version == 0 && more.is_empty();
    let is_later = (1..255).contains(&version) && (more.is_empty() || more.starts_with('-'));
    let has_dashes = [2, 35, 52]
        .into_iter()
        .all(|at| header.as_bytes().get(at) == Some(&b'-'));
    if !(is_known || is_later) || !has_dashes {
        return None;
    }
    let trace = NonZeroU128::new(digits(header.get(3..35)?)?)?;
    let span = u64::try_from(digits(header.get(36..52)?)?).ok()?;
    let flags = u8::try_from(digits(header.get(53..LENGTH)?)?).ok()?;
    let span = NonZeroU64::new(span)?;
    Some((Context { trace, span }, flags))
}

/// Lower case only, as it is written.
fn digits(text: &str) -> Option<u128> {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.as_bytes().iter().all(is_digit).then_some(())?;
    u128::from_str_radix(text, 16).ok()
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-01", self.trace, self.span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    #[test]
    fn what_is_written_is_read() {
        let text = format!("00-{TRACE}-{SPAN}-01");
        let Parent::Sampled(context) = Parent::of(Some(&text)) else {
            panic!("{text}");
        };
        assert_eq!(context.to_string(), text);
        assert_eq!(Context::read(&text), Some(context));
        assert_eq!(
            Parent::of(Some(&format!("00-{TRACE}-{SPAN}-00"))),
            Parent::Unsampled
        );
        assert_eq!(Context::read(&format!("00-{TRACE}-{SPAN}-00")), None);
        let later = format!("42-{TRACE}-{SPAN}-03-more");
        assert_eq!(Parent::of(Some(&later)), Parent::Sampled(context));
    }

    #[test]
    fn what_cannot_be_read_is_no_trace() {
        assert_eq!(Parent::of(None), Parent::None);
        let zeros = "0".repeat(32);
        for text in [
            String::new(),
            "ü".repeat(40),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-1"),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{zeros}-{SPAN}-01"),
            format!("00-{TRACE}-{}-01", &zeros[..16]),
            format!("00_{TRACE}-{SPAN}-01"),
            format!("01-{TRACE}-{SPAN}-01more"),
            format!("00-{}+-{SPAN}-01", &TRACE[..31]),
        ] {
            assert_eq!(Parent::of(Some(&text)), Parent::None, "{text}");
        }
    }
}
