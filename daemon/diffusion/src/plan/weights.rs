//! Bytes of frozen weights, and the number of trained values.

use super::Storage;
use crate::{
    checkpoint::{Architecture, UNET_PREFIX, VAE_PREFIX, tensors},
    layer::repays,
    lora::{LayerPath, Targets},
};

/// Bytes of the models that a step runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weights {
    /// The denoiser.
    pub unet: usize,
    /// The text encoders.
    pub text: usize,
}

/// Bytes of text encoders and UNet; the VAE is gone when training begins.
pub fn weight_bytes(architecture: &Architecture, storage: &Storage) -> Weights {
    let mut weights = Weights::default();
    for (key, shape) in tensors(architecture) {
        if key.starts_with(VAE_PREFIX) {
            continue;
        }
        let bytes = bytes(&key, &shape, storage);
        *(if key.starts_with(UNET_PREFIX) { &mut weights.unet } else { &mut weights.text }) += bytes;
    }
    weights
}

/// Bytes of the autoencoder, which is f32 wherever it runs.
pub(super) fn vae_bytes(architecture: &Architecture) -> usize {
    let vae = tensors(architecture).into_iter().filter(|(key, _)| key.starts_with(VAE_PREFIX));
    vae.map(|(_, shape)| shape.iter().product::<usize>() * size_of::<f32>()).sum()
}

fn bytes(key: &str, shape: &[usize], storage: &Storage) -> usize {
    let count = shape.iter().product::<usize>();
    let rows = shape.first().copied().unwrap_or(1);
    match storage.quantized {
        // A fused matrix is packed in three parts.
        Some(kind) if repays(key, shape) && key.ends_with("in_proj_weight") => {
            3 * kind.bytes(rows / 3, count / rows.max(1))
        }
        Some(kind) if repays(key, shape) => kind.bytes(rows, count / rows.max(1)),
        // Positions are added to activations.
        _ if key.contains("position") => count * storage.compute.size_in_bytes(),
        _ if shape.len() > 1 => count * storage.frozen.size_in_bytes(),
        _ => count * storage.exact(),
    }
}

/// Values of the adapters that `targets` choose, at `rank`.
pub fn trainable_values(architecture: &Architecture, targets: &Targets, rank: usize) -> usize {
    // Targets are suffixes of diffusers' paths, which end unlike the checkpoint's in residual blocks only.
    const ENDINGS: [(&str, &str); 5] = [
        ("in_layers.2", "conv1"),
        ("out_layers.3", "conv2"),
        ("emb_layers.1", "time_emb_proj"),
        ("skip_connection", "conv_shortcut"),
        ("0.op", "downsamplers.0.conv"),
    ];
    let unet = tensors(architecture).into_iter().filter_map(|(key, shape)| {
        let path = key.strip_prefix("model.diffusion_model.")?.strip_suffix(".weight")?;
        let renamed = ENDINGS.iter().find_map(|(ours, theirs)| Some(format!("{}{theirs}", path.strip_suffix(ours)?)));
        let path = LayerPath::unet(path, &renamed.unwrap_or_else(|| path.to_owned()));
        let kernel = shape.get(2..).unwrap_or_default().iter().product::<usize>();
        (shape.len() > 1 && targets.includes(&path)).then(|| rank * (shape[1] * kernel + shape[0]))
    });
    let clips = [Some(&architecture.clip_l), architecture.clip_g.as_ref()];
    let text = clips.into_iter().flatten().map(|clip| {
        let sizes = [
            ("self_attn.q_proj", clip.hidden + clip.hidden),
            ("self_attn.k_proj", clip.hidden + clip.hidden),
            ("self_attn.v_proj", clip.hidden + clip.hidden),
            ("self_attn.out_proj", clip.hidden + clip.hidden),
            ("mlp.fc1", clip.hidden + clip.mlp),
            ("mlp.fc2", clip.hidden + clip.mlp),
        ];
        let targeted = |name: &str| targets.includes(&LayerPath::text("te", &format!("x.{name}")));
        clip.layers * sizes.iter().filter(|(name, _)| targeted(name)).map(|(_, size)| rank * size).sum::<usize>()
    });
    unet.sum::<usize>() + text.sum::<usize>()
}
