//! `/api/v1/revocations`: users and tokens that are kept out.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api::{accept_json, mistaken, parse, unreadable};
use super::audit::Did;
use super::describe::{About, text};
use super::node::Node;
use super::problem::Problem;
use super::query::{self, AFTER, LISTED, parameters};
use super::routes::{Routes, Verb};
use crate::backend::Mistake;
use crate::moment::{LAST_DATE, date, unix_millis};
use crate::plugin::LONGEST_TOKEN;
use crate::revocation::{Entry, Full, Key, Of, Revoke};

/// How long a revocation lasts where the request does not say, and how long it may.
const TTL: Duration = Duration::from_secs(24 * 3600);
const LONGEST_TTL: Duration = Duration::from_secs(400 * 24 * 3600);

/// What the list is of, for what is handed in where it goes on.
const REVOCATIONS: &str = "revocations";

/// Bytes of a reason.
const LONGEST_REASON: usize = 256;

/// Who is kept out, as the admin listener sees it.
pub(crate) trait Revoking: Send + Sync {
    /// Keeps somebody out from now on, on every node.
    fn revoke(self: Arc<Self>, wanted: Revoke) -> BoxFuture<'static, Result<Told, Full>>;

    /// Takes it back. `None`: nobody is kept out by it.
    fn lift(self: Arc<Self>, key: Key) -> BoxFuture<'static, Option<Told>>;

    /// The latest first.
    fn list(&self) -> Vec<Entry>;
}

/// Who knows of a word.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    /// The word.
    pub entry: Entry,
    /// Sockets that were ended.
    pub sockets: u64,
    /// Whether others hear this node; `None`: it is alone.
    pub is_heard: Option<bool>,
    /// Nodes that did not answer. They learn it when they are back.
    pub silent: Vec<String>,
}

/// Whom or what to revoke: either a user or a token.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "RevokeBody")]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    user: Option<String>,
    token_id: Option<String>,
    /// Only there; in every namespace without this.
    namespace: Option<String>,
    /// How long: 24 hours without this or `until`, at most 400 days.
    ttl: Option<Ttl>,
    /// Until when, as `2030-01-31T12:00:00Z`.
    until: Option<String>,
    /// For operators; clients are not told.
    reason: Option<String>,
}

/// A duration such as `12h`, or seconds.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Ttl {
    Text(String),
    Seconds(u64),
}

/// A revocation as it is shown: of a user or of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Revocation {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<String>,
    /// `null`: in every namespace.
    pub namespace: Option<String>,
    /// What a user was issued before this moment is revoked.
    pub at: String,
    /// When it ends.
    pub until: String,
    pub reason: Option<String>,
}

/// What became of a request that changes one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RevocationChange")]
pub(crate) struct Changed {
    pub revocation: Revocation,
    /// Sockets that were ended, on all nodes that answered.
    pub sockets: u64,
    /// Where it holds: on this node alone, or in the cluster.
    pub reach: Reach,
    /// Nodes that did not answer. They learn of it as soon as they are heard again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub silent: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RevocationReach")]
#[serde(rename_all = "lowercase")]
pub(crate) enum Reach {
    Node,
    Cluster,
}

/// Those that hold, the latest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct RevocationList {
    pub revocations: Vec<Revocation>,
    /// There are more.
    pub truncated: bool,
    /// What to hand in as `after` for those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

type Answered = Result<(Extension<Did>, Json<Changed>), Problem>;

/// The routes of this file.
pub(super) fn routes(routes: Routes) -> Routes {
    const PATH: &str = "/api/v1/revocations";
    let about = |name, summary| About::new(name, "revocations", summary);
    routes
        .get(
            PATH,
            list,
            about("listRevocations", "Users and tokens that are kept out")
                .parameters(&[LISTED, AFTER])
                .answers::<RevocationList>("The latest first."),
        )
        .post(
            PATH,
            revoke,
            about(
                "revoke",
                "Ends the sockets of a user or a token on all nodes, and keeps new ones out",
            )
            .takes::<Body>(r#"{"user": "mallory", "ttl": "12h", "reason": "left"}"#)
            .answers::<Changed>("It holds.")
            .problems(&[(503, "There are as many as a node keeps.")]),
        )
        .add(
            Verb::Delete,
            PATH,
            lift,
            about("liftRevocation", "Takes a revocation back, on all nodes")
                .parameters(&[
                    text("user", "The user."),
                    text("token_id", "Or the token."),
                    text("namespace", "As it was revoked: everywhere without this."),
                ])
                .answers::<Changed>("It holds no longer.")
                .problems(&[(404, "There is no such revocation.")]),
        )
}

pub(super) async fn list(
    State(node): State<Arc<dyn Node>>,
    RawQuery(query): RawQuery,
) -> Result<Json<RevocationList>, Problem> {
    let [limit, after] = parameters(query.as_deref(), ["limit", "after"])?;
    let limit = query::limit(limit)?;
    let after = query::after::<(u64, Key)>(after, REVOCATIONS)?;
    let mut all = node.revocations().list();
    if let Some((at_ms, key)) = after {
        all.retain(|it| (it.at_ms, &it.key) < (at_ms, &key));
    }
    let truncated = all.len() > limit;
    all.truncate(limit);
    let last = all.last().map(|it| (it.at_ms, &it.key));
    Ok(Json(RevocationList {
        truncated,
        next: query::next(truncated, last, REVOCATIONS),
        revocations: all.into_iter().map(Into::into).collect(),
    }))
}

pub(super) async fn revoke(
    State(node): State<Arc<dyn Node>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answered {
    accept_json(&headers)?;
    let body: Body = parse(&body.map_err(unreadable)?)?;
    let wanted = wanted(body, unix_millis()).map_err(mistaken)?;
    let made = finished(node.revocations().revoke(wanted)).await?;
    let told = made.map_err(|full| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too_many",
            full.to_string(),
        )
    })?;
    Ok(changed(told, "revoked"))
}

pub(super) async fn lift(State(node): State<Arc<dyn Node>>, RawQuery(query): RawQuery) -> Answered {
    let names = ["user", "token_id", "namespace"];
    let [user, token_id, namespace] = parameters(query.as_deref(), names)?;
    let key = Key {
        of: one_of(user, token_id).map_err(|mistake| {
            let at = mistake.field.unwrap_or_default();
            Problem::new(StatusCode::BAD_REQUEST, "no_target", mistake.detail).at(at)
        })?,
        namespace,
    };
    match finished(node.revocations().lift(key)).await? {
        Some(told) => Ok(changed(told, "taken back")),
        None => Err(Problem::new(
            StatusCode::NOT_FOUND,
            "unknown_revocation",
            "there is no such revocation",
        )),
    }
}

/// It goes on when whoever asked has gone.
async fn finished<T: Send + 'static>(work: BoxFuture<'static, T>) -> Result<T, Problem> {
    let failed = |_| {
        let what = "the request was not carried out";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", what)
    };
    tokio::spawn(work).await.map_err(failed)
}

fn changed(told: Told, what: &str) -> (Extension<Did>, Json<Changed>) {
    let did = Did(format!("{what}, and {} sockets ended", told.sockets));
    let changed = Changed {
        revocation: told.entry.into(),
        sockets: told.sockets,
        reach: match told.is_heard {
            Some(true) => Reach::Cluster,
            Some(false) | None => Reach::Node,
        },
        silent: told.silent,
    };
    (Extension(did), Json(changed))
}

fn wanted(body: Body, now_ms: u64) -> Result<Revoke, Mistake> {
    let namespace = body.namespace;
    if namespace.as_ref().is_some_and(|it| !it.starts_with('/')) {
        return Err(wrong("a namespace begins with `/`", "namespace"));
    }
    let is_long = |reason: &String| reason.len() > LONGEST_REASON;
    if body.reason.as_ref().is_some_and(is_long) {
        let what = format!("a reason has at most {LONGEST_REASON} bytes");
        return Err(wrong(what, "reason"));
    }
    Ok(Revoke {
        key: Key {
            of: one_of(body.user, body.token_id)?,
            namespace,
        },
        until_ms: until(body.ttl, body.until, now_ms)?,
        reason: body.reason,
    })
}

fn one_of(user: Option<String>, token_id: Option<String>) -> Result<Of, Mistake> {
    let (of, name, field) = match (user, token_id) {
        (Some(user), None) => (Of::User(user.clone()), user, "user"),
        (None, Some(id)) => (Of::Token(id.clone()), id, "token_id"),
        _ => return Err(wrong("expected either `user` or `token_id`", "user")),
    };
    match name.len() {
        1..=LONGEST_TOKEN => Ok(of),
        _ => Err(wrong(format!("it has 1 to {LONGEST_TOKEN} bytes"), field)),
    }
}

fn until(ttl: Option<Ttl>, until: Option<String>, now_ms: u64) -> Result<u64, Mistake> {
    let ms = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let (until_ms, field) = match (ttl, until) {
        (Some(_), Some(_)) => return Err(wrong("`ttl` and `until` say the same", "until")),
        (None, None) => return Ok(now_ms + ms(TTL)),
        (Some(Ttl::Seconds(seconds)), None) => {
            let ttl = seconds.saturating_mul(1_000);
            (now_ms.saturating_add(ttl), "ttl")
        }
        (Some(Ttl::Text(text)), None) => {
            let span = humantime::parse_duration(&text);
            let span = span.map_err(|_| wrong("expected a duration such as `12h`", "ttl"))?;
            (now_ms.saturating_add(ms(span)), "ttl")
        }
        (None, Some(text)) => {
            let at = humantime::parse_rfc3339(&text);
            let at =
                at.map_err(|_| wrong("expected a time such as `2030-01-31T12:00:00Z`", "until"))?;
            (
                ms(at.duration_since(UNIX_EPOCH).unwrap_or_default()),
                "until",
            )
        }
    };
    if until_ms <= now_ms || until_ms - now_ms > ms(LONGEST_TTL) {
        return Err(wrong(
            "it ends within 400 days, and not before it begins",
            field,
        ));
    }
    Ok(until_ms)
}

fn wrong(what: impl Into<String>, field: &str) -> Mistake {
    Mistake::new("bad_field", what.into()).at(field)
}

impl From<Entry> for Revocation {
    fn from(entry: Entry) -> Self {
        let (user, token_id) = match entry.key.of {
            Of::User(user) => (Some(user), None),
            Of::Token(id) => (None, Some(id)),
        };
        Self {
            user,
            token_id,
            namespace: entry.key.namespace,
            at: time(entry.at_ms),
            until: time(entry.until_ms),
            reason: entry.reason,
        }
    }
}

/// What another node says may be no time that can be written.
fn time(ms: u64) -> String {
    date(ms.min(LAST_DATE)).unwrap_or_default()
}
