//! `/api/v1/sockets`, `presence`, `rooms` and `namespaces`: who is where, and how back ends and operators move them.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api::{accept_json, mistaken, parse, unreadable};
use super::audit::Did;
use super::node::Node;
use super::problem::Problem;
use super::query::{self, bad_parameter, parameters};
use crate::backend::{
    self, Listed, Mistake, NamespaceCensus, RoomFilter, RoomInfo, SocketFilter, SocketInfo, Steer,
    SteerError, Steered, Steering, Whom,
};

/// What lists are of, for those that are handed in where they go on.
const SOCKETS: &str = "sockets";
const ROOMS: &str = "rooms";

/// Rooms that one request has sockets join or leave.
const MAX_TARGETS: usize = 1024;

#[derive(Serialize, JsonSchema)]
pub(super) struct SocketList {
    sockets: Vec<SocketInfo>,
    /// There are more.
    truncated: bool,
    /// What to hand in as `after` for those.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    silent: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct RoomList {
    rooms: Vec<RoomInfo>,
    /// There are more.
    truncated: bool,
    /// What to hand in as `after` for those.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    silent: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct NamespaceList {
    namespaces: Vec<NamespaceCensus>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    silent: Vec<String>,
}

/// What is moved is named in the body of each request alike.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "SteerBody")]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    /// `/` without this.
    namespace: Option<String>,
    /// The sockets of these ids. Without sockets, rooms and users: every socket of the namespace.
    sockets: Option<Vec<String>>,
    /// Members of these rooms.
    rooms: Option<Vec<String>>,
    /// Every socket of these users.
    users: Option<Vec<String>>,
    /// But not members of these rooms, nor the sockets of these ids.
    except: Option<Vec<String>>,
    /// The rooms that they join; of `join` only.
    join: Option<Vec<String>>,
    /// The rooms that they leave; of `leave` only.
    leave: Option<Vec<String>>,
    /// With everything else that their clients have on the same connection; of `disconnect` only.
    close: Option<bool>,
}

pub(super) async fn list(
    State(node): State<Arc<dyn Node>>,
    RawQuery(query): RawQuery,
) -> Result<Json<SocketList>, Problem> {
    let known = ["namespace", "room", "user", "limit", "after", "node"];
    let [namespace, room, user, limit, after, only] = parameters(query.as_deref(), known)?;
    let filter = SocketFilter {
        namespace,
        room,
        user,
        id: None,
        after: query::after(after, SOCKETS)?,
        limit: query::limit(limit)?,
    };
    let Listed {
        items,
        truncated,
        silent,
    } = node.sockets(filter, only).await;
    Ok(Json(SocketList {
        next: next_socket(truncated, &items),
        sockets: items,
        truncated,
        silent,
    }))
}

pub(super) async fn show(
    State(node): State<Arc<dyn Node>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<SocketInfo>, Problem> {
    let unknown = |silent: &[String]| {
        let what = match silent {
            [] => "no socket of this id is connected".to_owned(),
            nodes => format!(
                "none of the nodes that answered has it; {} did not",
                nodes.join(", ")
            ),
        };
        Problem::new(StatusCode::NOT_FOUND, "unknown_socket", what)
    };
    let Path(id) = id.map_err(|_| unknown(&[]))?;
    let filter = SocketFilter {
        namespace: None,
        room: None,
        user: None,
        id: Some(id),
        after: None,
        limit: 1,
    };
    let mut listed = node.sockets(filter, None).await;
    let socket = listed.items.pop().ok_or_else(|| unknown(&listed.silent))?;
    Ok(Json(socket))
}

fn next_socket(truncated: bool, listed: &[SocketInfo]) -> Option<String> {
    query::next(truncated, listed.last().and_then(SocketInfo::key), SOCKETS)
}

/// Who is in a room, on all nodes.
#[derive(Serialize, JsonSchema)]
pub(super) struct Present {
    members: Vec<Presence>,
    /// Each once, in order.
    users: BTreeSet<String>,
    /// There are more.
    truncated: bool,
    /// What to hand in as `after` for those.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    silent: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
struct Presence {
    socket: String,
    user: Option<String>,
    node: String,
}

pub(super) async fn presence(
    State(node): State<Arc<dyn Node>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Present>, Problem> {
    let known = ["namespace", "room", "limit", "after"];
    let [namespace, room, limit, after] = parameters(query.as_deref(), known)?;
    let limit = query::limit(limit)?;
    let room = room.ok_or_else(|| bad_parameter("room", "it is missing"))?;
    let filter = SocketFilter {
        namespace: Some(namespace.unwrap_or_else(|| "/".to_owned())),
        room: Some(room),
        user: None,
        id: None,
        after: query::after(after, SOCKETS)?,
        limit,
    };
    let listed = node.sockets(filter, None).await;
    let users = listed.items.iter().filter_map(|it| it.user.clone());
    Ok(Json(Present {
        users: users.collect(),
        truncated: listed.truncated,
        next: next_socket(listed.truncated, &listed.items),
        silent: listed.silent,
        members: listed
            .items
            .into_iter()
            .map(|it| Presence {
                socket: it.id,
                user: it.user,
                node: it.node,
            })
            .collect(),
    }))
}

pub(super) async fn rooms(
    State(node): State<Arc<dyn Node>>,
    RawQuery(query): RawQuery,
) -> Result<Json<RoomList>, Problem> {
    let known = ["namespace", "prefix", "limit", "after"];
    let [namespace, prefix, limit, after] = parameters(query.as_deref(), known)?;
    let filter = RoomFilter {
        namespace: namespace.unwrap_or_else(|| "/".to_owned()),
        prefix: prefix.unwrap_or_default(),
        after: query::after(after, ROOMS)?,
        limit: query::limit(limit)?,
    };
    let Listed {
        items,
        truncated,
        silent,
    } = node.rooms(filter).await;
    let last = items.last().map(|it| &it.name);
    Ok(Json(RoomList {
        next: query::next(truncated, last, ROOMS),
        rooms: items,
        truncated,
        silent,
    }))
}

pub(super) async fn namespaces(State(node): State<Arc<dyn Node>>) -> Json<NamespaceList> {
    let Listed { items, silent, .. } = node.namespaces().await;
    Json(NamespaceList {
        namespaces: items,
        silent,
    })
}

type Answered = Result<(Extension<Did>, Json<Steered>), Problem>;

pub(super) async fn join(
    State(node): State<Arc<dyn Node>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answered {
    let (whom, mut rest) = read(&headers, body)?;
    let rooms = targets(rest.join.take(), "join")?;
    rest.is_empty()?;
    steer(&*node, whom, Steering::Join(rooms)).await
}

pub(super) async fn leave(
    State(node): State<Arc<dyn Node>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answered {
    let (whom, mut rest) = read(&headers, body)?;
    let rooms = targets(rest.leave.take(), "leave")?;
    rest.is_empty()?;
    steer(&*node, whom, Steering::Leave(rooms)).await
}

pub(super) async fn disconnect(
    State(node): State<Arc<dyn Node>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answered {
    let (whom, mut rest) = read(&headers, body)?;
    let close = rest.close.take().unwrap_or(false);
    rest.is_empty()?;
    steer(&*node, whom, Steering::Disconnect { close }).await
}

async fn steer(node: &dyn Node, whom: Whom, what: Steering) -> Answered {
    let meant = format!(
        "namespace {}, rooms {:?}, users {:?}, except {:?}",
        whom.namespace, whom.rooms, whom.users, whom.except
    );
    let steered = node.steer(Steer { whom, what }).await;
    let did = |steered: Steered| {
        let did = Did(format!("{} sockets: {meant}", steered.sockets));
        (Extension(did), Json(steered))
    };
    steered.map(did).map_err(|error| {
        let (code, detail) = (error.code(), error.to_string());
        match error {
            SteerError::UnknownNamespace => {
                Problem::new(StatusCode::NOT_FOUND, code, detail).at("namespace")
            }
            SteerError::Draining => Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail),
        }
    })
}

/// Whom the request means, and what it says beside that.
fn read(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<(Whom, Rest), Problem> {
    accept_json(headers)?;
    let body: Body = parse(&body.map_err(unreadable)?)?;
    whom(body).map_err(mistaken)
}

fn whom(body: Body) -> Result<(Whom, Rest), Mistake> {
    let mut rooms = backend::named(body.rooms, "rooms", "no_rooms")?;
    // A socket is in the room of its id.
    rooms.extend(backend::named(body.sockets, "sockets", "no_sockets")?);
    let whom = Whom {
        namespace: body.namespace.unwrap_or_else(|| "/".to_owned()),
        rooms,
        users: backend::named(body.users, "users", "no_users")?,
        except: backend::rooms(body.except.unwrap_or_default(), "except")?,
    };
    let rest = Rest {
        join: body.join,
        leave: body.leave,
        close: body.close,
    };
    Ok((whom, rest))
}

/// What only one of the requests may say.
struct Rest {
    join: Option<Vec<String>>,
    leave: Option<Vec<String>>,
    close: Option<bool>,
}

impl Rest {
    fn is_empty(&self) -> Result<(), Problem> {
        let said = [
            ("join", self.join.is_some()),
            ("leave", self.leave.is_some()),
            ("close", self.close.is_some()),
        ];
        match said.into_iter().find(|(_, is_there)| *is_there) {
            None => Ok(()),
            Some((field, _)) => {
                let what = "it belongs to another request";
                Err(mistaken(Mistake::new("bad_field", what).at(field)))
            }
        }
    }
}

fn targets(rooms: Option<Vec<String>>, field: &'static str) -> Result<Vec<String>, Problem> {
    let rooms = backend::rooms(rooms.unwrap_or_default(), field).map_err(mistaken)?;
    if !(1..=MAX_TARGETS).contains(&rooms.len()) {
        let what = format!("expected 1 to {MAX_TARGETS} rooms");
        return Err(mistaken(Mistake::new("bad_field", what).at(field)));
    }
    backend::sized(rooms, field).map_err(mistaken)
}
