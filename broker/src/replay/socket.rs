//! The sockets of the events that are played: what is known of each, as a policy can ask for it.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use parking_lot::{Mutex, RwLock};

use super::line::Facts;
use crate::event::{Client, Effect, Handshake, Identity, Peer};

/// A socket before its first line.
pub(super) fn fresh(token: u64) -> Arc<Client> {
    Arc::new(Client {
        peer: peer(token, IpAddr::V4(Ipv4Addr::LOCALHOST), Arc::default()),
        namespace: "/".into(),
        identity: RwLock::default(),
        rooms: Mutex::default(),
    })
}

/// The socket as a line has it: what is said replaces what was known, the rest stays.
///
/// # Errors
/// Which fact cannot be.
pub(super) fn with(old: &Arc<Client>, facts: Facts) -> Result<Arc<Client>, String> {
    let handshake = handshake(old, &facts)?;
    let mut identity = old.identity.read().clone();
    if let Some(user) = facts.user {
        identity.user = user.map(Into::into);
    }
    if let Some(attributes) = facts.attributes {
        identity.attributes = attributes.into_iter().collect();
    }
    let rooms = match facts.rooms {
        Some(rooms) => rooms.into_iter().map(Into::into).collect(),
        None => old.rooms.lock().clone(),
    };
    let address = facts.address.unwrap_or(old.peer.address);
    Ok(Arc::new(Client {
        peer: peer(old.peer.token, address, handshake),
        namespace: facts
            .namespace
            .map_or_else(|| old.namespace.clone(), Into::into),
        identity: RwLock::new(identity),
        rooms: Mutex::new(rooms),
    }))
}

/// Whether the call that follows is about a client that is in already.
pub(super) fn is_refresh(client: &Client, is_refresh: bool) {
    let mut identity = client.identity.write();
    if is_refresh || identity.grant.is_some() {
        identity.grant.get_or_insert_default().is_refresh = is_refresh;
    }
}

/// A client that was let in is who the policy says it is.
pub(super) fn admit(client: &Client, identity: &Identity) {
    let rooms = identity.rooms.iter().map(|room| Arc::from(room.as_str()));
    client.rooms.lock().extend(rooms);
    let mut known = client.identity.write();
    // It rests on what it has shown last.
    known.grant = None;
    known.merge(identity.clone());
}

/// What an effect changes about the socket itself.
pub(super) fn apply(client: &Client, effect: &Effect) {
    match effect {
        Effect::Join(room) => _ = client.rooms.lock().insert(room.as_str().into()),
        Effect::Leave(room) => {
            let rooms: &mut BTreeSet<Arc<str>> = &mut client.rooms.lock();
            rooms.remove(room.as_str());
        }
        Effect::SetAttribute { name, value } => {
            let mut identity = client.identity.write();
            identity.set_attribute(name.clone(), value.clone());
        }
        Effect::Emit { .. } | Effect::Disconnect | Effect::Vouch(_) => {}
    }
}

fn peer(token: u64, address: IpAddr, handshake: Arc<Handshake>) -> Peer {
    let name = format!("socket-{token}");
    Peer {
        token,
        name: name.as_str().into(),
        address,
        handshake,
    }
}

fn handshake(old: &Client, facts: &Facts) -> Result<Arc<Handshake>, String> {
    let old = &old.peer.handshake;
    if facts.headers.is_none() && facts.query.is_none() && facts.certificate.is_none() {
        return Ok(old.clone());
    }
    let certificate = match &facts.certificate {
        Some(shown) => shown.clone().map(Arc::new),
        None => old.certificate().cloned(),
    };
    let query = match &facts.query {
        None => old.query().to_owned(),
        Some(given) => form_urlencoded::Serializer::new(String::new())
            .extend_pairs(given)
            .finish(),
    };
    let Some(given) = &facts.headers else {
        let handshake = Handshake::new(&query, old.headers());
        return Ok(Arc::new(handshake.shown_by(certificate)));
    };
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let wrong = || format!("headers: `{name}` is no header of HTTP, or its value none");
        let key: HeaderName = name.parse().map_err(|_| wrong())?;
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| wrong())?;
        headers.append(key, value);
    }
    let headers = headers.iter();
    let headers = headers.map(|(name, value)| (name.as_str(), value.as_bytes()));
    let handshake = Handshake::new(&query, headers);
    Ok(Arc::new(handshake.shown_by(certificate)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_line_does_not_say_is_as_before() {
        let socket = fresh(3);
        let facts = Facts {
            user: Some(Some("alice".to_owned())),
            query: Some([("room".to_owned(), "a & b".to_owned())].into()),
            headers: Some([("User-Agent".to_owned(), "x".to_owned())].into()),
            ..Facts::default()
        };
        let socket = with(&socket, facts).unwrap();
        apply(&socket, &Effect::Join("r".to_owned()));
        let facts = Facts {
            namespace: Some("/chat".to_owned()),
            ..Facts::default()
        };
        let socket = with(&socket, facts).unwrap();
        assert_eq!(&*socket.peer.name, "socket-3");
        assert_eq!(&*socket.namespace, "/chat");
        assert_eq!(socket.identity.read().user.as_deref(), Some("alice"));
        assert!(socket.rooms.lock().contains("r"));
        assert_eq!(socket.peer.handshake.query(), "room=a+%26+b");
        assert!(socket.peer.handshake.header("user-agent").is_some());
        let facts = Facts {
            user: Some(None),
            rooms: Some(BTreeSet::new()),
            ..Facts::default()
        };
        let socket = with(&socket, facts).unwrap();
        assert!(socket.identity.read().user.is_none());
        assert!(socket.rooms.lock().is_empty());
    }
}
