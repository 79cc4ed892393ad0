//! Sums over rows on the GPU: blocks sum their share of the rows, then the shares are added in order.

use super::{
    Gpu,
    elements::{RUN, Split, THREADS, address, number, wide},
};
use crate::{Result, Tensor, view::rows_and_channels};
use candle_core::DType;

/// Twin of `arrange::Columns`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Columns {
    x: u64,
    y: u64,
    partials: u64,
    split: Split,
    wide: i32,
}

/// Twin of `arrange::Totals`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Totals {
    partials: u64,
    out: u64,
    channels: i32,
    chunks: i32,
}

/// Sums `x [..., C]`, or `x * y`, over the rows of each of `batch` samples: `[batch, C]` in `dtype`.
pub fn sums(gpu: &Gpu, x: &Tensor, y: Option<&Tensor>, batch: usize, dtype: DType) -> Result<Tensor> {
    let base = if y.is_some() { "column_products" } else { "column_sums" };
    let (rows, channels) = rows_and_channels(x);
    let split = Split::new(base, batch, rows / batch.max(1), channels, 64)?;
    let of = |tensor: &Tensor| address(base, tensor, x.dtype(), batch * (rows / batch.max(1)) * channels);
    let partials = gpu.empty((batch, split.chunks(), channels), DType::F32)?;
    let out = gpu.empty((batch, channels), dtype)?;
    let (at, with) = (of(x)?, y.map_or(Ok(0), of)?);
    let wide = wide(channels, RUN, &[at, with]);
    let sums = Columns { x: at, y: with, partials: partials.address(), split, wide };
    gpu.launch(&Gpu::named(base, x.dtype())?, split.grid(batch), split.threads(), split.shared(1), &sums)?;
    let (partials, chunks) = (partials.address(), number(base, split.chunks())?);
    let totals = Totals { partials, out: out.address(), channels: number(base, channels)?, chunks };
    let grid = (channels.div_ceil(32) as u32, batch as u32, 1);
    gpu.launch(&Gpu::named("column_totals", dtype)?, grid, THREADS, 0, &totals)?;
    Ok(out)
}
