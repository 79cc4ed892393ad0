//! Splitting work by shape. Every split here depends on sizes only, so that thread count never changes a result.

use rayon::prelude::*;

/// Elements that one task of an elementwise loop handles: some ten microseconds, well above the cost of a task.
const GRAIN: usize = 32 * 1024;

/// Calls `task(0..count)`, in parallel when there is more than one.
pub(crate) fn for_each(count: usize, task: impl Fn(usize) + Sync + Send) {
    match count {
        0 => {}
        1 => task(0),
        _ => (0..count).into_par_iter().with_max_len(1).for_each(task),
    }
}

/// [`for_each`] for tasks of `cost` multiplications each: small ones are joined until they repay a thread's waking.
pub(crate) fn for_each_costing(count: usize, cost: usize, task: impl Fn(usize) + Sync + Send) {
    const WORTH: usize = 1 << 20;
    let joined = (WORTH / cost.max(1)).max(1);
    for_each(count.div_ceil(joined), |group| (group * joined..((group + 1) * joined).min(count)).for_each(&task));
}

/// Calls `task(i, chunk)` for the chunks of `values`, each `length` long but the last.
pub(crate) fn for_each_chunk<T: Send>(values: &mut [T], length: usize, task: impl Fn(usize, &mut [T]) + Sync + Send) {
    if values.len() <= length {
        if !values.is_empty() {
            task(0, values);
        }
        return;
    }
    values.par_chunks_mut(length).with_max_len(1).enumerate().for_each(|(i, chunk)| task(i, chunk));
}

/// The number of whole rows of `width` elements that make one task.
pub(crate) fn rows_per_task(width: usize) -> usize {
    (GRAIN / width.max(1)).max(1)
}

/// Elementwise `out[i] = f(i)` over ranges of whole tasks: `task` gets the range's start and its part of `out`.
pub(crate) fn for_each_range<T: Send>(out: &mut [T], task: impl Fn(usize, &mut [T]) + Sync + Send) {
    for_each_chunk(out, GRAIN, |i, chunk| task(i * GRAIN, chunk));
}

/// A pointer that tasks share, each writing a part that no other touches.
#[derive(Clone, Copy)]
pub(crate) struct Shared<T>(*mut T);

// SAFETY: the pointer is only used through `part`, whose callers promise disjoint parts of one exclusive borrow.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub(crate) fn new(values: &mut [T]) -> Self {
        Self(values.as_mut_ptr())
    }

    /// The address of element `offset`.
    ///
    /// # Safety
    /// `offset` must lie within the slice that `self` was made of.
    pub(crate) unsafe fn at(self, offset: usize) -> *mut T {
        // SAFETY: the caller's promise.
        unsafe { self.0.add(offset) }
    }

    /// The elements `start..start + length`.
    ///
    /// # Safety
    /// The range must lie within the slice, which must still be borrowed, and no other task may touch the range.
    pub(crate) unsafe fn part<'a>(self, start: usize, length: usize) -> &'a mut [T] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(start), length) }
    }
}
