//! Group norm (with SiLU, as every residual block uses it) and layer norm. Scales and shifts are frozen.

use crate::{
    Result, Tensor, cuda,
    element::{Real, dispatch, vectorized},
    parallel::{Shared, for_each, for_each_chunk, rows_per_task},
    view::{build, read, rows_and_channels, same_shape},
};
use candle_core::Error;

/// Groups of every group norm in Stable Diffusion.
pub const GROUPS: usize = 32;

/// Frozen scale and shift of a norm, `[C]` each, with its epsilon.
#[derive(Clone)]
pub struct Affine {
    /// `[C]`.
    pub scale: Tensor,
    /// `[C]`.
    pub shift: Tensor,
    /// Added to the variance.
    pub epsilon: f64,
}

/// Group norm over 32 groups, then SiLU if `silu`. `x [B, ..., C]` -> (`y` of the same shape, `statistics [B, 32, 2]`:
/// mean and reciprocal deviation, which [`group_norm_backward`] wants).
///
/// Source: Wu and He, arXiv 1803.08494. Means and squared deviations are taken per task and merged in f64
/// (Chan, Golub, LeVeque 1979), so that one pass over memory suffices without cancellation.
///
/// # Errors
/// If the channels do not divide into 32 groups, or shapes, types or devices disagree.
pub fn group_norm(x: &Tensor, affine: &Affine, silu: bool) -> Result<(Tensor, Tensor)> {
    if let Some(gpu) = x.gpu() {
        return cuda::norm::group_norm(gpu, x, affine, silu);
    }
    let shape = Grouped::new(x)?;
    dispatch!(x, "group norm", T => {
        let (values, scale, shift) = (read::<T>(x)?, read::<T>(&affine.scale)?, read::<T>(&affine.shift)?);
        let statistics = build::<T, _>((shape.batch, GROUPS, 2), x.device(), |out| {
            shape.statistics(&values, affine.epsilon, out);
            Ok(())
        })?;
        let stats = read::<T>(&statistics)?;
        let y = build::<T, _>(x.shape(), x.device(), |out| {
            let folded = shape.fold(&stats, &scale, &shift);
            let shared = Shared::new(out);
            for_each(shape.batch * shape.chunks(), |i| {
                let channels = shape.channels;
                let (a, b) = &folded[i / shape.chunks()];
                let (start, len) = shape.span(i);
                // SAFETY: each task has rows of its own.
                let chunk = unsafe { shared.part(start, len) };
                let source = &values[start..start + len];
                vectorized(#[inline(always)] || {
                    // Slices of one known length: a check inside the loop would keep it from being vectorised.
                    let (a, b) = (&a[..channels], &b[..channels]);
                    for (line, x) in chunk.chunks_exact_mut(channels).zip(source.chunks_exact(channels)) {
                        for c in 0..channels {
                            let z = x[c] * a[c] + b[c];
                            line[c] = if silu { z / (T::ONE + Real::exp(-z)) } else { z };
                        }
                    }
                });
            });
            Ok(())
        })?;
        drop(stats);
        Ok((y, statistics))
    })
}

/// The input gradient of [`group_norm`]: `grad`, `x` `[B, ..., C]` and its `statistics` -> `dx`.
///
/// With z = x-hat scale + shift and g = grad silu'(z) scale:
/// dx = r (g - mean(g) - x-hat mean(g x-hat)), means over a group.
/// `residual`, of the same shape, is added: the gradient that passed beside the norm.
///
/// # Errors
/// If shapes, types or devices disagree.
pub fn group_norm_backward(
    grad: &Tensor,
    x: &Tensor,
    statistics: &Tensor,
    affine: &Affine,
    silu: bool,
    residual: Option<&Tensor>,
) -> Result<Tensor> {
    if let Some(gpu) = x.gpu() {
        return cuda::norm::group_norm_backward(gpu, grad, x, statistics, affine, silu, residual);
    }
    same_shape("group norm backward", grad, x)?;
    same_shape("group norm backward", residual.unwrap_or(x), x)?;
    let shape = Grouped::new(x)?;
    dispatch!(x, "group norm backward", T => {
        let (values, grads, stats) = (read::<T>(x)?, read::<T>(grad)?, read::<T>(statistics)?);
        let (scale, shift) = (read::<T>(&affine.scale)?, read::<T>(&affine.shift)?);
        let beside = residual.map(read::<T>).transpose()?;
        let channels = shape.channels;
        let folded = shape.fold(&stats, &scale, &shift);
        // g = grad silu'(z) scale, kept in the output until the group's means are known.
        build::<T, _>(x.shape(), x.device(), |out| {
            let tasks = shape.batch * shape.chunks();
            let mut sums = vec![T::ZERO; tasks * 2 * channels];
            let (sums_shared, out_shared) = (Shared::new(&mut sums), Shared::new(out));
            for_each(tasks, |i| {
                let (start, len) = shape.span(i);
                // SAFETY: each task has rows and sums of its own.
                let (sum, line) = unsafe { (sums_shared.part(i * 2 * channels, 2 * channels), out_shared.part(start, len)) };
                let (sum_g, sum_gx) = sum.split_at_mut(channels);
                let (a, b) = &folded[i / shape.chunks()];
                vectorized(#[inline(always)] || {
                    let (a, b, scale) = (&a[..channels], &b[..channels], &scale[..channels]);
                    let (sum_g, sum_gx) = (&mut sum_g[..channels], &mut sum_gx[..channels]);
                    let rows = values[start..start + len].chunks_exact(channels).zip(grads[start..start + len].chunks_exact(channels));
                    for ((x, grad), g) in rows.zip(line.chunks_exact_mut(channels)) {
                        for c in 0..channels {
                            let through = if silu {
                                let z = x[c] * a[c] + b[c];
                                let sigmoid = T::ONE / (T::ONE + Real::exp(-z));
                                grad[c] * (sigmoid * (T::ONE + z * (T::ONE - sigmoid)))
                            } else {
                                grad[c]
                            };
                            let value = through * scale[c];
                            g[c] = value;
                            sum_g[c] += value;
                            sum_gx[c] += value * x[c];
                        }
                    }
                });
            });
            let means = shape.means(&sums, &stats);
            for_each(tasks, |i| {
                let (start, len) = shape.span(i);
                // SAFETY: each task has rows of its own.
                let line = unsafe { out_shared.part(start, len) };
                let (r, p, q) = &means[i / shape.chunks()];
                vectorized(#[inline(always)] || {
                    let (r, p, q) = (&r[..channels], &p[..channels], &q[..channels]);
                    for (g, x) in line.chunks_exact_mut(channels).zip(values[start..start + len].chunks_exact(channels)) {
                        for c in 0..channels {
                            g[c] = g[c] * r[c] + x[c] * p[c] + q[c];
                        }
                    }
                    if let Some(beside) = &beside {
                        line.iter_mut().zip(&beside[start..start + len]).for_each(|(g, b)| *g += *b);
                    }
                });
            });
            Ok(())
        })
    })
}

/// The sizes of a group norm, and the split of its rows into tasks.
struct Grouped {
    batch: usize,
    rows: usize,
    channels: usize,
}

impl Grouped {
    fn new(x: &Tensor) -> Result<Self> {
        let (rows, channels) = rows_and_channels(x);
        let batch = x.dim(0)?;
        if channels % GROUPS != 0 {
            return Err(Error::Msg(format!("group norm: {channels} channels do not divide into {GROUPS} groups")));
        }
        Ok(Self { batch, rows: rows / batch.max(1), channels })
    }

    /// Rows of one task: few enough to stay in the cache for the second look.
    fn chunk_rows(&self) -> usize {
        rows_per_task(self.channels)
    }

    fn chunks(&self) -> usize {
        self.rows.div_ceil(self.chunk_rows())
    }

    /// Start and length in elements of task `i`'s rows.
    fn span(&self, i: usize) -> (usize, usize) {
        let (sample, chunk) = (i / self.chunks(), i % self.chunks());
        let first = chunk * self.chunk_rows();
        let rows = self.chunk_rows().min(self.rows - first);
        ((sample * self.rows + first) * self.channels, rows * self.channels)
    }

    /// Mean and reciprocal deviation of every group, `[B, 32, 2]`.
    fn statistics<T: Real>(&self, values: &[T], epsilon: f64, out: &mut [T]) {
        let (channels, tasks) = (self.channels, self.batch * self.chunks());
        let mut partial = vec![T::ZERO; tasks * 2 * channels];
        for_each_chunk(&mut partial, 2 * channels, |i, part| {
            let (start, len) = self.span(i);
            let (mean, deviation) = part.split_at_mut(channels);
            let count = T::from_f64((len / channels) as f64);
            let rows = &values[start..start + len];
            vectorized(
                #[inline(always)]
                || {
                    let (mean, deviation) = (&mut mean[..channels], &mut deviation[..channels]);
                    for row in rows.chunks_exact(channels) {
                        for c in 0..channels {
                            mean[c] += row[c];
                        }
                    }
                    for m in mean.iter_mut() {
                        *m /= count;
                    }
                    for row in rows.chunks_exact(channels) {
                        for c in 0..channels {
                            let d = row[c] - mean[c];
                            deviation[c] += d * d;
                        }
                    }
                },
            );
        });
        let size = channels / GROUPS;
        for (i, out) in out.chunks_mut(2).enumerate() {
            let (sample, group) = (i / GROUPS, i % GROUPS);
            let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
            for chunk in 0..self.chunks() {
                let task = sample * self.chunks() + chunk;
                let n = (self.span(task).1 / channels) as f64;
                for c in group * size..(group + 1) * size {
                    let (m, d) =
                        (partial[task * 2 * channels + c].to_f64(), partial[(task * 2 + 1) * channels + c].to_f64());
                    let (total, delta) = (count + n, m - mean);
                    squares += d + delta * delta * count * n / total;
                    mean += delta * n / total;
                    count = total;
                }
            }
            out[0] = T::from_f64(mean);
            out[1] = T::from_f64(1.0 / (squares / count + epsilon).sqrt());
        }
    }

    /// Per sample: the factors a, b of z = x a + b.
    fn fold<T: Real>(&self, stats: &[T], scale: &[T], shift: &[T]) -> Vec<(Vec<T>, Vec<T>)> {
        let size = self.channels / GROUPS;
        let of = |sample: usize, c: usize, which: usize| stats[(sample * GROUPS + c / size) * 2 + which];
        (0..self.batch)
            .map(|s| {
                let a: Vec<T> = (0..self.channels).map(|c| of(s, c, 1) * scale[c]).collect();
                let b = (0..self.channels).map(|c| shift[c] - of(s, c, 0) * a[c]).collect();
                (a, b)
            })
            .collect()
    }

    /// Per sample: the factors r, p, q of dx = g r + x p + q, from the sums of g and g x per task and channel.
    fn means<T: Real>(&self, sums: &[T], stats: &[T]) -> Vec<(Vec<T>, Vec<T>, Vec<T>)> {
        let (channels, size) = (self.channels, self.channels / GROUPS);
        let count = (self.rows * size) as f64;
        (0..self.batch)
            .map(|sample| {
                let (mut r, mut p, mut q) = (vec![T::ZERO; channels], vec![T::ZERO; channels], vec![T::ZERO; channels]);
                for group in 0..GROUPS {
                    let (mut g, mut gx) = (0.0, 0.0);
                    for task in sample * self.chunks()..(sample + 1) * self.chunks() {
                        for c in group * size..(group + 1) * size {
                            g += sums[task * 2 * channels + c].to_f64();
                            gx += sums[(task * 2 + 1) * channels + c].to_f64();
                        }
                    }
                    let at = (sample * GROUPS + group) * 2;
                    let (mean, reciprocal) = (stats[at].to_f64(), stats[at + 1].to_f64());
                    let mean_g = g / count;
                    let mean_g_hat = (gx - mean * g) * reciprocal / count;
                    for c in group * size..(group + 1) * size {
                        r[c] = T::from_f64(reciprocal);
                        p[c] = T::from_f64(-reciprocal * reciprocal * mean_g_hat);
                        q[c] = T::from_f64(reciprocal * (reciprocal * mean * mean_g_hat - mean_g));
                    }
                }
                (r, p, q)
            })
            .collect()
    }
}

/// Layer norm over the last axis: `x [..., C]` -> `y`. Source: Ba, Kiros, Hinton, arXiv 1607.06450.
///
/// # Errors
/// If shapes, types or devices disagree.
pub fn layer_norm(x: &Tensor, affine: &Affine) -> Result<Tensor> {
    if let Some(gpu) = x.gpu() {
        return cuda::norm::layer_norm(gpu, x, affine);
    }
    dispatch!(x, "layer norm", T => {
        let (values, scale, shift) = (read::<T>(x)?, read::<T>(&affine.scale)?, read::<T>(&affine.shift)?);
        let (_, channels) = rows_and_channels(x);
        let rows = rows_per_task(channels);
        build::<T, _>(x.shape(), x.device(), |out| {
            for_each_chunk(out, rows * channels, |i, chunk| {
                let source = &values[i * rows * channels..];
                vectorized(#[inline(always)] || {
                    let (scale, shift) = (&scale[..channels], &shift[..channels]);
                    for (y, x) in chunk.chunks_exact_mut(channels).zip(source.chunks_exact(channels)) {
                        let (mean, r) = moments(x, affine.epsilon);
                        for c in 0..channels {
                            y[c] = (x[c] - mean) * r * scale[c] + shift[c];
                        }
                    }
                });
            });
            Ok(())
        })
    })
}

/// The input gradient of [`layer_norm`]: dx = r (g - mean(g) - x-hat mean(g x-hat)), g = grad scale, per row.
/// `residual`, of the same shape, is added: the gradient that passed beside the norm.
///
/// # Errors
/// If shapes, types or devices disagree.
pub fn layer_norm_backward(grad: &Tensor, x: &Tensor, affine: &Affine, residual: &Tensor) -> Result<Tensor> {
    if let Some(gpu) = x.gpu() {
        return cuda::norm::layer_norm_backward(gpu, grad, x, affine, residual);
    }
    same_shape("layer norm backward", grad, x)?;
    same_shape("layer norm backward", grad, residual)?;
    dispatch!(x, "layer norm backward", T => {
        let (values, grads, scale) = (read::<T>(x)?, read::<T>(grad)?, read::<T>(&affine.scale)?);
        let beside = read::<T>(residual)?;
        let (_, channels) = rows_and_channels(x);
        let rows = rows_per_task(channels);
        build::<T, _>(x.shape(), x.device(), |out| {
            for_each_chunk(out, rows * channels, |i, chunk| {
                let (source, grads) = (&values[i * rows * channels..], &grads[i * rows * channels..]);
                let beside = &beside[i * rows * channels..];
                vectorized(#[inline(always)] || {
                    let scale = &scale[..channels];
                    for (r, dx) in chunk.chunks_exact_mut(channels).enumerate() {
                        let span = r * channels..(r + 1) * channels;
                        let (x, grad, beside) = (&source[span.clone()], &grads[span.clone()], &beside[span]);
                        let (mean, reciprocal) = moments(x, affine.epsilon);
                        let count = T::from_f64(channels as f64);
                        let mean_g = lanes_sum([grad, scale], |[g, s]| g * s) / count;
                        let mean_g_hat = lanes_sum([grad, scale, x], |[g, s, x]| g * s * (x - mean)) * reciprocal / count;
                        for c in 0..channels {
                            let hat = (x[c] - mean) * reciprocal;
                            dx[c] = beside[c] + reciprocal * (grad[c] * scale[c] - mean_g - hat * mean_g_hat);
                        }
                    }
                });
            });
            Ok(())
        })
    })
}

/// Mean and reciprocal deviation of a row.
#[inline(always)]
fn moments<T: Real>(x: &[T], epsilon: f64) -> (T, T) {
    let count = T::from_f64(x.len() as f64);
    let mean = lanes_sum([x], |[x]| x) / count;
    let variance = lanes_sum([x], |[x]| (x - mean) * (x - mean)) / count;
    (mean, T::ONE / (variance + T::from_f64(epsilon)).sqrt())
}

/// The sum of `f` over the elements of slices of one length, in sixteen fixed lanes, so that it vectorises and its order
/// never changes.
#[inline(always)]
pub(crate) fn lanes_sum<T: Real, const N: usize>(slices: [&[T]; N], f: impl Fn([T; N]) -> T) -> T {
    const LANES: usize = 16;
    let mut lanes = [T::ZERO; LANES];
    let count = slices[0].len();
    let whole = count / LANES * LANES;
    let mut i = 0;
    while i < whole {
        // Parts of a known length need no check for each element.
        let parts = slices.map(|slice| &slice[i..i + LANES]);
        for (l, lane) in lanes.iter_mut().enumerate() {
            *lane += f(parts.map(|part| part[l]));
        }
        i += LANES;
    }
    let mut sum = T::ZERO;
    for lane in lanes {
        sum += lane;
    }
    for i in whole..count {
        sum += f(slices.map(|slice| slice[i]));
    }
    sum
}
