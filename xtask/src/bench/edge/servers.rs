//! The servers: how each is started, and that none is left behind.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use serde_json::Value;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::probe;
use crate::workspace::{root, write_if_changed};

/// What tokens are signed with.
pub(super) const SECRET: &str = "the secret of one benchmark, which guards nothing";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Sluice,
    OneReactor,
    TwoReactors,
    Relay,
    Twin,
    Node,
    Uws,
    Cluster,
    Floor,
}

impl Kind {
    pub(super) const ALL: [Self; 9] = [
        Self::Sluice,
        Self::OneReactor,
        Self::TwoReactors,
        Self::Relay,
        Self::Twin,
        Self::Node,
        Self::Uws,
        Self::Cluster,
        Self::Floor,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sluice => "sluice",
            Self::OneReactor => "sluice-1",
            Self::TwoReactors => "sluice-2",
            Self::Relay => "relay",
            Self::Twin => "twin",
            Self::Node => "node",
            Self::Uws => "uws",
            Self::Cluster => "cluster",
            Self::Floor => "floor",
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Sluice => "Sluice, four policies",
            Self::OneReactor => "Sluice, four policies, one reactor",
            Self::TwoReactors => "Sluice, four policies, two reactors",
            Self::Relay => "Sluice, no policies",
            Self::Twin => "socketioxide, native checks",
            Self::Node => "Node, ws, the same checks",
            Self::Uws => "Node, uWebSockets, the same checks",
            Self::Cluster => "Node, two workers, the same checks",
            Self::Floor => "bare WebSocket server",
        }
    }

    pub(super) fn is_node(&self) -> bool {
        matches!(self, Self::Node | Self::Uws | Self::Cluster)
    }

    pub(super) fn is_sluice(&self) -> bool {
        matches!(
            self,
            Self::Sluice | Self::OneReactor | Self::TwoReactors | Self::Relay
        )
    }

    /// Those that something is aimed at in comparison with.
    pub(super) fn is_in_quick_runs(self) -> bool {
        !matches!(self, Self::Relay | Self::Cluster)
    }

    /// Whether clients have to present a token.
    pub(super) fn checks(self) -> bool {
        !matches!(self, Self::Relay | Self::Floor)
    }
}

/// What has been built, and where the broker's files are put.
pub(super) struct Programs {
    pub(super) broker: PathBuf,
    pub(super) modules: PathBuf,
    pub(super) twin: PathBuf,
    pub(super) floor: PathBuf,
    pub(super) load: PathBuf,
    pub(super) folder: PathBuf,
}

/// A server that is up. It ends with this.
pub(super) struct Server {
    child: Child,
    pub(super) address: String,
    /// The operator's listener of a broker.
    admin: Option<String>,
}

impl Server {
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How often a policy has been replaced since the broker began.
    pub(super) fn generation(&self, policy: &str) -> Result<u64> {
        let admin = self.admin.as_deref().context("no broker")?.parse()?;
        let answer = probe::request(admin, "GET", &format!("/api/v1/policies/{policy}"), "")?;
        let answer: Value = serde_json::from_str(&answer)?;
        answer["generation"].as_u64().context("no generation")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Workers of a cluster end when their primary has.
        end(&mut self.child);
    }
}

/// What has been started and not yet ended: what a signal has to take with it.
static UP: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// Notes that a program has been started.
pub(super) fn started(child: &Child) {
    up().push(child.id());
}

/// Ends a program, if it has not ended by itself.
pub(super) fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
    up().retain(|pid| *pid != child.id());
}

fn up() -> MutexGuard<'static, Vec<u32>> {
    UP.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From here on, a signal that ends this program ends what it has started.
pub(super) fn take_along() -> Result<()> {
    /// The exit code of what a signal ended, less the signal's number.
    const SIGNALLED: i32 = 128;
    let mut signals =
        Signals::new([SIGINT, SIGTERM, SIGHUP]).context("signals cannot be caught")?;
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            for pid in up().drain(..) {
                let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
                // It may just have ended.
                let _ = pid.map(|pid| kill_process(pid, Signal::KILL));
            }
            std::process::exit(SIGNALLED + signal);
        }
    });
    Ok(())
}

impl Programs {
    pub(super) fn start(&self, kind: Kind) -> Result<Server> {
        let mut command = match kind {
            Kind::Twin => {
                let mut command = Command::new(&self.twin);
                command.arg("--checks");
                command
            }
            Kind::Floor => Command::new(&self.floor),
            Kind::Node | Kind::Uws | Kind::Cluster => self.node(kind),
            _ => self.sluice(kind)?,
        };
        command
            .env("JWT_SECRET", SECRET)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = command
            .spawn()
            .with_context(|| format!("{} cannot be run", kind.name()))?;
        started(&child);
        let stdout = child.stdout.take();
        let mut server = Server {
            child,
            address: String::new(),
            admin: None,
        };
        let stdout = stdout.context("no output")?;
        let ready = crate::ready::first_line(stdout, READY)
            .with_context(|| format!("{} did not start", kind.name()))?;
        server.address = ready["listen"]
            .as_str()
            .context("it does not say where it listens")?
            .to_owned();
        server.admin = ready["admin"].as_str().map(str::to_owned);
        Ok(server)
    }

    /// Where a policy's module stands for a server that may have it replaced.
    pub(super) fn module_of(&self, kind: Kind, policy: &str) -> PathBuf {
        self.home(kind).join(format!("policies/{policy}.wasm"))
    }

    fn home(&self, kind: Kind) -> PathBuf {
        self.folder.join(kind.name())
    }

    fn node(&self, kind: Kind) -> Command {
        let engine = match kind {
            Kind::Uws => "uws",
            Kind::Cluster => "cluster",
            _ => "ws",
        };
        let mut command = Command::new("node");
        command
            .arg(root().join("tests/load/node/server.mjs"))
            .args([engine, "--checks"])
            .env("NODE_ENV", "production");
        command
    }

    fn sluice(&self, kind: Kind) -> Result<Command> {
        let home = self.home(kind);
        std::fs::create_dir_all(home.join("policies"))?;
        let config = match kind {
            Kind::Relay => include_bytes!("../../../../tests/load/relay.toml").as_slice(),
            _ => include_bytes!("../../../../tests/load/sluice.toml"),
        };
        write_if_changed(&home.join("sluice.toml"), config)?;
        if kind.checks() {
            for policy in ["jwt-auth", "rate-limit", "validate", "throttle"] {
                self.copy(policy, &home)?;
            }
        }
        let mut command = Command::new(&self.broker);
        command
            .args(["run", "--config"])
            .arg(home.join("sluice.toml"));
        match kind {
            Kind::OneReactor => command.env("SLUICE_SERVER__REACTORS", "1"),
            Kind::TwoReactors => command.env("SLUICE_SERVER__REACTORS", "2"),
            _ => &mut command,
        };
        Ok(command)
    }

    fn copy(&self, policy: &str, home: &Path) -> Result<()> {
        let file = format!("{policy}.wasm");
        let module = std::fs::read(self.modules.join(&file))
            .with_context(|| format!("no module of {policy}"))?;
        write_if_changed(&home.join("policies").join(file), &module)
    }
}

/// Longer than policies take to compile on a slow machine.
const READY: Duration = Duration::from_secs(60);

/// Every connection is a file here and in the server.
pub(super) fn raise_limits() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).context("the limit of open files cannot be raised")
}
