//! What DoRA needs beyond LoRA: norms of the rows of a corrected matrix, and factors of channels.

use crate::{
    Init, Result, Tensor, cuda,
    element::dispatch,
    frozen::Frozen,
    matrix::{Matrix, Target, multiply},
    quantized::Weight,
    view::{build, read, rows_and_channels},
};
use candle_core::Error;

/// `out[c] = sum over positions of a[.., c] * b[.., c]`. Shapes: `a, b [..., C]`, `out [C]`.
///
/// # Errors
/// If shapes or types disagree.
pub fn channel_product(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if let Some(gpu) = a.gpu() {
        return cuda::dora::channel_product(gpu, a, b);
    }
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
    if let Some(gpu) = x.gpu() {
        return cuda::dora::scale_channels(gpu, x, factor);
    }
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

/// `x` plus everything that an output may start from. Shapes as [`Init`] has them for an output `x [..., C]`.
///
/// # Errors
/// If shapes, types or devices disagree.
pub fn add_init(x: &Tensor, init: Init) -> Result<Tensor> {
    if let Some(gpu) = x.gpu() {
        return cuda::dora::add_init(gpu, x, init);
    }
    let (rows, channels) = rows_and_channels(x);
    let batch = x.dims().first().copied().unwrap_or(1).max(1);
    let fits = |part: Option<&Tensor>, count: usize| part.is_none_or(|part| part.elem_count() == count);
    if !fits(init.bias, channels) || !fits(init.per_sample, batch * channels) || !fits(init.residual, x.elem_count()) {
        return Err(Error::Msg(format!("sum: bias or residual does not fit {:?}", x.shape())));
    }
    dispatch!(x, "sum", T => {
        let values = read::<T>(x)?;
        let [bias, per_sample, residual] = [init.bias, init.per_sample, init.residual].map(|part| part.map(read::<T>));
        let (bias, per_sample, residual) = (bias.transpose()?, per_sample.transpose()?, residual.transpose()?);
        build::<T, _>(x.shape(), x.device(), |out| {
            out.copy_from_slice(&values);
            for (r, row) in out.chunks_mut(channels).enumerate() {
                let mut add = |part: &[T]| row.iter_mut().zip(part).for_each(|(y, b)| *y += *b);
                bias.iter().for_each(|values| add(values));
                per_sample.iter().for_each(|values| add(&values[r / (rows / batch) * channels..]));
                residual.iter().for_each(|values| add(&values[r * channels..]));
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
pub fn row_norms(weight: Weight, up: &Tensor, down: &Tensor, scale: f64) -> Result<Tensor> {
    if let Some(gpu) = up.gpu() {
        return cuda::dora::row_norms(gpu, weight, up, down, scale);
    }
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
