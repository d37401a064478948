//! Work of several traces that goes on as one.

use std::time::SystemTime;

use super::{Context, Kind, Recording, go_on, here};

/// Others that are named. A batch may have thousands, of which few are recorded.
const MOST: usize = 32;

/// What is recorded of those who are gathered: one goes on as a part of the first one's trace, linked with the others.
#[derive(Debug, Default)]
pub(crate) struct Gathered(Option<Box<Known>>);

#[derive(Debug)]
struct Known {
    first: Context,
    others: Vec<Context>,
    since: SystemTime,
}

impl Gathered {
    /// Whoever is being recorded is one of them.
    #[inline]
    pub(crate) fn add_this(&mut self) {
        if let Some(context) = here() {
            self.add(context);
        }
    }

    fn add(&mut self, context: Context) {
        match &mut self.0 {
            Some(known) if known.others.len() < MOST => known.others.push(context),
            Some(_) => {}
            none => {
                *none = Some(Box::new(Known {
                    first: context,
                    others: Vec::new(),
                    since: SystemTime::now(),
                }));
            }
        }
    }

    /// They go on. What is recorded of it began with the first of them.
    pub(crate) fn go_on(self, name: &'static str, kind: Kind) -> Option<Box<Recording>> {
        let known = self.0?;
        let mut recording = go_on(Some(&known.first), name, kind)?;
        recording.root.start = known.since;
        recording.root.links = known.others;
        Some(recording)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(number: u64) -> Context {
        let text = format!("00-{number:032x}-{number:016x}-01");
        Context::read(&text).expect("a context")
    }

    #[test]
    fn one_goes_on_in_the_first_one_s_trace_with_links_to_others() {
        super::super::ON.store(true, std::sync::atomic::Ordering::Relaxed);
        let nobody = Gathered::default();
        assert!(nobody.go_on("batch", Kind::Internal).is_none());
        let mut gathered = Gathered::default();
        (1..=MOST as u64 + 10).for_each(|it| gathered.add(context(it)));
        let recording = gathered.go_on("batch", Kind::Internal).expect("recorded");
        assert_eq!(recording.root.context.trace, context(1).trace);
        assert_eq!(recording.root.parent, Some(context(1).span));
        let others: Vec<_> = (2..=MOST as u64 + 1).map(context).collect();
        assert_eq!(recording.root.links, others);
    }
}
