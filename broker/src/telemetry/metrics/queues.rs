//! What waits, where it is only counted when the metrics are read.

use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

/// How much waits at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Depths {
    /// Whether the node wants new clients.
    pub is_ready: bool,
    /// Messages for each reactor, in their order.
    pub inboxes: Vec<usize>,
    /// Messages and bytes for other nodes; `None`: the node is alone.
    pub outbox: Option<(usize, usize)>,
}

type Ask = Box<dyn Fn() -> Option<Depths> + Send + Sync>;

/// Whom to ask; nobody before the node serves.
#[derive(Clone, Default)]
pub(super) struct Queues(pub(super) Arc<Mutex<Option<Ask>>>);

impl std::fmt::Debug for Queues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Queues")
    }
}

impl Collector for Queues {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let ask = self.0.lock();
        let Some(depths) = ask.as_ref().and_then(|ask| ask()) else {
            return Ok(());
        };
        let mut alone = |name: &str, help: &str, number: usize| {
            let gauge = gauge(number);
            let described = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            gauge.encode(described)
        };
        alone(
            "ready",
            "1 while the node is ready for clients, as /readyz says",
            usize::from(depths.is_ready),
        )?;
        if let Some((messages, bytes)) = depths.outbox {
            alone(
                "cluster_queued",
                "Events that wait for the way to other nodes",
                messages,
            )?;
            alone("cluster_queued_bytes", "What they take up", bytes)?;
        }
        let mut inboxes = encoder.encode_descriptor(
            "reactor_inbox_messages",
            "Events that wait for a reactor to deliver them",
            None,
            MetricType::Gauge,
        )?;
        for (reactor, messages) in depths.inboxes.iter().enumerate() {
            let labels = [("reactor", reactor.to_string())];
            gauge(*messages).encode(inboxes.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

fn gauge(number: usize) -> ConstGauge<i64> {
    ConstGauge::new(i64::try_from(number).unwrap_or(i64::MAX))
}
