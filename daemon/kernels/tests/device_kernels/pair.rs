//! The same numbers on both devices, and how far results on both may differ.

use candle_core::{DType, Result};
use kernels::{Device, Tensor};

/// The types that the GPU computes in.
pub fn types() -> Vec<DType> {
    let mut types = vec![DType::F32, DType::F16];
    if kernels::first_gpu().expect("a GPU").half() == DType::BF16 {
        types.push(DType::BF16);
    }
    types
}

pub fn gpu() -> Device {
    Device::Cuda(kernels::first_gpu().expect("a GPU"))
}

/// Numbers like noise: of a type on the GPU, f32 on the CPU.
pub struct Pair {
    pub host: Tensor,
    pub device: Tensor,
}

impl Pair {
    pub fn new(shape: &[usize], seed: usize, dtype: DType) -> Result<Self> {
        Self::sized(shape, seed, dtype, 2.0)
    }

    /// From -1.5 to 1.5 times `size`.
    pub fn sized(shape: &[usize], seed: usize, dtype: DType, size: f32) -> Result<Self> {
        let mut state = (seed as u32).wrapping_mul(0x9e37_79b9) | 1;
        let mut number = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as f32 / u32::MAX as f32 - 0.5
        };
        let numbers = (0..shape.iter().product()).map(|_| size * (number() + number() + number())).collect();
        Self::of(numbers, shape, dtype)
    }

    pub fn of(numbers: Vec<f32>, shape: &[usize], dtype: DType) -> Result<Self> {
        let rounded = Tensor::from_vec(numbers, shape, &Device::Cpu)?.to_dtype(dtype)?;
        Ok(Self { host: rounded.to_dtype(DType::F32)?, device: rounded.to_device(&gpu())? })
    }

    /// f32 whose numbers `dtype` holds exactly, as trainable matrices are rounded where they are read.
    pub fn single(shape: &[usize], seed: usize, dtype: DType) -> Result<Self> {
        let host = Self::new(shape, seed, dtype)?.host;
        Ok(Self { device: host.to_device(&gpu())?, host })
    }

    /// All but the first of the first axis: a view that may not be aligned.
    pub fn rest(&self) -> Result<Self> {
        let rest = |tensor: &Tensor| tensor.narrow(0, 1, tensor.dim(0)? - 1);
        Ok(Self { host: rest(&self.host)?, device: rest(&self.device)? })
    }

    pub fn copy(&self) -> Result<Self> {
        Ok(Self { host: self.host.copy()?, device: self.device.copy()? })
    }

    pub fn assert_same(&self, what: &str) -> Result<()> {
        assert_same(&self.device, &self.host, what)
    }
}

/// The largest difference in units of the largest number.
pub fn error(device: &Tensor, host: &Tensor, what: &str) -> Result<f64> {
    let (ours, right) = (device.to_vec::<f64>()?, host.to_vec::<f64>()?);
    assert_eq!(device.dims(), host.dims(), "{what}");
    let largest = right.iter().fold(1e-30, |most: f64, x| most.max(x.abs()));
    // A NaN stays one: max() would forget it.
    let worse = |most: f64, error: f64| if error <= most { most } else { error };
    Ok(ours.iter().zip(&right).map(|(a, b)| (a - b).abs() / largest).fold(0.0, worse))
}

pub fn assert_same(device: &Tensor, host: &Tensor, what: &str) -> Result<()> {
    assert_within(device, host, device.dtype(), what)
}

/// That results agree where numbers were rounded to `dtype` on the way. Rounding the result alone gives up to 1/256 in bf16
/// and 1/2048 in f16.
pub fn assert_within(device: &Tensor, host: &Tensor, dtype: DType, what: &str) -> Result<()> {
    let allowed = match dtype {
        DType::F32 => 1e-5,
        DType::BF16 => 1.0 / 250.0,
        _ => 1.0 / 2000.0,
    };
    let error = error(device, host, what)?;
    println!("{what} {dtype:?}: {error:e}");
    assert!(error < allowed, "{what} {dtype:?}: {error:e}");
    Ok(())
}
