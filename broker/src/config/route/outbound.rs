//! What a route to back ends says: where to, in what form, and whether somebody answers.

use std::sync::Arc;
use std::time::Duration;

use super::super::section::Section;
use super::super::setting::names;
use crate::nats::subject::{Subjects, Template};

/// Where events go, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outbound {
    pub subject: Template,
    pub encoding: Encoding,
    pub want: Want,
}

/// How messages to back ends are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Encoding {
    Json,
    Msgpack,
}

names!(Encoding,
    "json" => Encoding::Json,
    "msgpack" => Encoding::Msgpack,
);

/// What a message is to be answered with, and how long that may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Want {
    Nothing,
    /// JetStream's word that it is stored.
    Stored(Duration),
    /// What a back end replies.
    Reply(Duration),
}

/// The cluster that routes to back ends are in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reach<'a> {
    /// `None`: there is no NATS server.
    pub cluster: Option<&'a str>,
}

/// The keys as they are written.
pub(super) struct Written {
    subject: Option<String>,
    encoding: Option<Encoding>,
    durable: Option<bool>,
    timeout: Option<Duration>,
}

/// Which of the two actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Publish,
    Request,
}

const DEFAULT_SUBJECT: &str = ".event.{namespace}.{event}";
const TIMEOUT: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_mins(10);

impl Written {
    pub(super) fn read(s: &mut Section<'_, '_>) -> Self {
        Self {
            subject: s.optional(
                "subject",
                DEFAULT_SUBJECT,
                "The NATS subject that the event is published to; below `sluice.<cluster.name>` if it begins with a dot. `{namespace}` and `{event}` stand for the names. Default: `.event.{namespace}.{event}`.",
            ),
            encoding: s.optional(
                "format",
                "json",
                "How the message is written: `json`, with binary values in base64, or `msgpack`.",
            ),
            durable: s.optional(
                "durable",
                "false",
                "The client's ack waits until JetStream has stored the event.",
            ),
            timeout: s.optional(
                "timeout",
                "5s",
                "How long the reply of a request, or JetStream, may take.",
            ),
        }
    }

    /// `None` means that a problem has been reported.
    pub(super) fn outbound(
        &self,
        s: &mut Section<'_, '_>,
        reach: Reach<'_>,
        way: Way,
    ) -> Option<Arc<Outbound>> {
        let subject = subject(
            s,
            "subject",
            self.subject.as_deref(),
            DEFAULT_SUBJECT,
            reach,
        );
        let timeout = self.timeout.unwrap_or(TIMEOUT);
        if timeout.is_zero() || timeout > LONGEST {
            s.complain("timeout", "is out of bounds", Some("1ms to 10min"));
        }
        let want = match way {
            Way::Request => Want::Reply(timeout),
            Way::Publish if self.durable == Some(true) => Want::Stored(timeout),
            Way::Publish => Want::Nothing,
        };
        if want == Want::Nothing && s.has("timeout") {
            let what = "has no effect in this route: nothing is waited for unless it is `durable`";
            s.report("timeout", what, None);
        }
        if way == Way::Request && s.has("durable") {
            let what = "has no effect in this route: a request is answered by a back end";
            s.report("durable", what, None);
        }
        Some(Arc::new(Outbound {
            subject: subject?,
            encoding: self.encoding.unwrap_or(Encoding::Json),
            want,
        }))
    }
}

/// The subject that a key says. `None` means that a problem has been reported.
pub(in crate::config) fn subject(
    s: &mut Section<'_, '_>,
    name: &'static str,
    written: Option<&str>,
    default: &str,
    reach: Reach<'_>,
) -> Option<Template> {
    let cluster = reach.cluster?;
    let subjects = Subjects::of(cluster);
    match Template::parse(written.unwrap_or(default), subjects.prefix()) {
        Ok(template) => Some(template),
        Err(what) => {
            s.complain(name, &what, Some("a NATS subject such as `orders.{event}`"));
            None
        }
    }
}
