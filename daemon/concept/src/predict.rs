//! What a training will want of the machine, from sizes alone.

use crate::{Ladder, Plan, Rung};
use diffusion::checkpoint::Architecture;

/// What a training is expected to take.
pub struct Predicted {
    /// The first level that fits; where none does, the last.
    pub rung: Rung,
    /// Values that are trained.
    pub trained: u64,
}

/// That of a plan, where `available` bytes may be taken, on a GPU or not.
pub fn predicted(plan: &Plan, architecture: &Architecture, available: u64, gpu: bool) -> Predicted {
    let ladder = Ladder::new(plan, architecture, 1, gpu);
    let rung = ladder.choose(Default::default(), Some(available));
    let rung = rung.unwrap_or_else(|_| ladder.rung(ladder.rungs().last().map(|rung| rung.level).unwrap_or_default()));
    Predicted { rung, trained: ladder.trained() as u64 }
}
