//! The memory ladder: what a training takes at each level, by sizes alone, and the first level that fits.

use crate::{Error, Plan, Result};
use diffusion::{
    checkpoint::Architecture,
    lora::Targets,
    plan::{Need, StepShape, Storage, drawing_bytes, saved_bytes, trainable_values},
};
use kernels::Quantization;
use protocol::{BaseBits, MemoryLevel};
use trainer::OptimizerKind;

/// Activations kept by one forward pass, at most; larger batches are accumulated. The same on every machine, since it
/// decides the order of sums.
const ACTIVATIONS: usize = 6 << 30;
/// Beside what is planned, on the processor: the program itself, pictures in flight and buffers of products.
const REST_OF_PROCESSOR: usize = 300 << 20;
/// Beside what is planned, on a GPU: buffers of kernels, and what pieces of memory leave unused between them.
pub(crate) const REST_OF_GPU: usize = 256 << 20;
/// What a card's driver, the program's own part of it and a desktop keep for themselves.
const CARD_KEEPS: u64 = 896 << 20;

/// How a level is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Means {
    /// Whether blocks run again backward.
    pub recompute: bool,
    /// Samples of one forward pass.
    pub micro_batch: usize,
    /// How the frozen base is packed.
    pub quantized: Option<Quantization>,
}

impl Means {
    /// One picture at a time, everything else as it comes.
    pub const PLAIN: Self = Self { recompute: false, micro_batch: 1, quantized: None };
}

/// A level and what it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rung {
    /// The level.
    pub level: MemoryLevel,
    /// How it is carried out.
    pub means: Means,
    /// Bits of a value of the base's large matrices.
    pub base_bits: usize,
    /// What for, in bytes.
    pub need: Need,
    /// The most bytes that are taken at once, with what cannot be planned.
    pub peak: u64,
}

/// All levels of one training.
pub struct Ladder<'a> {
    plan: &'a Plan,
    architecture: &'a Architecture,
    /// Parts of 75 tokens of the longest prompt.
    chunks: usize,
    gpu: bool,
}

/// What a training may take of a card with `memory` bytes.
pub fn room_on_card(memory: u64) -> u64 {
    memory.saturating_sub(CARD_KEEPS)
}

impl<'a> Ladder<'a> {
    /// The ladder of a plan on a base: halves on a GPU, f32 on the processor.
    pub fn new(plan: &'a Plan, architecture: &'a Architecture, chunks: usize, gpu: bool) -> Self {
        Self { plan, architecture, chunks, gpu }
    }

    /// Every level that there is: where the base's bits were asked for, none that changes them.
    pub fn rungs(&self) -> Vec<Rung> {
        let last = if self.plan.asked.base_bits.is_some() { MemoryLevel::SinglePicture } else { MemoryLevel::FourBits };
        MemoryLevel::ALL.into_iter().filter(|level| *level <= last).map(|level| self.rung(level)).collect()
    }

    /// What a level takes.
    pub fn rung(&self, level: MemoryLevel) -> Rung {
        let recipe = &self.plan.recipe;
        let means = self.means(level);
        let storage = self.storage().with(means.quantized);
        let moments = if recipe.optimizer == OptimizerKind::Prodigy { 4 } else { 2 };
        let shape = self.shape(means.micro_batch, means.recompute);
        let mut need = Need::of(self.architecture, &shape, &storage, self.trained(), moments);
        let before = need.unet + need.text + need.trainables;
        if !self.learns_text() {
            // Every prompt is encoded once, before the first step.
            need.text = 0;
        }
        // The processor decodes pictures whole.
        need.drawing = drawing_bytes(self.architecture, &shape, storage.compute, self.gpu);
        let rest = if self.gpu { REST_OF_GPU } else { REST_OF_PROCESSOR };
        let base_bits = means.quantized.map_or(8 * storage.frozen.size_in_bytes(), Quantization::bits);
        Rung { level, means, base_bits, need, peak: (need.peak().max(before) + rest) as u64 }
    }

    /// The first level from `least` on whose plan fits `available` bytes; without a number, the first.
    ///
    /// # Errors
    /// If none fits: what the last takes, what there is, what to change.
    pub fn choose(&self, least: MemoryLevel, available: Option<u64>) -> Result<Rung> {
        let rungs = self.rungs();
        let fits = |rung: &&Rung| available.is_none_or(|available| rung.peak <= available);
        let lowest = *rungs.last().ok_or_else(|| Error::Invalid("bug: a ladder without rungs".into()))?;
        let least = least.min(lowest.level);
        match (rungs.iter().filter(|rung| rung.level >= least).find(fits), available) {
            (Some(rung), _) => Ok(*rung),
            (None, available) => Err(self.too_little(&lowest, available.unwrap_or_default())),
        }
    }

    fn too_little(&self, lowest: &Rung, available: u64) -> Error {
        let smaller = (1..self.plan.resolution / 64).map(|n| self.plan.resolution - 64 * n);
        let smaller = smaller.map(|resolution| Plan { resolution, ..self.plan.clone() });
        let mut fitting = smaller.filter(|plan| Ladder { plan, ..*self }.rung(lowest.level).peak <= available);
        let mut advice = match fitting.next() {
            Some(plan) => format!("Choose resolution {} or lower", plan.resolution),
            None => "No resolution is low enough: choose a smaller base or another machine".to_owned(),
        };
        if self.plan.asked.base_bits.is_some_and(|bits| bits != BaseBits::Four) {
            advice += ", or leave base_bits out, so that the base may be kept in fewer bits";
        }
        if self.gpu {
            advice += ", or close what else uses the memory";
        }
        Error::TooLittleMemory {
            what: "this training",
            how: lowest.level.words(),
            needed: lowest.peak.div_ceil(1 << 20),
            available: available >> 20,
            place: if self.gpu { "on the GPU" } else { "here" },
            advice,
        }
    }

    fn means(&self, level: MemoryLevel) -> Means {
        // Sizes decide alone what is usual; that rungs below share it keeps their numbers the same.
        let recompute = self.saved(1, false) > ACTIVATIONS;
        let fitting = ACTIVATIONS / self.saved(1, recompute).max(1);
        let single = level >= MemoryLevel::SinglePicture;
        Means {
            recompute: recompute || level >= MemoryLevel::Recompute,
            micro_batch: if single { 1 } else { fitting.clamp(1, self.plan.recipe.batch_size) },
            quantized: match (self.plan.asked.base_bits, level) {
                (Some(BaseBits::Eight), _) | (None, MemoryLevel::EightBits) => Some(Quantization::Int8),
                (Some(BaseBits::Four), _) | (None, MemoryLevel::FourBits) => Some(Quantization::Nf4),
                _ => None,
            },
        }
    }

    /// Values that are trained.
    pub fn trained(&self) -> usize {
        let clips = [Some(&self.architecture.clip_l), self.architecture.clip_g.as_ref()];
        let widths: usize = clips.into_iter().flatten().map(|clip| clip.hidden).sum();
        let recipe = &self.plan.recipe;
        trainable_values(self.architecture, &self.targets(), recipe.rank) + recipe.tokens * widths
    }

    fn storage(&self) -> Storage {
        if self.gpu { Storage::GPU } else { Storage::CPU }
    }

    fn targets(&self) -> Targets {
        let recipe = &self.plan.recipe;
        Targets::named(&recipe.targets, recipe.text_adapters).unwrap_or_else(|_| Targets::suffixes(Vec::new()))
    }

    fn learns_text(&self) -> bool {
        self.plan.recipe.tokens > 0 || self.plan.recipe.text_adapters
    }

    fn saved(&self, batch: usize, recompute: bool) -> usize {
        saved_bytes(self.architecture, &self.shape(batch, recompute), self.storage().compute)
    }

    fn shape(&self, batch: usize, recompute: bool) -> StepShape {
        let side = self.plan.resolution / self.architecture.vae.factor();
        StepShape {
            batch,
            height: side,
            width: side,
            chunks: self.chunks,
            targets: self.targets(),
            rank: self.plan.recipe.rank,
            text: self.learns_text(),
            recompute,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use diffusion::{Family, plan::weight_bytes};
    use protocol::{Mode, Parameters};

    const GIB: u64 = 1 << 30;

    fn plan(architecture: &Architecture, asked: &Parameters) -> Plan {
        Plan::resolve("Xander", Mode::Face, architecture, 8, asked).expect("a plan")
    }

    fn asked(base_bits: Option<BaseBits>) -> Parameters {
        Parameters { base_bits, ..Parameters::default() }
    }

    #[test]
    fn each_rung_takes_less_and_the_first_that_fits_is_chosen() {
        for family in [Family::Sd15, Family::Sdxl] {
            let architecture = Architecture::published(family);
            let plan = plan(&architecture, &asked(None));
            for gpu in [false, true] {
                let ladder = Ladder::new(&plan, &architecture, 1, gpu);
                let rungs = ladder.rungs();
                assert_eq!(rungs.iter().map(|rung| rung.level).collect::<Vec<_>>(), MemoryLevel::ALL);
                assert!(rungs.windows(2).all(|two| two[1].peak <= two[0].peak), "{family:?} {rungs:?}");
                assert_eq!(rungs[0].means.micro_batch, rungs[1].means.micro_batch, "the same numbers");
                for (i, rung) in rungs.iter().enumerate() {
                    let chosen = ladder.choose(MemoryLevel::Usual, Some(rung.peak)).expect("it fits");
                    assert_eq!(chosen.peak, rung.peak, "{family:?} {i}");
                    let later = ladder.choose(rung.level, None).expect("no limit");
                    assert_eq!(later.level, rung.level, "a run that goes on never climbs");
                }
            }
        }
    }

    #[test]
    fn a_base_of_few_bits_halves_and_halves_again() {
        let architecture = Architecture::published(Family::Sdxl);
        let plan = plan(&architecture, &asked(None));
        let ladder = Ladder::new(&plan, &architecture, 1, true);
        let weights = |level| {
            let need = ladder.rung(level).need;
            need.unet + need.text
        };
        let (halves, eight, four) =
            (weights(MemoryLevel::SinglePicture), weights(MemoryLevel::EightBits), weights(MemoryLevel::FourBits));
        // 2 567 463 684 values in the UNet, 817 720 320 in the encoders: 6.77 GB in halves.
        assert_eq!(halves / 10_000_000, 677);
        assert!((0.51..0.55).contains(&(eight as f64 / halves as f64)), "{eight} of {halves}");
        assert!((0.28..0.34).contains(&(four as f64 / halves as f64)), "{four} of {halves}");
    }

    #[test]
    fn text_encoders_that_leave_before_the_first_step_are_counted_while_they_load() {
        let architecture = Architecture::published(Family::Sdxl);
        let asked = Parameters { token_count: Some(0), resolution: Some(512), ..Parameters::default() };
        let plan = plan(&architecture, &asked);
        let rung = Ladder::new(&plan, &architecture, 1, true).rung(MemoryLevel::SinglePicture);
        let weights = weight_bytes(&architecture, &Storage::GPU);
        assert_eq!(rung.need.text, 0);
        assert_eq!(rung.peak as usize, weights.unet + weights.text + rung.need.trainables + REST_OF_GPU);
    }

    #[test]
    fn what_was_asked_of_the_base_stays() {
        let architecture = Architecture::published(Family::Sdxl);
        for (bits, kind) in [
            (BaseBits::Sixteen, None),
            (BaseBits::Eight, Some(Quantization::Int8)),
            (BaseBits::Four, Some(Quantization::Nf4)),
        ] {
            let plan = plan(&architecture, &asked(Some(bits)));
            let rungs = Ladder::new(&plan, &architecture, 1, true).rungs();
            assert_eq!(rungs.len(), 3);
            assert!(rungs.iter().all(|rung| rung.means.quantized == kind), "{bits:?}");
        }
    }

    #[test]
    fn what_fits_nowhere_is_refused_with_numbers() {
        let architecture = Architecture::published(Family::Sdxl);
        let plan = plan(&architecture, &asked(Some(BaseBits::Sixteen)));
        let ladder = Ladder::new(&plan, &architecture, 1, true);
        let lowest = ladder.rungs()[2].peak;
        let error = ladder.choose(MemoryLevel::Usual, Some(lowest - 1)).expect_err("it does not fit");
        let text = error.to_string();
        for part in [
            format!("{} MiB", lowest.div_ceil(1 << 20)),
            format!("{} MiB can be had on the GPU", (lowest - 1) >> 20),
            "Choose resolution 960 or lower".to_owned(),
            "leave base_bits out".to_owned(),
        ] {
            assert!(text.contains(&part), "{part}: {text}");
        }
        assert_eq!(error.code(), protocol::ErrorCode::OutOfMemory);
        let error = ladder.choose(MemoryLevel::Usual, Some(GIB)).expect_err("nothing does").to_string();
        assert!(error.contains("No resolution is low enough"), "{error}");
    }
}
