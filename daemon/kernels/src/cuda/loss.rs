//! The ends of a diffusion step on the GPU.

use super::{
    Gpu,
    elements::{RUN, THREADS, address, address_if, flat, number, wide},
    optimizer,
};
use crate::{Result, Tensor, WeightedError, view::same_shape};
use candle_core::{DType, Error};

/// Samples of one launch: their factors travel with the arguments.
const SAMPLES: usize = 32;

/// Twin of `loss::Noise`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Noise {
    x: u64,
    noise: u64,
    out: u64,
    size: i64,
    wide: i32,
    signal_factors: [f32; SAMPLES],
    noise_factors: [f32; SAMPLES],
}

/// Up to 32 factors as kernels take them.
fn factors(of: &[f64]) -> [f32; SAMPLES] {
    std::array::from_fn(|i| of.get(i).map_or(0.0, |&factor| factor as f32))
}

/// As [`crate::add_noise`].
pub fn add_noise(gpu: &Gpu, x: &Tensor, noise: &Tensor, signal_factor: &[f64], noise_factor: &[f64]) -> Result<Tensor> {
    let name = "add_noise";
    same_shape("noise", x, noise)?;
    let (batch, dtype) = (x.dim(0)?, x.dtype());
    if signal_factor.len() != batch || noise_factor.len() != batch {
        return Err(Error::Msg(format!("noise: {} factors for {batch} samples", signal_factor.len())));
    }
    let size = x.elem_count() / batch.max(1);
    let out = gpu.empty(x.shape().clone(), dtype)?;
    let (from, other) = (address(name, x, dtype, batch * size)?, address(name, noise, dtype, batch * size)?);
    let (blocks, ..) = flat(name, size, RUN)?;
    for (i, (signal, noise)) in signal_factor.chunks(SAMPLES).zip(noise_factor.chunks(SAMPLES)).enumerate() {
        let skipped = (i * SAMPLES * size * dtype.size_in_bytes()) as u64;
        let [x, noise_at, out] = [from, other, out.address()].map(|address| address + skipped);
        let arguments = Noise {
            x,
            noise: noise_at,
            out,
            size: size as i64,
            wide: wide(size, RUN, &[x, noise_at, out]),
            signal_factors: factors(signal),
            noise_factors: factors(noise),
        };
        gpu.launch(&Gpu::named(name, dtype)?, (blocks, signal.len() as u32, 1), THREADS, 0, &arguments)?;
    }
    Ok(out)
}

/// Twin of `loss::Error`.
#[repr(C)]
#[derive(Clone, Copy)]
struct SquaredError {
    prediction: u64,
    target: u64,
    mask: u64,
    grad: u64,
    partials: u64,
    size: i64,
    channels: i32,
    wide: i32,
    weights: [f32; SAMPLES],
}

/// As [`crate::weighted_squared_error`], in f32.
pub fn weighted_squared_error(
    gpu: &Gpu,
    prediction: &Tensor,
    target: &Tensor,
    mask: Option<&Tensor>,
    weight: &[f64],
) -> Result<WeightedError> {
    /// Elements of a lane.
    const FOUR: usize = 4;
    let name = "squared error";
    same_shape(name, prediction, target)?;
    let (batch, height, width, channels) = prediction.dims4()?;
    if weight.len() != batch || mask.is_some_and(|m| m.elem_count() != batch * height * width) {
        return Err(Error::Msg(format!("squared error: mask or weights do not fit {:?}", prediction.shape())));
    }
    let (pixels, size) = (height * width, height * width * channels);
    let from = address(name, prediction, DType::F32, batch * size)?;
    let wanted = address(name, target, DType::F32, batch * size)?;
    let mask = address_if(name, mask, DType::F32, batch * pixels)?;
    let grad = gpu.empty(prediction.shape().clone(), DType::F32)?;
    let (blocks, ..) = flat(name, size, FOUR)?;
    let partials = gpu.empty(batch * blocks as usize, DType::F32)?;
    for (i, weights) in weight.chunks(SAMPLES).enumerate() {
        let after = |address: u64, size: usize| address + (i * SAMPLES * size * size_of::<f32>()) as u64;
        let shares: Vec<f64> = weights.iter().map(|weight| weight / (size * batch) as f64).collect();
        let mut arguments = SquaredError {
            prediction: after(from, size),
            target: after(wanted, size),
            mask: if mask == 0 { 0 } else { after(mask, pixels) },
            grad: after(grad.address(), size),
            partials: after(partials.address(), blocks as usize),
            size: size as i64,
            channels: number(name, channels)?,
            wide: 0,
            weights: factors(&shares),
        };
        let SquaredError { prediction, target, grad, .. } = arguments;
        arguments.wide = wide(size, FOUR, &[prediction, target, grad]);
        gpu.launch("squared_error_f32", (blocks, weights.len() as u32, 1), THREADS, 0, &arguments)?;
    }
    Ok(WeightedError { loss: optimizer::total(gpu, &partials, 1, DType::F32)?.reshape(())?, grad })
}
