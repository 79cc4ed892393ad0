//! The layers that models are built of: frozen weights, optional adapters, and the tape between the two passes.

mod adapter;
mod norm;
mod parameters;
mod projection;
mod tape;

pub use adapter::Adapter;
pub use norm::{GroupNorm, LayerNorm};
pub use parameters::{Entry, Gradients, Parameter, Parameters};
pub use projection::{Extra, Gradient, Projection};
pub use tape::Tape;

use candle_core::DType;
use kernels::Device;

/// Types and place of a model's tensors.
#[derive(Clone, Debug)]
pub struct Precision {
    /// Activations: `F32` (or `F64` in checks) on the CPU, on a GPU also `BF16` or `F16`.
    pub compute: DType,
    /// Frozen matrices: the compute type, `BF16` or `F16`.
    pub frozen: DType,
    /// Where everything lies.
    pub device: Device,
}

impl Precision {
    /// f32 throughout, on the CPU.
    pub fn f32() -> Self {
        Self { compute: DType::F32, frozen: DType::F32, device: Device::Cpu }
    }

    /// What is usual on a device: f32 on the CPU, halves on a GPU.
    pub fn on(device: &Device) -> Self {
        let compute = device.gpu().map_or(DType::F32, kernels::cuda::Gpu::half);
        Self { compute, frozen: compute, device: device.clone() }
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
