mod listed;

pub(super) use listed::added;

use super::*;
use crate::event::{Code, Denial};
use crate::state::{BucketRule, Millis, SubjectRef};

/// The names of all samples, without labels.
fn names(text: &str) -> Vec<&str> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect()
}

/// Metrics of which each has a series, and the store that some of them are of.
fn filled() -> (Metrics, Arc<Store>) {
    let metrics = Metrics::new();
    let store = Arc::new(Store::new());
    let rule = BucketRule {
        name: "b".into(),
        burst: 1,
        per_second: 0.0,
        window_ms: 0,
        scope: crate::state::Scope::Node,
    };
    store
        .policy("p")
        .take(&rule, SubjectRef::Global, 1, Millis::now());
    for key in ["a", "b"] {
        store
            .policy("p")
            .add(key, 1, 0, Millis::now())
            .expect("a counter");
    }
    metrics.restart_needed(["server.listen"].into_iter());
    metrics.watch(&store);
    metrics.policy("p", Hook::Event);
    metrics.policy_http("p");
    metrics.show(vec![
        ShownPolicy {
            name: "p".into(),
            generation: Some(2),
            usage: Some((2, 1 << 20)),
            breaker_open: Some(true),
            failed: false,
        },
        ShownPolicy {
            name: "q".into(),
            generation: None,
            usage: None,
            breaker_open: None,
            failed: true,
        },
    ]);
    metrics.event_denied(&Denial::broker(Code::NoRoute, ""));
    metrics.connection_denied(&Denial::broker(Code::Draining, ""));
    metrics.handshake_error(1);
    metrics.disconnected("transport close");
    metrics.socket_error("parse_error");
    metrics
        .admin
        .wrote("drain", crate::telemetry::labels::admin::AdminOutcome::Done);
    metrics.tls.expires(Listener::Public, "default", 0);
    metrics.tls.handshaken(Listener::Public, Handshaken::Ok);
    metrics.tls.loaded(
        Listener::Admin,
        crate::telemetry::labels::ReloadResult::Applied,
    );
    metrics
        .tls
        .fault(Listener::Admin, CertificateFault::Expired);
    metrics.changed(Changed::Reload, ChangeResult::Changed);
    metrics.rolled_back("p", "operator");
    metrics.trial(&"p".into());
    metrics.own(&"p".into(), "seen", true);
    metrics.own(&"p".into(), "open", false);
    metrics.watch_queues(|| {
        Some(Depths {
            is_ready: true,
            inboxes: vec![3, 0],
            outbox: Some((2, 900)),
        })
    });
    (metrics, store)
}

#[test]
fn names_are_those_that_outsiders_rely_on() {
    let (metrics, store) = filled();
    let open = metrics.render(true);
    let classic = metrics.render(false);
    for name in [
        "sluice_build_info",
        "sluice_connections",
        "sluice_rooms",
        "sluice_events_received_total",
        "sluice_deliveries_total",
        "sluice_reactor_messages_total",
        "sluice_reactor_forwarded_total",
        "sluice_reactor_inbox_full_total",
        "sluice_reactor_silent_total",
        "sluice_supervisor_untold_total",
        "sluice_policy_instances",
        "sluice_policy_memory_bytes",
        "sluice_policy_verdicts_total",
        "sluice_policy_duration_seconds_bucket",
        "sluice_policy_duration_seconds_sum",
        "sluice_policy_duration_seconds_count",
        "sluice_policy_traps_total",
        "sluice_policy_http_requests_total",
        "sluice_policy_http_duration_seconds_bucket",
        "sluice_policy_generation",
        "sluice_policy_failed",
        "sluice_slow_client_disconnects_total",
        "sluice_connections_denied_total",
        "sluice_connections_refused_total",
        "sluice_connections_cut_total",
        "sluice_memory_limit_bytes",
        "sluice_memory_pressure",
        "sluice_origins_refused_total",
        "sluice_events_denied_total",
        "sluice_events_dropped_total",
        "sluice_handshake_errors_total",
        "sluice_disconnects_total",
        "sluice_reload_total",
        "sluice_modules_ready_total",
        "sluice_module_cache_faults_total",
        "sluice_log_lines_dropped_total",
        "sluice_state_keys",
        "sluice_state_bytes",
        "sluice_state_evictions_total",
        "sluice_ready",
        "sluice_received_bytes_total",
        "sluice_sent_bytes_total",
        "sluice_event_duration_seconds_bucket",
        "sluice_connection_duration_seconds_bucket",
        "sluice_reactor_inbox_messages",
        "sluice_send_queue_bytes",
        "process_cpu_seconds_total",
        "process_start_time_seconds",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_max_fds",
    ] {
        assert!(names(&open).contains(&name), "{name} is not in\n{open}");
        assert!(
            names(&classic).contains(&name),
            "{name} is not in\n{classic}"
        );
    }
    for name in names(&open) {
        assert!(!name.contains("_total_"), "{name}");
        assert!(!name.contains("_seconds_seconds"), "{name}");
    }
    assert!(open.ends_with("# EOF\n"));
    assert!(!classic.contains("# EOF"));
    assert!(classic.contains("# TYPE sluice_events_received_total counter\n"));
    assert!(open.contains("sluice_state_keys{policy=\"p\",kind=\"bucket\"} 1\n"));
    assert!(open.contains("sluice_state_keys{policy=\"p\",kind=\"entry\"} 2\n"));
    assert!(open.contains("sluice_state_evictions_total{policy=\"p\",kind=\"entry\"} 0\n"));
    assert!(open.contains("sluice_policy_generation{policy=\"p\"} 2\n"));
    assert!(!open.contains("sluice_policy_generation{policy=\"q\"}"));
    assert!(open.contains("sluice_policy_failed{policy=\"p\"} 0\n"));
    assert!(open.contains("sluice_policy_failed{policy=\"q\"} 1\n"));
    // A store that is gone takes its metrics along.
    drop(store);
    assert!(!metrics.render(true).contains("sluice_state_keys"));
}

#[test]
fn a_policy_counts_by_hook_and_outcome() {
    let metrics = Metrics::new();
    let handle = metrics.policy("p", Hook::Event);
    handle.verdict(VerdictKind::Deny);
    // The same counters by another handle, as after a reload.
    metrics.policy("p", Hook::Event).verdict(VerdictKind::Deny);
    handle.trap(TrapKind::Deadline);
    handle.duration(500);
    handle.duration(501);
    handle.duration(3_000_000_000);
    let text = metrics.render(true);
    for line in [
        r#"sluice_policy_verdicts_total{policy="p",hook="event",verdict="deny"} 2"#,
        r#"sluice_policy_verdicts_total{policy="p",hook="event",verdict="replace"} 0"#,
        r#"sluice_policy_traps_total{policy="p",hook="event",kind="deadline"} 1"#,
        r#"sluice_policy_traps_total{policy="p",hook="event",kind="memory"} 0"#,
        r#"sluice_policy_duration_seconds_bucket{le="5e-7",policy="p",hook="event"} 1"#,
        r#"sluice_policy_duration_seconds_bucket{le="0.000001",policy="p",hook="event"} 2"#,
        r#"sluice_policy_duration_seconds_bucket{le="1.0",policy="p",hook="event"} 2"#,
        r#"sluice_policy_duration_seconds_bucket{le="+Inf",policy="p",hook="event"} 3"#,
        r#"sluice_policy_duration_seconds_count{policy="p",hook="event"} 3"#,
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
    // A hook has no verdict that it cannot give.
    assert!(!text.contains(r#"verdict="accept""#));
}

#[test]
fn what_a_policy_says_is_no_label() {
    let metrics = Metrics::new();
    let denial = Denial {
        policy: Some("p".into()),
        code: "anything at all".into(),
        ..Denial::broker(Code::NoRoute, "")
    };
    metrics.event_denied(&denial);
    metrics.event_denied(&Denial::broker(Code::NoRoute, ""));
    let text = metrics.render(true);
    assert!(text.contains("sluice_events_denied_total{policy=\"p\",code=\"\"} 1\n"));
    assert!(text.contains("sluice_events_denied_total{policy=\"\",code=\"no_route\"} 1\n"));
    assert!(!text.contains("anything"));
}
