//! What a training will want of the machine, from sizes alone.

use crate::{Ladder, Plan, Rung};
use diffusion::checkpoint::{Architecture, tensors};

/// What a training is expected to take on the processor.
pub struct Predicted {
    /// The first level that fits; where none does, the last.
    pub rung: Rung,
    /// Bytes of memory at the peak, be it training or reading the pictures.
    pub memory: u64,
    /// Values that are trained.
    pub trained: u64,
}

/// That of a plan, where `available` bytes may be taken.
pub fn predicted(plan: &Plan, architecture: &Architecture, available: u64) -> Predicted {
    let ladder = Ladder::new(plan, architecture, 1, false);
    let rung = ladder.choose(Default::default(), Some(available));
    let rung = rung.unwrap_or_else(|_| ladder.rung(ladder.rungs().last().map(|rung| rung.level).unwrap_or_default()));
    // The VAE is gone when training begins, and its activations with it.
    let vae = tensors(architecture).into_iter().filter(|(key, _)| key.starts_with("first_stage_model."));
    let vae = vae.map(|(_, shape)| shape.iter().product::<usize>() * size_of::<f32>()).sum::<usize>();
    Predicted { rung, memory: rung.peak.max(vae as u64), trained: ladder.trained() as u64 }
}
