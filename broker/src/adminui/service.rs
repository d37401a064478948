//! What the Admin UI is told, and what is done for it: on the control runtime, off every event's path.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::command::{Command, What};
use super::shape::{self, Aggregate, Namespace, Stats};
use super::{AdminUi, Mailbox};
use crate::admin::Node;
use crate::backend::SocketFilter;
use crate::event::Event;
use crate::feed::{Following, Happening, Subject, Wanted, What as Happened};
use crate::moment::unix_millis;
use crate::session::Broker;
use crate::telemetry::events::AdminUiCommanded;
use crate::telemetry::metrics::{EndReason, metrics};

/// As the official server.
const STATS: Duration = Duration::from_secs(2);

/// How often it is looked whether anybody has entered, here or on another node.
const LOOK: Duration = Duration::from_millis(250);

/// Sockets that whoever enters is told of at once.
const MAX_SOCKETS: usize = 5000;

/// Sockets that are looked at until they poll no more.
const MAX_POLLED: usize = 10_000;

const POLLING: &str = "polling";

struct Service {
    ui: Arc<AdminUi>,
    node: Arc<dyn Node>,
    broker: Arc<Broker>,
    hostname: String,
    /// Sockets that polled when they were told of, and the namespaces they are in: most change soon.
    polled: Mutex<HashMap<Arc<str>, Arc<str>>>,
}

/// What was counted at some moment.
#[derive(Clone, Copy)]
struct Counted {
    events: u64,
    deliveries: u64,
    bytes: (u64, u64),
    opened: u64,
    closed: [u64; EndReason::COUNT],
}

/// Serves for as long as the process does.
pub(crate) async fn serve(ui: Arc<AdminUi>, node: Arc<dyn Node>, broker: Arc<Broker>) {
    let mailbox = ui.mailbox.lock().take();
    let Some(Mailbox { arrivals, commands }) = mailbox else {
        return;
    };
    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname");
    let service = Arc::new(Service {
        hostname: hostname.map_or_else(|_| "localhost".to_owned(), |name| name.trim().to_owned()),
        polled: Mutex::default(),
        ui,
        node,
        broker,
    });
    tokio::join!(service.clone().tell(arrivals), service.carry_out(commands));
}

impl Service {
    async fn tell(self: Arc<Self>, mut arrivals: mpsc::Receiver<Arc<str>>) {
        let [mut look, mut stats] = [LOOK, STATS].map(interval);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        stats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut following = None;
        let mut before = None;
        loop {
            tokio::select! {
                Some(socket) = arrivals.recv() => {
                    // First, so that nothing is missed between the two.
                    self.look(&mut following);
                    self.greet(socket);
                    before = self.stats(before).await;
                }
                _ = look.tick() => self.look(&mut following),
                _ = stats.tick() => {
                    // Whoever is told of this node is told what happens here.
                    self.look(&mut following);
                    before = self.stats(before).await;
                }
                Some(happening) = next(&mut following) => {
                    self.remember(&happening);
                    self.spread(&shape::happening(&happening));
                }
            }
        }
    }

    fn is_watched(&self) -> bool {
        self.broker.fanout.has_sockets(&self.ui.path)
    }

    /// Follows what happens while anybody wants to see it.
    fn look(&self, following: &mut Option<Following>) {
        let is_wanted = self.ui.shows_all && self.is_watched();
        if is_wanted == following.is_some() {
            return;
        }
        let wanted = Wanted {
            subject: Subject::Everyone,
            namespace: None,
            beside: Some(self.ui.path.to_string()),
        };
        // Where as many look as may it is tried again.
        *following = match is_wanted {
            true => self.broker.recorder.feed.follow(wanted).ok(),
            false => None,
        };
    }

    /// Tells one that has entered who is there.
    fn greet(self: &Arc<Self>, socket: Arc<str>) {
        if !self.ui.shows_all {
            return;
        }
        let it = self.clone();
        tokio::spawn(async move {
            let filter = SocketFilter {
                namespace: None,
                room: None,
                user: None,
                id: None,
                after: None,
                limit: MAX_SOCKETS,
            };
            let sockets = it.node.sockets(filter, None).await.items;
            for socket in sockets.iter().filter(|it| it.transport == POLLING) {
                it.polls(&socket.id, &socket.namespace);
            }
            let event = shape::all_sockets(&sockets);
            let to = [socket.to_string()];
            it.broker
                .fanout
                .publish(&it.ui.path, &to, &[], &event)
                .await;
        });
    }

    /// Tells everyone how this node is; `None` while there is nobody.
    async fn stats(&self, before: Option<Counted>) -> Option<Counted> {
        if !self.is_watched() {
            self.polled.lock().clear();
            return None;
        }
        let (info, now) = (self.node.info(), Counted::now());
        self.spread(&shape::server_stats(&Stats {
            server_id: &info.node,
            hostname: &self.hostname,
            pid: std::process::id(),
            uptime: info.started.elapsed().unwrap_or_default().as_secs_f64(),
            clients_count: info.connections,
            polling_clients_count: self.polling().await,
            aggregated_events: before.map_or_else(Vec::new, |before| before.until(&now)),
            namespaces: Namespace::all(&info),
        }));
        Some(now)
    }

    /// How many sockets poll, looked up by their reactors for as long as somebody watches. Those that do no more are
    /// told of.
    async fn polling(&self) -> u64 {
        let polled = Arc::new(self.polled.lock().clone());
        let each = self.broker.fanout.each(move |home| {
            let (count, moved) = (AtomicU64::new(0), Mutex::new(Vec::new()));
            home.find(None, None, 1, |member| {
                let name = &member.client.peer.name;
                if member.outlet.about().transport == POLLING {
                    count.fetch_add(1, Ordering::Relaxed);
                } else if polled.contains_key(&**name) {
                    moved.lock().push(*name);
                }
                false
            });
            (count.into_inner(), moved.into_inner())
        });
        let mut all = 0;
        for (count, moved) in each.await.into_iter().flatten() {
            all += count;
            for socket in moved {
                let namespace = self.polled.lock().remove(&*socket);
                if let Some(namespace) = namespace {
                    self.spread(&shape::socket_updated(&namespace, &socket, "websocket"));
                }
            }
        }
        all
    }

    fn remember(&self, happening: &Happening) {
        match &happening.what {
            Happened::Connected(its) if its.transport == POLLING => {
                self.polls(&happening.socket, &happening.namespace);
            }
            Happened::Disconnected(_) => _ = self.polled.lock().remove(&happening.socket),
            _ => {}
        }
    }

    fn polls(&self, socket: &str, namespace: &str) {
        let mut polled = self.polled.lock();
        if polled.len() < MAX_POLLED {
            polled.insert(socket.into(), namespace.into());
        }
    }

    fn spread(&self, event: &Event) {
        self.broker.fanout.spread(&self.ui.path, None, event);
    }

    /// One command after the other.
    async fn carry_out(self: Arc<Self>, mut commands: mpsc::Receiver<Command>) {
        while let Some(Command { socket, what }) = commands.recv().await {
            let (name, namespace) = match &what {
                What::Emit(emit) => ("emit", emit.namespace.clone()),
                What::Steer(steer) => (steer.what.as_str(), steer.whom.namespace.clone()),
            };
            let done = match what {
                What::Emit(emit) => self
                    .node
                    .emit(emit)
                    .await
                    .map(drop)
                    .map_err(|e| e.to_string()),
                What::Steer(steer) => self
                    .node
                    .steer(steer)
                    .await
                    .map(drop)
                    .map_err(|e| e.to_string()),
            };
            AdminUiCommanded {
                socket: &socket,
                command: name,
                namespace: &namespace,
                error: done.err().as_deref(),
            }
            .emit();
        }
    }
}

/// What happens next, where anything is followed. Dropped, it has taken nothing.
async fn next(following: &mut Option<Following>) -> Option<Arc<Happening>> {
    following.as_mut()?.next().await
}

impl Counted {
    fn now() -> Self {
        Self {
            events: metrics().events_received.get(),
            deliveries: metrics().deliveries.get(),
            bytes: metrics().traffic.bytes(),
            opened: metrics().operators.connects.get(),
            closed: EndReason::all().map(|reason| metrics().disconnects(reason.as_str())),
        }
    }

    /// What came between two moments, as of the second of the later one.
    fn until(&self, now: &Self) -> Vec<Aggregate> {
        let timestamp = unix_millis() / 1000 * 1000;
        let counts = [
            ("packetsIn", now.events.saturating_sub(self.events)),
            ("packetsOut", now.deliveries.saturating_sub(self.deliveries)),
            ("bytesIn", now.bytes.0.saturating_sub(self.bytes.0)),
            ("bytesOut", now.bytes.1.saturating_sub(self.bytes.1)),
            ("rawConnection", now.opened.saturating_sub(self.opened)),
        ];
        let counts = counts.map(|(kind, count)| (kind, None, count));
        let closed = now.closed.iter().zip(self.closed).zip(EndReason::all());
        let closed = closed.map(|((now, before), reason)| {
            let reason = Some(reason.as_str());
            ("rawDisconnection", reason, now.saturating_sub(before))
        });
        let some = counts.into_iter().chain(closed).filter(|it| it.2 > 0);
        let some = some.map(|(kind, sub_type, count)| Aggregate {
            timestamp,
            kind,
            sub_type,
            count,
        });
        some.collect()
    }
}
