//! Stable Diffusion 1.5 and XL for training: models shaped like their single-file checkpoints, each layer with an
//! explicit forward and backward. This crate knows no data set, no optimizer and no recipe.

pub mod account;
pub mod checkpoint;
pub mod clip;
mod error;
pub mod layer;
pub mod lora;
pub mod plan;
pub mod sampler;
pub mod schedule;
pub mod tensorfile;
pub mod tokenizer;
pub mod unet;
pub mod vae;

pub use checkpoint::{Architecture, Checkpoint, Family};
pub use clip::{Conditioning, TextEncoder};
pub use error::{Error, Result};
pub use unet::UNet;
pub use vae::Vae;

/// A denoiser and the text encoders that steer it.
pub struct Model {
    /// One or two CLIP text encoders.
    pub text: TextEncoder,
    /// The denoiser.
    pub unet: UNet,
}

impl Model {
    /// Loads text encoders and UNet (not the VAE, which training needs only before its first step).
    ///
    /// # Errors
    /// If a tensor is missing, misshapen or not finite.
    pub fn load(checkpoint: &Checkpoint, precision: &layer::Precision) -> Result<Self> {
        Ok(Self { text: TextEncoder::load(checkpoint, precision)?, unet: UNet::load(checkpoint, precision)? })
    }
}
