//! Sluice, a standalone Socket.IO event broker.

mod event;
mod packet;
mod state;
