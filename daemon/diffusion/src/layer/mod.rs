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

use candle_core::{DType, Device};

/// Types and place of a model's tensors.
#[derive(Clone, Debug)]
pub struct Precision {
    /// Activations, norms, biases and trainables: `F32` (or `F64` in checks).
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
}
