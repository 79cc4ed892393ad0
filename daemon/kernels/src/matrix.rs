//! Strided matrix views and the serial matrix product beneath every other product.

use crate::{counted, element::Real};

/// A read-only matrix view.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a, T> {
    pub data: &'a [T],
    pub rows: usize,
    pub cols: usize,
    pub row_stride: usize,
    pub col_stride: usize,
}

impl<'a, T> Matrix<'a, T> {
    /// Row-major `[rows, cols]` with `stride` elements from row to row.
    pub fn strided(data: &'a [T], rows: usize, cols: usize, stride: usize) -> Self {
        Self { data, rows, cols, row_stride: stride, col_stride: 1 }
    }

    /// Row-major and dense.
    pub fn dense(data: &'a [T], rows: usize, cols: usize) -> Self {
        Self::strided(data, rows, cols, cols)
    }

    /// The transposed view.
    pub fn transposed(self) -> Self {
        Self { rows: self.cols, cols: self.rows, row_stride: self.col_stride, col_stride: self.row_stride, ..self }
    }

    /// Rows `start..start + count`.
    pub fn row_block(self, start: usize, count: usize) -> Self {
        Self { data: &self.data[start * self.row_stride..], rows: count, ..self }
    }

    /// Columns `start..start + count`.
    pub fn col_block(self, start: usize, count: usize) -> Self {
        Self { data: &self.data[start * self.col_stride..], cols: count, ..self }
    }

    fn reaches(&self) -> usize {
        if self.rows == 0 || self.cols == 0 {
            return 0;
        }
        (self.rows - 1) * self.row_stride + (self.cols - 1) * self.col_stride + 1
    }
}

/// A row-major matrix to write: an address, because tiles of one output interleave.
#[derive(Clone, Copy)]
pub(crate) struct Target<T> {
    pub start: *mut T,
    pub rows: usize,
    pub cols: usize,
    pub row_stride: usize,
}

impl<T> Target<T> {
    /// A dense matrix over a whole slice.
    pub fn dense(values: &mut [T], rows: usize, cols: usize) -> Self {
        assert!(rows * cols <= values.len(), "bug: the target is larger than its slice");
        Self { start: values.as_mut_ptr(), rows, cols, row_stride: cols }
    }
}

/// `target = scale a b`, or `target += scale a b`, on the calling thread.
///
/// The order of the additions depends on the sizes only.
///
/// # Safety
/// `target` must be valid for writes (and for reads if `add`), and nothing else may touch it meanwhile.
pub(crate) unsafe fn multiply<T: Real>(target: Target<T>, add: bool, scale: T, a: Matrix<T>, b: Matrix<T>) {
    assert!(a.cols == b.rows && a.rows == target.rows && b.cols == target.cols, "bug: matrix sizes disagree");
    assert!(a.reaches() <= a.data.len() && b.reaches() <= b.data.len(), "bug: a matrix view leaves its slice");
    counted::add(target.rows * target.cols * a.cols);
    // SAFETY: the views were checked just now, the target is the caller's promise.
    unsafe {
        gemm::gemm(
            target.rows,
            target.cols,
            a.cols,
            target.start,
            1,
            target.row_stride as isize,
            add,
            a.data.as_ptr(),
            a.col_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.col_stride as isize,
            b.row_stride as isize,
            T::ONE,
            scale,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// `target = scale a b^T`, or `+=`, where both matrices are stored along the summed axis.
///
/// With few rows the product is made the other way round, b a^T: then the large matrix b is read in place, and only the
/// small one is packed. Twice as fast at 64 rows, which is what deep layers have.
///
/// # Safety
/// As [`multiply`].
pub(crate) unsafe fn multiply_transposed<T: Real>(
    target: Target<T>,
    add: bool,
    scale: T,
    a: Matrix<T>,
    b: Matrix<T>,
    turned: &mut Vec<T>,
) {
    const FEW: usize = 192;
    let (rows, cols) = (target.rows, target.cols);
    if rows > FEW || cols < rows {
        // SAFETY: the caller's promise.
        return unsafe { multiply(target, add, scale, a, b.transposed()) };
    }
    turned.resize(rows * cols, T::ZERO);
    // SAFETY: `turned` is ours.
    unsafe { multiply(Target::dense(turned, cols, rows), false, scale, b, a.transposed()) };
    for r in 0..rows {
        // SAFETY: a row of the target, which the caller owns.
        let line = unsafe { std::slice::from_raw_parts_mut(target.start.add(r * target.row_stride), cols) };
        let column = turned[r..].iter().step_by(rows);
        if add {
            line.iter_mut().zip(column).for_each(|(y, x)| *y += *x);
        } else {
            line.iter_mut().zip(column).for_each(|(y, x)| *y = *x);
        }
    }
}
