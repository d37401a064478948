//! What one receiver has got of one sender: how much is missing, came twice, or came behind what was sent after it.

/// How far back a message is still told apart from one that came before: more than any scenario has in flight.
const REMEMBERED: u64 = 128;

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Ledger {
    /// The next number that is expected.
    next: u64,
    /// Which of the numbers before `next` have come; the lowest bit is `next - 1`.
    came: u128,
    /// Those that were skipped and have not come since.
    pub missing: u64,
    pub duplicated: u64,
    pub reordered: u64,
}

impl Ledger {
    /// Begins with this number: what was sent before is not expected.
    pub fn starting_at(next: u64) -> Self {
        Self {
            next,
            came: u128::MAX,
            ..Self::default()
        }
    }

    /// Takes note of a number, of those that a sender counts from 0 by one.
    pub fn came(&mut self, seq: u64) {
        if seq >= self.next {
            let skipped = seq - self.next;
            self.missing += skipped;
            let shift = u32::try_from(skipped + 1).unwrap_or(u32::MAX);
            self.came = self.came.checked_shl(shift).unwrap_or(0) | 1;
            self.next = seq + 1;
            return;
        }
        let back = self.next - 1 - seq;
        let bit = if back < REMEMBERED { 1 << back } else { 0 };
        if bit == 0 || self.came & bit != 0 {
            self.duplicated += 1;
        } else {
            self.came |= bit;
            self.missing = self.missing.saturating_sub(1);
            self.reordered += 1;
        }
    }

    /// How many have come, of those that were numbered below the highest that has.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// How many of `sent` have not come.
    pub fn lost(&self, sent: u64) -> u64 {
        self.missing + sent.saturating_sub(self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(numbers: &[u64]) -> Ledger {
        let mut ledger = Ledger::default();
        for &seq in numbers {
            ledger.came(seq);
        }
        ledger
    }

    fn counts(numbers: &[u64], sent: u64) -> (u64, u64, u64) {
        let ledger = after(numbers);
        (ledger.lost(sent), ledger.duplicated, ledger.reordered)
    }

    #[test]
    fn in_order_and_complete() {
        assert_eq!(counts(&[], 0), (0, 0, 0));
        assert_eq!(counts(&[0, 1, 2], 3), (0, 0, 0));
    }

    #[test]
    fn lost_in_the_middle_and_at_the_end() {
        assert_eq!(counts(&[0, 3], 4), (2, 0, 0));
        assert_eq!(counts(&[0, 1], 4), (2, 0, 0));
        assert_eq!(counts(&[], 4), (4, 0, 0));
        assert_eq!(counts(&[500], 501), (500, 0, 0));
    }

    #[test]
    fn what_comes_late_is_not_lost() {
        assert_eq!(counts(&[1, 0, 2], 3), (0, 0, 1));
        assert_eq!(counts(&[3, 1, 2, 0], 4), (0, 0, 3));
    }

    #[test]
    fn what_comes_again_is_a_duplicate() {
        assert_eq!(counts(&[0, 0, 1], 2), (0, 1, 0));
        assert_eq!(counts(&[1, 0, 0, 1], 2), (0, 2, 1));
        assert_eq!(counts(&[0, 200, 0], 201), (199, 1, 0));
    }

    #[test]
    fn the_window_s_edges() {
        let mut ledger = after(&[0, 129]);
        assert_eq!(ledger.missing, 128);
        ledger.came(2);
        assert_eq!((ledger.missing, ledger.reordered), (127, 1));
        ledger.came(1);
        // Too long ago to say; it counts as one that came before, and stays missing.
        assert_eq!((ledger.missing, ledger.duplicated), (127, 1));
    }

    #[test]
    fn a_ledger_may_begin_later() {
        let mut ledger = Ledger::starting_at(1000);
        ledger.came(1000);
        ledger.came(999);
        assert_eq!(ledger.lost(1001), 0);
        assert_eq!(ledger.duplicated, 1);
    }
}
