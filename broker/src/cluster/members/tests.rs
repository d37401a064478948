use super::*;

const A: NodeId = NodeId(1);

fn beat(rooms_version: u64) -> Beat {
    Beat {
        rooms_version,
        ..Beat::default()
    }
}

fn told(after: u64, changes: &[(u64, bool)]) -> Told {
    Told {
        after,
        count: changes.len() as u64,
        changes: changes.to_vec(),
        bucketed: false,
    }
}

fn part(version: u64, part: u32, parts: u32, keys: &[u64]) -> Part {
    Part {
        version,
        bucketed: false,
        part,
        parts,
        keys: keys.to_vec(),
    }
}

fn change(changes: &[(u64, bool)]) -> Option<Step> {
    Some(Step::Change {
        place: 0,
        changes: changes.to_vec(),
        bucketed: false,
    })
}

#[test]
fn changes_are_taken_in_order_and_acknowledged() {
    let now = Instant::now();
    let mut members = Members::default();
    assert_eq!(
        members.told(A, told(0, &[(5, true)]), now),
        None,
        "not known yet"
    );
    assert_eq!(members.heard(A, beat(0), now), (Heard::New(0), None));
    let first = members.told(A, told(0, &[(5, true), (6, true)]), now);
    assert_eq!(
        first,
        Some([change(&[(5, true), (6, true)]), Some(Step::Ack(A, 2))])
    );
    // Told twice.
    let again = members.told(A, told(0, &[(5, true), (6, true)]), now);
    assert_eq!(again, Some([None, Some(Step::Ack(A, 2))]));
    assert_eq!(members.heard(A, beat(2), now), (Heard::Known, None));
}

#[test]
fn what_was_missed_is_asked_for_and_what_came_meanwhile_is_kept() {
    let now = Instant::now();
    let mut members = Members::default();
    members.heard(A, beat(0), now);
    // The first change is lost.
    let missed = members.told(A, told(1, &[(6, true)]), now);
    assert_eq!(missed, Some([Some(Step::Want(A)), None]));
    // Not at each.
    assert_eq!(
        members.told(A, told(2, &[(7, true)]), now),
        Some([None, None])
    );
    assert!(!members.are_known());
    assert_eq!(members.part(A, part(2, 1, 2, &[6])), []);
    let steps = members.part(A, part(2, 0, 2, &[5]));
    let replace = Step::Replace {
        place: 0,
        keys: vec![5, 6],
        bucketed: false,
    };
    assert_eq!(
        steps,
        [replace, change(&[(7, true)]).unwrap(), Step::Ack(A, 3)]
    );
    assert!(members.are_known());
    // One that is older than what is known.
    assert_eq!(members.part(A, part(1, 0, 1, &[1])), []);
    // A sign of life tells of a change that did not come.
    let later = now + AGAIN;
    assert_eq!(
        members.heard(A, beat(4), later),
        (Heard::Known, Some(Step::Want(A)))
    );
}

#[test]
fn what_all_know_is_what_the_last_one_knows() {
    let now = Instant::now();
    let mut members = Members::default();
    assert_eq!(members.known(), u64::MAX);
    members.heard(A, beat(0), now);
    members.heard(NodeId(2), beat(0), now);
    members.acked(A, 7);
    assert_eq!(members.known(), 0);
    members.acked(NodeId(2), 5);
    assert_eq!(members.known(), 5);
    assert_eq!(members.remove(NodeId(2)), Some(1));
    assert_eq!(members.known(), 7);
    // Its place is free again.
    assert_eq!(members.heard(NodeId(3), beat(0), now).0, Heard::New(1));
}

#[test]
fn who_is_not_heard_is_silent() {
    let now = Instant::now();
    let second = Duration::from_secs(1);
    let mut members = Members::default();
    members.heard(A, beat(0), now);
    members.heard(NodeId(2), beat(0), now + second);
    assert_eq!(members.silent(now + second, second), []);
    assert_eq!(members.silent(now + second * 3 / 2, second), [A]);
    members.forgive(now + second);
    assert_eq!(members.silent(now + second * 3 / 2, second), []);
}

#[test]
fn the_number_of_nodes_is_bounded() {
    let mut members = Members::default();
    for id in 0..MAX_NODES as u64 {
        members.heard(NodeId(id), beat(0), Instant::now());
    }
    let one_more = members.heard(NodeId(u64::MAX), beat(0), Instant::now());
    assert_eq!(one_more, (Heard::Refused, None));
}
