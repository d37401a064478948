//! The store of native tests, with the contract's limits on keys and values.

use std::collections::HashMap;

use crate::Scope;

/// The bounds on one key and one value, in bytes.
const MAX_KEY: usize = 256;
const MAX_VALUE: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(super) struct Memory(HashMap<(Scope, String), Entry>);

#[derive(Debug)]
struct Entry {
    value: Vec<u8>,
    /// None: never.
    ends_ms: Option<u64>,
}

impl Memory {
    pub(super) fn add(
        &mut self,
        at: (Scope, &str),
        by: i64,
        ttl_ms: u64,
        now_ms: u64,
    ) -> Result<i64, String> {
        let Some(entry) = self.live(at, now_ms)? else {
            self.put(at, by.to_string().into_bytes(), ttl_ms, now_ms)?;
            return Ok(by);
        };
        let text = std::str::from_utf8(&entry.value).ok();
        let count: i64 = text
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| format!("{}: the value is no counter", at.1))?;
        let count = count
            .checked_add(by)
            .ok_or_else(|| format!("{}: the counter is full", at.1))?;
        entry.value = count.to_string().into_bytes();
        Ok(count)
    }

    pub(super) fn get(
        &mut self,
        at: (Scope, &str),
        now_ms: u64,
    ) -> Result<Option<Vec<u8>>, String> {
        Ok(self.live(at, now_ms)?.map(|entry| entry.value.clone()))
    }

    pub(super) fn put(
        &mut self,
        at: (Scope, &str),
        value: Vec<u8>,
        ttl_ms: u64,
        now_ms: u64,
    ) -> Result<(), String> {
        check_key(at.1)?;
        if value.len() > MAX_VALUE {
            return Err(format!("{}: a value has at most {MAX_VALUE} bytes", at.1));
        }
        let ends_ms = (ttl_ms > 0).then(|| now_ms.saturating_add(ttl_ms));
        self.0
            .insert((at.0, at.1.to_owned()), Entry { value, ends_ms });
        Ok(())
    }

    pub(super) fn compare_and_swap(
        &mut self,
        at: (Scope, &str),
        (old, new): (Option<&[u8]>, &[u8]),
        ttl_ms: u64,
        now_ms: u64,
    ) -> Result<bool, String> {
        let current = self.live(at, now_ms)?.map(|entry| &*entry.value);
        if current != old {
            return Ok(false);
        }
        self.put(at, new.to_vec(), ttl_ms, now_ms)?;
        Ok(true)
    }

    pub(super) fn delete(&mut self, at: (Scope, &str)) -> Result<(), String> {
        check_key(at.1)?;
        self.0.remove(&(at.0, at.1.to_owned()));
        Ok(())
    }

    /// The entry of a key, if its time has not run out.
    fn live(&mut self, at: (Scope, &str), now_ms: u64) -> Result<Option<&mut Entry>, String> {
        check_key(at.1)?;
        let key = (at.0, at.1.to_owned());
        let entry = self.0.get(&key);
        if entry.is_some_and(|entry| entry.ends_ms.is_some_and(|ends| ends <= now_ms)) {
            self.0.remove(&key);
        }
        Ok(self.0.get_mut(&key))
    }
}

fn check_key(key: &str) -> Result<(), String> {
    if key.is_empty() || key.len() > MAX_KEY {
        return Err(format!(
            "a key has 1 to {MAX_KEY} bytes, this one {}",
            key.len()
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: (Scope, &str) = (Scope::Node, "k");

    #[test]
    fn a_counter_lives_as_long_as_it_was_given_first() {
        let mut memory = Memory::default();
        assert_eq!(memory.add(KEY, 2, 100, 0), Ok(2));
        assert_eq!(memory.add(KEY, -5, 1_000, 99), Ok(-3));
        assert_eq!(memory.get(KEY, 99), Ok(Some(b"-3".to_vec())));
        assert_eq!(memory.get(KEY, 100), Ok(None));
        assert_eq!(memory.add(KEY, 1, 0, 100), Ok(1));
        assert_eq!(memory.get(KEY, u64::MAX), Ok(Some(b"1".to_vec())));
        assert_eq!(memory.get((Scope::Cluster, "k"), 0), Ok(None));
    }

    #[test]
    fn a_swap_needs_what_is_there() {
        let mut memory = Memory::default();
        assert_eq!(
            memory.compare_and_swap(KEY, (Some(b"a"), b"b"), 0, 0),
            Ok(false)
        );
        assert_eq!(memory.compare_and_swap(KEY, (None, b"a"), 10, 0), Ok(true));
        assert_eq!(memory.compare_and_swap(KEY, (None, b"b"), 0, 9), Ok(false));
        assert_eq!(
            memory.compare_and_swap(KEY, (Some(b"a"), b"b"), 0, 9),
            Ok(true)
        );
        assert!(memory.add(KEY, 1, 0, 9).unwrap_err().contains("no counter"));
        assert_eq!(memory.delete(KEY), Ok(()));
        assert_eq!(memory.compare_and_swap(KEY, (None, b"a"), 0, 9), Ok(true));
    }

    #[test]
    fn keys_and_values_are_bounded() {
        let mut memory = Memory::default();
        assert!(memory.get((Scope::Node, ""), 0).is_err());
        assert!(
            memory
                .add((Scope::Node, &"k".repeat(257)), 1, 0, 0)
                .is_err()
        );
        assert!(memory.put(KEY, vec![0; MAX_VALUE], 0, 0).is_ok());
        assert!(memory.put(KEY, vec![0; MAX_VALUE + 1], 0, 0).is_err());
    }
}
