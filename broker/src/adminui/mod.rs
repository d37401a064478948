//! What the official Socket.IO Admin UI speaks to: a namespace of the clients' listener that the broker itself serves, by the
//! protocol of the npm package `@socket.io/admin-ui`.
//!
//! Its sockets are sockets like others, let in by `login` and not by policies. What they send are commands (`command`).
//! What they are told (`shape`) is put together by `service` on the control runtime, from the numbers that the API shows
//! and from the `feed`, and leaves by the ordinary fan-out, so every node's clients of the UI are told of every node. While
//! nobody has entered, on any node, nothing is looked up and the feed is off.

mod command;
mod login;
mod service;
mod shape;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::config;
use crate::event::{Client, Code, Denial, Effect, Event, Recipients};
use command::Command;
use login::Login;
pub(crate) use service::serve;

/// Commands and arrivals that wait to be seen to. Operators wait for what they ask.
const MAX_ASKED: usize = 256;

/// What sessions know of it.
pub(crate) struct AdminUi {
    path: Arc<str>,
    login: Login,
    is_readonly: bool,
    shows_all: bool,
    arrivals: mpsc::Sender<Arc<str>>,
    commands: mpsc::Sender<Command>,
    /// Taken by who serves.
    mailbox: Mutex<Option<Mailbox>>,
}

struct Mailbox {
    /// Sockets that have entered, and want to know who else is there.
    arrivals: mpsc::Receiver<Arc<str>>,
    commands: mpsc::Receiver<Command>,
}

impl AdminUi {
    /// On the control runtime, which checks passwords.
    pub(crate) fn new(config: &config::AdminUi, control: Handle) -> Self {
        let (arrivals, arrived) = mpsc::channel(MAX_ASKED);
        let (commands, commanded) = mpsc::channel(MAX_ASKED);
        Self {
            path: config.path.as_str().into(),
            login: Login::new(config, control),
            is_readonly: config.readonly,
            shows_all: config.mode == config::UiMode::Development,
            arrivals,
            commands,
            mailbox: Mutex::new(Some(Mailbox {
                arrivals: arrived,
                commands: commanded,
            })),
        }
    }

    /// Whether a client may enter, and what it is told first.
    pub(crate) async fn admit(&self, auth: &str) -> Result<Vec<Effect>, Denial> {
        let session = self.login.check(auth).await?;
        let session = session.map(|session| shape::session(&session));
        let config = shape::config(self.is_readonly, self.shows_all);
        let told = session.into_iter().chain([config]);
        let to = Recipients::Sender;
        Ok(told
            .map(|event| Effect::Emit {
                to: to.clone(),
                event,
            })
            .collect())
    }

    /// A client is in.
    pub(crate) fn entered(&self, client: &Client) {
        // Where there is no room it is told of what happens, and not of what there was.
        let _ = self.arrivals.try_send(Arc::from(&*client.peer.name));
    }

    /// A client wants something done.
    pub(crate) fn command(&self, client: &Client, event: &Event) -> Result<(), Denial> {
        let command = Command::read(client, event)?;
        if self.is_readonly {
            let what = "this Admin UI may only look";
            return Err(Denial::broker(Code::Readonly, what));
        }
        let commanded = self.commands.try_send(command);
        commanded.map_err(|_| Denial::broker(Code::Overloaded, "as many commands wait as may"))
    }
}
