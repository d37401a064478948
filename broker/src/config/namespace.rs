//! `[[namespace]]`: a Socket.IO namespace, or a pattern that stands for many.

use std::collections::HashMap;
use std::sync::Arc;

use super::lifecycle::Lifecycle;
use super::route::{Action, Reach, Route};
use super::section::Section;
use super::session::Session;
use crate::event::RESERVED;

/// A namespace that clients can enter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Namespace {
    /// `/`, `/name` or a pattern such as `/org-{id}` (see [`Namespace::is_pattern`]).
    pub path: String,
    /// Names of configured policies in the order in which they are asked.
    pub policies: Vec<String>,
    /// The event with which a client is told of a denial that has no ack.
    pub denial_event: String,
    pub routes: Vec<Route>,
    /// `None`: back ends are told nothing of its sockets.
    pub lifecycle: Option<Lifecycle>,
    /// The broker itself serves it, for operators: no policies and no routes.
    pub is_operators: bool,
    pub session: Session,
}

const PATH: &str = "`/`, `/name` or a pattern such as `/org-{id}`";

impl Namespace {
    /// It stands for every name that `matchit` finds for it.
    pub(crate) fn is_pattern(&self) -> bool {
        is_pattern(&self.path)
    }

    /// With which event sockets are told who joins and leaves; `None`: nobody is told.
    pub(crate) fn presence(&self) -> Option<&Arc<str>> {
        told_with(&self.routes)
    }

    /// What serves where nothing is configured: a relay.
    pub(super) fn relay(policies: &[String]) -> Self {
        Self {
            path: "/".to_owned(),
            policies: policies.to_vec(),
            denial_event: "error".to_owned(),
            routes: Route::relay(),
            lifecycle: None,
            session: Session::default(),
            is_operators: false,
        }
    }

    /// What the Admin UI enters.
    pub(super) fn of_operators(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            routes: Vec::new(),
            is_operators: true,
            ..Self::relay(&[])
        }
    }

    /// `None` means that a problem has been reported.
    pub(super) fn read(
        s: &mut Section<'_, '_>,
        policies: &[String],
        paths: &mut Paths,
        reach: Reach<'_>,
    ) -> Option<Self> {
        let path = s.required::<String>(
            "path",
            "/chat",
            "The namespace, or a pattern such as /org-{id}.",
        );
        s.label("namespace", "path");
        paths.add(s, path.as_deref());
        let denial_event: String = s.get(
            "denial_event",
            "error",
            "The event that tells a client of a denial when it asked for no ack.",
        );
        if RESERVED.contains(&denial_event.as_str()) {
            s.complain(
                "denial_event",
                "is a name that Socket.IO keeps for itself",
                Some("another name"),
            );
        }
        let chosen = chosen(s, policies);
        let lifecycle = Lifecycle::read(s, reach);
        let session = Session::read(s);
        let mut globs: HashMap<String, usize> = HashMap::new();
        let mut position = 0;
        let mut presence = None;
        let routes = s.each(
            "route",
            "What becomes of an event; the first route that matches decides.",
            |s| {
                let route = Route::read(s, reach);
                let glob = route.as_ref().map(|route| route.event.as_str().to_owned());
                if let Some(first) = glob.and_then(|glob| globs.insert(glob, position)) {
                    let what = format!(
                        "is the glob of route[{first}] already, so this route is never reached"
                    );
                    s.complain("event", &what, None);
                }
                position += 1;
                let name = route.as_ref().and_then(|route| told_with([route]));
                if let Some(name) = name
                    && presence.get_or_insert_with(|| name.clone()) != name
                {
                    let what = "differs from that of an earlier route: all sockets of a namespace are told of presence by one event";
                    s.complain("as", what, None);
                }
                route
            },
        );
        Some(Self {
            path: path?,
            policies: chosen,
            denial_event,
            routes: routes.into_iter().flatten().collect(),
            lifecycle,
            is_operators: false,
            session,
        })
    }
}

fn told_with<'a>(routes: impl IntoIterator<Item = &'a Route>) -> Option<&'a Arc<str>> {
    routes.into_iter().find_map(|route| match &route.action {
        Action::Presence { name, .. } => Some(name),
        _ => None,
    })
}

fn is_pattern(path: &str) -> bool {
    path.contains(['{', '}'])
}

/// The policies of a namespace: those it lists, or all.
fn chosen(s: &mut Section<'_, '_>, policies: &[String]) -> Vec<String> {
    let chosen: Option<Vec<String>> = s.optional(
        "policies",
        r#"["chat"]"#,
        "The policies in the order in which they are asked; all, in their order, unless given.",
    );
    let Some(chosen) = chosen else {
        return policies.to_vec();
    };
    for (position, name) in chosen.iter().enumerate() {
        if !policies.contains(name) {
            s.complain_item("policies", position, name, "names no [[policy]]");
        } else if chosen.iter().take(position).any(|earlier| earlier == name) {
            s.complain_item("policies", position, name, "is in the list already");
        }
    }
    chosen
}

/// The paths of the namespaces read so far.
#[derive(Default)]
pub(super) struct Paths {
    /// One for each namespace; `None` where it could not be read.
    seen: Vec<Option<String>>,
    patterns: matchit::Router<usize>,
}

impl Paths {
    fn add(&mut self, s: &mut Section<'_, '_>, path: Option<&str>) {
        let position = self.seen.len();
        let first = |path: &str| {
            let same = |seen: &Option<String>| seen.as_deref() == Some(path);
            self.seen.iter().position(same)
        };
        let Some(path) = path else {
            return self.seen.push(None);
        };
        // A comma ends a namespace's name in a packet, and a client cuts off what it takes for a query.
        let odd = |c: char| c == ',' || c == '?' || c.is_control() || c.is_whitespace();
        if !path.starts_with('/') || path.contains(odd) {
            s.complain("path", "is not a namespace", Some(PATH));
        } else if let Some(first) = first(path) {
            s.complain(
                "path",
                &format!("is the path of namespace[{first}] already"),
                None,
            );
        } else if is_pattern(path)
            && let Err(error) = self.patterns.insert(path, position)
        {
            use matchit::InsertError::{Conflict, InvalidCatchAll, InvalidParamSegment};
            let what = match error {
                Conflict { with } => match first(&with) {
                    Some(first) => format!("conflicts with namespace[{first}]"),
                    None => "conflicts with an earlier pattern".to_owned(),
                },
                InvalidParamSegment => "has two parameters between two slashes".to_owned(),
                InvalidCatchAll => "goes on after a parameter that takes everything".to_owned(),
                _ => "has a parameter without a name, or braces that do not match".to_owned(),
            };
            s.complain("path", &what, Some(PATH));
        }
        self.seen.push(Some(path.to_owned()));
    }
}
