use super::*;

/// What is recorded has nobody to go to, so it is looked at in its slot.
fn recording() -> Box<Recording> {
    ON.store(true, Ordering::Relaxed);
    let trace = NonZeroU128::new(7).unwrap();
    Recording::new(trace, None, "event", Kind::Server).unwrap()
}

fn looked_at<T>(look: impl FnOnce(&Recording) -> T) -> T {
    NOW.with_borrow(|now| look(now.as_ref().expect("a recording")))
}

#[test]
fn parts_lie_inside_each_other_as_they_are_opened() {
    let entered = enter(Some(recording()));
    let root = here().unwrap();
    let outer = open("policy").unwrap();
    let within = outer.context();
    assert_eq!(here(), Some(within));
    let inner = open("fetch").unwrap().with("n", 3_usize).kind(Kind::Client);
    inner.close();
    outer.named("policy p".to_owned()).failed().close();
    assert_eq!(here(), Some(root), "what is closed is open no more");
    // Nothing came of it.
    drop(open("policy"));
    say("sluice.outcome", || "pass");
    say("sluice.outcome", || "deny");
    looked_at(|now| {
        let names: Vec<_> = now.spans.iter().map(|span| &*span.name).collect();
        assert_eq!(names, ["fetch", "policy p"]);
        let [fetch, policy] = &now.spans[..] else {
            panic!("two spans");
        };
        assert_eq!(fetch.parent, Some(policy.context.span));
        assert_eq!(policy.parent, Some(now.root.context.span));
        assert!(policy.has_failed && !fetch.has_failed);
        assert_eq!(fetch.attributes, [("n", Value::Number(3))]);
        assert_eq!(now.root.attributes, [("sluice.outcome", "deny".into())]);
        assert_eq!(now.open, now.root.context.span);
    });
    drop(entered);
    assert!(here().is_none() && open("policy").is_none());
}

#[test]
fn one_recording_has_a_bounded_number_of_parts() {
    let _entered = enter(Some(recording()));
    for _ in 0..MOST + 5 {
        open("fanout").unwrap().close();
    }
    looked_at(|now| assert_eq!((now.spans.len(), now.left_out), (MOST, 5)));
}

#[tokio::test]
async fn what_waits_has_its_recording_only_while_it_runs() {
    let (wake, woken) = tokio::sync::oneshot::channel::<()>();
    let mut work = pin!(scope(Some(recording()), async {
        let before = here();
        woken.await.unwrap();
        assert!(before.is_some() && here() == before);
        7
    }));
    poll_fn(|context| {
        assert!(work.as_mut().poll(context).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
    assert!(here().is_none(), "others are not recorded with it");
    wake.send(()).unwrap();
    assert_eq!(work.await, 7);
    assert!(here().is_none());
}

#[test]
fn somebody_else_s_decision_is_kept() {
    ON.store(true, Ordering::Relaxed);
    let context = Context::read("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
    assert!(follow(Parent::Unsampled, "emit", Kind::Server).is_none());
    let recording = follow(Parent::Sampled(context), "emit", Kind::Server).unwrap();
    assert_eq!(recording.root.context.trace, context.trace);
    assert_eq!(recording.root.parent, Some(context.span));
    assert_ne!(recording.root.context.span, context.span);
}

#[test]
fn as_many_are_chosen_as_are_asked_for() {
    assert_eq!(threshold(0.0), 0);
    assert_eq!(threshold(1.0), u64::MAX);
    let tenth = threshold(0.1);
    let chosen = (0..100_000).filter(|_| random() <= tenth).count();
    assert!((9_000..11_000).contains(&chosen), "{chosen}");
}

#[test]
fn somebody_else_s_words_are_cut() {
    let Value::Text(text) = Value::said(&"ä".repeat(100)) else {
        panic!("a text");
    };
    assert_eq!(text.len(), 128);
}
