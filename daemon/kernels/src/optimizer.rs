//! Updates and sums over all trainable values at once: they lie in flat tensors, so that each is a single pass.

use crate::{
    Device, Result, Tensor, cuda,
    element::{Real, dispatch, vectorized},
    frozen::Frozen,
    norm::lanes_sum,
    parallel::{Shared, for_each_chunk, for_each_range},
    view::{build, read, write},
};
use candle_core::Error;

/// Values that one task sums; partial sums are added in order.
const PART: usize = 16 * 1024;

/// AdamW's constants for one update (Loshchilov and Hutter, arXiv 1711.05101, as torch.optim.AdamW orders it).
#[derive(Clone, Copy, Debug)]
pub struct AdamW {
    /// Learning rate.
    pub rate: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Number of this update, from 1.
    pub step: u64,
}

/// One AdamW update in place of `values`, `first` and `second` (all `[P]`) by `grads [P]`.
///
/// p *= 1 - lr wd; m = b1 m + (1-b1) g; v = b2 v + (1-b2) g^2; p -= lr/(1-b1^t) m / (sqrt(v)/sqrt(1-b2^t) + eps).
///
/// # Errors
/// If shapes or types disagree.
pub fn adamw(values: &Tensor, grads: &Tensor, first: &Tensor, second: &Tensor, rule: AdamW) -> Result<()> {
    if let Some(gpu) = values.gpu() {
        return cuda::optimizer::adamw(gpu, values, grads, first, second, rule);
    }
    same_length("adamw", &[values, grads, first, second])?;
    dispatch!(values, "adamw", T => {
        let power = i32::try_from(rule.step).unwrap_or(i32::MAX);
        let of = T::from_f64;
        let (b1, b2, epsilon) = (of(rule.beta1), of(rule.beta2), of(rule.epsilon));
        let (rest1, rest2) = (of(1.0 - rule.beta1), of(1.0 - rule.beta2));
        let keep = of(1.0 - rule.rate * rule.weight_decay);
        let rate = of(rule.rate / (1.0 - rule.beta1.powi(power)));
        let root = of(1.0 / (1.0 - rule.beta2.powi(power)).sqrt());
        let grads = read::<T>(grads)?;
        in_place3::<T>(values, first, second, |start, p, m, v| {
            let g = &grads[start..start + p.len()];
            vectorized(#[inline(always)] || {
                for i in 0..p.len() {
                    m[i] = b1 * m[i] + rest1 * g[i];
                    v[i] = b2 * v[i] + rest2 * g[i] * g[i];
                    p[i] = p[i] * keep - rate * m[i] / (v[i].sqrt() * root + epsilon);
                }
            });
        })
    })
}

/// Prodigy's numbers for one update (Mishchenko and Defazio, arXiv 2306.06101, as prodigyopt implements it).
#[derive(Clone, Copy, Debug)]
pub struct Prodigy {
    /// The estimate d before this update.
    pub d: f64,
    /// The first estimate.
    pub d0: f64,
    /// d times the learning rate and the bias correction.
    pub rate: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Decay of the sums behind d.
    pub beta3: f64,
}

/// Prodigy's running tensors, all `[P]`.
#[derive(Clone, Copy)]
pub struct ProdigyMoments<'a> {
    /// The values at the start of training.
    pub initial: &'a Tensor,
    /// First moment, scaled by d.
    pub first: &'a Tensor,
    /// Second moment, scaled by d^2.
    pub second: &'a Tensor,
    /// The sum s behind the denominator of d.
    pub sum: &'a Tensor,
}

/// The first half of a Prodigy update: moves the moments in place and returns
/// (sum of (d/d0) rate <g, p0 - p>, sum of |s|), from which the caller estimates the next d.
///
/// # Errors
/// If shapes or types disagree.
pub fn prodigy_moments(values: &Tensor, grads: &Tensor, moments: ProdigyMoments, rule: Prodigy) -> Result<(f64, f64)> {
    if let Some(gpu) = values.gpu() {
        return cuda::optimizer::prodigy_moments(gpu, values, grads, moments, rule);
    }
    same_length("prodigy", &[values, grads, moments.initial, moments.first, moments.second, moments.sum])?;
    dispatch!(values, "prodigy", T => {
        let of = T::from_f64;
        let (b1, b2, b3) = (of(rule.beta1), of(rule.beta2), of(rule.beta3));
        let (g1, g2) = (of((1.0 - rule.beta1) * rule.d), of((1.0 - rule.beta2) * rule.d * rule.d));
        let g3 = of(rule.d / rule.d0 * rule.d);
        let numerator = {
            let (p, p0, g) = (read::<T>(values)?, read::<T>(moments.initial)?, read::<T>(grads)?);
            sum_parts([&g[..], &p0, &p], |[g, p0, p]| g * (p0 - p)) * rule.d / rule.d0 * rule.rate
        };
        let g = read::<T>(grads)?;
        in_place3::<T>(moments.first, moments.second, moments.sum, |start, m, v, s| {
            let g = &g[start..start + m.len()];
            vectorized(#[inline(always)] || {
                for i in 0..m.len() {
                    m[i] = b1 * m[i] + g1 * g[i];
                    v[i] = b2 * v[i] + g2 * g[i] * g[i];
                    s[i] = b3 * s[i] + g3 * g[i];
                }
            });
        })?;
        let s = read::<T>(moments.sum)?;
        Ok((numerator, sum_parts([&s[..]], |[s]| Real::abs(s))))
    })
}

/// The second half: p *= 1 - wd rate; p -= rate m / (sqrt(v) + d_new eps).
///
/// # Errors
/// If shapes or types disagree.
pub fn prodigy_update(
    values: &Tensor,
    first: &Tensor,
    second: &Tensor,
    rate: f64,
    weight_decay: f64,
    epsilon: f64,
) -> Result<()> {
    if let Some(gpu) = values.gpu() {
        return cuda::optimizer::prodigy_update(gpu, values, first, second, rate, weight_decay, epsilon);
    }
    same_length("prodigy", &[values, first, second])?;
    dispatch!(values, "prodigy", T => {
        let (m, v) = (read::<T>(first)?, read::<T>(second)?);
        let (keep, rate, epsilon) = (T::from_f64(1.0 - weight_decay * rate), T::from_f64(rate), T::from_f64(epsilon));
        write::<T>(values, |values| {
            for_each_range(values, |start, p| {
                let (m, v) = (&m[start..], &v[start..]);
                for i in 0..p.len() {
                    p[i] = p[i] * keep - rate * m[i] / (v[i].sqrt() + epsilon);
                }
            });
        })
    })
}

/// The sum of |x|; one value.
///
/// # Errors
/// If the type or device has no kernel.
pub fn absolute_sum(x: &Tensor) -> Result<Tensor> {
    if let Some(gpu) = x.gpu() {
        return cuda::optimizer::absolute_sum(gpu, x);
    }
    dispatch!(x, "absolute sum", T => {
        let values = read::<T>(x)?;
        let sum = T::from_f64(sum_parts([&values[..]], |[x]| Real::abs(x)));
        Tensor::from_vec(vec![sum], (), x.device())
    })
}

/// The sum of x^2; one value.
///
/// # Errors
/// If the type or device has no kernel.
pub fn squared_sum(x: &Tensor) -> Result<Tensor> {
    if let Some(gpu) = x.gpu() {
        return cuda::optimizer::squared_sum(gpu, x);
    }
    dispatch!(x, "squared sum", T => {
        let values = read::<T>(x)?;
        let sum = T::from_f64(sum_parts([&values[..]], |[x]| x * x));
        Tensor::from_vec(vec![sum], (), x.device())
    })
}

/// `grads += factor sign(values)`, in place: the gradient of factor * sum |values|.
///
/// # Errors
/// If shapes or types disagree.
pub fn add_sign(grads: &Tensor, values: &Tensor, factor: f64) -> Result<()> {
    if let Some(gpu) = grads.gpu() {
        return cuda::optimizer::add_sign(gpu, grads, values, factor);
    }
    same_length("add sign", &[grads, values])?;
    dispatch!(values, "add sign", T => {
        let values = read::<T>(values)?;
        let (plus, minus) = (T::from_f64(factor), T::from_f64(-factor));
        write::<T>(grads, |grads| {
            for_each_range(grads, |start, grads| {
                for (g, x) in grads.iter_mut().zip(&values[start..]) {
                    if *x > T::ZERO {
                        *g += plus;
                    } else if *x < T::ZERO {
                        *g += minus;
                    }
                }
            });
        })
    })
}

/// The unbiased standard deviation of every row: `table [n, C]` (any float type) -> `[n]` in f64.
///
/// # Errors
/// If the type or device has no kernel.
pub fn row_std(table: &Tensor) -> Result<Tensor> {
    if let Some(gpu) = table.gpu() {
        return cuda::optimizer::row_std(gpu, table);
    }
    let table = Frozen::<f64>::new(table)?;
    build::<f64, _>(table.rows, &Device::Cpu, |out| {
        for_each_range(out, |start, out| {
            let mut scratch = Vec::new();
            for (r, std) in out.iter_mut().enumerate() {
                let row = &table.block((start + r, 1), (0, table.cols), &mut scratch).data[..table.cols];
                *std = deviation(row).1;
            }
        });
        Ok(())
    })
}

/// `factor * mean over rows of (mean - std(row))^2 / variance`, its gradient added to `grads` in place; one value.
/// Shapes: `rows, grads [n, C]`. Eden's pull of new tokens towards the vocabulary's spread; std is unbiased.
///
/// # Errors
/// If shapes or types disagree.
pub fn std_penalty(rows: &Tensor, grads: &Tensor, mean: f64, variance: f64, factor: f64) -> Result<Tensor> {
    if let Some(gpu) = rows.gpu() {
        return cuda::optimizer::std_penalty(gpu, rows, grads, mean, variance, factor);
    }
    let (count, channels) = rows.dims2()?;
    same_length("deviation penalty", &[rows, grads])?;
    dispatch!(rows, "deviation penalty", T => {
        let values = read::<T>(rows)?;
        let mut loss = 0.0;
        write::<T>(grads, |grads| {
            for (row, grad) in values.chunks_exact(channels).zip(grads.chunks_exact_mut(channels)) {
                let (center, std) = deviation(row);
                loss += factor * (mean - std).powi(2) / variance / count as f64;
                // d std / d x = (x - mean) / ((C - 1) std)
                let slope = 2.0 * factor * (std - mean) / variance / count as f64 / ((channels - 1) as f64 * std);
                for (g, x) in grad.iter_mut().zip(row) {
                    *g += T::from_f64(slope * (x.to_f64() - center));
                }
            }
        })?;
        Tensor::from_vec(vec![T::from_f64(loss)], (), rows.device())
    })
}

/// Mean and unbiased standard deviation.
fn deviation<T: Real>(row: &[T]) -> (f64, f64) {
    let count = row.len() as f64;
    let mean = row.iter().map(|x| x.to_f64()).sum::<f64>() / count;
    let squares = row.iter().map(|x| (x.to_f64() - mean).powi(2)).sum::<f64>();
    (mean, (squares / (count - 1.0)).sqrt())
}

/// The sum of `f` over slices of one length: parts in the type's own precision, added in f64 in order.
fn sum_parts<T: Real, const N: usize>(slices: [&[T]; N], f: impl Fn([T; N]) -> T + Sync) -> f64 {
    let count = slices[0].len();
    let mut parts = vec![0.0; count.div_ceil(PART)];
    for_each_chunk(&mut parts, 1, |i, part| {
        let span = i * PART..(i * PART + PART).min(count);
        let slices = slices.map(|slice| &slice[span.clone()]);
        part[0] = vectorized(
            #[inline(always)]
            || lanes_sum(slices, &f),
        )
        .to_f64();
    });
    parts.iter().sum()
}

/// Lets tasks change matching ranges of three tensors.
fn in_place3<T: Real>(
    a: &Tensor,
    b: &Tensor,
    c: &Tensor,
    update: impl Fn(usize, &mut [T], &mut [T], &mut [T]) + Sync + Send,
) -> Result<()> {
    let mut inner = Ok(());
    write::<T>(a, |a| {
        inner = write::<T>(b, |b| {
            let _ = write::<T>(c, |c| {
                let (b, c) = (Shared::new(b), Shared::new(c));
                for_each_range(a, |start, a| {
                    // SAFETY: the ranges of `a` are disjoint, and so are the matching ones of `b` and `c`.
                    let (b, c) = unsafe { (b.part(start, a.len()), c.part(start, a.len())) };
                    update(start, a, b, c);
                });
            });
        });
    })?;
    inner
}

fn same_length(operation: &str, tensors: &[&Tensor]) -> Result<()> {
    let length = tensors[0].elem_count();
    if tensors.iter().all(|t| t.elem_count() == length && t.dtype() == tensors[0].dtype()) {
        return Ok(());
    }
    Err(Error::Msg(format!("{operation}: tensors of different length or type")))
}
