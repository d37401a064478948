//! The composition root: builds every room, opens the doors, and closes them again in order.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::Context as _;
use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::admin;
use crate::cli::Exit;
use crate::config::Loaded;
use crate::edge::{self, Edge};
use crate::fanout::Fanout;
use crate::node::Node;
use crate::pipeline::Pipelines;
use crate::plugin::{Engine, Failed, Follower, Outcome, Registry, Reload};
use crate::session::Broker;
use crate::state::Store;
use crate::telemetry;
use crate::telemetry::events::{
    ConfigurationWaits, Draining, ReactorPanicked, ReloadApplied, ReloadFailed,
};

/// Threads for what is not on an event's path: accepting, the admin listener, compilation and watching.
const CONTROL_THREADS: usize = 2;

/// Serves until told to stop.
pub(crate) fn run(loaded: Loaded) -> anyhow::Result<()> {
    let _records = telemetry::init(&loaded.config.telemetry);
    end_with_reactors();
    let (reload, pipelines, store, failed) = load(loaded.clone())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(CONTROL_THREADS)
        .thread_name("control")
        .enable_all()
        .build()?;
    let result = runtime.block_on(serve(loaded, reload, pipelines, store, failed));
    // What is still running has been told, or has had its time.
    runtime.shutdown_background();
    result
}

/// Makes the policies of a configuration as `run` does, and forgets them again. What was dropped in and does not
/// load is no error, and comes back.
pub(crate) fn check(loaded: Loaded) -> Result<Vec<Failed>, Exit> {
    let (_, _, _, failed) = load(loaded)?;
    Ok(failed)
}

/// The policies of a configuration, without anything that serves them.
pub(crate) fn pipelines(loaded: Loaded) -> Result<Pipelines, Exit> {
    let (_, pipelines, _, _) = load(loaded)?;
    Ok(pipelines)
}

fn load(loaded: Loaded) -> Result<(Reload, Pipelines, Arc<Store>, Vec<Failed>), Exit> {
    let engine = Arc::new(Engine::new().map_err(|error| Exit::Internal(error.to_string()))?);
    let store = Arc::new(Store::new());
    let registry = Registry::new(engine, store.clone());
    let (reload, pipelines, failed) = Reload::start(registry, loaded).map_err(|failed| {
        let lines: Vec<_> = failed.iter().map(ToString::to_string).collect();
        Exit::Configuration(lines.join("\n"))
    })?;
    Ok((reload, pipelines, store, failed))
}

async fn serve(
    loaded: Loaded,
    reload: Reload,
    pipelines: Pipelines,
    store: Arc<Store>,
    failed: Vec<Failed>,
) -> anyhow::Result<()> {
    let config = loaded.config;
    let broker = Arc::new(Broker {
        pipelines: ArcSwap::from_pointee(pipelines),
        fanout: Fanout::default(),
        store: store.clone(),
        sessions: AtomicUsize::new(0),
        draining: AtomicBool::new(false),
    });
    let node = Arc::new(Node::new(config.clone(), broker.clone(), store));
    report(&node, failed);
    let admin = TcpListener::bind(config.admin.listen)
        .await
        .with_context(|| format!("cannot listen on admin.listen {}", config.admin.listen))?;
    let edge = Edge::start(config.server.clone(), broker.clone(), node.clone())
        .await
        .with_context(|| format!("cannot listen on server.listen {}", config.server.listen))?;
    let edge = Arc::new(edge);
    let admin_address = admin.local_addr()?;
    node.is_at(edge.address(), admin_address);
    let (stop_admin, admin_stopped) = oneshot::channel::<()>();
    let token = config.admin.token.clone();
    let admin_server = tokio::spawn(admin::serve(admin, node.clone(), token, async {
        // Stopped by a word or by the end of whoever would say it.
        let _ = admin_stopped.await;
    }));
    if config.plugins.watch {
        let follower = Follower::new(reload);
        tokio::spawn(follow(follower, broker.clone(), edge.clone(), node.clone()));
    }
    let mut stop = Stop::new()?;
    ready(&node.ready_line())?;
    tokio::select! {
        () = stop.wanted() => {}
        () = edge.stopped_accepting() => {
            anyhow::bail!(Exit::Internal("the accept loop ended".to_owned()));
        }
    }
    drain(&config, &broker, &edge).await;
    let _ = stop_admin.send(());
    // Its connections are an operator's; nothing of them is worth waiting for.
    admin_server.abort();
    Ok(())
}

/// The one line of standard output: who starts this process waits for it.
fn ready(line: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready {line}")?;
    out.flush()
}

/// Loads what changes on disk, for as long as the process lives.
async fn follow(mut follower: Follower, broker: Arc<Broker>, edge: Arc<Edge>, node: Arc<Node>) {
    loop {
        tokio::time::sleep(follower.pause()).await;
        // A file system that hangs, or a compiler that works, must not hold up the admin listener.
        let look = tokio::task::spawn_blocking(move || {
            let outcome = follower.look();
            (follower, outcome)
        });
        match look.await {
            Ok((back, outcome)) => {
                follower = back;
                if let Some(outcome) = outcome {
                    apply(outcome, &broker, &edge, &node).await;
                }
            }
            Err(error) => {
                // A panic of the compiler: the policies serve on as they are, and this process reloads no more.
                tracing::error!(%error, "reloading ended");
                node.stopped_following();
                return;
            }
        }
    }
}

async fn apply(outcome: Outcome, broker: &Broker, edge: &Edge, node: &Node) {
    if let Some(pipelines) = outcome.pipelines {
        // From here on every event that begins sees the new ones, as a whole.
        broker.pipelines.store(pipelines.clone());
        ReloadApplied {
            generation: pipelines.generation,
        }
        .emit();
        edge.replaced(&pipelines).await;
    }
    if !outcome.waiting.is_empty() {
        ConfigurationWaits {
            sections: &outcome.waiting,
        }
        .emit();
    }
    report(node, outcome.failed);
}

/// Tells what could not be followed: the log once, readiness and the API for as long as it lasts.
fn report(node: &Node, failed: Vec<Failed>) {
    for failure in node.set_failed(failed) {
        ReloadFailed {
            policy: failure.policy.as_deref(),
            file: &failure.file,
            reason: &failure.reason,
        }
        .emit();
    }
}

/// Readiness first, so that nobody is sent here any more; then the clients, spread over the period.
async fn drain(config: &crate::config::Config, broker: &Broker, edge: &Edge) {
    broker.draining.store(true, Ordering::Relaxed);
    let period = config.server.drain_period;
    Draining {
        connections: edge.connections(),
        period,
    }
    .emit();
    edge.drain(period).await;
}

/// The signals that end the process.
struct Stop {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Stop {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn wanted(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// A task that panics is caught by its runtime, which would go on without it: a node with half its connections dead
/// and nobody the wiser. On a reactor a panic therefore ends the process, and the supervisor starts a whole one.
fn end_with_reactors() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or_default();
        if name.starts_with(edge::reactor::THREAD_NAME) {
            ReactorPanicked {
                reactor: name,
                message: &info.to_string(),
            }
            .emit();
            // The usual message goes to stderr at once, and would wait for a reader that has stalled.
            if telemetry::flush() {
                usual(info);
            }
            std::process::exit(INTERNAL);
        }
        usual(info);
    }));
}

/// EX_SOFTWARE of sysexits.h, as `Exit::Internal`.
const INTERNAL: i32 = 70;

#[cfg(test)]
mod tests;
