use super::*;
use crate::event::Identity;
use crate::pipeline::Pipelines;
use crate::plugin::DisconnectReason;
use crate::session::tests::{Told, broker, enter};

fn session() -> (Arc<Session>, Arc<Told>) {
    enter(&broker(Pipelines::default()), 1, Identity::default())
}

fn later(session: &Arc<Session>, ack: Option<i64>) -> Later {
    Later::new(session, &"event".into(), ack)
        .map_err(|denial| denial.code)
        .unwrap()
}

#[test]
fn it_is_settled_once_from_any_thread() {
    let (session, told) = session();
    let answers = [later(&session, Some(1)), later(&session, Some(2))];
    let (denied, unasked) = (later(&session, Some(3)), later(&session, None));
    let denial = Denial::broker(Code::Overloaded, "no");
    std::thread::spawn(move || {
        let [one, two] = answers;
        one.ok();
        two.answer("[7]");
        denied.denied(&denial);
        unasked.denied(&denial);
    })
    .join()
    .unwrap();
    later(&session, None).ok();
    let object = r#"{"code":"overloaded","message":"no","policy":null}"#;
    assert_eq!(
        *told.0.lock(),
        [
            r#"1 [{"ok":true}]"#.to_owned(),
            "2 [7]".to_owned(),
            format!(r#"3 [{{"error":{object}}}]"#),
            format!("error [{object}]"),
        ]
    );
}

#[test]
fn an_answer_for_a_socket_that_is_gone_is_nothing() {
    let (session, told) = session();
    let (closed, dropped) = (later(&session, Some(1)), later(&session, Some(2)));
    session.close(DisconnectReason::Client, "transport close");
    closed.ok();
    let broker = session.broker.clone();
    drop(session);
    dropped.ok();
    assert!(told.0.lock().is_empty());
    assert_eq!(broker.owed.0.load(Ordering::Relaxed), 0);
}

#[test]
fn a_socket_is_owed_so_many_and_no_more() {
    let (session, _) = session();
    let mut owed: Vec<_> = (0..MAX_A_SOCKET)
        .map(|_| later(&session, Some(1)))
        .collect();
    let refused = Later::new(&session, &"event".into(), Some(1))
        .err()
        .unwrap();
    assert_eq!(refused.code, "overloaded");
    owed.pop().unwrap().ok();
    later(&session, Some(1)).ok();
    // What nobody settles is counted, and frees its place all the same.
    let before = metrics().acks_lost.get();
    drop(owed);
    assert!(metrics().acks_lost.get() > before);
    assert_eq!(session.owed.0.load(Ordering::Relaxed), 0);
}
