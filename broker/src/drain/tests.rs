use super::*;
use crate::pipeline::Pipelines;
use crate::session::tests::broker;

const PERIOD: Duration = Duration::from_secs(10);

fn drain() -> (Arc<Broker>, Drain) {
    let broker = broker(Pipelines::default());
    (broker.clone(), Drain::new(broker, PERIOD))
}

fn flags(broker: &Broker) -> (bool, bool) {
    let of = |flag: &std::sync::atomic::AtomicBool| flag.load(Ordering::Relaxed);
    (of(&broker.draining), of(&broker.ending))
}

#[tokio::test]
async fn a_node_is_emptied_and_serves_again() {
    let (broker, drain) = drain();
    assert_eq!(drain.status().phase, Phase::Serving);
    broker.sessions.store(3, Ordering::Relaxed);
    let begun = drain.begin(Some(PERIOD * 2), false).unwrap();
    assert_eq!(
        (begun.phase, begun.total, begun.left),
        (Phase::Draining, 3, 3)
    );
    assert_eq!(flags(&broker), (true, false));
    broker.sessions.store(1, Ordering::Relaxed);
    let status = drain.status();
    assert_eq!((status.closed, status.left), (2, 1));
    // A second time nothing else happens.
    let again = drain.begin(None, false).unwrap();
    assert_eq!(again.wanted.unwrap().period, PERIOD * 2);
    drain
        .told(async { broker.sessions.store(0, Ordering::Relaxed) })
        .await;
    assert_eq!(drain.status().phase, Phase::Drained);
    assert_eq!(drain.undo().unwrap().phase, Phase::Serving);
    assert_eq!(flags(&broker), (false, false));
    // What is not is undone as well.
    assert_eq!(drain.undo().unwrap().phase, Phase::Serving);
}

#[tokio::test]
async fn an_end_is_not_undone() {
    let (broker, drain) = drain();
    drain.begin(Some(PERIOD * 2), false).unwrap();
    let ending = drain.begin(None, true).unwrap().wanted.unwrap();
    assert_eq!(
        ending,
        Wanted {
            period: PERIOD,
            exit: true
        }
    );
    assert_eq!(flags(&broker), (true, true));
    assert!(drain.undo().is_err());
    assert!(drain.begin(None, false).is_err());
    assert!(drain.begin(None, true).is_ok());
    assert!(drain.is_ending());
}
