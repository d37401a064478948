//! Keys whose values have bounds, and keys that are given together or not at all.

use std::ops::RangeBounds;

use super::section::Section;
use super::setting::Setting;

impl Section<'_, '_> {
    /// A key with a default whose value is to be within bounds; a text tells people what they are.
    pub(super) fn within<T: Setting + PartialOrd>(
        &mut self,
        name: &'static str,
        default: &'static str,
        doc: &'static str,
        (bounds, shown): (impl RangeBounds<T>, &str),
    ) -> T {
        let value = self.get(name, default, doc);
        self.detail(name, |entry| entry.bounds = Some(shown.to_owned()));
        if !bounds.contains(&value) {
            self.complain(name, "is out of bounds", Some(shown));
        }
        value
    }

    /// The same of one whose only bound that its type does not know is an upper one.
    pub(super) fn at_most<T: Setting + PartialOrd>(
        &mut self,
        name: &'static str,
        default: &'static str,
        doc: &'static str,
        (most, shown): (T, &str),
    ) -> T {
        let value = self.get(name, default, doc);
        self.detail(name, |entry| entry.bounds = Some(shown.to_owned()));
        if value > most {
            self.complain(name, "is too large", Some(shown));
        }
        value
    }

    /// Reports one of two keys that means nothing without the other.
    pub(super) fn are_together(&mut self, one: &str, other: &str) {
        let (there, missing) = match (self.has(one), self.has(other)) {
            (true, false) => (one, other),
            (false, true) => (other, one),
            _ => return,
        };
        self.report(missing, &format!("is missing beside `{there}`"), None);
    }
}
