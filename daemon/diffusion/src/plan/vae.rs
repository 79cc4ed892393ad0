//! What the autoencoder holds, and with it the drawing of a picture.

use super::{StepShape, forward_bytes, weights::vae_bytes};
use crate::{
    checkpoint::{Architecture, VaeDims},
    vae::SIDES,
};
use candle_core::DType;

/// It computes in f32.
const UNIT: usize = size_of::<f32>();

/// Bytes that encoding pictures of `positions` latents holds at most, its weights apart.
pub fn encode_bytes(dims: &VaeDims, positions: usize) -> usize {
    let mut pixels = positions * dims.factor() * dims.factor();
    let mut channels = dims.widths.first().copied().unwrap_or_default();
    let mut peak = 0;
    for (level, &width) in dims.widths.iter().enumerate() {
        peak = peak.max(pixels * block(channels, width)).max(pixels * block(width, width));
        channels = width;
        if level + 1 < dims.widths.len() {
            peak = peak.max(pixels * channels + pixels / 4 * channels);
            pixels /= 4;
        }
    }
    UNIT * peak.max(pixels * middle(channels))
}

/// Bytes that decoding `positions` latents holds at most, the decoder's weights apart.
pub fn decode_bytes(dims: &VaeDims, positions: usize) -> usize {
    let mut pixels = positions;
    let mut channels = dims.widths.last().copied().unwrap_or_default();
    let mut peak = pixels * middle(channels);
    for (level, &width) in dims.widths.iter().enumerate().rev() {
        peak = peak.max(pixels * block(channels, width)).max(pixels * block(width, width));
        channels = width;
        if level > 0 {
            // The state, enlarged, convolved.
            peak = peak.max(pixels * channels * 9);
            pixels *= 4;
        }
    }
    UNIT * peak
}

/// Bytes that drawing one picture of `step`'s size holds at most beside the UNet, the autoencoder's weights included:
/// guided, and decoded whole or in the smallest tiles.
pub fn drawing_bytes(architecture: &Architecture, step: &StepShape, compute: DType, tiled: bool) -> usize {
    let guided = forward_bytes(architecture, &StepShape { batch: 2, ..step.clone() }, compute);
    let side = |side: usize| if tiled { side.min(SIDES[1]) } else { side };
    let decoded = decode_bytes(&architecture.vae, side(step.height) * side(step.width));
    vae_bytes(architecture) + guided.max(decoded)
}

/// Values of each pixel that a residual block holds at most: see `vae/block.rs`.
fn block(inputs: usize, outputs: usize) -> usize {
    (2 * inputs + outputs).max(inputs + 2 * outputs).max(3 * outputs)
}

/// Of each latent, those of the attention between both middle blocks: the input, its norm, q, k, v and the output.
fn middle(channels: usize) -> usize {
    6 * channels
}
