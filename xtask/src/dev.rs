//! `cargo xtask dev`: the chat example, from nothing to two links that one can open.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::workspace::{output, program, root};
use crate::{page, policies, probe, ready, setup};

/// Longer than the first compilation of the policies takes on a slow machine.
const START: Duration = Duration::from_secs(60);
/// The broker closes its clients first; then it has to go.
const STOP: Duration = Duration::from_secs(15);

#[derive(Args)]
pub(crate) struct Options {
    /// The port of the chat page [default: 8080, or a free one where that is taken].
    #[arg(long)]
    port: Option<u16>,
    /// The broker's port [default: 3000, or a free one where that is taken].
    #[arg(long)]
    broker_port: Option<u16>,
    /// Start everything, see that page and broker answer, and stop.
    #[arg(long)]
    check: bool,
}

/// What makes the main thread stop waiting.
enum Ending {
    Asked,
    BrokerGone,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    setup::npm("examples/chat")?;
    policies::build_first_party()?;
    let binary = setup::broker("release")?;
    let secret = secret()?;
    let page = page::serve(&root().join("examples/chat"), port(options.port, 8080)?)?;
    let mut broker = Broker::start(&binary, &secret, page, port(options.broker_port, 3000)?)?;
    let alice = token(&binary, &secret, "alice")?;
    let bob = token(&binary, &secret, "bob")?;
    if options.check {
        probe::page(page)?;
        probe::broker(broker.address, &alice)?;
        broker.stop()?;
        println!("The page and the broker answer.");
        return Ok(());
    }
    introduce(page, &broker, &alice, &bob);
    match broker.wait()? {
        Ending::Asked => broker.stop(),
        Ending::BrokerGone => bail!("the broker has ended by itself; its log is above"),
    }
}

fn introduce(page: SocketAddr, broker: &Broker, alice: &str, bob: &str) {
    let link = |token: &str| {
        format!(
            "http://localhost:{}/?broker={}#token={token}",
            page.port(),
            broker.address.port()
        )
    };
    println!();
    println!(
        "Sluice serves on http://{}, the chat on http://localhost:{}",
        broker.address,
        page.port()
    );
    if let Some(admin) = &broker.admin {
        println!(
            "What the operator sees: http://{admin}/metrics and http://{admin}/api/v1/policies"
        );
    }
    println!();
    println!("Open one link in each of two browser tabs:");
    println!("  alice  {}", link(alice));
    println!("  bob    {}", link(bob));
    println!();
    println!("Or paste a token of your own; this one is alice's, valid for a day:");
    println!("  {alice}");
    println!();
    println!("A broken token is refused, the 101st message within a minute is denied.");
    println!("Ctrl-C stops everything.");
    println!();
}

/// The broker of the example: never left behind.
struct Broker {
    child: Child,
    address: SocketAddr,
    admin: Option<String>,
    signals: Signals,
}

impl Broker {
    fn start(binary: &Path, secret: &str, page: SocketAddr, port: u16) -> Result<Self> {
        // Caught before the child is there, so that no Ctrl-C leaves it alone.
        let signals =
            Signals::new([SIGINT, SIGTERM, SIGHUP]).context("signals cannot be caught")?;
        let origins = format!(
            r#"["http://localhost:{0}", "http://127.0.0.1:{0}"]"#,
            page.port()
        );
        let mut child = program(binary, "")
            .args(["run", "--config", "examples/chat/sluice.toml"])
            .env("JWT_SECRET", secret)
            .env("SLUICE_SERVER__LISTEN", format!("127.0.0.1:{port}"))
            .env("SLUICE_SERVER__CORS__ORIGINS", origins)
            .envs(free_admin_port())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // A Ctrl-C is for this program, which then ends the broker in order.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot run {}", binary.display()))?;
        let stdout = child.stdout.take().context("no output of the broker")?;
        // From here on, an error drops the broker, which ends it.
        let mut broker = Self {
            child,
            address: SocketAddr::from(([0; 4], 0)),
            admin: None,
            signals,
        };
        let ready = ready::first_line(stdout, START)
            .context("the broker did not start; its log is above")?;
        broker.address = ready["listen"]
            .as_str()
            .context("the broker does not say where it listens")?
            .parse()?;
        broker.admin = ready["admin"].as_str().map(str::to_owned);
        Ok(broker)
    }

    /// Waits for Ctrl-C, or for the broker to end.
    fn wait(&mut self) -> Result<Ending> {
        loop {
            if self.signals.pending().next().is_some() {
                return Ok(Ending::Asked);
            }
            if self.child.try_wait()?.is_some() {
                return Ok(Ending::BrokerGone);
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn stop(&mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)
            .context("the broker cannot be told to stop")?;
        let deadline = Instant::now() + STOP;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "the broker ended with {status}");
                return Ok(());
            }
            thread::sleep(Duration::from_millis(20));
        }
        bail!("the broker did not stop within {STOP:?} and was killed")
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Another broker may already have the admin port of the configuration.
fn free_admin_port() -> Option<(&'static str, &'static str)> {
    (!is_free(9090)).then_some(("SLUICE_ADMIN__LISTEN", "127.0.0.1:0"))
}

/// The port that was asked for, or else the usual one, or else any that is free.
pub(crate) fn port(asked: Option<u16>, usual: u16) -> Result<u16> {
    match asked {
        Some(port) => {
            ensure!(port == 0 || is_free(port), "port {port} is taken");
            Ok(port)
        }
        None => Ok(if is_free(usual) { usual } else { 0 }),
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// `JWT_SECRET` of the environment, or one of this run's own.
fn secret() -> Result<String> {
    if let Ok(secret) = std::env::var("JWT_SECRET") {
        return Ok(secret);
    }
    let mut bytes = [0; 32];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut bytes))
        .context("no randomness")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A token of the example's policy, made by the broker's own command.
fn token(binary: &Path, secret: &str, user: &str) -> Result<String> {
    let mut command = program(binary, "");
    command
        .args(["token", "--user", user, "--expires", "24h"])
        .env("JWT_SECRET", secret);
    Ok(output(&mut command)?.trim().to_owned())
}
