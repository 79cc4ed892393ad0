//! What a training will hold in memory, stated from sizes alone before anything is allocated.
//!
//! | part | how it is known |
//! |---|---|
//! | weights | to the byte: names and shapes of the checkpoint's layout, by how each is stored |
//! | trainables | to the byte: values, gradients, moments |
//! | saved | to the byte: the forward passes of [`crate::UNet`] and [`crate::TextEncoder`], line by line |
//! | working set | the largest block by what its passes hold at once; see [`step`] for what is left out |
//! | drawing | between steps, in place of the two before: the autoencoder, and guided passes or decoding |
//!
//! Tests hold weights and saved bytes against what models and tapes really kept, and the sum against the most that a step
//! had allocated (`trainer/tests/memory.rs`).

pub mod step;
mod vae;
mod weights;

pub use step::{StepShape, forward_bytes, saved_bytes, step_bytes};
pub use vae::{decode_bytes, drawing_bytes, encode_bytes};
pub use weights::{Weights, trainable_values, weight_bytes};

use crate::{checkpoint::Architecture, layer::Precision};
use candle_core::DType;
use kernels::Quantization;

/// How numbers are stored, as far as their size goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Activations.
    pub compute: DType,
    /// Frozen matrices and token tables.
    pub frozen: DType,
    /// Frozen matrices that [`crate::layer::repays`] names.
    pub quantized: Option<Quantization>,
}

impl Storage {
    /// f32 throughout, as on the CPU.
    pub const CPU: Self = Self { compute: DType::F32, frozen: DType::F32, quantized: None };
    /// Halves, as on a GPU.
    pub const GPU: Self = Self { compute: DType::BF16, frozen: DType::BF16, quantized: None };

    /// That of a precision.
    pub fn of(precision: &Precision) -> Self {
        Self { compute: precision.compute, frozen: precision.frozen, quantized: precision.quantized }
    }

    /// The same with frozen matrices in few bits.
    #[must_use]
    pub fn with(self, quantized: Option<Quantization>) -> Self {
        Self { quantized, ..self }
    }

    /// Bytes of a norm's, a bias's, a statistic's or a trainable's value.
    pub fn exact(&self) -> usize {
        crate::layer::exact(self.compute).size_in_bytes()
    }
}

/// Bytes that a training holds, by what they are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// The frozen UNet.
    pub unet: usize,
    /// The frozen text encoders.
    pub text: usize,
    /// Trainable values, their gradients and the optimizer's moments.
    pub trainables: usize,
    /// Kept by the forward pass for the backward pass.
    pub saved: usize,
    /// What lives beside it in the worst moment of a step.
    pub working: usize,
    /// What drawing a picture between two steps takes in place of both.
    pub drawing: usize,
}

impl Need {
    /// Of steps of `step`'s shape, drawing apart (see [`drawing_bytes`]), with `trained` values, of each of which an optimizer
    /// keeps `moments` numbers.
    pub fn of(
        architecture: &Architecture,
        step: &StepShape,
        storage: &Storage,
        trained: usize,
        moments: usize,
    ) -> Self {
        let weights = weight_bytes(architecture, storage);
        let saved = saved_bytes(architecture, step, storage.compute);
        Self {
            unet: weights.unet,
            text: weights.text,
            trainables: trained * (2 + moments) * storage.exact(),
            saved,
            working: step_bytes(architecture, step, storage.compute).saturating_sub(saved),
            drawing: 0,
        }
    }

    /// All of it: the most that is held at once.
    pub fn peak(&self) -> usize {
        self.unet + self.text + self.trainables + (self.saved + self.working).max(self.drawing)
    }
}
