//! Updates and sums over all trainable values on the GPU.

use super::{
    Gpu,
    elements::{RUN, THREADS, address, flat, number, wide},
};
use crate::{AdamW, Prodigy, ProdigyMoments, Result, Tensor, view::same_shape};
use candle_core::{DType, Error};

/// Elements of a lane, all f32.
const FOUR: usize = 4;
/// Runs of a lane where blocks sum.
const STEPS: usize = 4;

/// The addresses of tensors of one length, that length, and whether sixteen bytes can be moved at once.
fn flats<const N: usize>(operation: &str, tensors: [&Tensor; N]) -> Result<([u64; N], i64, i32)> {
    let size = tensors[0].elem_count();
    let mut addresses = [0; N];
    for (place, tensor) in addresses.iter_mut().zip(tensors) {
        *place = address(operation, tensor, DType::F32, size)?;
    }
    Ok((addresses, size as i64, wide(FOUR, FOUR, &addresses)))
}

/// Twin of `optimizer::AdamW`.
#[repr(C)]
#[derive(Clone, Copy)]
struct AdamWArguments {
    values: u64,
    grads: u64,
    first: u64,
    second: u64,
    size: i64,
    wide: i32,
    beta1: f32,
    beta2: f32,
    rest1: f32,
    rest2: f32,
    keep: f32,
    rate: f32,
    root: f32,
    epsilon: f32,
}

/// As [`crate::adamw`], in f32.
pub fn adamw(gpu: &Gpu, values: &Tensor, grads: &Tensor, first: &Tensor, second: &Tensor, rule: AdamW) -> Result<()> {
    let ([values, grads, first, second], size, wide) = flats("adamw", [values, grads, first, second])?;
    let power = i32::try_from(rule.step).unwrap_or(i32::MAX);
    let arguments = AdamWArguments {
        values,
        grads,
        first,
        second,
        size,
        wide,
        beta1: rule.beta1 as f32,
        beta2: rule.beta2 as f32,
        rest1: (1.0 - rule.beta1) as f32,
        rest2: (1.0 - rule.beta2) as f32,
        keep: (1.0 - rule.rate * rule.weight_decay) as f32,
        rate: (rule.rate / (1.0 - rule.beta1.powi(power))) as f32,
        root: (1.0 / (1.0 - rule.beta2.powi(power)).sqrt()) as f32,
        epsilon: rule.epsilon as f32,
    };
    gpu.launch("adamw_f32", flat("adamw", size as usize, FOUR)?, THREADS, 0, &arguments)
}

/// Twin of `optimizer::Moments`.
#[repr(C)]
#[derive(Clone, Copy)]
struct MomentsArguments {
    values: u64,
    grads: u64,
    initial: u64,
    first: u64,
    second: u64,
    sum: u64,
    partials: u64,
    size: i64,
    wide: i32,
    beta1: f32,
    beta2: f32,
    beta3: f32,
    g1: f32,
    g2: f32,
    g3: f32,
}

/// As [`crate::prodigy_moments`], in f32; waits for the sums.
pub fn prodigy_moments(
    gpu: &Gpu,
    values: &Tensor,
    grads: &Tensor,
    moments: ProdigyMoments,
    rule: Prodigy,
) -> Result<(f64, f64)> {
    let ProdigyMoments { initial, first, second, sum } = moments;
    let ([values, grads, initial, first, second, sum], size, wide) =
        flats("prodigy", [values, grads, initial, first, second, sum])?;
    let grid = flat("prodigy", size as usize, FOUR * STEPS)?;
    let partials = gpu.empty((grid.0 as usize, 2), DType::F32)?;
    let arguments = MomentsArguments {
        values,
        grads,
        initial,
        first,
        second,
        sum,
        partials: partials.address(),
        size,
        wide,
        beta1: rule.beta1 as f32,
        beta2: rule.beta2 as f32,
        beta3: rule.beta3 as f32,
        g1: ((1.0 - rule.beta1) * rule.d) as f32,
        g2: ((1.0 - rule.beta2) * rule.d * rule.d) as f32,
        g3: (rule.d / rule.d0 * rule.d) as f32,
    };
    gpu.launch("prodigy_moments_f32", grid, THREADS, 0, &arguments)?;
    match total(gpu, &partials, 2, DType::F64)?.to_vec::<f64>()?[..] {
        [slope, size] => Ok((slope * rule.d / rule.d0 * rule.rate, size)),
        _ => Err(Error::Msg("bug: a GPU kernel gave other than two sums".into())),
    }
}

/// Twin of `optimizer::Update`.
#[repr(C)]
#[derive(Clone, Copy)]
struct UpdateArguments {
    values: u64,
    first: u64,
    second: u64,
    size: i64,
    wide: i32,
    keep: f32,
    rate: f32,
    epsilon: f32,
}

/// As [`crate::prodigy_update`], in f32.
pub fn prodigy_update(
    gpu: &Gpu,
    values: &Tensor,
    first: &Tensor,
    second: &Tensor,
    rate: f64,
    weight_decay: f64,
    epsilon: f64,
) -> Result<()> {
    let ([values, first, second], size, wide) = flats("prodigy", [values, first, second])?;
    let (keep, rate, epsilon) = ((1.0 - weight_decay * rate) as f32, rate as f32, epsilon as f32);
    let arguments = UpdateArguments { values, first, second, size, wide, keep, rate, epsilon };
    gpu.launch("prodigy_update_f32", flat("prodigy", size as usize, FOUR)?, THREADS, 0, &arguments)
}

/// Twin of `optimizer::Parts`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Parts {
    x: u64,
    partials: u64,
    size: i64,
    wide: i32,
}

fn sum(gpu: &Gpu, kernel: &str, x: &Tensor) -> Result<Tensor> {
    let ([x], size, wide) = flats(kernel, [x])?;
    let grid = flat(kernel, size as usize, FOUR * STEPS)?;
    let partials = gpu.empty(grid.0 as usize, DType::F32)?;
    gpu.launch(kernel, grid, THREADS, 0, &Parts { x, partials: partials.address(), size, wide })?;
    total(gpu, &partials, 1, DType::F32)?.reshape(())
}

/// As [`crate::absolute_sum`], in f32.
pub fn absolute_sum(gpu: &Gpu, x: &Tensor) -> Result<Tensor> {
    sum(gpu, "absolute_sum_f32", x)
}

/// As [`crate::squared_sum`], in f32.
pub fn squared_sum(gpu: &Gpu, x: &Tensor) -> Result<Tensor> {
    sum(gpu, "squared_sum_f32", x)
}

/// Twin of `optimizer::Total`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Total {
    partials: u64,
    exact: u64,
    rounded: u64,
    count: i64,
    columns: i32,
}

/// Adds blocks' shares `[count, columns]` of f32 in f64: `[columns]` in f64 or f32.
pub(super) fn total(gpu: &Gpu, partials: &Tensor, columns: usize, dtype: DType) -> Result<Tensor> {
    let out = gpu.empty(columns, dtype)?;
    let at = |wanted| if dtype == wanted { out.address() } else { 0 };
    let arguments = Total {
        partials: partials.address(),
        exact: at(DType::F64),
        rounded: at(DType::F32),
        count: (partials.elem_count() / columns) as i64,
        columns: columns as i32,
    };
    gpu.launch("total_f32", (columns as u32, 1, 1), THREADS, 0, &arguments)?;
    Ok(out)
}

/// Twin of `optimizer::Sign`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Sign {
    grads: u64,
    values: u64,
    size: i64,
    wide: i32,
    factor: f32,
}

/// As [`crate::add_sign`], in f32.
pub fn add_sign(gpu: &Gpu, grads: &Tensor, values: &Tensor, factor: f64) -> Result<()> {
    let ([grads, values], size, wide) = flats("add sign", [grads, values])?;
    let arguments = Sign { grads, values, size, wide, factor: factor as f32 };
    gpu.launch("add_sign_f32", flat("add sign", size as usize, FOUR)?, THREADS, 0, &arguments)
}

/// Twin of `optimizer::Spread`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Spread {
    table: u64,
    deviations: u64,
    rows: i64,
    channels: i32,
    wide: i32,
}

/// As [`crate::row_std`], in f32.
pub fn row_std(gpu: &Gpu, table: &Tensor) -> Result<Tensor> {
    let rows = table.dim(0)?;
    let channels = table.elem_count() / rows.max(1);
    let deviations = gpu.empty(rows, DType::F32)?;
    let from = address("row_std", table, table.dtype(), rows * channels)?;
    let arguments = Spread {
        table: from,
        deviations: deviations.address(),
        rows: rows as i64,
        channels: number("row_std", channels)?,
        wide: wide(channels, RUN, &[from]),
    };
    let blocks = number("row_std", rows.div_ceil(THREADS as usize / 32))? as u32;
    gpu.launch(&Gpu::named("row_std", table.dtype())?, (blocks, 1, 1), THREADS, 0, &arguments)?;
    Ok(deviations)
}

/// Twin of `optimizer::Penalty`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Penalty {
    rows: u64,
    grads: u64,
    partials: u64,
    mean: f64,
    share: f64,
    channels: i32,
}

/// As [`crate::std_penalty`], in f32.
pub fn std_penalty(gpu: &Gpu, rows: &Tensor, grads: &Tensor, mean: f64, variance: f64, factor: f64) -> Result<Tensor> {
    let (count, channels) = rows.dims2()?;
    same_shape("deviation penalty", rows, grads)?;
    let ([from, to], ..) = flats("deviation penalty", [rows, grads])?;
    let partials = gpu.empty(count, DType::F32)?;
    let arguments = Penalty {
        rows: from,
        grads: to,
        partials: partials.address(),
        mean,
        share: factor / variance / count as f64,
        channels: number("deviation penalty", channels)?,
    };
    let grid = (number("deviation penalty", count)? as u32, 1, 1);
    gpu.launch("std_penalty_f32", grid, THREADS, 0, &arguments)?;
    total(gpu, &partials, 1, DType::F32)?.reshape(())
}
