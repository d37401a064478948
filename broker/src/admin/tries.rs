//! How often an address may try a token: who guesses is to be slow, whoever they share the address with not for long.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use hashlink::LruCache;
use parking_lot::Mutex;

/// Wrong tokens at once from one address: a tool with an old token that asks every few seconds stays below it.
const BURST: u32 = 30;

/// Until there is one more.
const PACE: Duration = Duration::from_secs(2);

/// Addresses that are known. The one that was not seen for longest is forgotten first.
const ADDRESSES: usize = 4096;

/// What addresses have tried in vain.
pub(super) struct Tries(Mutex<LruCache<IpAddr, Left>>);

/// What an address may still try.
struct Left {
    tries: u32,
    /// When the last one was given back.
    since: Instant,
}

impl Tries {
    pub(super) fn new() -> Self {
        Self(Mutex::new(LruCache::new(ADDRESSES)))
    }

    /// Takes one try, or says in how many seconds there is one. A try is taken before it is looked at, so that many at
    /// once are no more than one after the other.
    pub(super) fn take(&self, address: IpAddr, now: Instant) -> Result<(), u32> {
        let mut all = self.0.lock();
        let Some(left) = all.get_mut(&network(address)) else {
            let left = Left {
                tries: BURST - 1,
                since: now,
            };
            all.insert(network(address), left);
            return Ok(());
        };
        left.recover(now);
        match left.tries.checked_sub(1) {
            Some(tries) => {
                left.tries = tries;
                Ok(())
            }
            None => {
                let wait = (left.since + PACE).saturating_duration_since(now);
                Err(wait.as_secs_f64().ceil().max(1.0) as u32)
            }
        }
    }

    /// It was not in vain. An address that has nothing against it is not remembered.
    pub(super) fn give_back(&self, address: IpAddr) {
        let mut all = self.0.lock();
        let network = network(address);
        if let Some(left) = all.get_mut(&network) {
            left.tries = (left.tries + 1).min(BURST);
            if left.tries == BURST {
                all.remove(&network);
            }
        }
    }
}

impl Left {
    fn recover(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.since);
        let back = u32::try_from(passed.as_millis() / PACE.as_millis()).unwrap_or(u32::MAX);
        self.tries = self.tries.saturating_add(back).min(BURST);
        self.since = match self.tries {
            BURST => now,
            _ => self.since + PACE * back,
        };
    }
}

/// Whoever has an IPv6 address has 2⁶⁴ of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn who_guesses_is_slowed_down_and_let_go_on() {
        let (tries, start) = (Tries::new(), Instant::now());
        let guess =
            |after: u64| tries.take(address("192.0.2.1"), start + Duration::from_millis(after));
        for _ in 0..BURST {
            assert_eq!(guess(0), Ok(()));
        }
        assert_eq!(guess(0), Err(2));
        assert_eq!(guess(1900), Err(1));
        assert_eq!(guess(2000), Ok(()));
        assert_eq!(guess(2000), Err(2));
        // Others are not meant.
        assert_eq!(tries.take(address("192.0.2.2"), start), Ok(()));
        // All of them are there again after a while, and no more.
        let later = 2000 * u64::from(BURST) * 10;
        for _ in 0..BURST {
            assert_eq!(guess(later), Ok(()));
        }
        assert!(guess(later).is_err());
    }

    #[test]
    fn who_has_the_token_is_not_remembered() {
        let (tries, now) = (Tries::new(), Instant::now());
        for _ in 0..10 * BURST {
            assert_eq!(tries.take(address("192.0.2.1"), now), Ok(()));
            tries.give_back(address("192.0.2.1"));
        }
        assert!(tries.0.lock().is_empty());
    }

    #[test]
    fn a_network_of_addresses_is_one_and_their_number_is_bounded() {
        let (tries, now) = (Tries::new(), Instant::now());
        for last in 0..=BURST {
            let taken = tries.take(address(&format!("2001:db8:0:1::{last:x}")), now);
            assert_eq!(taken.is_ok(), last < BURST);
        }
        assert!(tries.take(address("2001:db8:0:2::1"), now).is_ok());
        for number in 0..2 * ADDRESSES {
            let bytes = u32::try_from(number).unwrap().to_be_bytes();
            assert!(tries.take(IpAddr::from(bytes), now).is_ok());
        }
        assert_eq!(tries.0.lock().len(), ADDRESSES);
    }
}
