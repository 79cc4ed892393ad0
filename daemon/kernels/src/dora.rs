//! What DoRA needs beyond LoRA: norms of the rows of a corrected matrix, and factors of channels.

use crate::{
    Result,
    element::dispatch,
    frozen::Frozen,
    matrix::{Matrix, Target, multiply},
    view::{build, read, rows_and_channels},
};
use candle_core::Tensor;

/// `out[c] = sum over positions of a[.., c] * b[.., c]`. Shapes: `a, b [..., C]`, `out [C]`.
///
/// # Errors
/// If shapes or types disagree.
pub fn channel_product(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    crate::view::same_shape("channel product", a, b)?;
    dispatch!(a, "channel product", T => {
        let (rows, channels) = rows_and_channels(a);
        let (a_values, b_values) = (read::<T>(a)?, read::<T>(b)?);
        build::<T, _>(channels, a.device(), |out| {
            for r in 0..rows {
                for (c, o) in out.iter_mut().enumerate() {
                    *o += a_values[r * channels + c] * b_values[r * channels + c];
                }
            }
            Ok(())
        })
    })
}

/// `x[.., c] * factor[c]`. Shapes: `x [..., C]`, `factor [C]`.
///
/// # Errors
/// If shapes or types disagree.
pub fn scale_channels(x: &Tensor, factor: &Tensor) -> Result<Tensor> {
    dispatch!(x, "scale channels", T => {
        let (values, factors) = (read::<T>(x)?, read::<T>(factor)?);
        build::<T, _>(x.shape(), x.device(), |out| {
            for (row, source) in out.chunks_mut(factors.len()).zip(values.chunks(factors.len())) {
                for c in 0..factors.len() {
                    row[c] = source[c] * factors[c];
                }
            }
            Ok(())
        })
    })
}

/// The Euclidean norms of the rows of `W + scale up down`, as DoRA wants them. Shapes: `W [out, in]`, `up [out, r]`,
/// `down [r, in]`, result `[out]`.
///
/// # Errors
/// If shapes or types disagree.
pub fn row_norms(weight: &Tensor, up: &Tensor, down: &Tensor, scale: f64) -> Result<Tensor> {
    dispatch!(up, "row norms", T => {
        let frozen = Frozen::<T>::new(weight)?;
        let (rank, cols) = (up.dim(1)?, frozen.cols);
        let (up_values, down_values) = (read::<T>(up)?, read::<T>(down)?);
        build::<T, _>(frozen.rows, up.device(), |out| {
            let (mut scratch, mut row) = (Vec::new(), vec![T::ZERO; cols]);
            for (r, norm) in out.iter_mut().enumerate() {
                row.copy_from_slice(&frozen.block((r, 1), (0, cols), &mut scratch).data[..cols]);
                let (a, b) = (Matrix::dense(&up_values[r * rank..], 1, rank), Matrix::dense(&down_values, rank, cols));
                // SAFETY: `row` is ours alone.
                unsafe { multiply(Target::dense(&mut row, 1, cols), true, T::from_f64(scale), a, b) };
                let mut sum = T::ZERO;
                row.iter().for_each(|&x| sum += x * x);
                *norm = sum.sqrt();
            }
            Ok(())
        })
    })
}
