//! The composition root: builds every room, opens the doors, and closes them again in order.

mod certificates;
mod ending;
mod keep;
mod settings;
mod supervisor;
mod together;

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::admin;
use crate::adminui::{self, AdminUi};
use crate::admission::Admission;
use crate::backend::{Backend, Inbound};
use crate::batch::Events;
use crate::cli::Exit;
use crate::cluster::Cluster;
use crate::config::Loaded;
use crate::drain::Drain;
use crate::edge::{self, Edge};
use crate::fanout::Fanout;
use crate::fanout::nodes::{NodeId, Nodes};
use crate::nats::Nats;
use crate::node::Node;
use crate::pipeline::Pipelines;
use crate::plugin::{self, Cache, Engine, Failed, Follower, Outcome, Registry, Reload};
use crate::revocation::Table;
use crate::session::{Broker, Owed, Roll, Watches};
use crate::state::Store;
use crate::telemetry;
use crate::telemetry::events::ReactorPanicked;
use crate::telemetry::metrics::metrics;
use crate::telemetry::trace;
use certificates::Certificates;
use settings::Settings;
use supervisor::Supervisor;
use together::Together;

/// Threads for what is not on an event's path: accepting, the admin listener, compilation, watching and what
/// policies ask over HTTP.
const CONTROL_THREADS: usize = 2;

/// How long what has been recorded last may take to reach whoever collects it.
const LAST_TRACES: std::time::Duration = std::time::Duration::from_secs(2);

/// Serves until told to stop.
pub(crate) fn run(loaded: Loaded) -> anyhow::Result<()> {
    let _records = telemetry::init(&loaded.config.telemetry);
    end_with_reactors();
    let cache = &loaded.config.plugins.cache;
    let cache = cache.as_deref().map(Cache::open).transpose();
    let cache = cache.map_err(|error| Exit::Configuration(error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(CONTROL_THREADS)
        .thread_name("control")
        .enable_all()
        .build()?;
    // From here on it asks for a reload, and ends nobody.
    let hangup = {
        let _inside = runtime.enter();
        signal(SignalKind::hangup())?
    };
    let engine = Engine::serving(runtime.handle().clone());
    let certificates = Certificates::load(&loaded.config)?;
    let (reload, outcome, store) = load(loaded.clone(), engine, cache)?;
    let served = serve(loaded, reload, outcome, store, certificates, hangup);
    let result = runtime.block_on(served);
    // What is still running has been told, or has had its time.
    runtime.shutdown_background();
    result
}

/// Makes the policies of a configuration as `run` does, and forgets them again. What was dropped in and does not
/// load is no error, and comes back. A configured policy that `run` would start without is one all the same: whoever
/// checks wants to know that what is configured is there. Nothing is kept on disk: it may be another user than the one
/// that runs the broker.
pub(crate) fn check(loaded: Loaded) -> Result<(Arc<Pipelines>, Vec<Failed>), Exit> {
    let (_, outcome, _) = load(loaded, Engine::new(), None)?;
    let failed = outcome.failed.into_iter();
    let (missing, dropped_in) = failed.partition::<Vec<_>, _>(Failed::is_configured);
    if missing.is_empty() {
        return Ok((outcome.pipelines.unwrap_or_default(), dropped_in));
    }
    Err(not_loaded(&missing))
}

fn not_loaded(failed: &[Failed]) -> Exit {
    let lines: Vec<_> = failed.iter().map(ToString::to_string).collect();
    Exit::Configuration(lines.join("\n"))
}

/// The policies of a configuration, without anything that serves them.
pub(crate) fn pipelines(loaded: Loaded) -> Result<Arc<Pipelines>, Exit> {
    let (_, outcome, _) = load(loaded, Engine::new(), None)?;
    Ok(outcome.pipelines.unwrap_or_default())
}

fn load(
    loaded: Loaded,
    engine: wasmtime::Result<Engine>,
    cache: Option<Cache>,
) -> Result<(Reload, Outcome, Arc<Store>), Exit> {
    let engine = engine.map_err(|error| Exit::Internal(error.to_string()))?;
    let engine = Arc::new(engine.with_cache(cache));
    let store = Arc::new(Store::new());
    let registry = Registry::new(engine, store.clone());
    let (reload, outcome) =
        Reload::start(registry, loaded).map_err(|failed| not_loaded(&failed))?;
    Ok((reload, outcome, store))
}

async fn serve(
    loaded: Loaded,
    reload: Reload,
    outcome: Outcome,
    store: Arc<Store>,
    certificates: Certificates,
    hangup: Signal,
) -> anyhow::Result<()> {
    let config = loaded.config;
    let supervisor = Arc::new(Supervisor::from_environment());
    let id = NodeId::random();
    trace::start(&config.telemetry.traces, &id.to_string()).map_err(Exit::Configuration)?;
    let nats = match &config.cluster {
        Some(cluster) => Some(Nats::start(cluster, id).await?),
        None => None,
    };
    let backend = nats.as_ref().zip(config.cluster.as_ref());
    let backend = backend.map(|(nats, cluster)| Backend::start(nats, cluster, &id.to_string()));
    let others = config
        .cluster
        .as_ref()
        .map(|it| Arc::new(Nodes::new(id, it)));
    let fanout = Arc::new(Fanout::new(config.server.reactors, id, others.clone()));
    let control = tokio::runtime::Handle::current();
    let admin_ui = config.admin.ui.as_ref();
    let admin_ui = admin_ui.map(|ui| Arc::new(AdminUi::new(ui, control)));
    let admission = Arc::new(Admission::new(&config.server.admission));
    let broker = Arc::new(Broker {
        pipelines: ArcSwap::new(outcome.pipelines.unwrap_or_default()),
        fanout: fanout.clone(),
        store: store.clone(),
        recorder: Arc::default(),
        sessions: AtomicUsize::new(0),
        draining: AtomicBool::new(false),
        ending: AtomicBool::new(false),
        owed: Owed::default(),
        roll: Roll::default(),
        asking: Arc::default(),
        revocations: Table::default(),
        watches: Watches::new(config.server.reactors),
        admission: admission.clone(),
        backend,
        admin_ui: admin_ui.clone(),
        gathered: Events::new(
            fanout.clone(),
            usize::try_from(config.server.max_payload).unwrap_or(usize::MAX),
        ),
    });
    tokio::spawn(broker.gathered.clone().serve());
    let drain = Arc::new(Drain::new(broker.clone(), config.server.drain_period));
    tokio::spawn(admission.watch_memory());
    let (control, mailbox) = plugin::control();
    let node = Arc::new(Node::new(
        id.to_string(),
        config.clone(),
        broker.clone(),
        store.clone(),
        control.clone(),
        nats.clone(),
        drain.clone(),
    ));
    node.is_configured(loaded.effective);
    let asked = Arc::downgrade(&node);
    metrics().watch_queues(move || Some(asked.upgrade()?.depths()));
    tokio::spawn(node.revocations.clone().keep());
    let inbound = nats.as_ref().map(|nats| takes_from_back_ends(nats, &node));
    let cluster = match (&config.cluster, others, nats) {
        (Some(config), Some(others), Some(nats)) => {
            let speaker = node.clone();
            let vitals = move || speaker.vitals();
            let cluster = Cluster::start(id, config, nats.clone(), fanout, others, vitals);
            node.is_in(cluster.clone());
            let sharing = Together {
                config,
                cluster: &cluster,
                nats: &nats,
                store: &store,
                engine: reload.engine(),
                control,
                node: &node,
            }
            .begin();
            // Before there are clients, who rely on what is sent to other nodes.
            cluster.settled(SETTLING).await;
            node.revocations.catch_up().await;
            Some((cluster, sharing))
        }
        _ => None,
    };
    node.remembers(outcome.histories);
    keep::report(&node.follows(None, outcome.failed));
    let admin = TcpListener::bind(config.admin.listen)
        .await
        .with_context(|| format!("cannot listen on admin.listen {}", config.admin.listen))?;
    let edge = Edge::start(
        config.server.clone(),
        broker.clone(),
        node.clone(),
        certificates.public.clone(),
    )
    .await
    .with_context(|| format!("cannot listen on server.listen {}", config.server.listen))?;
    let edge = Arc::new(edge);
    let admin_address = admin.local_addr()?;
    node.is_at(edge.address(), admin_address);
    let ready_line = node.ready_line();
    let (stop_admin, admin_stopped) = oneshot::channel::<()>();
    let is_local = admin_address.ip().to_canonical().is_loopback();
    let auth = Arc::new(admin::Auth::new(&config.admin, is_local));
    let tls = certificates.admin.clone();
    let token = auth.clone();
    let admin_server = tokio::spawn(admin::serve(admin, node.clone(), token, tls, async {
        // Stopped by a word or by the end of whoever would say it.
        let _ = admin_stopped.await;
    }));
    let shown = node.clone();
    let served = Served {
        edge: edge.clone(),
        node: node.clone(),
        supervisor: supervisor.clone(),
    };
    certificates.follow();
    let live = Settings {
        edge: edge.clone(),
        node: node.clone(),
        auth,
        drain: drain.clone(),
        certificates,
    };
    let follower = Follower::new(reload, Box::new(live));
    tokio::spawn(keep::keep(follower, mailbox, hangup, served));
    if let Some(ui) = admin_ui {
        tokio::spawn(adminui::serve(ui, shown, broker.clone()));
    }
    let mut stop = ending::Stop::new()?;
    ready(&ready_line)?;
    supervisor.ready().await;
    let watch = supervisor::watch(
        supervisor.clone(),
        edge.clone(),
        broker.clone(),
        node.clone(),
    );
    tokio::spawn(watch);
    let end = ending::until_end(&drain, &edge, &mut stop).await?;
    supervisor.stopping(drain.wanted_period()).await;
    if let Some(inbound) = inbound {
        inbound.stop().await;
    }
    ending::close(&drain, &broker, &edge, &mut stop, end).await;
    if let Some((cluster, sharing)) = cluster {
        sharing.leave();
        cluster.leave(LEAVING).await;
    }
    trace::flush(LAST_TRACES).await;
    let _ = stop_admin.send(());
    // Its connections are an operator's; nothing of them is worth waiting for.
    admin_server.abort();
    Ok(())
}

/// Time to find the other nodes. Without NATS the node serves its own clients.
const SETTLING: Duration = Duration::from_secs(1);

/// Time to send what waits for other nodes at the end.
const LEAVING: Duration = Duration::from_secs(2);

/// Has what back ends publish delivered as if it had come over HTTP.
fn takes_from_back_ends(nats: &Nats, node: &Arc<Node>) -> Inbound {
    let node = node.clone();
    let deliver = move |emit| {
        let node = node.clone();
        Box::pin(async move { admin::Node::emit(&*node, emit).await }) as BoxFuture<'static, _>
    };
    Inbound::start(nats, Arc::new(deliver))
}

/// The one line of standard output: who starts this process waits for it.
fn ready(line: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready {line}")?;
    out.flush()
}

/// What sees new pipelines as soon as there are any.
struct Served {
    edge: Arc<Edge>,
    node: Arc<Node>,
    /// Waits for the end of a reload that was asked for.
    supervisor: Arc<Supervisor>,
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
