//! What is allowed and probably not meant.

use serde::Serialize;

use super::plan::takes_part;
use crate::config::{Config, Failure, Login, Mode, Namespace, Origins};
use crate::pipeline::Pipelines;
use crate::telemetry::metrics::Hook;

/// A key with what makes one wonder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Suspicion {
    pub key: String,
    pub message: String,
}

pub(super) fn suspicions(config: &Config, pipelines: &Pipelines) -> Vec<Suspicion> {
    let mut found = Vec::new();
    let mut say = |key: &str, message: &str| {
        found.push(Suspicion {
            key: key.to_owned(),
            message: message.to_owned(),
        });
    };
    let cors = &config.server.cors;
    if cors.origins == Origins::Any && cors.credentials {
        say(
            "server.cors.origins",
            "any page may connect with its visitor's cookies: list the origins that may",
        );
    }
    if config.admin.all_tokens().next().is_none() {
        say(
            "admin.token",
            "is not set: every user of this machine may do what an operator may",
        );
    }
    if let Some(cluster) = &config.cluster
        && cluster.login != Login::Nobody
        && !cluster.is_private()
        && !cluster.is_local()
    {
        say(
            "cluster.nats_url",
            "the broker logs in without TLS: whoever sees the network may log in too",
        );
    }
    found.extend(of_policies(pipelines));
    for namespace in &config.namespaces {
        found.extend(hidden_routes(namespace));
    }
    found
}

fn of_policies(pipelines: &Pipelines) -> Vec<Suspicion> {
    let mut found = Vec::new();
    for policy in pipelines.policies() {
        let mut say = |key: &str, message: &str| {
            found.push(Suspicion {
                key: format!("policy[{}]{key}", policy.name),
                message: message.to_owned(),
            });
        };
        let is_asked = pipelines.all().iter().any(|it| takes_part(it, policy));
        if !is_asked {
            say("", "no namespace asks this policy");
        }
        let settings = &policy.settings;
        if policy.has(Hook::Connect)
            && settings.on_error.connect == Failure::Allow
            && settings.mode == Mode::Enforce
        {
            say(
                ".on_error",
                "while the policy fails, everyone is let in without being asked who they are",
            );
        }
        if settings.mode == Mode::Shadow && is_asked {
            say(
                ".mode",
                "its verdicts are counted and not followed (shadow)",
            );
        }
    }
    found
}

/// Routes behind one that takes all of their events.
fn hidden_routes(namespace: &Namespace) -> Vec<Suspicion> {
    let mut found = Vec::new();
    for (position, route) in namespace.routes.iter().enumerate() {
        let mut earlier = namespace.routes.iter().take(position);
        // A star is no character that another glob could hold but by a star of its own.
        if let Some(first) = earlier.find(|it| it.event.matches(route.event.as_str())) {
            found.push(Suspicion {
                key: format!("namespace[{}].route[{}]", namespace.path, route.event),
                message: format!(
                    "is never reached: the route for `{}` before it takes all of its events",
                    first.event
                ),
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Env, load};

    fn keys(toml: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sluice.toml");
        std::fs::write(&file, toml).unwrap();
        let config = load(Some(&file), Env::default()).unwrap().config;
        let found = suspicions(&config, &Pipelines::default());
        found.into_iter().map(|it| it.key).collect()
    }

    #[test]
    fn what_makes_one_wonder() {
        let token = "[admin]\ntoken = 't'\n";
        assert_eq!(keys(""), ["admin.token"]);
        assert!(keys(token).is_empty());
        let cors = |more: &str| format!("{token}[server.cors]\norigins = ['*']\n{more}");
        assert!(keys(&cors("")).is_empty());
        assert_eq!(keys(&cors("credentials = true\n")), ["server.cors.origins"]);
        let nats = |url: &str| format!("{token}[cluster]\nnats_url = '{url}'\ntoken = 'x'\n");
        assert!(keys(&nats("nats://127.0.0.1:4222")).is_empty());
        assert!(keys(&nats("tls://nats.example")).is_empty());
        assert_eq!(keys(&nats("nats://nats.example")), ["cluster.nats_url"]);
    }

    #[test]
    fn routes_that_are_never_reached() {
        let routes = |events: &[&str]| {
            let routes: String = events
                .iter()
                .map(|event| format!("[[namespace.route]]\nevent = '{event}'\naction = 'ignore'\n"))
                .collect();
            keys(&format!(
                "[admin]\ntoken = 't'\n[[namespace]]\npath = '/'\n{routes}"
            ))
        };
        assert!(routes(&["chat:send", "chat:*", "*"]).is_empty());
        assert!(routes(&["a*", "*a", "a*b"]).len() == 1);
        assert_eq!(
            routes(&["chat:*", "chat:send", "x", "chat:*:z"]),
            [
                "namespace[/].route[chat:send]",
                "namespace[/].route[chat:*:z]"
            ]
        );
        assert_eq!(routes(&["*", "x"]), ["namespace[/].route[x]"]);
    }
}
