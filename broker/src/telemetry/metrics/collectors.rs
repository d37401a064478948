//! What is looked at when the metrics are read: the state of policies, and the policies themselves.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::state::{Millis, Store};
use crate::telemetry::labels::{PolicyLabel, StateKind, StateLabels};

/// The store whose keys are counted when the metrics are read.
#[derive(Debug, Clone, Default)]
pub(super) struct Watched(pub(super) Arc<Mutex<Weak<Store>>>);

impl Collector for Watched {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Some(store) = self.0.lock().upgrade() else {
            return Ok(());
        };
        let mut usage = store.usage(Millis::now());
        if usage.is_empty() {
            return Ok(());
        }
        usage.sort_by(|a, b| a.policy.cmp(&b.policy));
        let shares = || {
            usage.iter().flat_map(|of| {
                [
                    (StateLabels::new(&of.policy, StateKind::Bucket), of.buckets),
                    (StateLabels::new(&of.policy, StateKind::Entry), of.entries),
                ]
            })
        };
        let gauge = |number: usize| ConstGauge::new(i64::try_from(number).unwrap_or(i64::MAX));
        let mut keys = encoder.encode_descriptor(
            "state_keys",
            "Keys in the state of a policy",
            None,
            MetricType::Gauge,
        )?;
        for (labels, of) in shares() {
            gauge(of.keys).encode(keys.encode_family(&labels)?)?;
        }
        let mut bytes = encoder.encode_descriptor(
            "state_bytes",
            "Memory that the state of a policy takes, nearly",
            None,
            MetricType::Gauge,
        )?;
        for (labels, of) in shares() {
            gauge(of.bytes).encode(bytes.encode_family(&labels)?)?;
        }
        let mut evictions = encoder.encode_descriptor(
            "state_evictions",
            "Limits that started afresh, and entries that went, because a policy had too many",
            None,
            MetricType::Counter,
        )?;
        for (labels, of) in shares() {
            ConstCounter::new(of.evicted).encode(evictions.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

/// A policy as it stands when the metrics are read.
#[derive(Debug, Clone)]
pub(crate) struct ShownPolicy {
    pub name: String,
    /// `None`: it has never been loaded.
    pub generation: Option<u64>,
    /// Its instances, and the bytes of memory that they have.
    pub usage: Option<(usize, usize)>,
    /// It keeps failing and is not called. `None`: it has never been loaded.
    pub breaker_open: Option<bool>,
    /// What its file says now cannot be loaded.
    pub failed: bool,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Shown(pub(super) Arc<Mutex<Vec<ShownPolicy>>>);

impl Collector for Shown {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let policies = self.0.lock();
        if policies.is_empty() {
            return Ok(());
        }
        let mut generations = encoder.encode_descriptor(
            "policy_generation",
            "The generation of a policy that serves",
            None,
            MetricType::Gauge,
        )?;
        for policy in policies.iter() {
            if let Some(generation) = policy.generation {
                let value = ConstGauge::new(i64::try_from(generation).unwrap_or(i64::MAX));
                value.encode(generations.encode_family(&PolicyLabel::new(&policy.name))?)?;
            }
        }
        let mut gauge = |name, help, of: fn((usize, usize)) -> usize| {
            let mut gauge = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for policy in policies.iter() {
                if let Some(usage) = policy.usage {
                    let value = ConstGauge::new(i64::try_from(of(usage)).unwrap_or(i64::MAX));
                    value.encode(gauge.encode_family(&PolicyLabel::new(&policy.name))?)?;
                }
            }
            Ok(())
        };
        let instances = "Instances of a policy, one a reactor that has asked it";
        gauge("policy_instances", instances, |usage| usage.0)?;
        let bytes = "Memory of the instances of a policy";
        gauge("policy_memory_bytes", bytes, |usage| usage.1)?;
        let mut breakers = encoder.encode_descriptor(
            "policy_breaker_open",
            "1 while a policy keeps failing and is not called, but to try it",
            None,
            MetricType::Gauge,
        )?;
        for policy in policies.iter() {
            if let Some(is_open) = policy.breaker_open {
                let value = ConstGauge::new(i64::from(is_open));
                value.encode(breakers.encode_family(&PolicyLabel::new(&policy.name))?)?;
            }
        }
        let mut failed = encoder.encode_descriptor(
            "policy_failed",
            "1 while the newest module or settings of a policy do not load",
            None,
            MetricType::Gauge,
        )?;
        for policy in policies.iter() {
            let value = ConstGauge::new(i64::from(policy.failed));
            value.encode(failed.encode_family(&PolicyLabel::new(&policy.name))?)?;
        }
        Ok(())
    }
}
