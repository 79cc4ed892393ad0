//! What is done about memory in a run.

use super::Setup;
use crate::{Observer, Result, ladder::Ladder};
use kernels::cuda::Gpu;
use protocol::{Event, MemoryLevel};

/// Chooses what is done about memory: the first level that fits, and in a run that goes on none above its own.
pub(super) fn settle(setup: &mut Setup, observer: &mut dyn Observer) -> Result<MemoryLevel> {
    let mut least = setup.memory;
    if setup.resume && setup.folder.begun() {
        let before = serde_json::from_value(setup.folder.description()?["memory"].clone());
        least = least.max(before.unwrap_or_default());
    }
    let available = match setup.device.gpu().map(Gpu::usage) {
        Some(usage) => Some(usage.limit as u64),
        None => (setup.memory_budget > 0).then_some(setup.memory_budget),
    };
    let architecture = setup.base.checkpoint.architecture();
    let ladder = Ladder::new(&setup.plan, architecture, setup.chunks, setup.device.gpu().is_some());
    let rung = ladder.choose(least, available)?;
    if rung.level > MemoryLevel::Usual {
        let (planned, words) = (rung.peak >> 20, rung.level.words());
        let of = available.map_or(String::new(), |available| format!(" of {} MiB", available >> 20));
        observer.see(&Event::Note { text: format!("training {words}: {planned} MiB{of} are planned") });
    }
    setup.means = rung.means;
    Ok(rung.level)
}
