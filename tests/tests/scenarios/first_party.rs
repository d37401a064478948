//! The policies that come with the broker, with the real binary and real clients: what only both together can show.

mod back_ends;
mod enrich;
mod keys;
mod room_access;
mod throttle;
