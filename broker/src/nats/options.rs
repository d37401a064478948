//! How the broker connects and who it says it is.

use std::path::PathBuf;
use std::time::Duration;

use async_nats::ConnectOptions;

use crate::config::{Cluster, Login};

/// What is configured for the connection cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OptionsError {
    #[error("cluster.credentials {}: {reason}", file.display())]
    Credentials { file: PathBuf, reason: String },
    #[error("cluster.nats_url: {0}")]
    Refused(String),
}

/// A server that does not answer for so long is not waited for.
const CONNECT: Duration = Duration::from_secs(5);

/// Two of them without an answer end a connection.
const PING: Duration = Duration::from_secs(2);

/// Messages between the connection and whoever takes them. The library drops what finds no room, so there is plenty:
/// those who take do nothing but hand over.
const SUBSCRIPTION: usize = 1 << 16;

/// The first attempts are quick, because most losses are a server's restart; each is put off by chance, so that the
/// nodes of a cluster do not come back all at once.
const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);

pub(super) fn of(
    config: &Cluster,
    node: impl std::fmt::Display,
) -> Result<ConnectOptions, OptionsError> {
    let options = ConnectOptions::new()
        .name(format!("sluice {node}"))
        .retry_on_initial_connect()
        .max_reconnects(None)
        .connection_timeout(CONNECT)
        .ping_interval(PING)
        .subscription_capacity(SUBSCRIPTION)
        .reconnect_delay_callback(pause);
    let options = login(options, &config.login)?;
    let is_secure = config.servers.iter().any(|url| url.starts_with("tls://"));
    let mut options = options.require_tls(is_secure || config.tls.is_wanted());
    if let Some(ca) = &config.tls.ca {
        options = options.add_root_certificates(ca.clone());
    }
    if let Some((cert, key)) = &config.tls.identity {
        options = options.add_client_certificate(cert.clone(), key.clone());
    }
    Ok(options)
}

fn login(options: ConnectOptions, login: &Login) -> Result<ConnectOptions, OptionsError> {
    Ok(match login {
        Login::Nobody => options,
        Login::User { user, password } => {
            options.user_and_password(user.clone(), password.expose().to_owned())
        }
        Login::Token(token) => options.token(token.expose().to_owned()),
        Login::Nkey(seed) => options.nkey(seed.expose().to_owned()),
        Login::Credentials(file) => {
            let failed = |error: std::io::Error| OptionsError::Credentials {
                file: file.clone(),
                reason: error.to_string(),
            };
            let text = std::fs::read_to_string(file).map_err(failed)?;
            options.credentials(&text).map_err(failed)?
        }
    })
}

fn pause(attempts: usize) -> Duration {
    let doubled = SHORTEST.saturating_mul(1 << attempts.min(6));
    doubled
        .min(LONGEST)
        .mul_f64(0.5 + rand::random::<f64>() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        for attempts in 0..100 {
            let pause = pause(attempts);
            assert!(
                pause >= SHORTEST / 2 && pause <= LONGEST,
                "{attempts}: {pause:?}"
            );
        }
    }
}
