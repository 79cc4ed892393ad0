//! Counting the multiplications that matrix products on the CPU make, so that what is computed of a step beforehand can be
//! held against what it does.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

static COUNTS: AtomicBool = AtomicBool::new(false);
static MULTIPLICATIONS: AtomicU64 = AtomicU64::new(0);

/// Does `work` and counts the multiplications that this process makes meanwhile, on all threads.
pub fn multiplications<R>(work: impl FnOnce() -> R) -> (R, u64) {
    MULTIPLICATIONS.store(0, Relaxed);
    COUNTS.store(true, Relaxed);
    let result = work();
    COUNTS.store(false, Relaxed);
    (result, MULTIPLICATIONS.load(Relaxed))
}

/// Counts a product, if anybody wants to know.
#[inline(always)]
pub(crate) fn add(count: usize) {
    if COUNTS.load(Relaxed) {
        MULTIPLICATIONS.fetch_add(count as u64, Relaxed);
    }
}
