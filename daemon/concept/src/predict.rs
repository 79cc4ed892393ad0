//! What a training will want of the machine, from sizes alone.

use crate::Plan;
use diffusion::{
    checkpoint::{Architecture, tensors},
    lora::Targets,
    plan::{StepShape, Storage, saved_bytes, trainable_values, weight_bytes},
};

/// The program itself, pictures in flight and buffers of products.
const REST: usize = 300 << 20;

/// (bytes of memory at the peak, values that are trained) of a plan on the CPU, where weights are f32.
pub fn predicted(plan: &Plan, architecture: &Architecture) -> (u64, u64) {
    let recipe = &plan.recipe;
    let targets =
        || Targets::named(&recipe.targets, recipe.text_adapters).unwrap_or_else(|_| Targets::suffixes(Vec::new()));
    let widths = architecture.clip_l.hidden + architecture.clip_g.as_ref().map_or(0, |clip| clip.hidden);
    let trained = trainable_values(architecture, &targets(), recipe.rank) + recipe.tokens * widths;
    let side = plan.resolution / architecture.vae.factor();
    let saved = |batch, recompute| {
        let shape = StepShape {
            batch,
            height: side,
            width: side,
            chunks: 1,
            targets: targets(),
            rank: recipe.rank,
            text: true,
            recompute,
        };
        saved_bytes(architecture, &shape, candle_core::DType::F32)
    };
    let recompute = saved(1, false) > crate::run::ACTIVATIONS;
    let batch = (crate::run::ACTIVATIONS / saved(1, recompute).max(1)).clamp(1, recipe.batch_size);
    // Values, gradients and two moments.
    let state = 4 * trained * size_of::<f32>();
    // The VAE is gone when training begins, and its activations with it.
    let vae = tensors(architecture).into_iter().filter(|(key, _)| key.starts_with("first_stage_model."));
    let vae = vae.map(|(_, shape)| shape.iter().product::<usize>() * size_of::<f32>()).sum::<usize>();
    let weights = weight_bytes(architecture, &Storage::CPU);
    let training = weights.unet + weights.text + saved(batch, recompute) + state;
    ((training.max(vae) + REST) as u64, trained as u64)
}
