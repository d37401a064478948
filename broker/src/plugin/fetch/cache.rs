//! Answers that will do again, and requests under way that others may wait for: bounded in number and bytes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Flight, Response};

/// Answers that are kept.
const MAX_ENTRIES: usize = 64;

/// Bytes of answers that are kept, headers included.
const MAX_BYTES: usize = 8 << 20;

/// The sha256 of a request: what tells equal ones, without keeping what a policy authenticates with.
pub(super) type Key = [u8; 32];

/// Few enough for lists.
#[derive(Default)]
pub(super) struct Cache {
    /// The one that was used longest ago comes first.
    entries: Vec<Entry>,
    bytes: usize,
    /// At most as many as requests may be in flight.
    flights: Vec<(Key, Flight)>,
}

struct Entry {
    key: Key,
    response: Arc<Response>,
    bytes: usize,
    at: Instant,
}

pub(super) enum Found {
    Answer(Arc<Response>),
    Flight(Flight),
    Nothing,
}

impl Cache {
    /// What there is to a request already: an answer that is not older than `max_age`, or one that is coming.
    pub(super) fn find(&mut self, key: &Key, max_age: Duration, now: Instant) -> Found {
        let position = self.position(key).filter(|position| {
            let entry = self.entries.get(*position);
            entry.is_some_and(|it| now.saturating_duration_since(it.at) <= max_age)
        });
        if let Some(position) = position {
            let entry = self.entries.remove(position);
            let response = entry.response.clone();
            self.entries.push(entry);
            return Found::Answer(response);
        }
        match self.flights.iter().find(|(of, _)| of == key) {
            Some((_, flight)) => Found::Flight(flight.clone()),
            None => Found::Nothing,
        }
    }

    /// Others may wait for this one from now on.
    pub(super) fn depart(&mut self, key: Key, flight: Flight) {
        self.flights.push((key, flight));
    }

    pub(super) fn arrive(&mut self, key: &Key) {
        self.flights.retain(|(of, _)| of != key);
    }

    /// Keeps an answer, if it is one that says yes.
    pub(super) fn keep(&mut self, key: Key, response: &Arc<Response>, now: Instant) {
        if !(200..300).contains(&response.status) {
            return;
        }
        self.remove(&key);
        let bytes = size(response);
        if bytes > MAX_BYTES {
            return;
        }
        while self.entries.len() >= MAX_ENTRIES || self.bytes + bytes > MAX_BYTES {
            let Some(oldest) = self.entries.first().map(|entry| entry.key) else {
                break;
            };
            self.remove(&oldest);
        }
        self.bytes += bytes;
        self.entries.push(Entry {
            key,
            response: response.clone(),
            bytes,
            at: now,
        });
    }

    /// Keeps a newer answer in the place of one that is kept. One that was asked for in any case must not push out
    /// what others ask for again.
    pub(super) fn refresh(&mut self, key: &Key, response: &Arc<Response>, now: Instant) {
        if self.position(key).is_some() {
            self.keep(*key, response, now);
        }
    }

    fn position(&self, key: &Key) -> Option<usize> {
        self.entries.iter().position(|entry| entry.key == *key)
    }

    fn remove(&mut self, key: &Key) {
        if let Some(position) = self.position(key) {
            self.bytes -= self.entries.remove(position).bytes;
        }
    }
}

fn size(response: &Response) -> usize {
    /// What an entry takes beside its texts.
    const OVERHEAD: usize = 256;
    let headers = response.headers.iter();
    let headers: usize = headers.map(|(name, value)| name.len() + value.len()).sum();
    OVERHEAD + headers + response.body.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> Key {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&number.to_le_bytes());
        key
    }

    fn response(status: u16, bytes: usize) -> Arc<Response> {
        Arc::new(Response {
            status,
            headers: vec![("a".to_owned(), "b".to_owned())],
            body: vec![0; bytes].into(),
        })
    }

    const MINUTE: Duration = Duration::from_secs(60);

    fn holds(cache: &mut Cache, number: usize, now: Instant) -> bool {
        matches!(cache.find(&key(number), MINUTE, now), Found::Answer(_))
    }

    #[test]
    fn an_answer_ages() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        cache.keep(key(1), &response(200, 1), now);
        assert!(holds(&mut cache, 1, now + MINUTE));
        assert!(!holds(
            &mut cache,
            1,
            now + MINUTE + Duration::from_millis(1)
        ));
        assert!(!holds(&mut cache, 2, now));
        cache.refresh(&key(1), &response(200, 2), now + MINUTE);
        assert!(holds(&mut cache, 1, now + MINUTE * 2));
    }

    #[test]
    fn only_a_yes_is_kept() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        for status in [199, 300, 404, 500] {
            cache.keep(key(1), &response(status, 1), now);
            assert!(!holds(&mut cache, 1, now), "{status}");
        }
        cache.keep(key(1), &response(299, 1), now);
        assert!(holds(&mut cache, 1, now));
        // A later no does not take it away: it may be a failure that passes.
        cache.refresh(&key(1), &response(503, 1), now);
        assert!(holds(&mut cache, 1, now));
        // What was not worth keeping before, is not for being asked without a cache.
        cache.refresh(&key(2), &response(200, 1), now);
        assert!(!holds(&mut cache, 2, now));
    }

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        for number in 0..MAX_ENTRIES {
            cache.keep(key(number), &response(200, 1), now);
        }
        assert!(holds(&mut cache, 0, now));
        cache.keep(key(MAX_ENTRIES), &response(200, 1), now);
        assert!(holds(&mut cache, 0, now) && !holds(&mut cache, 1, now));
        assert_eq!(cache.entries.len(), MAX_ENTRIES);
    }

    #[test]
    fn bytes_are_bounded() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        cache.keep(key(0), &response(200, MAX_BYTES), now);
        assert!(!holds(&mut cache, 0, now));
        for number in 1..10 {
            cache.keep(key(number), &response(200, MAX_BYTES / 4), now);
            assert!(cache.bytes <= MAX_BYTES);
        }
        assert!(holds(&mut cache, 9, now) && holds(&mut cache, 7, now));
        assert!(!holds(&mut cache, 6, now));
        for number in 1..10 {
            cache.remove(&key(number));
        }
        assert_eq!((cache.bytes, cache.entries.len()), (0, 0));
    }

    #[test]
    fn a_flight_is_found_until_it_arrives() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        let (_landing, flight) = tokio::sync::watch::channel(None);
        cache.depart(key(1), flight);
        let mut find = |number| cache.find(&key(number), MINUTE, now);
        assert!(matches!(find(1), Found::Flight(_)));
        assert!(matches!(find(2), Found::Nothing));
        cache.arrive(&key(1));
        assert!(matches!(cache.find(&key(1), MINUTE, now), Found::Nothing));
    }
}
