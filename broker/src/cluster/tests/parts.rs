//! Events that are larger than one message of the network.

use super::*;
use crate::event::Event;

/// Three messages of the network.
fn large(name: &str) -> Event {
    Event {
        args: format!("[\"{}\"]", "x".repeat(2 * network::LARGEST)).into(),
        ..event(name)
    }
}

fn names(received: &[String]) -> Vec<&str> {
    let names = received.iter().map(|it| it.split_once(' ').unwrap().0);
    names.collect()
}

#[tokio::test]
async fn a_large_event_comes_whole_and_in_its_place() {
    let network = Arc::default();
    let [a, b, _c] = three(&network).await;
    let (sender, there) = (a.enter(1, &[]), b.enter(2, &["x"]));
    b.known("x").await;
    for sent in [
        event("before"),
        large("large"),
        event("after"),
        event("mark"),
    ] {
        sender.emit(&a.fanout, &room("x", false), &sent);
    }
    let received = until_mark(&b, &there).await;
    assert_eq!(names(&received), ["before", "large", "after"]);
    assert_eq!(
        received[1].len(),
        "large ".len() + large("large").args.len()
    );
}

/// Whichever part it is, with one missing the event is missing, once, and nothing else is.
#[tokio::test]
async fn without_one_of_its_parts_it_is_counted_as_missing() {
    let _alone = COUNTING.lock().await;
    let network = Arc::default();
    let [a, b, _c] = three(&network).await;
    let (sender, there) = (a.enter(1, &[]), b.enter(2, &["x"]));
    b.known("x").await;
    for lost in 0..3 {
        network.lose_after(lost);
        sender.emit(&a.fanout, &room("x", false), &large("large"));
        sender.emit(&a.fanout, &room("x", false), &event("mark"));
        assert_eq!(until_mark(&b, &there).await, [] as [&str; 0], "{lost}");
    }
    // The last of its parts, and nothing comes after it.
    let before = metrics().cluster.missing.get();
    network.lose_after(2);
    sender.emit(&a.fanout, &room("x", false), &large("large"));
    eventually(|| metrics().cluster.missing.get() > before).await;
}
