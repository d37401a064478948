//! The command line: what `sluice` can be told, and with which exit code it answers.

mod check;
mod client;
mod drain;
mod emit;
mod node;
mod pages;
mod policies;
mod policy;
mod record;
mod reload;
mod revoke;
mod shipped;
mod sockets;
mod table;
mod token;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{self, Env, FILE_VARIABLE, Problems};

/// The standalone Socket.IO event broker
#[derive(Debug, Parser)]
#[command(name = "sluice", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until told to stop
    Run(Source),
    /// Show everything that is wrong with the configuration, or what would run
    Check(check::Check),
    /// Print what can be configured
    Config {
        #[command(subcommand)]
        list: List,
    },
    /// Make, inspect, test, measure and sign modules
    #[command(subcommand)]
    Policy(policy::Policy),
    /// Show a node that runs: what it is, what it has, and whether it is ready
    Node(node::Node),
    /// Show all nodes of the cluster
    Cluster(node::Cluster),
    /// List the sockets of a node that runs and of its cluster, or show one
    Sockets(sockets::Sockets),
    /// List the rooms of a namespace
    Rooms(sockets::Rooms),
    /// Look at the policies of a node that runs, and change them
    Policies(policies::Policies),
    /// Send an event to clients
    Emit(emit::Emit),
    /// Have sockets join rooms
    Join(sockets::Move),
    /// Have sockets leave rooms
    Leave(sockets::Move),
    /// Disconnect sockets
    Disconnect(sockets::Disconnect),
    /// Keep users and tokens out, and list who is
    Revoke(revoke::Revoke),
    /// Have a node follow its configuration and all other files now
    Reload(reload::Reload),
    /// Close a node's clients over a period, and end it
    Drain(drain::Drain),
    /// Write down what the clients of a node that runs do, for `sluice policy test`
    Record(record::Record),
    /// Make a token for trying things out (JWT, HS256)
    Token(token::Token),
    /// Print what lets a shell complete the commands
    Completions(shipped::Completions),
    /// Write man pages
    #[command(hide = true)]
    Manual(shipped::Manual),
}

#[derive(Debug, clap::Args)]
struct Source {
    /// The configuration: TOML, YAML or JSON by its extension
    #[arg(long, value_name = "FILE", env = FILE_VARIABLE)]
    config: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Catalogue {
    #[command(flatten)]
    source: Source,
    /// As JSON instead of YAML
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum List {
    /// A TOML file of every key with its default
    Default,
    /// Every environment variable with its default
    Env,
    /// The JSON Schema of a configuration file, for editors
    Schema,
    /// What a configuration's clients may send and are sent, as an AsyncAPI 3.0 document
    Asyncapi(Catalogue),
}

/// Why the process ends with a code other than 0. Most wrong command lines end it with 2 before that.
#[derive(Debug, thiserror::Error)]
pub enum Exit {
    /// Something that the operator has to change: the configuration, or a policy that does not load.
    #[error("{0}")]
    Configuration(String),
    /// What must not happen: it is a mistake of the broker's.
    #[error("internal failure: {0}")]
    Internal(String),
    /// A command line that makes no sense, or input that is not what the command takes.
    #[error("{0}")]
    Usage(String),
    /// Everything else, such as a port that is taken.
    #[error("{0:#}")]
    Failed(anyhow::Error),
}

impl Exit {
    /// 78 and 70 are EX_CONFIG and EX_SOFTWARE of sysexits.h, by which supervisors tell that a restart is no help.
    #[must_use]
    pub fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Configuration(_) => 78,
            Self::Internal(_) => 70,
            Self::Usage(_) => 2,
            Self::Failed(_) => 1,
        })
    }
}

impl From<Problems> for Exit {
    fn from(problems: Problems) -> Self {
        Self::Configuration(problems.to_string())
    }
}

/// An `Exit` that has travelled as an `anyhow::Error` keeps its code.
impl From<anyhow::Error> for Exit {
    fn from(error: anyhow::Error) -> Self {
        error.downcast().unwrap_or_else(Self::Failed)
    }
}

/// Does what the command line says.
///
/// # Errors
/// Says why the process has to end with another code than 0.
pub fn run() -> Result<(), Exit> {
    match Cli::parse().command {
        Command::Run(source) => Ok(crate::app::run(source.load()?)?),
        Command::Check(check) => print(&check.run()?),
        Command::Config { list } => print(&match list {
            List::Default => config::default_toml(),
            List::Env => config::default_env(),
            List::Asyncapi(catalogue) => catalogue.write()?,
            List::Schema => format!("{:#}\n", config::schema()),
        }),
        Command::Policy(policy) => policy.run(),
        Command::Node(node) => print(&node.run()?),
        Command::Cluster(cluster) => print(&cluster.run()?),
        Command::Sockets(sockets) => print(&sockets.run()?),
        Command::Rooms(rooms) => print(&rooms.run()?),
        Command::Policies(policies) => print(&policies.run()?),
        Command::Emit(emit) => print(&emit.run()?),
        Command::Join(join) => print(&join.join()?),
        Command::Leave(leave) => print(&leave.leave()?),
        Command::Disconnect(disconnect) => print(&disconnect.run()?),
        Command::Revoke(revoke) => print(&revoke.run()?),
        Command::Reload(reload) => print(&reload.run()?),
        Command::Drain(drain) => print(&drain.run()?),
        Command::Record(record) => record.run(),
        Command::Completions(completions) => completions.run(),
        Command::Manual(manual) => manual.run(),
        Command::Token(token) => print(&format!("{}\n", token.sign()?)),
    }
}

impl Catalogue {
    fn write(&self) -> Result<String, Exit> {
        let loaded = self.source.load()?;
        let pipelines = crate::app::pipelines(loaded.clone())?;
        let document = crate::catalogue::asyncapi(&loaded.config, &pipelines);
        Ok(match self.json {
            true => format!("{document:#}\n"),
            false => crate::catalogue::yaml(&document),
        })
    }
}

impl Source {
    fn load(&self) -> Result<config::Loaded, Problems> {
        config::load(self.config.as_deref(), Env::from_process())
    }
}

/// Says something to whoever runs the command that is not its output.
fn tell(text: &str) {
    // Whoever has closed standard error does not want to know.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// A reader that has gone (`sluice config default | head`) is no failure.
fn print(text: &str) -> Result<(), Exit> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Exit::Failed(error.into()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_exit_keeps_its_code_on_the_way() {
        let error = anyhow::Error::from(Exit::Internal("x".to_owned())).context("on the way");
        assert!(matches!(Exit::from(error), Exit::Internal(_)));
        assert!(matches!(Exit::from(anyhow::anyhow!("x")), Exit::Failed(_)));
    }
}
