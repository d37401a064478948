//! `/api/v1/token`: what whoever asks may do.

use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Serialize;

use super::auth::Caller;
use crate::config::Scope;

#[derive(Serialize, JsonSchema)]
pub(super) struct TokenInfo {
    /// What the configuration calls the token; `local` where none is asked for.
    name: String,
    scope: TokenScope,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum TokenScope {
    /// It may look, and not change anything.
    Read,
    Write,
}

pub(super) async fn show(Extension(caller): Extension<Caller>) -> Json<TokenInfo> {
    Json(TokenInfo {
        name: caller.name.to_string(),
        scope: match caller.scope {
            Scope::Read => TokenScope::Read,
            Scope::Write => TokenScope::Write,
        },
    })
}
