//! The ends of a diffusion step: mixing in noise, and the weighted squared error with its gradient.

use crate::{
    Result, Tensor, cuda,
    element::{dispatch, vectorized},
    norm::lanes_sum,
    parallel::for_each_chunk,
    view::{build, read, same_shape},
};
use candle_core::Error;

/// `signal_b x + noise_b n` per sample b: DDPM's q(x_t | x_0) with signal = sqrt(abar), noise = sqrt(1 - abar), and with
/// other factors the velocity target. Shapes: `x, noise [B, ...]`.
///
/// # Errors
/// If shapes, types or devices disagree.
pub fn add_noise(x: &Tensor, noise: &Tensor, signal_factor: &[f64], noise_factor: &[f64]) -> Result<Tensor> {
    if let Some(gpu) = x.gpu() {
        return cuda::loss::add_noise(gpu, x, noise, signal_factor, noise_factor);
    }
    same_shape("noise", x, noise)?;
    let batch = x.dim(0)?;
    if signal_factor.len() != batch || noise_factor.len() != batch {
        return Err(Error::Msg(format!("noise: {} factors for {batch} samples", signal_factor.len())));
    }
    let size = x.elem_count() / batch.max(1);
    dispatch!(x, "noise", T => {
        let (xs, ns) = (read::<T>(x)?, read::<T>(noise)?);
        build::<T, _>(x.shape(), x.device(), |out| {
            for_each_chunk(out, size, |b, out| {
                let (a, s) = (T::from_f64(signal_factor[b]), T::from_f64(noise_factor[b]));
                let (x, n) = (&xs[b * size..], &ns[b * size..]);
                for i in 0..size {
                    out[i] = a * x[i] + s * n[i];
                }
            });
            Ok(())
        })
    })
}

/// A loss and its gradient with respect to the prediction.
pub struct WeightedError {
    /// mean over samples of weight_b mean((prediction - target)^2 mask); one value.
    pub loss: Tensor,
    /// The shape of the prediction.
    pub grad: Tensor,
}

/// mean_b weight_b mean((prediction - target)^2 mask). Shapes: `prediction, target [B, H, W, C]`, `mask [B, H, W, 1]`,
/// `weight [B]`.
///
/// # Errors
/// If shapes, types or devices disagree.
pub fn weighted_squared_error(
    prediction: &Tensor,
    target: &Tensor,
    mask: Option<&Tensor>,
    weight: &[f64],
) -> Result<WeightedError> {
    if let Some(gpu) = prediction.gpu() {
        return cuda::loss::weighted_squared_error(gpu, prediction, target, mask, weight);
    }
    same_shape("squared error", prediction, target)?;
    let (batch, height, width, channels) = prediction.dims4()?;
    if weight.len() != batch || mask.is_some_and(|m| m.elem_count() != batch * height * width) {
        return Err(Error::Msg(format!("squared error: mask or weights do not fit {:?}", prediction.shape())));
    }
    let size = height * width * channels;
    dispatch!(prediction, "squared error", T => {
        let (p, t) = (read::<T>(prediction)?, read::<T>(target)?);
        let mask = mask.map(read::<T>).transpose()?;
        let weigh = |i: usize| mask.as_ref().map_or(T::ONE, |m| m[i / channels]);
        let mut loss = 0.0;
        for (b, weight) in weight.iter().enumerate() {
            let at = b * size;
            let errors: Vec<T> = (at..at + size).map(|i| (p[i] - t[i]) * (p[i] - t[i]) * weigh(i)).collect();
            let sum = lanes_sum([&errors[..]], |[e]| e);
            loss += weight * sum.to_f64() / (size * batch) as f64;
        }
        let grad = build::<T, _>(prediction.shape(), prediction.device(), |out| {
            for_each_chunk(out, size, |b, out| {
                let factor = T::from_f64(2.0 * weight[b] / (size * batch) as f64);
                vectorized(#[inline(always)] || {
                    for (i, y) in out.iter_mut().enumerate() {
                        let at = b * size + i;
                        *y = factor * weigh(at) * (p[at] - t[at]);
                    }
                });
            });
            Ok(())
        })?;
        let loss = Tensor::from_vec(vec![T::from_f64(loss)], (), prediction.device())?;
        Ok(WeightedError { loss, grad })
    })
}
