//! Several brokers on one NATS server are one broker, and what becomes of that when parts of it fail.

mod delivery;
mod proxies;
