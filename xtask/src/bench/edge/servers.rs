//! The servers: how each is started, and that none is left behind.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

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
}

impl Server {
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Workers of a cluster end when their primary has.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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
        let stdout = child.stdout.take().context("no output")?;
        let mut server = Server {
            child,
            address: String::new(),
        };
        let ready = crate::ready::first_line(stdout, READY)
            .with_context(|| format!("{} did not start", kind.name()))?;
        server.address = ready["listen"]
            .as_str()
            .context("it does not say where it listens")?
            .to_owned();
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
