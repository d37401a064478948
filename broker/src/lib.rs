//! Sluice, a standalone Socket.IO event broker.
