//! A frozen matrix as it lies in memory: floats, or few bits where that repays.

use super::Precision;
use crate::{
    Result,
    checkpoint::{CLIP_G_PREFIX, Scope, UNET_PREFIX},
};
use kernels::{Quantization, Quantized, Tensor, Weight};

/// Fewer values than this stay floats: their scales and the loss would buy a few kilobytes.
const LEAST: usize = 4096;
/// Parts of the UNet that stay floats: where numbers enter and leave, and the embedding of time and sizes, which is small
/// and steers every block.
const PLAIN: [&str; 5] = [".input_blocks.0.0.", ".out.2.", ".time_embed.", ".label_emb.", ".emb_layers."];

/// Whether the tensor `key` of a checkpoint is stored in few bits where a precision asks for them: the matrices of the
/// UNet's blocks and of the text encoders' layers. Token tables, norms, biases and the VAE never are.
pub fn repays(key: &str, shape: &[usize]) -> bool {
    let in_unet = key.strip_prefix(UNET_PREFIX).is_some_and(|rest| !PLAIN.iter().any(|part| rest.contains(part)));
    let in_text = key.contains(".text_model.encoder.layers.")
        || key.strip_prefix(CLIP_G_PREFIX).is_some_and(|rest| rest.starts_with(".transformer.resblocks."));
    shape.len() > 1 && shape.iter().product::<usize>() >= LEAST && (in_unet || in_text)
}

/// `[out, in]`, or `[out, kernel * kernel * in]`.
pub(super) enum Matrix {
    Plain(Tensor),
    Quantized(Quantized),
}

impl Matrix {
    /// Loads `scope.weight`, `[out, in]` or `[out, in, k, k]`, with its taps before its inputs. Says whether it was stored
    /// with four axes.
    pub fn load(scope: &Scope, precision: &Precision) -> Result<(Self, bool)> {
        let four = scope.axes("weight") == 4;
        let Some(kind) = precision.kind_of(scope, "weight") else {
            let load = if four { Scope::convolution } else { Scope::tensor };
            return Ok((Self::Plain(load(scope, "weight", precision.frozen, &precision.device)?), four));
        };
        let weight = scope.stored("weight")?;
        let weight = if four { weight.permute(&[0, 2, 3, 1])?.flatten_from(1)? } else { weight };
        Ok((Self::pack(&weight, kind, precision)?, four))
    }

    /// The rows `start..start + count` of `scope.name`, for each of `parts` equal parts.
    pub fn load_parts(scope: &Scope, name: &str, parts: usize, precision: &Precision) -> Result<Vec<Self>> {
        let kind = precision.kind_of(scope, name);
        let whole = match kind {
            None => scope.tensor(name, precision.frozen, &precision.device)?,
            Some(_) => scope.stored(name)?,
        };
        let rows = whole.dims()[0] / parts;
        let part = |i: usize| -> Result<Self> {
            let part = whole.narrow(0, i * rows, rows)?;
            kind.map_or_else(|| Ok(Self::Plain(part.clone())), |kind| Self::pack(&part, kind, precision))
        };
        (0..parts).map(part).collect()
    }

    fn pack(weight: &Tensor, kind: Quantization, precision: &Precision) -> Result<Self> {
        Ok(Self::Quantized(Quantized::new(weight, kind)?.to_device(&precision.device)?))
    }

    /// As products take it.
    pub fn weight(&self) -> Weight<'_> {
        match self {
            Self::Plain(tensor) => tensor.into(),
            Self::Quantized(matrix) => matrix.into(),
        }
    }
}
