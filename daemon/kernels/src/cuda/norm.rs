//! Group norm and layer norm on the GPU.

use super::{
    Gpu,
    elements::{RUN, Split, THREADS, address, address_if, number, wide},
};
use crate::{Affine, GROUPS, Result, Tensor, view::rows_and_channels};
use candle_core::{DType, Error};

/// Rows of a lane at most: means are taken from one of them, so that more would cost precision.
const STEPS: usize = 32;

/// Twin of `norms::Group`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Group {
    x: u64,
    grad: u64,
    residual: u64,
    out: u64,
    partials: u64,
    statistics: u64,
    means: u64,
    scale: u64,
    shift: u64,
    split: Split,
    chunks: i32,
    batch: i32,
    silu: i32,
    wide: i32,
    epsilon: f32,
}

/// A group norm's arguments but for what is read besides x and what is written; and the workspace of its first pass.
fn grouped(gpu: &Gpu, x: &Tensor, affine: &Affine, silu: bool) -> Result<(Group, Tensor)> {
    let name = "group norm";
    let ((rows, channels), batch) = (rows_and_channels(x), x.dim(0)?);
    let rows = rows / batch.max(1);
    let split = Split::new(name, batch, rows, channels, STEPS)?;
    if channels % GROUPS != 0 || channels == 0 || !split.is_whole() {
        return Err(Error::Msg(format!("{name}: the GPU does not divide {channels} channels into {GROUPS} groups")));
    }
    let partials = gpu.empty((batch, split.chunks(), GROUPS, 2), DType::F32)?;
    let arguments = Group {
        x: address(name, x, x.dtype(), x.elem_count())?,
        grad: 0,
        residual: 0,
        out: 0,
        partials: partials.address(),
        statistics: 0,
        means: 0,
        scale: address(name, &affine.scale, DType::F32, channels)?,
        shift: address(name, &affine.shift, DType::F32, channels)?,
        split,
        chunks: number(name, split.chunks())?,
        batch: number(name, batch * GROUPS * 32)? / (GROUPS * 32) as i32,
        silu: i32::from(silu),
        wide: 0,
        epsilon: affine.epsilon as f32,
    };
    Ok((arguments, partials))
}

impl Group {
    /// Says whether sixteen bytes can be moved at once, now that all addresses are known.
    fn aligned(mut self) -> Self {
        let addresses = [self.x, self.grad, self.residual, self.out, self.scale, self.shift];
        // Channels of 32 groups are whole runs.
        self.wide = wide(RUN, RUN, &addresses);
        self
    }

    /// The pass over all rows named `name`.
    fn rows(&self, gpu: &Gpu, name: &str, dtype: DType, tables: usize) -> Result<()> {
        let (grid, threads) = (self.split.grid(self.batch as usize), self.split.threads());
        gpu.launch(&Gpu::named(name, dtype)?, grid, threads, self.split.shared(tables), self)
    }

    /// The pass over chunks, a warp for each sample and group.
    fn groups(&self, gpu: &Gpu, name: &str) -> Result<()> {
        let lanes = self.batch as u32 * GROUPS as u32 * 32;
        gpu.launch(name, (lanes.div_ceil(THREADS), 1, 1), THREADS, 0, self)
    }
}

/// As [`crate::group_norm`].
pub fn group_norm(gpu: &Gpu, x: &Tensor, affine: &Affine, silu: bool) -> Result<(Tensor, Tensor)> {
    let (arguments, _partials) = grouped(gpu, x, affine, silu)?;
    let y = gpu.empty(x.shape().clone(), x.dtype())?;
    let statistics = gpu.empty((x.dim(0)?, GROUPS, 2), DType::F32)?;
    let arguments = Group { out: y.address(), statistics: statistics.address(), ..arguments }.aligned();
    if x.elem_count() > 0 {
        arguments.rows(gpu, "group_norm_moments", x.dtype(), 2)?;
        arguments.groups(gpu, "group_norm_merge_f32")?;
        arguments.rows(gpu, "group_norm_apply", x.dtype(), 0)?;
    }
    Ok((y, statistics))
}

/// As [`crate::group_norm_backward`].
pub fn group_norm_backward(
    gpu: &Gpu,
    grad: &Tensor,
    x: &Tensor,
    statistics: &Tensor,
    affine: &Affine,
    silu: bool,
    residual: Option<&Tensor>,
) -> Result<Tensor> {
    let name = "group norm backward";
    let (arguments, _partials) = grouped(gpu, x, affine, silu)?;
    let (batch, dtype, count) = (x.dim(0)?, x.dtype(), x.elem_count());
    let (dx, means) = (gpu.empty(x.shape().clone(), dtype)?, gpu.empty((batch, GROUPS, 2), DType::F32)?);
    let arguments = Group {
        grad: address(name, grad, dtype, count)?,
        residual: address_if(name, residual, dtype, count)?,
        out: dx.address(),
        statistics: address(name, statistics, DType::F32, batch * GROUPS * 2)?,
        means: means.address(),
        ..arguments
    }
    .aligned();
    if count > 0 {
        arguments.rows(gpu, "group_norm_slopes", dtype, 2)?;
        arguments.groups(gpu, "group_norm_means_f32")?;
        arguments.rows(gpu, "group_norm_backward", dtype, 0)?;
    }
    Ok(dx)
}

/// Twin of `norms::Layer`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Layer {
    x: u64,
    grad: u64,
    residual: u64,
    out: u64,
    scale: u64,
    shift: u64,
    rows: i64,
    channels: i32,
    wide: i32,
    epsilon: f32,
}

/// A warp takes a row; kernels that keep rows in registers are there for up to 768 and 1280 channels.
fn layer(gpu: &Gpu, base: &str, x: &Tensor, affine: &Affine, gradient: Option<(&Tensor, &Tensor)>) -> Result<Tensor> {
    let ((rows, channels), dtype) = (rows_and_channels(x), x.dtype());
    let of = |tensor: &Tensor| address(base, tensor, dtype, x.elem_count());
    let out = gpu.empty(x.shape().clone(), dtype)?;
    let mut arguments = Layer {
        x: of(x)?,
        grad: gradient.map_or(Ok(0), |(grad, _)| of(grad))?,
        residual: gradient.map_or(Ok(0), |(_, residual)| of(residual))?,
        out: out.address(),
        scale: address(base, &affine.scale, DType::F32, channels)?,
        shift: address(base, &affine.shift, DType::F32, channels)?,
        rows: rows as i64,
        channels: number(base, channels)?,
        wide: 0,
        epsilon: affine.epsilon as f32,
    };
    let Layer { x, grad, residual, out: to, scale, shift, .. } = arguments;
    arguments.wide = wide(channels, RUN, &[x, grad, residual, to, scale, shift]);
    let kept = match channels {
        0..=768 => "3",
        769..=1280 => "5",
        _ => "any",
    };
    let blocks = number(base, rows.div_ceil(THREADS as usize / 32))? as u32;
    if channels > 0 {
        gpu.launch(&Gpu::named(&format!("{base}_{kept}"), dtype)?, (blocks, 1, 1), THREADS, 0, &arguments)?;
    }
    Ok(out)
}

/// As [`crate::layer_norm`].
pub fn layer_norm(gpu: &Gpu, x: &Tensor, affine: &Affine) -> Result<Tensor> {
    layer(gpu, "layer_norm", x, affine, None)
}

/// As [`crate::layer_norm_backward`].
pub fn layer_norm_backward(gpu: &Gpu, grad: &Tensor, x: &Tensor, affine: &Affine, residual: &Tensor) -> Result<Tensor> {
    layer(gpu, "layer_norm_backward", x, affine, Some((grad, residual)))
}
