//! The allocator of components: a policy's call makes a few short texts and drops them again, so blocks of a few sizes
//! that are kept for the next call are all it takes.
//!
//! A block that is given back is put on the list of its size class, and the next request of that class takes it from
//! there: two loads and a store either way. What the list does not have, and what is large, comes from the system's
//! allocator. A list keeps at most [`KEPT`] bytes; what comes back beyond that is the system's again, so what a policy
//! holds is bounded by what it uses and by [`CLASSES`] times that, over however many calls.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;

/// Sizes of 16, 32, 64 … 2048 bytes.
const CLASSES: usize = 8;
const SMALLEST: usize = 16;
const LARGEST: usize = SMALLEST << (CLASSES - 1);
/// What a list keeps at most, in bytes.
const KEPT: usize = 64 * 1024;

/// The allocator that `export!` installs in a component. Not for programs with threads.
pub struct Heap<A = System> {
    system: A,
    lists: [List; CLASSES],
}

/// The blocks of one size that are free. Each begins with the address of the next.
struct List {
    first: Cell<*mut u8>,
    length: Cell<usize>,
}

impl List {
    const fn new() -> Self {
        Self {
            first: Cell::new(ptr::null_mut()),
            length: Cell::new(0),
        }
    }
}

impl Heap {
    /// With nothing kept yet.
    #[must_use]
    pub const fn new() -> Self {
        Self::over(System)
    }
}

impl Default for Heap {
    fn default() -> Self {
        Self::new()
    }
}

impl<A> Heap<A> {
    const fn over(system: A) -> Self {
        Self {
            system,
            lists: [const { List::new() }; CLASSES],
        }
    }

    /// The list for a request; none if it is the system's.
    fn list(&self, layout: Layout) -> Option<(&List, Layout)> {
        if layout.size() > LARGEST || layout.align() > SMALLEST {
            return None;
        }
        let class = class(layout.size());
        let block = Layout::from_size_align(SMALLEST << class, SMALLEST).ok()?;
        Some((self.lists.get(class)?, block))
    }
}

/// The number of the smallest size that holds so much.
fn class(size: usize) -> usize {
    let units = size.saturating_sub(1) / SMALLEST;
    (usize::BITS - units.leading_zeros()) as usize
}

// SAFETY: a component has one thread, so no two calls meet in the cells; the tests do not share theirs.
#[expect(unsafe_code, reason = "a static needs it")]
unsafe impl<A: Sync> Sync for Heap<A> {}

// SAFETY: a block is as large and as aligned as its class, which is at least what was asked for; it is on a list or in
// use, never both, since `dealloc` is called once for a block; and it goes back to the system with the layout that it
// came with, because the class follows from the size that was asked for, which `dealloc` is told again.
#[expect(unsafe_code, reason = "the interface of allocators")]
unsafe impl<A: GlobalAlloc> GlobalAlloc for Heap<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some((list, block)) = self.list(layout) else {
            return unsafe { self.system.alloc(layout) };
        };
        let first = list.first.get();
        if first.is_null() {
            return unsafe { self.system.alloc(block) };
        }
        list.first.set(unsafe { first.cast::<*mut u8>().read() });
        list.length.set(list.length.get() - 1);
        first
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        let Some((list, block)) = self.list(layout) else {
            return unsafe { self.system.dealloc(at, layout) };
        };
        if list.length.get() >= KEPT / block.size() {
            return unsafe { self.system.dealloc(at, block) };
        }
        unsafe { at.cast::<*mut u8>().write(list.first.get()) };
        list.first.set(at);
        list.length.set(list.length.get() + 1);
    }

    /// Within its class a block stays where it is, and from one large size to another the system moves it.
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Ok(wanted) = Layout::from_size_align(size, layout.align()) else {
            return ptr::null_mut();
        };
        match (self.list(layout), self.list(wanted)) {
            (None, None) => return unsafe { self.system.realloc(at, layout, size) },
            (Some((_, old)), Some((_, new))) if old == new => return at,
            _ => {}
        }
        let new = unsafe { self.alloc(wanted) };
        if !new.is_null() {
            unsafe {
                ptr::copy_nonoverlapping(at, new, layout.size().min(size));
                self.dealloc(at, layout);
            }
        }
        new
    }
}

#[cfg(test)]
mod tests;
