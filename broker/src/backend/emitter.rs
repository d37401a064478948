//! Does what back ends ask for.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use futures_util::FutureExt as _;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::done::{self, Done};
use super::emit::{Ack, Emit, EmitError, Emitted};
use super::read::LONGEST_WAIT;
use super::repeats::{Repeats, Said};
use crate::cluster::{Cluster, Others};
use crate::config;
use crate::event::Event;
use crate::fanout::{Answer, Asked, Asking, Selection};
use crate::packet;
use crate::session::Broker;
use crate::telemetry::trace::{self, Context, Kind, Value};

/// Events that wait for answers at a time: each keeps an entry for each of its recipients.
const MAX_ASKED: usize = 256;

/// Cheap to clone: a request goes on to its end where whoever sent it does not.
#[derive(Clone)]
pub(crate) struct Emitter(Arc<Inner>);

struct Inner {
    broker: Arc<Broker>,
    /// This node's name.
    node: Arc<str>,
    settings: ArcSwap<Settings>,
    asking: Arc<Asking>,
    asked: Semaphore,
    repeats: Arc<Repeats>,
    others: Others,
}

/// What can change while the process runs.
struct Settings {
    /// How long answers are waited for where nothing else is said.
    ack_timeout: Duration,
}

/// The event of another node whose clients here are to answer.
#[derive(Debug, Serialize, Deserialize)]
struct Ask {
    namespace: String,
    /// `None`: everyone.
    rooms: Option<Vec<String>>,
    except: Vec<String>,
    event: Arc<str>,
    args: Arc<str>,
    #[serde(default)]
    attachments: Vec<Bytes>,
    #[serde(default)]
    volatile: bool,
    timeout_ms: u64,
    /// The trace that it is a part of, as W3C's `traceparent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Answers {
    deliveries: u64,
    missing: u64,
    acks: Vec<TheirAck>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TheirAck {
    socket: Arc<str>,
    node: Arc<str>,
    args: Box<str>,
    #[serde(default)]
    attachments: Vec<Bytes>,
}

impl Settings {
    fn of(config: &config::Server) -> Self {
        Self {
            ack_timeout: config.ack_timeout,
        }
    }
}

impl Emitter {
    pub(crate) fn new(broker: Arc<Broker>, node: &str, config: &config::Server) -> Self {
        Self(Arc::new(Inner {
            asking: broker.asking.clone(),
            broker,
            node: node.into(),
            settings: ArcSwap::from_pointee(Settings::of(config)),
            asked: Semaphore::new(MAX_ASKED),
            repeats: Arc::default(),
            others: Others::default(),
        }))
    }

    /// Runs by other settings from now on.
    pub(crate) fn reconfigure(&self, config: &config::Server) {
        self.0.settings.store(Arc::new(Settings::of(config)));
    }

    /// Has the clients of these others answer too from now on, and has its own answer theirs.
    pub(crate) fn is_among(&self, cluster: Arc<Cluster>, patience: Duration) {
        self.0.others.are(cluster, patience);
        let inner = self.0.clone();
        self.0.others.answer("ask", move |ask| {
            let inner = inner.clone();
            Box::pin(async move { inner.ask_here(ask).await })
        });
        let repeats = self.0.repeats.clone();
        self.0
            .others
            .hear(done::TOPIC, move |_, done: Done| done.note(&repeats));
    }

    /// Delivers an event of a back end, and says what became of it when all of this node's clients have been handed
    /// it and, if they are to answer, have answered. A repeated one is delivered once, and answered as often.
    pub(crate) async fn emit(&self, emit: Emit) -> Result<Emitted, EmitError> {
        let Some(id) = emit.id.clone() else {
            return self.0.deliver(emit).await;
        };
        let first = match self.0.repeats.said(&id, &emit).await {
            Said::First(first) => first,
            Said::Before(emitted) => return Ok(emitted),
            Said::Other => return Err(EmitError::OtherRequest),
        };
        let inner = self.0.clone();
        let recording = trace::go_on(trace::here().as_ref(), "emit once", Kind::Internal);
        let mut work = Box::pin(trace::scope(recording, async move {
            let delivered = inner.deliver(emit).await;
            match &delivered {
                Ok(emitted) => {
                    let done = || Done::of(&id, first.print, emitted);
                    inner.others.tell(done::TOPIC, done);
                    first.is(emitted);
                }
                // Nothing was delivered: the next one is the first again.
                Err(_) => drop(first),
            }
            delivered
        }));
        // Begun here: a task's turn comes at any time, and what is asked for next is to be behind it.
        if let Some(delivered) = (&mut work).now_or_never() {
            return delivered;
        }
        // Also where the one who asks gives up, who will ask again.
        let delivered = tokio::spawn(work);
        delivered.await.unwrap_or(Err(EmitError::Failed))
    }
}

impl Inner {
    async fn deliver(&self, emit: Emit) -> Result<Emitted, EmitError> {
        if self.broker.ending.load(Ordering::Relaxed) {
            return Err(EmitError::Draining);
        }
        if self.broker.pipelines.load().at(&emit.namespace).is_none() {
            return Err(EmitError::UnknownNamespace);
        }
        trace::say("sluice.namespace", || Value::said(&emit.namespace));
        trace::say("sluice.event", || &emit.event);
        if let Some(wait) = emit.ack {
            return self
                .ask(&emit, wait.0.unwrap_or(self.settings.load().ack_timeout))
                .await;
        }
        let (rooms, event) = (emit.recipients(), emit.event());
        let fanout = &self.broker.fanout;
        let deliveries = fanout.publish(&emit.namespace, &rooms, &emit.except, &event);
        Ok(Emitted {
            deliveries: deliveries.await as u64,
            ..Emitted::default()
        })
    }

    /// Waits for the answers of those who can still answer, here and elsewhere.
    async fn ask(&self, emit: &Emit, patience: Duration) -> Result<Emitted, EmitError> {
        let Ok(_place) = self.asked.try_acquire() else {
            return Err(EmitError::Overloaded);
        };
        let rooms = emit.recipients();
        let ask = Ask {
            namespace: emit.namespace.clone(),
            rooms: (!rooms.is_empty()).then_some(rooms),
            except: emit.except.clone(),
            event: emit.event.clone(),
            args: emit.args.clone(),
            attachments: emit.attachments.to_vec(),
            volatile: emit.volatile,
            timeout_ms: patience.as_millis() as u64,
            trace: trace::here().map(|context| context.to_string()),
        };
        let elsewhere = self.others.ask::<Answers>("ask", &ask, patience);
        let here = self.collect(&ask, patience);
        let (here, elsewhere) = tokio::join!(here, elsewhere);
        let mut emitted = Emitted {
            silent: elsewhere.silent,
            ..Emitted::default()
        };
        let mut acks = Vec::new();
        let mut missing = 0;
        for its in elsewhere.answers.into_iter().chain([here]) {
            emitted.deliveries += its.deliveries;
            missing += its.missing;
            // What another node says is as little trusted as what a client says.
            let (good, bad) = its
                .acks
                .into_iter()
                .partition::<Vec<_>, _>(TheirAck::is_sound);
            missing += bad.len() as u64;
            acks.extend(good.into_iter().map(Ack::from));
        }
        emitted.acks = Some(acks);
        emitted.missing = Some(missing);
        Ok(emitted)
    }

    async fn ask_here(&self, ask: Ask) -> Answers {
        let patience = Duration::from_millis(ask.timeout_ms).min(LONGEST_WAIT);
        let context = ask.trace.as_deref().and_then(Context::read);
        let recording = trace::go_on(context.as_ref(), "ask", Kind::Consumer);
        trace::scope(recording, self.collect(&ask, patience)).await
    }

    async fn collect(&self, ask: &Ask, patience: Duration) -> Answers {
        let deadline = tokio::time::Instant::now() + patience;
        let asked = Asked::new(&self.asking);
        let span = trace::open("fanout");
        let deliveries = {
            let (selection, event) = (Arc::new(ask.selection()), ask.event());
            let asked = Arc::downgrade(&asked);
            let each = self.broker.fanout.each(move |home| {
                let asked = asked.upgrade();
                asked.map_or(0, |asked| home.ask(&selection, &event, &asked))
            });
            each.await.into_iter().flatten().sum::<usize>()
        };
        let _ = tokio::time::timeout_at(deadline, asked.complete()).await;
        let (answers, missing) = asked.take();
        if let Some(span) = span {
            span.with("sluice.recipients", deliveries)
                .with("sluice.missing", missing)
                .close();
        }
        let ack = |answer: Answer| TheirAck {
            socket: answer.socket,
            node: self.node.clone(),
            args: answer.args,
            attachments: answer.attachments.to_vec(),
        };
        Answers {
            deliveries: deliveries as u64,
            missing: missing as u64,
            acks: answers.into_iter().map(ack).collect(),
        }
    }
}

impl Ask {
    fn selection(&self) -> Selection {
        Selection {
            namespace: self.namespace.clone(),
            rooms: self.rooms.clone(),
            except: self.except.clone(),
        }
    }

    fn event(&self) -> Event {
        Event {
            name: self.event.clone(),
            args: self.args.clone(),
            attachments: self.attachments.clone().into(),
            volatile: self.volatile,
        }
    }
}

impl TheirAck {
    pub(super) fn is_sound(&self) -> bool {
        packet::check_args(&self.args, self.attachments.len()).is_ok()
    }
}

impl From<TheirAck> for Ack {
    fn from(ack: TheirAck) -> Self {
        Self {
            socket: ack.socket,
            node: ack.node,
            args: ack.args,
            attachments: ack.attachments.into(),
        }
    }
}

impl From<Ack> for TheirAck {
    fn from(ack: Ack) -> Self {
        Self {
            socket: ack.socket,
            node: ack.node,
            args: ack.args,
            attachments: ack.attachments.to_vec(),
        }
    }
}
