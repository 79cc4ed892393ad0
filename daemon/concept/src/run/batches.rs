//! Which pictures an update sees, how, and what is set aside for measuring.

use super::{Plan, Prompts};
use crate::{Result, latents::Latents, prompts::CONCEPT};
use candle_core::{Device, Tensor};
use diffusion::{clip::TextBatch, tokenizer::TokenIds};
use trainer::{Batch, Draw, Purpose, Rng, Trainer};

/// Enough pictures to set some aside.
const MANY: usize = 16;
/// Pictures that are measured, at most.
const MEASURED: usize = 8;
/// Timesteps at which held-out error is measured.
const TIMESTEPS: [usize; 4] = [120, 360, 600, 840];

pub(super) struct Batches<'a> {
    latents: &'a Latents,
    /// The tokens of each example's prompt.
    ids: Vec<TokenIds>,
    /// Those of the bare concept word.
    bare: TokenIds,
    plan: &'a Plan,
    micro_batch: usize,
    /// Examples that are learnt, each as often as it repeats.
    learnt: Vec<usize>,
    measured: Vec<usize>,
}

impl<'a> Batches<'a> {
    /// # Errors
    /// If a prompt cannot be encoded.
    pub fn new(latents: &'a Latents, prompts: &Prompts, plan: &'a Plan, micro_batch: usize) -> Result<Self> {
        let examples = &latents.examples;
        let order = Rng::new(plan.recipe.seed, 0, Purpose::Validation).permutation(examples.len());
        // Few pictures are all needed for learning; their error is then measured under noise that training never draws.
        let aside = if examples.len() >= MANY { (examples.len() / MANY).clamp(2, MEASURED) } else { 0 };
        let mut measured: Vec<usize> = order.iter().copied().take(if aside > 0 { aside } else { MEASURED }).collect();
        measured.sort_unstable();
        let is_learnt = |i: &usize| aside == 0 || !measured.contains(i);
        let learnt = (0..examples.len()).filter(is_learnt).flat_map(|i| vec![i; examples[i].repeats]).collect();
        let ids = examples.iter().map(|example| prompts.encode(&example.prompt)).collect::<Result<_>>()?;
        Ok(Self { latents, ids, bare: prompts.encode(CONCEPT)?, plan, micro_batch, learnt, measured })
    }

    /// The share of the run that lies behind `step`. Eden counts whole epochs of whole batches, so that a run shorter than
    /// an epoch never comes far.
    pub fn completion(&self, step: u64) -> f64 {
        if !self.plan.recipe.whole_epochs {
            return step as f64 / self.plan.recipe.steps as f64;
        }
        let per_epoch = self.learnt.len().div_ceil(self.plan.recipe.batch_size).max(1) as u64;
        let epochs = self.plan.recipe.steps.div_ceil(per_epoch);
        step as f64 / (epochs * per_epoch) as f64
    }

    /// The first step from which nothing in the text encoders learns any more; none if adapters in them do.
    pub fn text_is_frozen_from(&self) -> Option<u64> {
        let recipe = &self.plan.recipe;
        let learns = |step: &u64| recipe.token_rate.at(*step, recipe.steps, self.completion(*step)) > 0.0;
        match (recipe.text_adapters, recipe.tokens) {
            (true, _) => None,
            (false, 0) => Some(0),
            (false, _) => Some((0..recipe.steps).rev().find(learns).map_or(0, |step| step + 1)),
        }
    }

    /// Every prompt that a step or a measurement may see.
    pub fn prompts(&self) -> impl Iterator<Item = &TokenIds> {
        self.ids.iter().chain(std::iter::once(&self.bare))
    }

    /// The forward passes of an update, each with its share.
    pub fn of_step(&self, step: u64) -> Result<Vec<(Batch, f64)>> {
        let recipe = &self.plan.recipe;
        let (size, draw) = (recipe.batch_size, Draw::new(recipe.seed, step));
        let first = step as usize * size;
        let chosen: Vec<usize> = (first..first + size).map(|i| self.pick(i)).collect();
        let timesteps = if recipe.stratified { draw.stratified_timesteps(size) } else { draw.timesteps(size) };
        let (flips, dropped) = (draw.flips(size), draw.dropped_captions(size, recipe.caption_dropout));
        let ids = |slot: usize| if dropped[slot] { &self.bare } else { &self.ids[chosen[slot]] };
        // Pictures of one shape and prompts of one length go together.
        let shape = |slot: usize| (self.latents.examples[chosen[slot]].size, ids(slot).chunks());
        let mut order: Vec<usize> = (0..size).collect();
        order.sort_by_key(|&slot| shape(slot));
        let mut passes = Vec::new();
        for same in order.chunk_by(|&a, &b| shape(a) == shape(b)) {
            for slots in same.chunks(self.micro_batch) {
                let samples = slots.iter().map(|&slot| {
                    // Every slot of every step has a sequence of its own, whatever shares a pass with it.
                    let noise = Draw::new(recipe.seed, step * size as u64 + slot as u64);
                    Sample {
                        index: chosen[slot],
                        flipped: flips[slot],
                        ids: ids(slot),
                        timestep: timesteps[slot],
                        noise,
                        offset: recipe.noise_offset,
                        sampled: true,
                    }
                });
                passes.push((self.batch(samples)?, slots.len() as f64 / size as f64));
            }
        }
        Ok(passes)
    }

    /// The example at place `i` of the endless sequence of shuffled epochs.
    fn pick(&self, i: usize) -> usize {
        let (epoch, place) = (i / self.learnt.len(), i % self.learnt.len());
        let order = Rng::new(self.plan.recipe.seed, epoch as u64, Purpose::Order).permutation(self.learnt.len());
        self.learnt[order[place]]
    }

    /// Samples of one measurement.
    pub fn held_out_passes(&self) -> usize {
        self.measured.len() * TIMESTEPS.len()
    }

    /// Mean error on fixed noise at fixed timesteps.
    pub fn held_out(&self, trainer: &Trainer) -> Result<f64> {
        let places = self.measured.iter().flat_map(|&index| TIMESTEPS.map(|timestep| (index, timestep)));
        let samples = places.enumerate().map(|(i, (index, timestep))| {
            let ids = &self.ids[index];
            // Steps far beyond any run's, so that no training noise is met.
            let noise = Draw::new(self.plan.recipe.seed, u64::MAX - i as u64);
            Sample { index, flipped: false, ids, timestep, noise, offset: 0.0, sampled: false }
        });
        let samples: Vec<Sample> = samples.collect();
        let mut sum = 0.0;
        let shape = |sample: &Sample| (self.latents.examples[sample.index].size, sample.ids.chunks());
        for same in samples.chunk_by(|a, b| shape(a) == shape(b)) {
            for part in same.chunks(self.micro_batch.min(4 * TIMESTEPS.len())) {
                let mut batch = self.batch(part.iter().copied())?;
                batch.mask = None;
                sum += trainer.plain_loss(&batch)? * part.len() as f64;
            }
        }
        Ok(sum / samples.len() as f64)
    }

    fn batch<'s>(&self, samples: impl Iterator<Item = Sample<'s>>) -> Result<Batch> {
        let (mut latents, mut noises, mut masks, mut ids) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::<TokenIds>::new());
        let (mut timesteps, mut time_ids, mut mask_means) = (Vec::new(), Vec::new(), Vec::new());
        for sample in samples {
            let (distribution, mask) = self.latents.view(sample.index, sample.flipped)?;
            let shape = distribution.mean.dims4()?;
            latents.push(if sample.sampled {
                distribution.sample(&sample.noise.latent_noise(shape)?, self.latents.scale)?
            } else {
                (&distribution.mean * self.latents.scale)?
            });
            noises.push(sample.noise.noise(shape, sample.offset)?);
            let ones = || Tensor::ones((1, shape.1, shape.2, 1), candle_core::DType::F32, &Device::Cpu);
            let mask = mask.map_or_else(ones, |mask| Ok(mask.clone()))?;
            mask_means.push(f64::from(mask.mean_all()?.to_scalar::<f32>()?));
            masks.push(mask);
            ids.push(sample.ids.clone());
            timesteps.push(sample.timestep);
            time_ids.extend(self.latents.examples[sample.index].time_ids);
        }
        let pooled = !self.plan.is_sd15;
        Ok(Batch {
            latents: Tensor::cat(&latents, 0)?.into(),
            noise: Tensor::cat(&noises, 0)?.into(),
            mask: Some(Tensor::cat(&masks, 0)?.into()),
            mask_means,
            timesteps,
            text: TextBatch::new(&ids),
            time_ids: if pooled { time_ids } else { Vec::new() },
        })
    }
}

/// One picture as one pass sees it.
#[derive(Clone, Copy)]
struct Sample<'a> {
    index: usize,
    flipped: bool,
    ids: &'a TokenIds,
    timestep: usize,
    noise: Draw,
    offset: f64,
    /// Whether latents are drawn from their distribution (else its mean).
    sampled: bool,
}
