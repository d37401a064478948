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
