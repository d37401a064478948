//! Who started the process and wants to know how it is, by systemd's protocol (sd_notify(3)): datagrams to the socket that
//! `NOTIFY_SOCKET` names. It is told when the node serves, how many it serves, that it reloads, and that it ends. Its
//! watchdog is fed while every reactor answers: one that does not has its clients hanging, and a new process is
//! what helps them.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram as Unconnected};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::net::UnixDatagram;

use crate::edge::Edge;
use crate::node::Node;
use crate::session::Broker;
use crate::telemetry::events::{ReactorSilent, SupervisorUntold};

/// A supervisor that takes nothing for so long does not hold up the node.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often reactors are asked whether they are there, and how long they may take, where no watchdog wants it oftener.
const RHYTHM: Duration = Duration::from_secs(5);

/// What the end takes beyond the time that clients have: last words to other nodes and to back ends.
const LEAVE_TAKING: Duration = Duration::from_secs(15);

pub(super) struct Supervisor {
    /// `None`: nobody wants to know.
    socket: Option<UnixDatagram>,
    rhythm: Duration,
}

impl Supervisor {
    /// As the environment has it. Must be called inside the runtime.
    pub(super) fn from_environment() -> Self {
        let socket = std::env::var_os("NOTIFY_SOCKET").and_then(|address| {
            let socket = connect(&address);
            socket
                .map_err(|error| SupervisorUntold { error: &error }.emit())
                .ok()
        });
        let own = std::process::id().to_string();
        let is_ours = std::env::var("WATCHDOG_PID").map_or(true, |pid| pid == own);
        let period = std::env::var("WATCHDOG_USEC")
            .ok()
            .filter(|_| is_ours && socket.is_some());
        Self {
            socket,
            rhythm: rhythm(period.as_deref()),
        }
    }

    /// The policies and listeners are there.
    pub(super) async fn ready(&self) {
        self.say("READY=1\nSTATUS=Serving").await;
    }

    /// The configuration is read anew; until [`Supervisor::ready`] is said again.
    pub(super) async fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = now.tv_sec.saturating_mul(1_000_000) + now.tv_nsec / 1000;
        self.say(&format!(
            "RELOADING=1\nMONOTONIC_USEC={micros}\nSTATUS=Reloading"
        ))
        .await;
    }

    /// The end has begun, and takes so long for the clients. Whatever time the supervisor grants by its own settings, it
    /// is asked to wait for that.
    pub(super) async fn stopping(&self, period: Duration) {
        let time = period.saturating_add(LEAVE_TAKING).as_micros();
        self.say(&format!(
            "STOPPING=1\nEXTEND_TIMEOUT_USEC={time}\nSTATUS=Draining"
        ))
        .await;
    }

    async fn say(&self, text: &str) {
        let Some(socket) = &self.socket else { return };
        let sent = tokio::time::timeout(PATIENCE, socket.send(text.as_bytes())).await;
        let sent = sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        if let Err(error) = sent {
            SupervisorUntold { error: &error }.emit();
        }
    }
}

/// Asks the reactors for as long as the process lives, and tells who wants to know: the supervisor, `/healthz` and the
/// log.
pub(super) async fn watch(
    supervisor: Arc<Supervisor>,
    edge: Arc<Edge>,
    broker: Arc<Broker>,
    node: Arc<Node>,
) {
    let rhythm = supervisor.rhythm;
    loop {
        let silent = edge.silent(rhythm).await;
        for reactor in &silent {
            ReactorSilent {
                reactor: *reactor,
                patience: rhythm,
            }
            .emit();
        }
        let said = match silent.first() {
            None => {
                let draining = broker.draining.load(Ordering::Relaxed);
                let does = if draining { "Draining" } else { "Serving" };
                format!(
                    "WATCHDOG=1\nSTATUS={does}: {} connections",
                    edge.connections()
                )
            }
            Some(reactor) => format!("STATUS=Reactor {reactor} does not answer"),
        };
        node.misses(silent);
        supervisor.say(&said).await;
        tokio::time::sleep(rhythm).await;
    }
}

/// A watchdog is fed twice in its time, as sd_watchdog_enabled(3) recommends.
fn rhythm(watchdog_usec: Option<&str>) -> Duration {
    let period = watchdog_usec.and_then(|it| it.parse().ok());
    let half = period.map(|period| Duration::from_micros(period) / 2);
    half.filter(|half| half.as_millis() > 0)
        .map_or(RHYTHM, |half| half.min(RHYTHM))
}

fn connect(address: &OsStr) -> io::Result<UnixDatagram> {
    let socket = Unconnected::unbound()?;
    socket.connect_addr(&parse(address)?)?;
    socket.set_nonblocking(true)?;
    UnixDatagram::from_std(socket)
}

/// A path, or a name without a file, which is written with an `@`.
fn parse(address: &OsStr) -> io::Result<SocketAddr> {
    #[cfg(target_os = "linux")]
    if let Some(name) = address.as_bytes().strip_prefix(b"@") {
        use std::os::linux::net::SocketAddrExt as _;
        return SocketAddr::from_abstract_name(name);
    }
    if address.as_bytes().starts_with(b"/") {
        return SocketAddr::from_pathname(OsString::from(address));
    }
    let wanted = "NOTIFY_SOCKET is neither a path nor a name that begins with `@`";
    Err(io::Error::new(io::ErrorKind::Unsupported, wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watchdog_is_fed_twice_in_its_time() {
        assert_eq!(rhythm(None), RHYTHM);
        assert_eq!(rhythm(Some("1000000")), Duration::from_millis(500));
        assert_eq!(rhythm(Some("60000000")), RHYTHM);
        for nonsense in ["", "0", "1", "-1", "soon"] {
            assert_eq!(rhythm(Some(nonsense)), RHYTHM, "{nonsense}");
        }
    }

    #[test]
    fn addresses() {
        let path = parse(OsStr::new("/run/systemd/notify")).unwrap();
        assert_eq!(
            path.as_pathname(),
            Some(std::path::Path::new("/run/systemd/notify"))
        );
        #[cfg(target_os = "linux")]
        {
            use std::os::linux::net::SocketAddrExt as _;
            let name = parse(OsStr::new("@notify")).unwrap();
            assert_eq!(name.as_abstract_name(), Some(&b"notify"[..]));
        }
        for nonsense in ["", "notify", "vsock:2:1234"] {
            assert!(parse(OsStr::new(nonsense)).is_err(), "{nonsense}");
        }
        assert!(parse(OsStr::new(&format!("/{}", "x".repeat(200)))).is_err());
    }

    #[tokio::test]
    async fn who_is_gone_does_not_hold_up_the_node() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let theirs = Unconnected::bind(&path).unwrap();
        let supervisor = Supervisor {
            socket: Some(connect(path.as_os_str()).unwrap()),
            rhythm: RHYTHM,
        };
        supervisor.ready().await;
        let mut text = [0; 128];
        let length = theirs.recv(&mut text).unwrap();
        assert_eq!(&text[..length], b"READY=1\nSTATUS=Serving");
        supervisor.reloading().await;
        let length = theirs.recv(&mut text).unwrap();
        let said = String::from_utf8_lossy(&text[..length]);
        let [reloading, time, _] = <[&str; 3]>::try_from(said.lines().collect::<Vec<_>>()).unwrap();
        assert_eq!(reloading, "RELOADING=1");
        assert!(
            time.strip_prefix("MONOTONIC_USEC=")
                .is_some_and(|it| it.parse::<u64>().is_ok())
        );
        drop(theirs);
        supervisor.ready().await;
    }
}
