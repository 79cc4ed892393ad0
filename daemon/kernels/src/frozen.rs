//! Matrices of frozen weights, which may be stored more narrowly than they are used and are widened tile by tile.

use crate::{
    Result,
    element::Real,
    matrix::Matrix,
    quantized::{Packed, Weight},
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
    Packed(Packed<'a>),
}

impl<'a, T: Real> Frozen<'a, T> {
    /// Reads a weight of any rank as `[first axis, all others]`.
    pub fn new(weight: impl Into<Weight<'a>>) -> Result<Self> {
        let weight = weight.into();
        let values = match weight {
            Weight::Quantized(matrix) => Values::Packed(Packed::new(matrix)?),
            Weight::Plain(tensor) => match tensor.dtype() {
                DType::BF16 => Values::Bf16(read(tensor)?),
                DType::F16 => Values::F16(read(tensor)?),
                DType::F32 if T::DTYPE != DType::F32 => Values::Single(read(tensor)?),
                _ => Values::Native(read(tensor)?),
            },
        };
        Ok(Self { values, rows: weight.rows(), cols: weight.cols() })
    }

    /// The same values as one row.
    pub fn flat(self) -> Self {
        Self { rows: 1, cols: self.rows * self.cols, ..self }
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
                Values::Packed(values) => values.read(r, col, &mut wide),
                Values::Native(_) => unreachable!("bug: handled above"),
            }
            scratch.extend(wide.iter().map(|&x| T::from_f64(f64::from(x))));
        }
        Matrix::dense(scratch, row_count, col_count)
    }
}
