//! Moving and adding on the GPU: joining and splitting channels, resizing, picking rows, other orders and types.

use super::{
    Gpu, Slice, columns,
    elements::{RUN, THREADS, address, by_rows, flat, number, wide},
};
use crate::{
    Result, Tensor,
    view::{rows_and_channels, same_shape, with_channels},
};
use candle_core::{DType, Error};

/// Tensors that one launch adds.
const PARTS: usize = 8;

/// Twin of `arrange::Sum`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Sum {
    parts: [u64; PARTS],
    out: u64,
    size: i64,
    count: i32,
    wide: i32,
}

/// As [`crate::add_all`].
pub fn add_all(gpu: &Gpu, parts: &[&Tensor]) -> Result<Tensor> {
    let name = "add_all";
    let Some((first, rest)) = parts.split_first() else {
        return Err(Error::Msg("a sum needs at least one tensor".into()));
    };
    let (dtype, size) = (first.dtype(), first.elem_count());
    let out = gpu.empty(first.shape().clone(), dtype)?;
    let add = |parts: &[&Tensor]| {
        let mut arguments = Sum {
            parts: [0; PARTS],
            out: out.address(),
            size: size as i64,
            count: parts.len() as i32,
            wide: wide(RUN, RUN, &[out.address()]),
        };
        for (place, part) in arguments.parts.iter_mut().zip(parts) {
            same_shape("sum", first, part)?;
            *place = address(name, part, dtype, size)?;
        }
        arguments.wide &= wide(RUN, RUN, &arguments.parts);
        gpu.launch(&Gpu::named(name, dtype)?, flat(name, size, RUN)?, THREADS, 0, &arguments)
    };
    let (now, later) = rest.split_at(rest.len().min(PARTS - 1));
    add(&[&[*first], now].concat())?;
    later.chunks(PARTS - 1).try_for_each(|parts| add(&[&[&out], parts].concat()))?;
    Ok(out)
}

/// Twin of `arrange::Flat`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Flat {
    from: u64,
    to: u64,
    size: i64,
    wide: i32,
    factor: f32,
}

/// Runs a kernel that takes each element of one tensor to the same of another.
fn through(gpu: &Gpu, kernel: &str, from: &Tensor, to: &Tensor, factor: f64) -> Result<()> {
    let size = from.elem_count();
    let (source, target) = (address(kernel, from, from.dtype(), size)?, address(kernel, to, to.dtype(), size)?);
    let arguments = Flat {
        from: source,
        to: target,
        size: size as i64,
        wide: wide(RUN, RUN, &[source, target]),
        factor: factor as f32,
    };
    gpu.launch(kernel, flat(kernel, size, RUN)?, THREADS, 0, &arguments)
}

/// As [`crate::scale`].
pub fn scale(gpu: &Gpu, x: &Tensor, factor: f64) -> Result<Tensor> {
    let out = gpu.empty(x.shape().clone(), x.dtype())?;
    through(gpu, &Gpu::named("scale", x.dtype())?, x, &out, factor)?;
    Ok(out)
}

/// As [`crate::scale_in_place`].
pub fn scale_in_place(gpu: &Gpu, target: &Tensor, factor: f64) -> Result<()> {
    through(gpu, &Gpu::named("scale", target.dtype())?, target, target, factor)
}

/// As [`crate::accumulate`]; halves may also be added to f32.
pub fn accumulate(gpu: &Gpu, target: &Tensor, source: &Tensor) -> Result<()> {
    same_shape("accumulate", target, source)?;
    let kernel = match (target.dtype(), source.dtype()) {
        (to, from) if to == from => Gpu::named("accumulate", to)?,
        (DType::F32, from) => Gpu::named("accumulate_wide", from)?,
        (to, from) => return Err(Error::Msg(format!("accumulate: {from:?} is not added to {to:?} on the GPU"))),
    };
    through(gpu, &kernel, source, target, 1.0)
}

/// `x` in another type.
pub fn cast(gpu: &Gpu, x: &Tensor, dtype: DType) -> Result<Tensor> {
    if x.dtype() == dtype {
        return Ok(x.clone());
    }
    let kernel = Gpu::named(&Gpu::named("cast", x.dtype())?, dtype)?;
    let out = gpu.empty(x.shape().clone(), dtype)?;
    through(gpu, &kernel, x, &out, 1.0)?;
    Ok(out)
}

/// Twin of `arrange::Channels`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Channels {
    left: u64,
    right: u64,
    joined: u64,
    rows: i64,
    left_channels: i32,
    right_channels: i32,
    wide: i32,
}

/// Runs `base`, which copies between rows of joined channels and their two parts.
fn channels(gpu: &Gpu, base: &str, left: &Tensor, right: &Tensor, joined: &Tensor) -> Result<()> {
    let ((rows, a), (_, b), dtype) = (rows_and_channels(left), rows_and_channels(right), joined.dtype());
    let arguments = Channels {
        left: address(base, left, dtype, rows * a)?,
        right: address(base, right, dtype, rows * b)?,
        joined: address(base, joined, dtype, rows * (a + b))?,
        rows: rows as i64,
        left_channels: number(base, a)?,
        right_channels: number(base, a + b)? - a as i32,
        wide: wide(a, RUN, &[left.address(), joined.address()]) & wide(b, RUN, &[right.address()]),
    };
    let grid = flat(base, rows * (a.div_ceil(RUN) + b.div_ceil(RUN)), 1)?;
    gpu.launch(&Gpu::named(base, dtype)?, grid, THREADS, 0, &arguments)
}

/// As [`crate::concat_channels`].
pub fn concat_channels(gpu: &Gpu, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let ((rows, left), (rows_b, right)) = (rows_and_channels(a), rows_and_channels(b));
    if rows != rows_b || a.rank() != b.rank() {
        return Err(Error::Msg(format!(
            "concat: shapes {:?} and {:?} differ before the last axis",
            a.shape(),
            b.shape()
        )));
    }
    let joined = gpu.empty(with_channels(a, left + right), a.dtype())?;
    channels(gpu, "concat_channels", a, b, &joined)?;
    Ok(joined)
}

/// As [`crate::split_channels`].
pub fn split_channels(gpu: &Gpu, x: &Tensor, left: usize) -> Result<(Tensor, Tensor)> {
    let (_, width) = rows_and_channels(x);
    let Some(right) = width.checked_sub(left) else {
        return Err(Error::Msg(format!("split: {left} channels of {width}")));
    };
    let a = gpu.empty(with_channels(x, left), x.dtype())?;
    let b = gpu.empty(with_channels(x, right), x.dtype())?;
    channels(gpu, "split_channels", &a, &b, x)?;
    Ok((a, b))
}

/// Twin of `arrange::Image`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Image {
    from: u64,
    to: u64,
    pixels: i64,
    width: i32,
    channels: i32,
    wide: i32,
}

/// Runs `base` between `from` and `to`, of which `small` has half the height and width.
fn resize(gpu: &Gpu, base: &str, from: &Tensor, to: &Tensor, small: &Tensor) -> Result<()> {
    let ((rows, channels), width, dtype) = (rows_and_channels(small), small.dim(2)?, from.dtype());
    let (source, target) = (address(base, from, dtype, from.elem_count())?, to.address());
    let arguments = Image {
        from: source,
        to: target,
        pixels: rows as i64,
        width: number(base, width)?,
        channels: number(base, channels)?,
        wide: wide(channels, RUN, &[source, target]),
    };
    gpu.launch(&Gpu::named(base, dtype)?, by_rows(base, rows, channels)?, THREADS, 0, &arguments)
}

/// As [`crate::upsample_nearest`].
pub fn upsample_nearest(gpu: &Gpu, x: &Tensor) -> Result<Tensor> {
    let (batch, height, width, channels) = x.dims4()?;
    let out = gpu.empty((batch, 2 * height, 2 * width, channels), x.dtype())?;
    resize(gpu, "upsample", x, &out, x)?;
    Ok(out)
}

/// As [`crate::upsample_nearest_backward`].
pub fn upsample_nearest_backward(gpu: &Gpu, grad: &Tensor) -> Result<Tensor> {
    let (batch, height, width, channels) = grad.dims4()?;
    if height % 2 != 0 || width % 2 != 0 {
        return Err(Error::Msg(format!("upsample backward: {height} x {width} is not even")));
    }
    let out = gpu.empty((batch, height / 2, width / 2, channels), grad.dtype())?;
    resize(gpu, "upsample_backward", grad, &out, &out)?;
    Ok(out)
}

/// Twin of `arrange::Pick`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Pick {
    from: u64,
    to: u64,
    index: u64,
    rows: i64,
    length: i32,
    channels: i32,
    wide: i32,
}

/// Runs `base` between samples of `length` rows and one row of each.
fn pick(gpu: &Gpu, base: &str, from: &Tensor, to: &Tensor, index: &[usize], length: usize) -> Result<()> {
    let ((rows, channels), dtype) = (rows_and_channels(to), from.dtype());
    if from.elem_count().min(to.elem_count()) != index.len() * channels || index.iter().any(|&i| i >= length) {
        return Err(Error::Msg(format!("rows {index:?} do not fit {:?} of samples of {length}", from.shape())));
    }
    let index: Vec<u32> = index.iter().map(|&i| i as u32).collect();
    let index = gpu.upload(&index, index.len())?;
    let (source, target) = (address(base, from, dtype, from.elem_count())?, to.address());
    let arguments = Pick {
        from: source,
        to: target,
        index: index.address(),
        rows: rows as i64,
        length: number(base, length)?,
        channels: number(base, channels)?,
        wide: wide(channels, RUN, &[source, target]),
    };
    gpu.launch(&Gpu::named(base, dtype)?, by_rows(base, rows, channels)?, THREADS, 0, &arguments)
}

/// As [`crate::gather_rows`].
pub fn gather_rows(gpu: &Gpu, x: &Tensor, index: &[usize]) -> Result<Tensor> {
    let (batch, length, channels) = x.dims3()?;
    let out = gpu.empty((batch, channels), x.dtype())?;
    pick(gpu, "gather_rows", x, &out, index, length)?;
    Ok(out)
}

/// As [`crate::scatter_rows`].
pub fn scatter_rows(gpu: &Gpu, grad: &Tensor, index: &[usize], length: usize) -> Result<Tensor> {
    let (batch, channels) = grad.dims2()?;
    let out = gpu.empty((batch, length, channels), grad.dtype())?;
    pick(gpu, "scatter_rows", grad, &out, index, length)?;
    Ok(out)
}

/// As [`crate::sum_space`].
pub fn sum_space(gpu: &Gpu, x: &Tensor) -> Result<Tensor> {
    columns::sums(gpu, x, None, x.dim(0)?, x.dtype())
}

/// Axes that a copy can have.
const AXES: usize = 5;

/// Twin of `arrange::Copy`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Copy {
    from: u64,
    to: u64,
    count: i64,
    strides: [i64; AXES],
    sizes: [i32; AXES],
    axes: i32,
}

/// The elements of `source` that `strides` name from element `offset` on, as a tensor of `shape`.
pub(super) fn copy_strided(
    gpu: &Gpu,
    source: &Slice,
    offset: usize,
    shape: &[usize],
    strides: &[usize],
) -> Result<Tensor> {
    let name = "copy_strided";
    let (dtype, count): (_, usize) = (source.dtype(), shape.iter().product());
    let out = gpu.empty(shape.to_vec(), dtype)?;
    let last: usize = shape.iter().zip(strides).map(|(size, stride)| size.saturating_sub(1) * stride).sum();
    if count == 0 {
        return Ok(out);
    }
    if shape.len() != strides.len() || offset + last >= source.shape().elem_count() {
        return Err(Error::Msg(format!("{name}: {shape:?} by {strides:?} leaves {:?}", source.shape())));
    }
    let mut bytes = dtype.size_in_bytes();
    let from = source.address() + (offset * bytes) as u64;
    let mut axes = joined(shape, strides);
    // Sixteen bytes at once, where they lie together throughout.
    let many = 16 / bytes;
    if let Some(((size, 1), outer)) = axes.split_last()
        && size % many == 0
        && from.is_multiple_of(16)
        && outer.iter().all(|(_, stride)| stride % many == 0)
    {
        let size = size / many;
        axes.iter_mut().for_each(|(_, stride)| *stride /= many);
        if let Some(inner) = axes.last_mut() {
            *inner = (size, 1);
        }
        bytes = 16;
    }
    let Some(missing) = AXES.checked_sub(axes.len()) else {
        return Err(Error::Msg(format!("{name}: {shape:?} by {strides:?} has too many axes for a GPU kernel")));
    };
    let count = axes.iter().map(|(size, _)| size).product();
    let mut arguments = Copy {
        from,
        to: out.address(),
        count: count as i64,
        strides: [0; AXES],
        sizes: [1; AXES],
        axes: axes.len() as i32,
    };
    for (axis, (size, stride)) in axes.iter().enumerate() {
        arguments.sizes[missing + axis] = number(name, *size)?;
        arguments.strides[missing + axis] = *stride as i64;
    }
    gpu.launch(&format!("{name}_{}", 8 * bytes), flat(name, count, 1)?, THREADS, 0, &arguments)?;
    Ok(out)
}

/// Sizes and strides of as few axes as name the same elements.
fn joined(shape: &[usize], strides: &[usize]) -> Vec<(usize, usize)> {
    let mut axes: Vec<(usize, usize)> = Vec::new();
    for (&size, &stride) in shape.iter().zip(strides).filter(|(size, _)| **size != 1) {
        match axes.last_mut() {
            Some(outer) if outer.1 == size * stride => *outer = (outer.0 * size, stride),
            _ => axes.push((size, stride)),
        }
    }
    if axes.is_empty() {
        axes.push((1, 1));
    }
    axes
}
