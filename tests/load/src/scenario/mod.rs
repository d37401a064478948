//! One file a scenario. Each connects what it needs, warms up, measures, and reports. `steady` is what several of them
//! have going on beside.

mod across;
mod connects;
mod echo;
mod fanout;
mod idle;
mod reload;
mod rooms;
mod stall;
mod steady;
mod storm;

pub use across::{Away, Pace, across};
pub use connects::connects;
pub use echo::echo;
pub use fanout::{fanout, paced};
pub use idle::idle;
pub use reload::reload;
pub use rooms::rooms;
pub use stall::stall;
pub use storm::storm;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::fleet::{Fleet, Seen, late};
use crate::process::Server;
use crate::{PATIENCE, Result, message, token};

/// What has not come by then, at the end, is lost.
const DRAIN: Duration = Duration::from_secs(10);

/// What all scenarios are told.
#[derive(Debug, Clone)]
pub struct Bench {
    pub address: SocketAddr,
    /// Whose time and memory are measured.
    pub server: Option<Server>,
    /// With it, clients present tokens that it signs.
    pub secret: Option<String>,
    pub warm: Duration,
    pub time: Duration,
}

impl Bench {
    /// What this many clients present.
    pub fn auths(&self, clients: usize) -> Vec<String> {
        self.auths_from(0, clients)
    }

    /// The same, of users with other numbers.
    pub fn auths_from(&self, first: usize, clients: usize) -> Vec<String> {
        let Some(secret) = &self.secret else {
            return Vec::new();
        };
        let auth = |user| {
            format!(
                r#"{{"token":"{}"}}"#,
                token::sign(&format!("user-{user}"), secret)
            )
        };
        (first..first + clients).map(auth).collect()
    }

    /// This many sockets of as many users, that may send.
    pub fn fleet(&self, sockets: usize) -> Result<Fleet> {
        /// Some servers tell a client that it is in before they listen to it.
        const SETTLED: Duration = Duration::from_millis(100);
        let mut fleet = Fleet::connected(self.address, self.auths(sockets), sockets)?;
        let settled = Instant::now() + SETTLED;
        while Instant::now() < settled {
            fleet.turn(Duration::from_millis(10), |_, _, _| {})?;
        }
        Ok(fleet)
    }
}

/// Has each of these sockets join a room, and waits until all are in.
pub fn join(
    fleet: &mut Fleet,
    sockets: std::ops::Range<usize>,
    room: impl Fn(usize) -> String,
) -> Result<()> {
    let mut outstanding = sockets.len();
    for socket in sockets {
        let room = room(socket);
        fleet
            .out
            .send(socket, |packet| message::join(packet, 0, &room));
    }
    let deadline = Instant::now() + PATIENCE;
    while outstanding > 0 {
        fleet.turn(Duration::from_millis(100), |_, _, seen| {
            if let Seen::Ack(..) = seen {
                outstanding -= 1;
            }
        })?;
        late(deadline, || {
            format!("joining a room, in which {outstanding} are missing,")
        })?;
    }
    Ok(())
}
