//! What the policies that read JSON Web Tokens (RFC 7519) share: everything but where their keys come from.
//!
//! `config` reads what the operator wants. A `Gate` takes a client through: `source` finds its token, `token` takes it
//! apart, `claims` checks what it says, `rooms` fills in the names of rooms, and `refusal` names everything that can be
//! wrong. In between the policy has the signature checked by its `keys`; `key` is one of them, however it is written:
//! `pem`, `jwk`.
//!
//! No token and no secret ever appears in an answer, in an error or in the log.

mod claims;
mod config;
mod gate;
mod jwk;
mod key;
mod keys;
mod pem;
mod refusal;
mod rooms;
mod source;
mod token;

pub use config::{Config, JwksConfig, Parts};
pub use gate::Gate;
pub use jwk::Jwk;
pub use key::{Algorithm, Key};
pub use keys::{Keys, NamedKey};
pub use refusal::Refusal;
pub use token::Token;
