//! `sluice check`: a configuration that is not started.

use std::fmt::Write as _;

use super::Exit;
use crate::config::{Action, Batch, Loaded, Namespace, RoomSource, Route, To, Want};

/// What a valid configuration would run.
pub(super) fn check(loaded: &Loaded) -> Result<String, Exit> {
    let failed = crate::app::check(loaded.clone())?;
    let config = &loaded.config;
    let mut out = format!(
        "listen {}{} admin {}\n",
        config.server.listen, config.server.path, config.admin.listen
    );
    for namespace in &config.namespaces {
        describe(namespace, &mut out);
    }
    for failure in failed {
        _ = writeln!(out, "not loaded: {failure}");
    }
    Ok(out)
}

fn describe(namespace: &Namespace, out: &mut String) {
    let policies = match &namespace.policies[..] {
        [] => "none".to_owned(),
        names => names.join(", "),
    };
    // Writing to a String cannot fail.
    _ = writeln!(out, "namespace {}\n  policies {policies}", namespace.path);
    for route in &namespace.routes {
        _ = writeln!(out, "  {} -> {}", route.event, action(route));
    }
    if namespace.routes.is_empty() {
        _ = writeln!(out, "  no routes: every event is denied");
    }
}

fn action(route: &Route) -> String {
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
        assert_eq!(
            check(&loaded).unwrap(),
            "listen 127.0.0.1:3000/socket.io admin 127.0.0.1:9090\n\
             namespace /\n\
             \x20 policies none\n\
             \x20 join -> join the room at /0\n\
             \x20 leave -> leave the room at /0\n\
             \x20 * -> emit to others\n"
        );
    }
}
