//! What DoRA needs beyond LoRA, on the GPU.

use super::{
    Gpu, columns,
    elements::{RUN, THREADS, address, address_if, by_rows, flat, number, wide},
};
use crate::{
    Init, Result, Tensor, Weight,
    view::{rows_and_channels, same_shape},
};
use candle_core::{DType, Error};

/// As [`crate::channel_product`], in f32.
pub fn channel_product(gpu: &Gpu, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    same_shape("channel product", a, b)?;
    let (_, channels) = rows_and_channels(a);
    columns::sums(gpu, a, Some(b), 1, DType::F32)?.reshape(channels)
}

/// Twin of `dora::Affine`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Affine {
    x: u64,
    out: u64,
    factor: u64,
    bias: u64,
    per_sample: u64,
    residual: u64,
    rows: i64,
    rows_per_sample: i64,
    channels: i32,
    wide: i32,
}

/// `x factor` plus everything that an output may start from.
fn affine(gpu: &Gpu, x: &Tensor, factor: Option<&Tensor>, init: Init) -> Result<Tensor> {
    let name = "channel_affine";
    let ((rows, channels), dtype) = (rows_and_channels(x), x.dtype());
    let batch = x.dims().first().copied().unwrap_or(1).max(1);
    let out = gpu.empty(x.shape().clone(), dtype)?;
    let mut arguments = Affine {
        x: address(name, x, dtype, rows * channels)?,
        out: out.address(),
        factor: address_if(name, factor, DType::F32, channels)?,
        bias: address_if(name, init.bias, DType::F32, channels)?,
        per_sample: address_if(name, init.per_sample, dtype, batch * channels)?,
        residual: address_if(name, init.residual, dtype, rows * channels)?,
        rows: rows as i64,
        rows_per_sample: (rows / batch).max(1) as i64,
        channels: number(name, channels)?,
        wide: 0,
    };
    let Affine { x, out: to, factor, bias, per_sample, residual, .. } = arguments;
    arguments.wide = wide(channels, RUN, &[x, to, factor, bias, per_sample, residual]);
    gpu.launch(&Gpu::named(name, dtype)?, by_rows(name, rows, channels)?, THREADS, 0, &arguments)?;
    Ok(out)
}

/// As [`crate::scale_channels`]; the factors are f32.
pub fn scale_channels(gpu: &Gpu, x: &Tensor, factor: &Tensor) -> Result<Tensor> {
    affine(gpu, x, Some(factor), Init::default())
}

/// As [`crate::add_init`]; the bias is f32.
pub fn add_init(gpu: &Gpu, x: &Tensor, init: Init) -> Result<Tensor> {
    affine(gpu, x, None, init)
}

/// Twin of `dora::Quotient`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Quotient {
    above: u64,
    below: u64,
    out: u64,
    size: i64,
    wide: i32,
}

/// `a / b` elementwise, in f32.
pub fn div(gpu: &Gpu, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    same_shape("division", a, b)?;
    let size = a.elem_count();
    let out = gpu.empty(a.shape().clone(), DType::F32)?;
    let (above, below) = (address("division", a, DType::F32, size)?, address("division", b, DType::F32, size)?);
    let wide = wide(4, 4, &[above, below, out.address()]);
    let arguments = Quotient { above, below, out: out.address(), size: size as i64, wide };
    gpu.launch("divide_f32", flat("division", size, 4)?, THREADS, 0, &arguments)?;
    Ok(out)
}

/// Twin of `dora::Norms`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Norms {
    weight: u64,
    up: u64,
    down: u64,
    norms: u64,
    rows: i32,
    columns: i32,
    rank: i32,
    wide: i32,
    scale: f32,
}

/// As [`crate::row_norms`], in f32; so are `up` and `down`.
pub fn row_norms(gpu: &Gpu, weight: Weight, up: &Tensor, down: &Tensor, scale: f64) -> Result<Tensor> {
    let Weight::Plain(weight) = weight else {
        return Err(Error::Msg("DoRA wants a base of 16 or 32 bits on the GPU".into()));
    };
    /// Rows of a block.
    const ROWS: usize = 4;
    /// Shared memory that every block may have.
    const SHARED: usize = 48 << 10;
    let name = "row_norms";
    let (rows, rank) = up.dims2()?;
    let columns = weight.elem_count() / rows.max(1);
    let shared = ROWS * rank * size_of::<f32>();
    // A warp's sums lie there too.
    if shared + 1024 > SHARED {
        return Err(Error::Msg(format!("{name}: the GPU does not take rank {rank}")));
    }
    let norms = gpu.empty(rows, DType::F32)?;
    let from = address(name, weight, weight.dtype(), rows * columns)?;
    let (high, low) = (address(name, up, DType::F32, rows * rank)?, address(name, down, DType::F32, rank * columns)?);
    let arguments = Norms {
        weight: from,
        up: high,
        down: low,
        norms: norms.address(),
        rows: number(name, rows)?,
        columns: number(name, columns.saturating_mul(2))? / 2,
        rank: rank as i32,
        wide: wide(columns, RUN, &[from, low]),
        scale: scale as f32,
    };
    let grid = (rows.div_ceil(ROWS) as u32, 1, 1);
    gpu.launch(&Gpu::named(name, weight.dtype())?, grid, THREADS, shared as u32, &arguments)?;
    Ok(norms)
}
