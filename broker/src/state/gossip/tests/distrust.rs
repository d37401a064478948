//! What is missing, too much or nonsense in what a node says.

use super::*;

#[test]
fn what_is_missing_is_counted() {
    let net = Net::of(2);
    let gossip = &net.nodes[0].gossip;
    let news = |seq| News {
        seq,
        ..News::default()
    };
    let missed = |seq| gossip.hear("x", news(seq), Millis(0)).missed;
    assert_eq!([missed(5), missed(6), missed(9), missed(9)], [0, 0, 2, 0]);
}

#[test]
fn nothing_that_a_node_says_does_harm() {
    let net = Net::of(2);
    let (gossip, state) = (&net.nodes[0].gossip, net.state(0));
    let taken = |burst, per_second, window_ms, count| OfBucket {
        name: "b".to_owned(),
        burst,
        per_second,
        window_ms,
        taken: vec![
            ("user:alice".to_owned(), count),
            ("nonsense".to_owned(), count),
        ],
    };
    let written = |key: &str, version, value: &str| Written {
        key: key.to_owned(),
        version,
        ttl_ms: 0,
        counter: None,
        bytes: Some(bytes::Bytes::from(value.to_owned())),
    };
    let news = News {
        seq: 1,
        leaves: true,
        policies: vec![
            OfPolicy {
                policy: "p".to_owned(),
                buckets: vec![
                    taken(0, 1.0, 0, 1),
                    taken(5, f64::NAN, 0, 1),
                    taken(5, 1.0, 0, u32::MAX),
                    taken(5, 1.0, 1000, u32::MAX),
                    taken(u32::MAX, f64::MAX, u32::MAX, u32::MAX),
                ],
                added: vec![Addition {
                    key: "n".to_owned(),
                    by: i64::MAX,
                    ttl_ms: u64::MAX,
                    version: u64::MAX,
                }],
                entries: vec![
                    written("", 1, "x"),
                    written(&"k".repeat(257), 1, "x"),
                    written("ahead", u64::MAX, "x"),
                    written("large", 1, &"x".repeat((64 << 10) + 1)),
                ],
            },
            OfPolicy {
                policy: "unknown".to_owned(),
                buckets: vec![taken(5, 1.0, 0, 1)],
                ..OfPolicy::default()
            },
        ],
    };
    for _ in 0..3 {
        gossip.hear("x", news.clone(), Millis(1));
    }
    let rule = tokens(5, 1.0);
    let decision = net.take(0, &rule);
    // In debt, by a few bursts at the most.
    assert!(
        !decision.allowed && decision.retry_after_ms <= 16_000,
        "{decision:?}"
    );
    for key in ["n", "ahead", "large"] {
        assert_eq!(state.shared().get(key, Millis(1)), Ok(None), "{key}");
    }
    assert!(net.nodes[0].store.find("unknown").is_none());
    net.set(0, "k", "v");
    assert_eq!(net.get(0, "k").as_deref(), Some("v"));
}

#[test]
fn what_waits_to_be_told_is_bounded() {
    let net = Net::of(2);
    let state = net.state(0);
    let rule = tokens(5, 1.0);
    for user in 0..100_000 {
        let user = SubjectKey::User(format!("{user}").into());
        state.take(&rule, user.as_ref(), 1, Millis(0));
        state
            .shared()
            .set(&user.to_string(), b"x", 0, Millis(0))
            .unwrap();
    }
    let mut told = 0;
    for _ in 0..100 {
        let news = net.nodes[0].gossip.news(Millis(0));
        assert!(news.len() < 100);
        told += news
            .iter()
            .flat_map(|news| &news.policies)
            .map(|of| of.entries.len())
            .sum::<usize>();
    }
    assert_eq!(told, 16_384);
    let forgotten = net.nodes[0].gossip.forgotten();
    assert!(forgotten > 80_000, "{forgotten}");
}
