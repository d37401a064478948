use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use tracing_subscriber::fmt::MakeWriter;

use super::*;
use crate::event::{Client, Code, Denial, Handshake, Identity, Peer};

/// The records that `what` writes, as objects.
fn records(what: impl FnOnce()) -> Vec<serde_json::Value> {
    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Buffer {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    let buffer = Buffer::default();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_writer(buffer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, what);
    let written = buffer.0.lock();
    String::from_utf8_lossy(&written)
        .lines()
        .map(|line| serde_json::from_str(line).expect("a record is JSON"))
        .collect()
}

fn client() -> Client {
    Client {
        peer: Peer {
            token: 7,
            name: "abcdefgh".into(),
            address: IpAddr::from([192, 0, 2, 1]),
            handshake: Arc::new(Handshake::new("token=secret", std::iter::empty())),
        },
        namespace: "/chat".into(),
        identity: parking_lot::RwLock::new(Identity {
            user: Some("ann".into()),
            ..Identity::default()
        }),
        rooms: Mutex::default(),
    }
}

#[test]
fn a_connection_is_told_with_all_its_fields() {
    let client = client();
    let records = records(|| {
        Connected {
            client: &client,
            transport: "websocket",
        }
        .emit();
        Disconnected {
            client: &client,
            reason: "transport close",
            after: Duration::from_millis(1500),
        }
        .emit();
    });
    for record in &records {
        assert_eq!(record["level"], "INFO");
        assert_eq!(record["target"], "sluice::connection");
        assert_eq!(record["socket"], "abcdefgh");
        assert_eq!(record["user"], "ann");
        assert_eq!(record["address"], "192.0.2.1");
        assert_eq!(record["namespace"], "/chat");
        assert!(record["total_connections"].is_i64());
        assert!(record["timestamp"].is_string());
    }
    assert_eq!(records[0]["message"], "connected");
    assert_eq!(records[0]["transport"], "websocket");
    assert_eq!(records[1]["message"], "disconnected");
    assert_eq!(records[1]["reason"], "transport close");
    assert_eq!(records[1]["duration_ms"], 1500);
    assert!(
        metrics()
            .render(true)
            .contains("sluice_disconnects_total{reason=\"transport close\"} ")
    );
}

#[test]
fn denials_say_who_and_why_and_are_counted() {
    let client = client();
    let denial = Denial {
        policy: Some("limits".into()),
        code: "c".repeat(1000),
        ..Denial::broker(Code::NoRoute, "m".repeat(1000))
    };
    let records = records(|| {
        EventDenied {
            client: &client,
            event: &"é".repeat(1000),
            denial: &denial,
        }
        .emit();
        ConnectionDenied {
            client: &client,
            denial: &Denial::broker(Code::Draining, "going"),
        }
        .emit();
    });
    assert_eq!(records[0]["message"], "event denied");
    assert_eq!(records[0]["target"], "sluice::security");
    assert_eq!(records[0]["policy"], "limits");
    for field in ["code", "reason", "event"] {
        let text = records[0][field].as_str().expect("a text");
        assert!(text.len() <= MAX_TEXT + '…'.len_utf8(), "{field}");
        assert!(text.ends_with('…'));
    }
    assert_eq!(records[1]["message"], "connection denied");
    assert_eq!(records[1]["code"], "draining");
    assert_eq!(records[1].get("policy"), None);
    let all = metrics().render(true);
    assert!(all.contains("sluice_events_denied_total{policy=\"limits\",code=\"\"} 1"));
    assert!(all.contains("sluice_connections_denied_total{policy=\"\",code=\"draining\"} 1"));
}

#[test]
fn a_namespace_that_nothing_serves_is_a_denial() {
    let client = client();
    let records = records(|| UnknownNamespace { client: &client }.emit());
    assert_eq!(records[0]["message"], "connection denied");
    assert_eq!(records[0]["target"], "sluice::security");
    assert_eq!(records[0]["code"], "unknown_namespace");
    assert_eq!(records[0]["namespace"], "/chat");
    assert_eq!(records[0]["address"], "192.0.2.1");
    assert!(
        metrics()
            .render(true)
            .contains("sluice_connections_denied_total{policy=\"\",code=\"unknown_namespace\"} 1")
    );
}

#[test]
fn what_a_policy_says_stays_in_its_field() {
    let records = records(|| {
        PolicyLog {
            policy: "p",
            level: Level::Warn,
            message: "line one\nline two",
        }
        .emit();
        PolicyLog {
            policy: "p",
            level: Level::Error,
            message: &"x".repeat(100_000),
        }
        .emit();
        ReloadFailed {
            policy: Some("p"),
            file: Path::new("p.wasm"),
            reason: "not a component",
        }
        .emit();
    });
    assert_eq!(records[0]["text"], "line one\nline two");
    assert_eq!(records[0]["level"], "WARN");
    assert!(records[1].to_string().len() < 3000);
    assert_eq!(records[2]["reason"], "not a component");
    assert_eq!(records[2]["file"], "p.wasm");
    assert!(
        metrics()
            .render(true)
            .contains("sluice_reload_total{result=\"failed\"} 1")
    );
}

#[test]
fn a_flood_of_handshakes_is_counted_in_full_and_logged_in_part() {
    let records = records(|| {
        for _ in 0..1000 {
            HandshakeFailed {
                code: 1,
                message: "Session ID unknown",
                address: IpAddr::from([192, 0, 2, 1]),
                context: "",
            }
            .emit();
        }
    });
    // One second's worth, or two if the clock turned in between.
    assert!((100..=200).contains(&records.len()), "{}", records.len());
    assert!(
        metrics()
            .render(true)
            .contains("sluice_handshake_errors_total{code=\"1\"} 1000")
    );
}

#[test]
fn a_state_that_is_cleared_is_told_with_what_was_meant() {
    let subject = SubjectKey::User("ann".into());
    let records = records(|| {
        for subject in [Some(&subject), None] {
            StateCleared {
                policy: "limits",
                prefix: "seen:",
                subject,
                removed: 3,
            }
            .emit();
        }
    });
    assert_eq!(records[0]["message"], "policy state cleared");
    assert_eq!(records[0]["policy"], "limits");
    assert_eq!(records[0]["prefix"], "seen:");
    assert_eq!(records[0]["subject"], "user:ann");
    assert_eq!(records[0]["removed"], 3);
    assert!(records[1]["subject"].is_null());
}
