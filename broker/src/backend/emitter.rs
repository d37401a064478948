//! Does what back ends ask for.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::emit::{Ack, Emit, EmitError, Emitted};
use super::repeats::{Repeats, Said};
use crate::fanout::{Answer, Asked, Asking, Selection};
use crate::session::Broker;

/// Events that wait for answers at a time: each keeps an entry for each of its recipients.
const MAX_ASKED: usize = 256;

/// Cheap to clone: a request goes on to its end where whoever sent it does not.
#[derive(Clone)]
pub(crate) struct Emitter(Arc<Inner>);

struct Inner {
    broker: Arc<Broker>,
    /// This node's name.
    node: Arc<str>,
    /// How long answers are waited for where nothing else is said.
    ack_timeout: Duration,
    asking: Arc<Asking>,
    asked: Semaphore,
    repeats: Arc<Repeats>,
}

impl Emitter {
    pub(crate) fn new(broker: Arc<Broker>, node: &str, ack_timeout: Duration) -> Self {
        Self(Arc::new(Inner {
            broker,
            node: node.into(),
            ack_timeout,
            asking: Arc::default(),
            asked: Semaphore::new(MAX_ASKED),
            repeats: Arc::default(),
        }))
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
        // Also where the one who asks gives up, who will ask again.
        let delivered = tokio::spawn(async move {
            let delivered = inner.deliver(emit).await;
            match &delivered {
                Ok(emitted) => first.is(emitted),
                // Nothing was delivered: the next one is the first again.
                Err(_) => drop(first),
            }
            delivered
        });
        delivered.await.unwrap_or(Err(EmitError::Failed))
    }
}

impl Inner {
    async fn deliver(&self, emit: Emit) -> Result<Emitted, EmitError> {
        if self.broker.draining.load(Ordering::Relaxed) {
            return Err(EmitError::Draining);
        }
        if self.broker.pipelines.load().at(&emit.namespace).is_none() {
            return Err(EmitError::UnknownNamespace);
        }
        if let Some(wait) = emit.ack {
            return self.ask(&emit, wait.0.unwrap_or(self.ack_timeout)).await;
        }
        let (rooms, event) = (emit.recipients(), emit.event());
        let fanout = &self.broker.fanout;
        let deliveries = fanout.publish(&emit.namespace, &rooms, &emit.except, &event);
        Ok(Emitted {
            deliveries: deliveries.await as u64,
            ..Emitted::default()
        })
    }

    /// Waits for the answers of those who can still answer.
    async fn ask(&self, emit: &Emit, patience: Duration) -> Result<Emitted, EmitError> {
        let Ok(_place) = self.asked.try_acquire() else {
            return Err(EmitError::Overloaded);
        };
        let deadline = tokio::time::Instant::now() + patience;
        let asked = Asked::new(&self.asking);
        let deliveries = {
            let (selection, event) = (Arc::new(selection(emit)), emit.event());
            let asked = Arc::downgrade(&asked);
            let each = self.broker.fanout.each(move |home| {
                let asked = asked.upgrade();
                asked.map_or(0, |asked| home.ask(&selection, &event, &asked))
            });
            each.await.into_iter().flatten().sum::<usize>()
        };
        let _ = tokio::time::timeout_at(deadline, asked.complete()).await;
        let (answers, missing) = asked.take();
        let ack = |answer: Answer| Ack {
            socket: answer.socket,
            node: self.node.clone(),
            args: answer.args,
            attachments: answer.attachments,
        };
        Ok(Emitted {
            deliveries: deliveries as u64,
            acks: Some(answers.into_iter().map(ack).collect()),
            missing: Some(missing as u64),
        })
    }
}

fn selection(emit: &Emit) -> Selection {
    let rooms = emit.recipients();
    Selection {
        namespace: emit.namespace.clone(),
        rooms: (!rooms.is_empty()).then_some(rooms),
        except: emit.except.clone(),
    }
}
