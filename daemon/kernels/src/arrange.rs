//! Moving and adding: joining and splitting channels, resizing, picking rows.

use crate::{
    Result, Tensor, cuda,
    element::{dispatch, vectorized},
    parallel::{for_each_chunk, for_each_range, rows_per_task},
    view::{build, read, rows_and_channels, same_shape, with_channels},
};
use candle_core::Error;

/// `[B, C, H, W]` -> `[B, H, W, C]`.
///
/// # Errors
/// If the tensor has another rank.
pub fn to_channels_last(x: &Tensor) -> Result<Tensor> {
    x.permute(&[0, 2, 3, 1])
}

/// `[B, H, W, C]` -> `[B, C, H, W]`.
///
/// # Errors
/// If the tensor has another rank.
pub fn to_channels_first(x: &Tensor) -> Result<Tensor> {
    x.permute(&[0, 3, 1, 2])
}

/// `a + b` elementwise.
///
/// # Errors
/// If shapes, types or devices disagree.
pub fn add(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    add_all(&[a, b])
}

/// The elementwise sum of tensors, added in order.
///
/// # Errors
/// If there is none, or shapes, types or devices disagree.
pub fn add_all(parts: &[&Tensor]) -> Result<Tensor> {
    let Some(first) = parts.first() else {
        return Err(Error::Msg("a sum needs at least one tensor".into()));
    };
    parts.iter().try_for_each(|part| same_shape("sum", first, part))?;
    if let Some(gpu) = first.gpu() {
        return cuda::arrange::add_all(gpu, parts);
    }
    dispatch!(first, "sum", T => {
        let parts = parts.iter().map(|part| read::<T>(part)).collect::<Result<Vec<_>>>()?;
        build::<T, _>(first.shape(), first.device(), |out| {
            for_each_range(out, |start, out| {
                for part in &parts {
                    let part = &part[start..start + out.len()];
                    vectorized(#[inline(always)] || out.iter_mut().zip(part).for_each(|(y, x)| *y += *x));
                }
            });
            Ok(())
        })
    })
}

/// `factor * x` elementwise.
///
/// # Errors
/// If the type or device has no kernel.
pub fn scale(x: &Tensor, factor: f64) -> Result<Tensor> {
    if let Some(gpu) = x.gpu() {
        return cuda::arrange::scale(gpu, x, factor);
    }
    Ok(x.on_host()?.affine(factor, 0.0)?.into())
}

/// Joins along the last axis: `a [..., A]`, `b [..., B]` -> `[..., A + B]`.
///
/// # Errors
/// If shapes, types or devices disagree.
pub fn concat_channels(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if let Some(gpu) = a.gpu() {
        return cuda::arrange::concat_channels(gpu, a, b);
    }
    let ((rows, left), (rows_b, right)) = (rows_and_channels(a), rows_and_channels(b));
    if rows != rows_b {
        return Err(Error::Msg(format!("concat: {:?} and {:?} differ before the last axis", a.shape(), b.shape())));
    }
    let width = left + right;
    dispatch!(a, "concat", T => {
        let (a_values, b_values) = (read::<T>(a)?, read::<T>(b)?);
        let per_task = rows_per_task(width);
        build::<T, _>(with_channels(a, width), a.device(), |out| {
            for_each_chunk(out, per_task * width, |i, out| {
                for (r, row) in out.chunks_exact_mut(width).enumerate() {
                    let r = i * per_task + r;
                    row[..left].copy_from_slice(&a_values[r * left..][..left]);
                    row[left..].copy_from_slice(&b_values[r * right..][..right]);
                }
            });
            Ok(())
        })
    })
}

/// Undoes [`concat_channels`]: `x [..., A + B]` -> (`[..., A]`, `[..., B]`).
///
/// # Errors
/// If `left` exceeds the last axis.
pub fn split_channels(x: &Tensor, left: usize) -> Result<(Tensor, Tensor)> {
    if let Some(gpu) = x.gpu() {
        return cuda::arrange::split_channels(gpu, x, left);
    }
    let (_, width) = rows_and_channels(x);
    let Some(right) = width.checked_sub(left) else {
        return Err(Error::Msg(format!("split: {left} channels of {width}")));
    };
    dispatch!(x, "split", T => {
        let values = read::<T>(x)?;
        let part = |from: usize, channels: usize| {
            let per_task = rows_per_task(channels);
            build::<T, _>(with_channels(x, channels), x.device(), |out| {
                for_each_chunk(out, per_task * channels, |i, out| {
                    for (r, row) in out.chunks_exact_mut(channels).enumerate() {
                        row.copy_from_slice(&values[(i * per_task + r) * width + from..][..channels]);
                    }
                });
                Ok(())
            })
        };
        Ok((part(0, left)?, part(left, right)?))
    })
}

/// Doubles height and width by repeating pixels: `[B, H, W, C]` -> `[B, 2 H, 2 W, C]`.
///
/// # Errors
/// If the tensor has another rank.
pub fn upsample_nearest(x: &Tensor) -> Result<Tensor> {
    if let Some(gpu) = x.gpu() {
        return cuda::arrange::upsample_nearest(gpu, x);
    }
    let (batch, height, width, channels) = x.dims4()?;
    dispatch!(x, "upsample", T => {
        let values = read::<T>(x)?;
        build::<T, _>((batch, 2 * height, 2 * width, channels), x.device(), |out| {
            for_each_chunk(out, 2 * width * channels, |line, out| {
                let source = &values[line / 2 * width * channels..];
                for (i, pixel) in out.chunks_exact_mut(channels).enumerate() {
                    pixel.copy_from_slice(&source[i / 2 * channels..][..channels]);
                }
            });
            Ok(())
        })
    })
}

/// The input gradient of [`upsample_nearest`]: sums each square of four pixels.
///
/// # Errors
/// If the tensor has another rank or an odd size.
pub fn upsample_nearest_backward(grad: &Tensor) -> Result<Tensor> {
    if let Some(gpu) = grad.gpu() {
        return cuda::arrange::upsample_nearest_backward(gpu, grad);
    }
    let (batch, height, width, channels) = grad.dims4()?;
    if height % 2 != 0 || width % 2 != 0 {
        return Err(Error::Msg(format!("upsample backward: {height} x {width} is not even")));
    }
    let (height, width) = (height / 2, width / 2);
    dispatch!(grad, "upsample backward", T => {
        let values = read::<T>(grad)?;
        let line_in = 2 * width * channels;
        build::<T, _>((batch, height, width, channels), grad.device(), |out| {
            for_each_chunk(out, width * channels, |line, out| {
                for dy in 0..2 {
                    let source = &values[(2 * line + dy) * line_in..][..line_in];
                    for (pixel, square) in out.chunks_exact_mut(channels).zip(source.chunks_exact(2 * channels)) {
                        for c in 0..channels {
                            pixel[c] += square[c] + square[channels + c];
                        }
                    }
                }
            });
            Ok(())
        })
    })
}

/// Sums over all axes between the first and the last: `[B, ..., C]` -> `[B, C]`.
///
/// # Errors
/// If the type or device has no kernel.
pub fn sum_space(x: &Tensor) -> Result<Tensor> {
    if let Some(gpu) = x.gpu() {
        return cuda::arrange::sum_space(gpu, x);
    }
    let (rows, channels) = rows_and_channels(x);
    let batch = x.dim(0)?;
    let per_sample = rows / batch.max(1) * channels;
    dispatch!(x, "sum over space", T => {
        let values = read::<T>(x)?;
        build::<T, _>((batch, channels), x.device(), |out| {
            for_each_chunk(out, channels, |sample, out| {
                let sample = &values[sample * per_sample..][..per_sample];
                vectorized(#[inline(always)] || {
                    for row in sample.chunks_exact(channels) {
                        for c in 0..channels {
                            out[c] += row[c];
                        }
                    }
                });
            });
            Ok(())
        })
    })
}

/// Picks one row of each sample: `x [B, N, C]`, `index [B]` -> `[B, C]`.
///
/// # Errors
/// If an index leaves the tensor.
pub fn gather_rows(x: &Tensor, index: &[usize]) -> Result<Tensor> {
    if let Some(gpu) = x.gpu() {
        return cuda::arrange::gather_rows(gpu, x, index);
    }
    let (batch, length, channels) = x.dims3()?;
    check_rows(batch, length, index)?;
    dispatch!(x, "gather rows", T => {
        let values = read::<T>(x)?;
        build::<T, _>((batch, channels), x.device(), |out| {
            for (b, row) in out.chunks_exact_mut(channels).enumerate() {
                row.copy_from_slice(&values[(b * length + index[b]) * channels..][..channels]);
            }
            Ok(())
        })
    })
}

/// The input gradient of [`gather_rows`]: zeros `[B, length, C]` but for the rows of `grad [B, C]`.
///
/// # Errors
/// If an index leaves the tensor.
pub fn scatter_rows(grad: &Tensor, index: &[usize], length: usize) -> Result<Tensor> {
    if let Some(gpu) = grad.gpu() {
        return cuda::arrange::scatter_rows(gpu, grad, index, length);
    }
    let (batch, channels) = grad.dims2()?;
    check_rows(batch, length, index)?;
    dispatch!(grad, "scatter rows", T => {
        let values = read::<T>(grad)?;
        build::<T, _>((batch, length, channels), grad.device(), |out| {
            for (b, row) in values.chunks_exact(channels).enumerate() {
                out[(b * length + index[b]) * channels..][..channels].copy_from_slice(row);
            }
            Ok(())
        })
    })
}

fn check_rows(batch: usize, length: usize, index: &[usize]) -> Result<()> {
    if index.len() == batch && index.iter().all(|&i| i < length) {
        return Ok(());
    }
    Err(Error::Msg(format!("rows {index:?} do not fit {batch} samples of {length}")))
}
