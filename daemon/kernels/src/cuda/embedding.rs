//! Token lookup on the GPU.

use super::{
    Gpu,
    elements::{RUN, THREADS, address, address_if, by_rows, number, wide},
};
use crate::{Result, Tensor};
use candle_core::{DType, Error};

/// Twin of `embedding::Lookup`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Lookup {
    table: u64,
    rows: u64,
    positions: u64,
    ids: u64,
    out: u64,
    count: i64,
    vocabulary: i32,
    length: i32,
    channels: i32,
    wide: i32,
}

/// As [`crate::embed`]; the new rows are f32.
pub fn embed(gpu: &Gpu, table: &Tensor, rows: Option<&Tensor>, positions: &Tensor, ids: &[u32]) -> Result<Tensor> {
    let name = "embedding";
    let ((length, channels), dtype) = (positions.dims2()?, positions.dtype());
    let vocabulary = table.dim(0)?;
    let new = rows.map_or(Ok(0), |rows| rows.dim(0))?;
    if let Some(id) = ids.iter().find(|&&id| id as usize >= vocabulary + new) {
        return Err(Error::Msg(format!("token id {id} has no embedding: there are {}", vocabulary + new)));
    }
    if length == 0 || !ids.len().is_multiple_of(length) {
        return Err(Error::Msg(format!("{name}: {} ids are no prompts of {length}", ids.len())));
    }
    let out = gpu.empty((ids.len() / length, length, channels), dtype)?;
    let uploaded = gpu.upload(ids, ids.len())?;
    let mut arguments = Lookup {
        table: address(name, table, table.dtype(), vocabulary * channels)?,
        rows: address_if(name, rows, DType::F32, new * channels)?,
        positions: address(name, positions, dtype, length * channels)?,
        ids: uploaded.address(),
        out: out.address(),
        count: ids.len() as i64,
        vocabulary: number(name, vocabulary)?,
        length: number(name, length)?,
        channels: number(name, channels)?,
        wide: 0,
    };
    let Lookup { table: from, rows, positions, out: to, .. } = arguments;
    arguments.wide = wide(channels, RUN, &[from, rows, positions, to]);
    let kernel = Gpu::named(&Gpu::named("embed_of", table.dtype())?, dtype)?;
    gpu.launch(&kernel, by_rows(name, ids.len(), channels)?, THREADS, 0, &arguments)?;
    Ok(out)
}

/// Twin of `embedding::Gradient`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Gradient {
    target: u64,
    grad: u64,
    ids: u64,
    count: i32,
    vocabulary: i32,
    channels: i32,
}

/// As [`crate::embed_backward`]; `target` is f32.
pub fn embed_backward(gpu: &Gpu, target: &Tensor, grad: &Tensor, ids: &[u32], vocabulary: usize) -> Result<()> {
    let name = "embed_backward";
    let (rows, channels) = target.dims2()?;
    if let Some(id) = ids.iter().find(|&&id| id as usize >= vocabulary + rows) {
        return Err(Error::Msg(format!("token id {id} has no row: there are {}", vocabulary + rows)));
    }
    let uploaded = gpu.upload(ids, ids.len())?;
    let arguments = Gradient {
        target: address(name, target, DType::F32, rows * channels)?,
        grad: address(name, grad, grad.dtype(), ids.len() * channels)?,
        ids: uploaded.address(),
        count: number(name, ids.len())?,
        vocabulary: number(name, vocabulary)?,
        channels: number(name, channels)?,
    };
    let slices = u16::try_from(channels.div_ceil(THREADS as usize))
        .map_err(|_| Error::Msg(format!("{name}: {channels} channels are too many")))?;
    let grid = (number(name, rows)? as u32, u32::from(slices), 1);
    gpu.launch(&Gpu::named(name, grad.dtype())?, grid, THREADS, 0, &arguments)
}
