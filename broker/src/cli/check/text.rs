//! What would run, in lines for people.

use std::fmt;

use super::plan::{Place, Plan, Policy};
use crate::config::{Action, Batch, Lifecycle, LifecycleEvent, RoomSource, Route, To, Want};

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = &self.server;
        writeln!(
            f,
            "listen {}{} ({}; {} reactors)",
            server.listen,
            server.path,
            server.transports.join(", "),
            server.reactors
        )?;
        let tokens = self.admin.tokens.iter();
        let tokens: Vec<_> = tokens
            .map(|it| format!("{} ({})", it.name, it.scope))
            .collect();
        let tokens = match &tokens[..] {
            [] => "no tokens".to_owned(),
            names => format!("tokens: {}", names.join(", ")),
        };
        writeln!(f, "admin {} ({tokens})", self.admin.listen)?;
        match &self.cluster {
            Some(cluster) => writeln!(
                f,
                "cluster {} through {} (login: {}; TLS: {})",
                cluster.name,
                cluster.servers.join(", "),
                cluster.login,
                if cluster.tls { "yes" } else { "no" }
            )?,
            None => writeln!(f, "cluster none: the node is alone")?,
        }
        writeln!(f, "limits")?;
        for (key, value) in &self.limits {
            writeln!(f, "  {key} {value}")?;
        }
        self.policies
            .iter()
            .try_for_each(|policy| write!(f, "{policy}"))?;
        self.namespaces
            .iter()
            .try_for_each(|place| write!(f, "{place}"))?;
        for failure in &self.not_loaded {
            writeln!(f, "not loaded: {failure}")?;
        }
        for warning in &self.warnings {
            writeln!(f, "warning: {}: {}", warning.key, warning.message)?;
        }
        Ok(())
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "policy {} {} ({}, {})",
            self.name, self.version, self.mode, self.source
        )?;
        let signed = self
            .signed_by
            .as_deref()
            .map(|key| format!(", signed by {key}"));
        let signed = signed.unwrap_or_default();
        writeln!(
            f,
            "  module {} (contract {}{signed})",
            self.digest, self.contract
        )?;
        writeln!(f, "  hooks {}", list(&self.hooks))?;
        writeln!(f, "  grants {}", list(&self.grants))?;
        writeln!(
            f,
            "  each call {} ms, {} bytes",
            self.timeout_ms, self.memory
        )
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "namespace {}", self.path)?;
        if self.admin_ui {
            return writeln!(
                f,
                "  the Admin UI's: its users sign in by `admin.ui`, and their events are its commands"
            );
        }
        writeln!(f, "  policies {}", list(&self.policies))?;
        for route in &self.routes {
            writeln!(f, "  {} -> {}", route.event, route.action)?;
        }
        if self.routes.is_empty() {
            writeln!(f, "  no routes: every event is denied")?;
        }
        match &self.lifecycle {
            Some(told) => writeln!(f, "  tells {told}"),
            None => Ok(()),
        }
    }
}

fn list<T: AsRef<str>>(names: &[T]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    match names[..] {
        [] => "none".to_owned(),
        _ => names.join(", "),
    }
}

/// What back ends are told of sockets, and where.
pub(super) fn words(lifecycle: &Lifecycle) -> String {
    let events = LifecycleEvent::ALL.into_iter();
    let events: Vec<_> = events
        .filter(|event| lifecycle.wants(*event))
        .map(LifecycleEvent::as_str)
        .collect();
    format!("{} to {}", events.join(", "), lifecycle.subject)
}

/// What becomes of an event.
pub(super) fn action(route: &Route) -> String {
    let action = done(route);
    match route.batch {
        Some(Batch { window, max }) => {
            let window = humantime::format_duration(window);
            format!("{action}, gathered for {window} or up to {max}")
        }
        None => action,
    }
}

fn done(route: &Route) -> String {
    match &route.action {
        Action::Emit { to } => match &route.rename {
            Some(name) => format!("emit to {} as {name}", target(to)),
            None => format!("emit to {}", target(to)),
        },
        Action::Join { room } => format!("join {}", source(room)),
        Action::Leave { room } => format!("leave {}", source(room)),
        Action::Presence { room, name } => format!("presence in {} as {name}", source(room)),
        Action::Publish(outbound) => {
            let subject = &outbound.subject;
            match outbound.want {
                Want::Nothing => format!("publish to {subject}"),
                Want::Stored(_) => format!("publish to {subject}, stored"),
                Want::Reply(_) => format!("request to {subject}"),
            }
        }
        Action::Ignore => "ignore".to_owned(),
    }
}

fn target(to: &To) -> String {
    let (whom, include_sender) = match to {
        To::All => return "all".to_owned(),
        To::Others => return "others".to_owned(),
        To::Sender => return "sender".to_owned(),
        To::Rooms { include_sender } => ("rooms".to_owned(), include_sender),
        To::Room {
            room,
            include_sender,
        } => (source(room), include_sender),
    };
    match include_sender {
        true => format!("{whom} and the sender"),
        false => whom,
    }
}

fn source(room: &RoomSource) -> String {
    match room {
        RoomSource::Literal(name) => format!("room {name}"),
        RoomSource::Pointer(pointer) => format!("the room at {pointer}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Env, load};

    #[test]
    fn tells_what_would_run() {
        let loaded = load(None, Env::default()).unwrap();
        let (pipelines, failed) = crate::app::check(loaded.clone()).unwrap();
        let text = Plan::of(&loaded, &pipelines, &failed).to_string();
        assert!(
            text.starts_with("listen 127.0.0.1:3000/socket.io (polling, websocket; "),
            "{text}"
        );
        let expected = [
            "admin 127.0.0.1:9090 (no tokens)\n\
             cluster none: the node is alone\n\
             limits\n",
            "  server.max_connections 100000\n",
            "namespace /\n\
             \x20 policies none\n\
             \x20 join -> join the room at /0\n\
             \x20 leave -> leave the room at /0\n\
             \x20 * -> emit to others\n",
        ];
        for expected in expected {
            assert!(text.contains(expected), "{expected} is not in\n{text}");
        }
    }
}
