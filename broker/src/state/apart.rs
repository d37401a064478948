//! A lock that shares no cache line with another.

use std::ops::Deref;

use parking_lot::Mutex;

/// As large as two lines, because processors fetch them in pairs: reactors that take different locks of a row would
/// otherwise pull the same line from core to core.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Apart<T>(Mutex<T>);

impl<T> Apart<T> {
    pub(super) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }
}

impl<T> Deref for Apart<T> {
    type Target = Mutex<T>;

    fn deref(&self) -> &Mutex<T> {
        &self.0
    }
}
