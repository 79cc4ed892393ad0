//! Matrices of frozen weights, which may be stored more narrowly than they are used and are widened tile by tile.

use crate::{
    Result, Tensor,
    element::Real,
    matrix::Matrix,
    view::{Slice, read},
};
use candle_core::DType;
use half::{bf16, f16, slice::HalfFloatSliceExt};

/// A weight matrix `[rows, cols]`, read where it lies.
pub(crate) struct Frozen<'a, T> {
    values: Values<'a, T>,
    pub rows: usize,
    pub cols: usize,
}

enum Values<'a, T> {
    Native(Slice<'a, T>),
    /// f32 weights beneath f64 arithmetic.
    Single(Slice<'a, f32>),
    Bf16(Slice<'a, bf16>),
    F16(Slice<'a, f16>),
}

impl<'a, T: Real> Frozen<'a, T> {
    /// Reads a weight of any rank as `[first axis, all others]`.
    pub fn new(weight: &'a Tensor) -> Result<Self> {
        let rows = weight.dims().first().copied().unwrap_or(1);
        let cols = weight.elem_count() / rows.max(1);
        let values = match weight.dtype() {
            DType::BF16 => Values::Bf16(read(weight)?),
            DType::F16 => Values::F16(read(weight)?),
            DType::F32 if T::DTYPE != DType::F32 => Values::Single(read(weight)?),
            _ => Values::Native(read(weight)?),
        };
        Ok(Self { values, rows, cols })
    }

    /// Whether reading a block costs a conversion, so that blocks should not be read twice.
    pub fn is_narrow(&self) -> bool {
        !matches!(self.values, Values::Native(_))
    }

    /// The block of `row_count` rows and `col_count` columns; `scratch` holds it if it must be widened.
    pub fn block<'s>(
        &'s self,
        (row, row_count): (usize, usize),
        (col, col_count): (usize, usize),
        scratch: &'s mut Vec<T>,
    ) -> Matrix<'s, T> {
        if let Values::Native(values) = &self.values {
            return Matrix::dense(values, self.rows, self.cols).row_block(row, row_count).col_block(col, col_count);
        }
        scratch.clear();
        let mut wide = vec![0f32; col_count];
        for r in row..row + row_count {
            let span = r * self.cols + col..r * self.cols + col + col_count;
            match &self.values {
                Values::Bf16(values) => values[span].convert_to_f32_slice(&mut wide),
                Values::F16(values) => values[span].convert_to_f32_slice(&mut wide),
                Values::Single(values) => wide.copy_from_slice(&values[span]),
                Values::Native(_) => unreachable!("bug: handled above"),
            }
            scratch.extend(wide.iter().map(|&x| T::from_f64(f64::from(x))));
        }
        Matrix::dense(scratch, row_count, col_count)
    }
}
