//! The layers that models are built of: frozen weights, optional adapters, and the tape between the two passes.

mod adapter;
mod matrix;
mod norm;
mod parameters;
mod projection;
mod tape;

pub use adapter::Adapter;
pub use matrix::repays;
pub use norm::{GroupNorm, LayerNorm};
pub use parameters::{Entry, Gradients, Parameter, Parameters};
pub use projection::{Extra, Gradient, Projection};
pub use tape::Tape;

use crate::checkpoint::Scope;
use candle_core::DType;
use kernels::{Device, Quantization};

/// Types and place of a model's tensors.
#[derive(Clone, Debug)]
pub struct Precision {
    /// Activations: `F32` (or `F64` in checks) on the CPU, on a GPU also `BF16` or `F16`.
    pub compute: DType,
    /// Frozen matrices: the compute type, `BF16` or `F16`.
    pub frozen: DType,
    /// In how few bits those frozen matrices are kept that [`repays`] names; in none, as the others.
    pub quantized: Option<Quantization>,
    /// Where everything lies.
    pub device: Device,
}

impl Precision {
    /// f32 throughout, on the CPU.
    pub fn f32() -> Self {
        Self { compute: DType::F32, frozen: DType::F32, quantized: None, device: Device::Cpu }
    }

    /// What is usual on a device: f32 on the CPU, halves on a GPU.
    pub fn on(device: &Device) -> Self {
        let compute = device.gpu().map_or(DType::F32, kernels::cuda::Gpu::half);
        Self { compute, frozen: compute, quantized: None, device: device.clone() }
    }

    /// The same with frozen matrices in few bits.
    #[must_use]
    pub fn with(self, quantized: Option<Quantization>) -> Self {
        Self { quantized, ..self }
    }

    /// How the matrix `scope.name` is packed, if it is.
    fn kind_of(&self, scope: &Scope, name: &str) -> Option<Quantization> {
        let kind = self.quantized?;
        let (key, shape) = scope.shape(name)?;
        repays(&key, shape).then_some(kind)
    }

    /// The type of norms, biases, trainables and losses.
    pub fn exact(&self) -> DType {
        exact(self.compute)
    }
}

/// The type of what must not be rounded to half: the compute type itself, or `F32` beside half activations.
pub fn exact(compute: DType) -> DType {
    if compute == DType::F64 { DType::F64 } else { DType::F32 }
}
