use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::event::{Grant, Peer};

fn client(user: Option<&str>, token: Option<&str>, issued_ms: Option<u64>) -> Client {
    let grant = Grant {
        token: token.map(Into::into),
        issued_ms: issued_ms.into(),
        ..Grant::default()
    };
    let identity = Identity {
        user: user.map(Into::into),
        grant: Some(Box::new(grant)),
        ..Identity::default()
    };
    Client {
        peer: Peer {
            token: 1,
            name: "s".into(),
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            handshake: Arc::default(),
        },
        namespace: "/chat".into(),
        identity: RwLock::new(identity),
        rooms: parking_lot::Mutex::default(),
    }
}

fn entry(of: Of, at_ms: u64) -> Entry {
    Entry {
        key: Key {
            of,
            namespace: None,
        },
        at_ms,
        until_ms: 1_000,
        reason: None,
        is_lifted: false,
        said_ms: at_ms,
    }
}

fn user(name: &str) -> Of {
    Of::User(name.to_owned())
}

#[test]
fn a_user_is_kept_out_with_what_was_issued_before() {
    let table = Table::default();
    assert!(!table.bars(&client(Some("a"), None, None), 100));
    assert_eq!(table.take(entry(user("a"), 100), 100), Ok(true));
    let bars = |user, issued, now| table.bars(&client(user, None, issued), now);
    assert!(bars(Some("a"), Some(99), 100) && bars(Some("a"), None, 100));
    assert!(!bars(Some("a"), Some(100), 100) && !bars(Some("b"), Some(1), 100));
    assert!(!bars(None, None, 100));
    assert!(!bars(Some("a"), None, 1_000), "it is over");
}

#[test]
fn a_token_is_kept_out_wherever_it_is_revoked() {
    let table = Table::default();
    let mut revoked = entry(Of::Token("t".to_owned()), 100);
    revoked.key.namespace = Some("/other".to_owned());
    table.take(revoked.clone(), 100).unwrap();
    let its = client(Some("a"), Some("t"), Some(500));
    assert!(!table.bars(&its, 200));
    revoked.key.namespace = Some("/chat".to_owned());
    table.take(revoked, 100).unwrap();
    assert!(table.bars(&its, 200));
    assert!(!table.bars(&client(Some("t"), Some("u"), None), 200));
}

#[test]
fn the_latest_word_counts_in_whatever_order_they_come() {
    let revoked = entry(user("a"), 100);
    let lifted = Entry {
        is_lifted: true,
        said_ms: 150,
        ..revoked.clone()
    };
    let again = Entry {
        at_ms: 200,
        said_ms: 200,
        until_ms: 900,
        ..revoked.clone()
    };
    let words = [revoked, lifted, again];
    let orders = [[0, 1, 2], [2, 1, 0], [1, 2, 0], [1, 0, 2]];
    let tables = orders.map(|order| {
        let table = Table::default();
        for word in order {
            let word: &Entry = &words[word];
            table.take(word.clone(), 210).unwrap();
            assert_eq!(table.take(word.clone(), 210), Ok(false), "said twice");
        }
        table
    });
    for table in &tables {
        assert_eq!(table.all(210), [words[2].clone()]);
        assert_eq!(table.digest(), tables[0].digest());
    }
    let lifted = Table::default();
    lifted.take(words[1].clone(), 160).unwrap();
    assert_eq!(lifted.take(words[0].clone(), 160), Ok(false));
    assert!(!lifted.bars(&client(Some("a"), None, None), 160));
    assert_ne!(lifted.digest(), tables[0].digest());
}

#[test]
fn what_is_over_is_forgotten_and_what_has_no_room_is_refused() {
    let table = Table::default();
    for number in 0..MAX_ENTRIES {
        table.take(entry(user(&number.to_string()), 1), 1).unwrap();
    }
    assert_eq!(table.take(entry(user("one more"), 1), 1), Err(Full));
    let known = Entry {
        said_ms: 2,
        ..entry(user("7"), 2)
    };
    assert_eq!(table.take(known, 2), Ok(true), "it takes no more room");
    let later = Entry {
        until_ms: 2_000,
        ..entry(user("one more"), 1)
    };
    assert_eq!(table.take(later.clone(), 1_000), Ok(true));
    assert_eq!((table.len(), table.all(1_000)), (1, vec![later]));
    table.forget(2_000);
    assert_eq!((table.len(), table.digest()), (0, 0));
}

#[test]
fn nodes_notice_each_word_that_one_would_prefer() {
    let digest = |entry: &Entry| {
        let table = Table::default();
        table.take(entry.clone(), 1).unwrap();
        table.digest()
    };
    let word = entry(user("a"), 1);
    let later = Entry {
        at_ms: word.at_ms + 1,
        ..word.clone()
    };
    let reasoned = Entry {
        reason: Some("stolen".to_owned()),
        ..word.clone()
    };
    for preferred in [later, reasoned] {
        assert!(preferred.is_newer(&word));
        assert_ne!(digest(&preferred), digest(&word));
    }
}
