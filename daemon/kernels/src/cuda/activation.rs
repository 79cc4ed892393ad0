//! Pointwise nonlinearities on the GPU.

use super::{
    Gpu,
    elements::{RUN, THREADS, address, by_rows, flat, number, wide},
};
use crate::{
    Activation, Result, Tensor,
    view::{rows_and_channels, with_channels},
};
use candle_core::Error;

/// Twin of `activation::Pointwise`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Pointwise {
    x: u64,
    grad: u64,
    out: u64,
    count: i64,
    kind: i32,
    wide: i32,
}

fn pointwise(gpu: &Gpu, base: &str, x: &Tensor, grad: Option<&Tensor>, f: Activation) -> Result<Tensor> {
    let (dtype, count) = (x.dtype(), x.elem_count());
    let out = gpu.empty(x.shape().clone(), dtype)?;
    let at = address(base, x, dtype, count)?;
    let grad = grad.map_or(Ok(0), |grad| address(base, grad, dtype, count))?;
    let arguments = Pointwise {
        x: at,
        grad,
        out: out.address(),
        count: count as i64,
        kind: match f {
            Activation::Silu => 0,
            Activation::Gelu => 1,
            Activation::QuickGelu => 2,
        },
        wide: wide(RUN, RUN, &[at, grad, out.address()]),
    };
    gpu.launch(&Gpu::named(base, dtype)?, flat(base, count, RUN)?, THREADS, 0, &arguments)?;
    Ok(out)
}

/// As [`crate::activate`].
pub fn activate(gpu: &Gpu, x: &Tensor, f: Activation) -> Result<Tensor> {
    pointwise(gpu, "activate", x, None, f)
}

/// As [`crate::activate_backward`].
pub fn activate_backward(gpu: &Gpu, grad: &Tensor, x: &Tensor, f: Activation) -> Result<Tensor> {
    pointwise(gpu, "activate_backward", x, Some(grad), f)
}

/// Twin of `activation::Geglu`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Geglu {
    x: u64,
    grad: u64,
    out: u64,
    rows: i64,
    width: i32,
    wide: i32,
}

fn gated(gpu: &Gpu, base: &str, x: &Tensor, grad: Option<&Tensor>) -> Result<Tensor> {
    let ((rows, double), dtype) = (rows_and_channels(x), x.dtype());
    let width = double / 2;
    if double % 2 != 0 {
        return Err(Error::Msg(format!("{base}: {double} channels cannot be halved")));
    }
    let out = match grad {
        None => gpu.empty(with_channels(x, width), dtype)?,
        Some(_) => gpu.empty(x.shape().clone(), dtype)?,
    };
    let at = address(base, x, dtype, rows * double)?;
    let grad = grad.map_or(Ok(0), |grad| address(base, grad, dtype, rows * width))?;
    let arguments = Geglu {
        x: at,
        grad,
        out: out.address(),
        rows: rows as i64,
        width: number(base, double)? / 2,
        wide: wide(width, RUN, &[at, grad, out.address()]),
    };
    gpu.launch(&Gpu::named(base, dtype)?, by_rows(base, rows, width)?, THREADS, 0, &arguments)?;
    Ok(out)
}

/// As [`crate::geglu`].
pub fn geglu(gpu: &Gpu, x: &Tensor) -> Result<Tensor> {
    gated(gpu, "geglu", x, None)
}

/// As [`crate::geglu_backward`].
pub fn geglu_backward(gpu: &Gpu, grad: &Tensor, x: &Tensor) -> Result<Tensor> {
    gated(gpu, "geglu_backward", x, Some(grad))
}
