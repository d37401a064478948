//! Rooms that nobody sees: the broker's own, beside those that clients, policies and back ends name.
//!
//! Their names begin with U+0000, which nobody else's may. They are in no census, no list and no `rooms` route.

const HIDDEN: char = '\0';

pub(crate) fn is(room: &str) -> bool {
    room.starts_with(HIDDEN)
}

/// The room of all sockets of a user.
pub(crate) fn of_user(user: &str) -> String {
    format!("{HIDDEN}user:{user}")
}

/// The room of all sockets that are told who joins and leaves a room.
pub(crate) fn watching(room: &str) -> String {
    format!("{WATCHING}{room}")
}

/// Whether it is one of these.
pub(crate) fn is_watching(room: &str) -> bool {
    room.starts_with(WATCHING)
}

/// The room of all sockets of a namespace that watch any room.
pub(crate) const WATCHERS: &str = "\0watchers";

/// What the names of rooms begin with where a room is watched.
pub(crate) const WATCHING: &str = "\0watch:";
