//! On an allocator that counts what it has given and checks what it is given back.

#![expect(unsafe_code, reason = "the interface of allocators")]

use super::*;
use std::cell::RefCell;
use std::collections::HashMap;

#[derive(Default)]
struct Counting {
    /// By address.
    given: RefCell<HashMap<usize, Layout>>,
    requests: Cell<u64>,
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let at = unsafe { System.alloc(layout) };
        self.requests.set(self.requests.get() + 1);
        assert!(
            self.given
                .borrow_mut()
                .insert(at as usize, layout)
                .is_none()
        );
        at
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        assert_eq!(self.given.borrow_mut().remove(&(at as usize)), Some(layout));
        unsafe { System.dealloc(at, layout) };
    }
}

type Tested = Heap<Counting>;

fn heap() -> Tested {
    Heap::over(Counting::default())
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).unwrap()
}

impl Tested {
    /// A block that is filled with a byte of its own.
    fn block(&self, size: usize, fill: u8) -> *mut u8 {
        let at = unsafe { self.alloc(layout(size)) };
        assert!((at as usize).is_multiple_of(8));
        unsafe { at.write_bytes(fill, size) };
        at
    }

    fn held(&self) -> usize {
        self.system.given.borrow().values().map(Layout::size).sum()
    }
}

fn filled(at: *mut u8, size: usize, fill: u8) -> bool {
    (0..size).all(|n| unsafe { at.add(n).read() } == fill)
}

#[test]
fn classes_hold_what_is_asked_for() {
    for (size, expected) in [
        (0, 0),
        (1, 0),
        (16, 0),
        (17, 1),
        (32, 1),
        (33, 2),
        (1025, 7),
        (2048, 7),
    ] {
        assert_eq!(class(size), expected, "{size}");
    }
    assert!(heap().list(layout(LARGEST + 1)).is_none());
    assert!(
        heap()
            .list(Layout::from_size_align(8, 32).unwrap())
            .is_none()
    );
}

#[test]
fn a_million_blocks_take_what_the_first_took() {
    let heap = heap();
    let call = |n: usize| {
        let mut blocks = Vec::new();
        for (k, size) in [177, 24, 9, 64, 300, 1, 5_000].into_iter().enumerate() {
            let size = size + n % 7;
            blocks.push((heap.block(size, k as u8), size, k as u8));
        }
        for (at, size, fill) in blocks {
            assert_eq!(unsafe { at.add(size - 1).read() }, fill);
            unsafe { heap.dealloc(at, layout(size)) };
        }
    };
    (0..100).for_each(call);
    let (held, requests) = (heap.held(), heap.system.requests.get());
    (0..150_000).for_each(call);
    assert_eq!(heap.held(), held);
    assert_eq!(
        heap.system.requests.get() - requests,
        150_000,
        "the large ones alone"
    );
}

#[test]
fn what_was_needed_once_is_not_kept_for_ever() {
    let heap = heap();
    for size in [16, 100, 2_000] {
        let blocks: Vec<_> = (0..10_000).map(|n| heap.block(size, n as u8)).collect();
        for at in blocks {
            unsafe { heap.dealloc(at, layout(size)) };
        }
    }
    assert!(heap.held() <= 3 * KEPT, "{}", heap.held());
}

#[test]
fn growing_and_shrinking_keeps_what_is_there() {
    let heap = heap();
    let mut size = 1;
    let mut at = heap.block(size, 7);
    for next in [10, 16, 17, 40, 2_048, 2_049, 100_000, 3_000, 2_000, 20, 3] {
        let kept = size.min(next);
        at = unsafe { heap.realloc(at, layout(size), next) };
        assert!(filled(at, kept, 7), "{size} to {next}");
        unsafe { at.write_bytes(7, next) };
        size = next;
    }
    unsafe { heap.dealloc(at, layout(size)) };
}

#[test]
fn blocks_never_overlap() {
    let heap = heap();
    let mut live: Vec<(*mut u8, usize, u8)> = Vec::new();
    // A fixed sequence of requests and returns in no order.
    let mut random = 1u64;
    for n in 0..20_000usize {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let pick = (random >> 33) as usize;
        if pick.is_multiple_of(3) && !live.is_empty() {
            let (at, size, fill) = live.swap_remove(pick % live.len());
            assert!(filled(at, size, fill));
            unsafe { heap.dealloc(at, layout(size)) };
        } else if live.len() < 500 {
            let size = pick % 3_000;
            live.push((heap.block(size.max(1), n as u8), size.max(1), n as u8));
        }
    }
    for (at, size, fill) in live {
        assert!(filled(at, size, fill));
        unsafe { heap.dealloc(at, layout(size)) };
    }
}
