//! Has the allocator give back what is free. The one of glibc keeps it, so that a process that had much to hold for a
//! minute would be taken for a full one ever after.
#![expect(unsafe_code, reason = "there is no safe way to ask an allocator")]

/// Takes a few milliseconds for each gigabyte that is free, in which whoever allocates may wait.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(super) fn give_back() {
    // SAFETY: it takes no pointer, and touches nothing but what nobody has; it locks what it looks at.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn give_back() {}
