//! Coalescing: the windows of all sockets and keys, and what has been delivered.

use std::time::Duration;

use serde_json::Value;

/// An event that the policy has let go on.
///
/// ```
/// use std::time::Duration;
/// use sluice_plugin_sdk::{prelude::*, testing};
/// use serde_json::json;
///
/// #[policy]
/// struct Calm {}
///
/// #[policy]
/// impl Calm {
///     #[on_event("cursor")]
///     fn cursor(&mut self) -> Verdict {
///         Verdict::coalesce_leading("cursor", Duration::from_millis(100))
///     }
/// }
///
/// let mut calm = testing::policy::<Calm>(json!({})).unwrap();
/// for x in 0..5 {
///     calm.event("cursor", json!([x]));
///     calm.clock().advance(10);
/// }
/// calm.clock().advance(100);
/// let args: Vec<_> = calm.delivered().into_iter().map(|delivery| delivery.args).collect();
/// assert_eq!(args, [json!([0]), json!([4])], "the first and the last");
/// assert_eq!(calm.superseded(), 3);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// The name that the test gave the socket.
    pub socket: String,
    /// The event's name.
    pub event: String,
    /// Its arguments, as the policy has left them.
    pub args: Value,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
}

#[derive(Debug, Default)]
pub(super) struct Windows {
    /// Few, and in the order in which they began.
    open: Vec<Window>,
    pub(super) superseded: u64,
}

#[derive(Debug)]
struct Window {
    token: u64,
    key: String,
    ends_ms: u64,
    pending: Option<Delivery>,
}

impl Windows {
    /// Takes an event that is to be coalesced. Answers it when it goes on at once.
    pub(super) fn offer(
        &mut self,
        (token, key): (u64, &str),
        (length, leading): (Duration, bool),
        event: Delivery,
    ) -> Option<Delivery> {
        let mut open = self.open.iter_mut();
        if let Some(window) = open.find(|window| window.token == token && window.key == key) {
            self.superseded += u64::from(window.pending.replace(event).is_some());
            return None;
        }
        let (now, pending) = if leading {
            (Some(event.clone()), None)
        } else {
            (None, Some(event.clone()))
        };
        let ms = u64::try_from(length.as_millis()).unwrap_or(u64::MAX).max(1);
        self.open.push(Window {
            token,
            key: key.to_owned(),
            ends_ms: event.at_ms.saturating_add(ms),
            pending,
        });
        now
    }

    /// Ends what ends until then, in order.
    pub(super) fn end_until(&mut self, now_ms: u64, delivered: &mut Vec<Delivery>) {
        self.open.sort_by_key(|window| window.ends_ms);
        let ended = self.open.partition_point(|window| window.ends_ms <= now_ms);
        for window in self.open.drain(..ended) {
            delivered.extend(window.pending.map(|event| Delivery {
                at_ms: window.ends_ms,
                ..event
            }));
        }
    }

    /// Delivers at once what a socket that goes has pending.
    pub(super) fn end_socket(&mut self, token: u64, now_ms: u64, delivered: &mut Vec<Delivery>) {
        for window in self.open.extract_if(.., |window| window.token == token) {
            delivered.extend(window.pending.map(|event| Delivery {
                at_ms: now_ms,
                ..event
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(n: u64, at_ms: u64) -> Delivery {
        Delivery {
            socket: "s".into(),
            event: "e".into(),
            args: json!([n]),
            at_ms,
        }
    }

    const WINDOW: Duration = Duration::from_millis(100);

    #[test]
    fn the_newest_of_a_key_goes_on_when_the_window_ends() {
        let mut windows = Windows::default();
        let mut delivered = Vec::new();
        for (n, at_ms) in [(0, 0), (1, 50), (2, 99)] {
            assert_eq!(
                windows.offer((1, "k"), (WINDOW, false), event(n, at_ms)),
                None
            );
        }
        assert_eq!(
            windows.offer((1, "other"), (WINDOW, false), event(7, 20)),
            None
        );
        assert_eq!(
            windows.offer((2, "k"), (WINDOW, true), event(8, 30)),
            Some(event(8, 30))
        );
        windows.end_until(99, &mut delivered);
        assert_eq!(delivered, []);
        windows.end_until(500, &mut delivered);
        assert_eq!(delivered, [event(2, 100), event(7, 120)]);
        assert_eq!(windows.superseded, 2);
    }

    #[test]
    fn a_socket_that_goes_loses_nothing() {
        let mut windows = Windows::default();
        let mut delivered = Vec::new();
        windows.offer((1, "k"), (WINDOW, false), event(0, 0));
        windows.offer((2, "k"), (WINDOW, false), event(1, 0));
        windows.end_socket(1, 10, &mut delivered);
        assert_eq!(delivered, [event(0, 10)]);
    }
}
