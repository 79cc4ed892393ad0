//! Pointwise nonlinearities.

use crate::{
    Result, Tensor, cuda,
    element::{Real, dispatch, vectorized},
    parallel::{for_each_chunk, for_each_range, rows_per_task},
    view::{build, read, rows_and_channels, same_shape, with_channels},
};
use candle_core::Error;

/// A pointwise nonlinearity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// x sigmoid(x).
    Silu,
    /// The exact x Phi(x) of Hendrycks and Gimpel, arXiv 1606.08415 (not its tanh approximation).
    Gelu,
    /// x sigmoid(1.702 x), as OpenAI's CLIP uses it.
    QuickGelu,
}

const QUICK: f64 = 1.702;

#[inline(always)]
fn sigmoid<T: Real>(x: T) -> T {
    T::ONE / (T::ONE + Real::exp(-x))
}

#[inline(always)]
fn gelu<T: Real>(x: T) -> T {
    x * T::from_f64(0.5) * (T::ONE + (x * T::from_f64(std::f64::consts::FRAC_1_SQRT_2)).erf())
}

/// d gelu / dx = Phi(x) + x phi(x).
#[inline(always)]
fn gelu_slope<T: Real>(x: T) -> T {
    let half = T::from_f64(0.5);
    let phi = Real::exp(-(x * x * half)) * T::from_f64(0.398_942_280_401_432_7);
    half * (T::ONE + (x * T::from_f64(std::f64::consts::FRAC_1_SQRT_2)).erf()) + x * phi
}

impl Activation {
    #[inline(always)]
    fn value<T: Real>(self, x: T) -> T {
        match self {
            Self::Silu => x * sigmoid(x),
            Self::Gelu => gelu(x),
            Self::QuickGelu => x * sigmoid(x * T::from_f64(QUICK)),
        }
    }

    #[inline(always)]
    fn slope<T: Real>(self, x: T) -> T {
        match self {
            Self::Silu => {
                let s = sigmoid(x);
                s * (T::ONE + x * (T::ONE - s))
            }
            Self::Gelu => gelu_slope(x),
            Self::QuickGelu => {
                let (k, s) = (T::from_f64(QUICK), sigmoid(x * T::from_f64(QUICK)));
                s * (T::ONE + k * x * (T::ONE - s))
            }
        }
    }
}

/// `f(x)` elementwise.
///
/// # Errors
/// If the tensor's type or device has no kernel.
pub fn activate(x: &Tensor, f: Activation) -> Result<Tensor> {
    if let Some(gpu) = x.gpu() {
        return cuda::activation::activate(gpu, x, f);
    }
    dispatch!(x, "activation", T => {
        let values = read::<T>(x)?;
        build::<T, _>(x.shape(), x.device(), |out| {
            for_each_range(out, |start, out| {
                let x = &values[start..start + out.len()];
                vectorized(#[inline(always)] || out.iter_mut().zip(x).for_each(|(y, x)| *y = f.value(*x)));
            });
            Ok(())
        })
    })
}

/// `grad f'(x)` elementwise.
///
/// # Errors
/// If shapes, types or devices disagree.
pub fn activate_backward(grad: &Tensor, x: &Tensor, f: Activation) -> Result<Tensor> {
    if let Some(gpu) = x.gpu() {
        return cuda::activation::activate_backward(gpu, grad, x, f);
    }
    same_shape("activation backward", grad, x)?;
    dispatch!(x, "activation backward", T => {
        let (values, grads) = (read::<T>(x)?, read::<T>(grad)?);
        build::<T, _>(x.shape(), x.device(), |out| {
            for_each_range(out, |start, out| {
                let span = start..start + out.len();
                let (x, grad) = (&values[span.clone()], &grads[span]);
                vectorized(#[inline(always)] || out.iter_mut().zip(x.iter().zip(grad)).for_each(|(y, (x, g))| *y = *g * f.slope(*x)));
            });
            Ok(())
        })
    })
}

/// GEGLU of Shazeer, arXiv 2002.05202: `x [..., 2 F]` = (h, g) -> `h gelu(g) [..., F]`.
///
/// # Errors
/// If the last axis is odd, or the type or device has no kernel.
pub fn geglu(x: &Tensor) -> Result<Tensor> {
    if let Some(gpu) = x.gpu() {
        return cuda::activation::geglu(gpu, x);
    }
    let (_, double) = rows_and_channels(x);
    if double % 2 != 0 {
        return Err(Error::Msg(format!("geglu: {double} channels cannot be halved")));
    }
    let width = double / 2;
    dispatch!(x, "geglu", T => {
        let values = read::<T>(x)?;
        let rows = rows_per_task(double);
        build::<T, _>(with_channels(x, width), x.device(), |out| {
            for_each_chunk(out, rows * width, |i, out| {
                let source = &values[i * rows * double..];
                vectorized(#[inline(always)] || {
                    for (y, x) in out.chunks_exact_mut(width).zip(source.chunks_exact(double)) {
                        let (h, g) = x.split_at(width);
                        let (h, g, y) = (&h[..width], &g[..width], &mut y[..width]);
                        for c in 0..width {
                            y[c] = h[c] * gelu(g[c]);
                        }
                    }
                });
            });
            Ok(())
        })
    })
}

/// The input gradient of [`geglu`]: `grad [..., F]`, `x [..., 2 F]` -> `[..., 2 F]`.
///
/// # Errors
/// If shapes, types or devices disagree.
pub fn geglu_backward(grad: &Tensor, x: &Tensor) -> Result<Tensor> {
    if let Some(gpu) = x.gpu() {
        return cuda::activation::geglu_backward(gpu, grad, x);
    }
    let (rows_all, double) = rows_and_channels(x);
    let width = double / 2;
    if rows_and_channels(grad) != (rows_all, width) {
        return Err(Error::Msg(format!("geglu backward: {:?} is no gradient for {:?}", grad.shape(), x.shape())));
    }
    dispatch!(x, "geglu backward", T => {
        let (values, grads) = (read::<T>(x)?, read::<T>(grad)?);
        let rows = rows_per_task(double);
        build::<T, _>(x.shape(), x.device(), |out| {
            for_each_chunk(out, rows * double, |i, out| {
                let (source, grads) = (&values[i * rows * double..], &grads[i * rows * width..]);
                vectorized(#[inline(always)] || {
                    let lines = out.chunks_exact_mut(double).zip(source.chunks_exact(double));
                    for ((dx, x), grad) in lines.zip(grads.chunks_exact(width)) {
                        let ((h, g), (dh, dg)) = (x.split_at(width), dx.split_at_mut(width));
                        let (h, g, grad) = (&h[..width], &g[..width], &grad[..width]);
                        let (dh, dg) = (&mut dh[..width], &mut dg[..width]);
                        for c in 0..width {
                            dh[c] = grad[c] * gelu(g[c]);
                            dg[c] = grad[c] * h[c] * gelu_slope(g[c]);
                        }
                    }
                });
            });
            Ok(())
        })
    })
}
