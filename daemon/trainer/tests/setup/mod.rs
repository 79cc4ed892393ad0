//! A tiny random model with something to train on it, for the tests of the training step.

#![allow(dead_code, reason = "each test program uses a part")]

use diffusion::{
    Checkpoint, Model,
    checkpoint::{Architecture, Prediction},
    clip::TextBatch,
    layer::Precision,
    lora::{self, Targets},
    schedule::NoiseSchedule,
    tokenizer::{END, LENGTH, VOCABULARY},
};
use kernels::Tensor;
use std::sync::Arc;
use synthetic::{Random, Stored};
use trainer::{Batch, Draw, Objective, Recipe, Rng, Trainables, Trainer};

pub const SIZE: usize = 8;

#[derive(Clone)]
pub struct Setup {
    pub architecture: Architecture,
    pub precision: Precision,
    pub recipe: Recipe,
    pub targets: &'static str,
    pub text: bool,
    pub recompute: bool,
    pub dora: bool,
    /// Parts of each prompt.
    pub chunks: usize,
}

impl Setup {
    pub fn new(architecture: Architecture) -> Self {
        let recipe = Recipe { rank: 2, alpha: 1.0, ..Recipe::conceptd(false) };
        Self {
            architecture,
            precision: Precision::f32(),
            recipe,
            targets: "eden",
            text: false,
            recompute: false,
            dora: false,
            chunks: 1,
        }
    }

    pub fn trainer(&self) -> Trainer {
        let checkpoint =
            Checkpoint::of(Arc::new(Random::new(&self.architecture, 3, Stored::F32, 1.0))).expect("a checkpoint");
        let mut model = Model::load(&checkpoint, &self.precision).expect("a model");
        let sites =
            lora::sites(&mut model, &Targets::named(self.targets, self.text).expect("targets"), self.recipe.rank);
        let mut rng = Rng::new(5, 0, trainer::Purpose::Init);
        let widths: Vec<usize> = model.text.encoders().map(|(_, encoder)| encoder.width()).collect();
        let rows = widths.iter().map(|w| rng.normals(2 * w).iter().map(|z| z * 0.02).collect()).collect();
        let first = |_: &str, shape: &[usize]| rng.normals(shape.iter().product()).iter().map(|z| z * 0.1).collect();
        let trainables =
            Trainables::bind(&mut model, sites, self.dora, self.recipe.alpha, first, rows).expect("trainables");
        let (snr, l1, token_std) = (self.recipe.snr, self.recipe.l1, self.recipe.token_std);
        let objective = Objective { schedule: NoiseSchedule::new(Prediction::Epsilon), snr, l1, token_std };
        let (adapters, tokens) = (self.recipe.lora_optimizer(), self.recipe.token_optimizer());
        Trainer::new(model, trainables, objective, adapters, tokens, self.recompute).expect("a trainer")
    }

    /// Samples `from..from + count` of a fixed sequence.
    pub fn batch(&self, from: usize, count: usize) -> Batch {
        let all = 4;
        let tensor = |seed: u64, channels: usize| {
            let draw = Draw::new(seed, 0).noise((all, SIZE, SIZE, channels), 0.0).expect("noise");
            draw.narrow(0, from, count)
                .and_then(|t| t.contiguous())
                .and_then(|t| t.to_dtype(self.precision.exact()))
                .expect("a part")
        };
        let parts = |samples: usize| samples * self.chunks;
        let ids: Vec<u32> = (0..parts(all) as u32)
            .flat_map(|part| {
                let mut ids = vec![END; LENGTH];
                ids[0] = 49406;
                ids[1..5].copy_from_slice(&[320 + part, VOCABULARY as u32, VOCABULARY as u32 + 1, 1929]);
                ids
            })
            .skip(parts(from) * LENGTH)
            .take(parts(count) * LENGTH)
            .collect();
        let sizes = [128.0, 128.0, 0.0, 16.0, 64.0, 64.0];
        let xl = self.architecture.clip_g.is_some();
        Batch {
            latents: tensor(1, 4).into(),
            noise: tensor(2, 4).into(),
            mask: Some(tensor(3, 1).abs().expect("a mask").into()),
            mask_means: vec![1.0; count],
            timesteps: [10, 400, 700, 950][from..from + count].to_vec(),
            text: TextBatch { g: if xl { ids.clone() } else { Vec::new() }, l: ids, chunks: self.chunks },
            time_ids: if xl { sizes.repeat(count) } else { Vec::new() },
        }
    }
}

pub fn loss(trainer: &mut Trainer, batch: &Batch) -> f64 {
    let (losses, _) = trainer.forward(batch, true).expect("a forward pass");
    losses.image.to_scalar().expect("one value")
}

pub fn gradients(trainer: &mut Trainer, parts: &[(&Batch, f64)]) -> Vec<f64> {
    trainer.gradients().clear().expect("cleared");
    for (batch, share) in parts {
        let (_, pass) = trainer.forward(batch, true).expect("a forward pass");
        trainer.backward(batch, pass, *share).expect("a backward pass");
    }
    flat(trainer.gradients().values())
}

pub fn flat(tensor: &Tensor) -> Vec<f64> {
    tensor.to_vec().expect("f64")
}
