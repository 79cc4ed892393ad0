//! How much of a batch goes through the model at once, and whether blocks run twice: by sizes alone.

use super::Setup;
use diffusion::{
    lora::Targets,
    plan::{StepShape, saved_bytes},
};
use protocol::MemoryLevel;

/// Activations kept by one forward pass, at most; larger batches are accumulated. The same on every machine, since it
/// decides the order of sums.
pub(crate) const ACTIVATIONS: usize = 6 << 30;

/// Bytes that a forward pass of `batch` samples keeps.
fn saved(setup: &Setup, batch: usize, recompute: bool) -> usize {
    let (plan, architecture) = (&setup.plan, setup.base.checkpoint.architecture());
    let side = plan.resolution / architecture.vae.factor();
    let targets = Targets::named(&plan.recipe.targets, plan.recipe.text_adapters);
    let targets = targets.unwrap_or_else(|_| Targets::suffixes(Vec::new()));
    let shape = StepShape {
        batch,
        height: side,
        width: side,
        chunks: setup.chunks,
        targets,
        rank: plan.recipe.rank,
        text: true,
        recompute,
    };
    saved_bytes(architecture, &shape, candle_core::DType::F32)
}

/// Whether blocks run again backward.
pub fn recomputes(setup: &Setup) -> bool {
    setup.memory >= MemoryLevel::Recompute || saved(setup, 1, false) > ACTIVATIONS
}

/// Samples of one forward pass.
pub fn micro_batch(setup: &Setup) -> usize {
    if setup.memory >= MemoryLevel::SinglePicture {
        return 1;
    }
    (ACTIVATIONS / saved(setup, 1, recomputes(setup)).max(1)).clamp(1, setup.plan.recipe.batch_size)
}
