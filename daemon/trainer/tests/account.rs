//! The account of a step, computed from sizes, against the multiplications that the step makes.

use diffusion::{
    Checkpoint, Family, Model,
    account::{self, Part, Widths},
    checkpoint::{Architecture, Prediction},
    clip::TextBatch,
    layer::Precision,
    lora::{self, Targets},
    plan::StepShape,
    schedule::NoiseSchedule,
    tokenizer::{END, LENGTH, VOCABULARY},
};
use std::sync::Arc;
use synthetic::{Random, Stored};
use trainer::{Batch, Draw, Objective, Purpose, Rates, Recipe, Rng, Trainables, Trainer};

const BATCH: usize = 2;
const SIDE: usize = 16;
const RANK: usize = 3;

/// Multiplications of one whole step.
fn counted(architecture: &Architecture, targets: &Targets, text: bool, recompute: bool, chunks: usize) -> u64 {
    let checkpoint = Checkpoint::of(Arc::new(Random::new(architecture, 3, Stored::F32, 1.0))).expect("a checkpoint");
    let mut model = Model::load(&checkpoint, &Precision::f32()).expect("a model");
    let sites = lora::sites(&mut model, targets, RANK);
    let mut rng = Rng::new(5, 0, Purpose::Init);
    let widths: Vec<usize> = model.text.encoders().map(|(_, encoder)| encoder.width()).collect();
    let rows = if text { widths.iter().map(|w| rng.normals(*w)).collect() } else { Vec::new() };
    let trainables =
        Trainables::bind(&mut model, sites, false, 1.0, Trainables::gaussian(1), rows).expect("trainables");
    let recipe = Recipe::conceptd(false);
    let schedule = NoiseSchedule::new(Prediction::Epsilon);
    let objective = Objective { schedule, snr: recipe.snr, l1: recipe.l1, token_std: 0.0 };
    let (adapters, tokens) = (recipe.lora_optimizer(), recipe.token_optimizer());
    let mut trainer = Trainer::new(model, trainables, objective, adapters, tokens, recompute).expect("a trainer");
    let shape = (BATCH, SIDE, SIDE, 4);
    let mut ids = vec![END; BATCH * chunks * LENGTH];
    ids[1] = if text { VOCABULARY as u32 } else { 320 };
    let xl = architecture.family == Family::Sdxl;
    let batch = Batch {
        latents: Draw::new(1, 0).latent_noise(shape).expect("noise").into(),
        noise: Draw::new(1, 1).noise(shape, 0.0).expect("noise").into(),
        mask: None,
        mask_means: vec![1.0; BATCH],
        timesteps: vec![300; BATCH],
        text: TextBatch { g: if xl { ids.clone() } else { Vec::new() }, l: ids, chunks },
        time_ids: if xl { vec![64.0; 6 * BATCH] } else { Vec::new() },
    };
    let (result, count) = kernels::multiplications(|| -> trainer::Result<()> {
        let (_, pass) = trainer.forward(&batch, true)?;
        trainer.backward(&batch, pass, 1.0)?;
        trainer.penalize(text)?;
        trainer.update(Rates { unet: 1e-4, text: 0.0, tokens: 1e-3 })
    });
    result.expect("a step");
    count
}

/// A downsampling convolution's input gradient is gathered at every input pixel on the CPU, though only a quarter of what is
/// gathered is not zero.
fn gathered_zeros(architecture: &Architecture) -> u64 {
    let downs = &architecture.unet.widths[..architecture.unet.widths.len() - 1];
    let positions = |level: usize| BATCH * (SIDE >> (level + 1)).pow(2);
    downs.iter().enumerate().map(|(level, width)| (3 * positions(level) * 9 * width * width) as u64).sum()
}

// One test, since all threads of the process are counted.
#[test]
fn the_account_is_what_a_step_multiplies() {
    for architecture in [synthetic::tiny_xl(), synthetic::tiny_15()] {
        for (targets, text_adapters, text, recompute, chunks) in [
            ("eden", false, true, false, 1),
            ("eden", false, false, false, 1),
            ("attn", false, true, true, 2),
            ("transformer", true, true, false, 2),
        ] {
            let targets = Targets::named(targets, text_adapters).expect("targets");
            let (height, width) = (SIDE, SIDE);
            let step = StepShape { batch: BATCH, height, width, chunks, targets, rank: RANK, text, recompute };
            let parts = account::account(&architecture, &step, Widths { activation: 4, frozen: 4 });
            let total = account::total(&parts);
            let counted = counted(&architecture, &step.targets, text, recompute, chunks);
            let expected = total.total().multiplications + gathered_zeros(&architecture);
            assert_eq!(expected, counted, "{:?} {step:?} {parts:?}", architecture.family);
            assert_eq!(total.again.multiplications > 0, recompute);
            assert!(parts.values().all(|part| part.total().bytes > 0) && parts.len() == Part::ALL.len());
        }
    }
}

/// The forward pass of the published UNet at 1024 px is known to be some 6 T operations, 3 T multiplications with their additions:
/// that keeps the walk from drifting where no step can be made.
#[test]
fn the_published_model_has_the_known_size() {
    let step = StepShape {
        batch: 1,
        height: 128,
        width: 128,
        chunks: 1,
        targets: Targets::named("eden", false).expect("targets"),
        rank: 16,
        text: true,
        recompute: false,
    };
    let parts = account::account(&synthetic::sdxl(), &step, Widths { activation: 2, frozen: 2 });
    let forward: u64 = [Part::Convolutions, Part::Linear, Part::Attention]
        .iter()
        .map(|part| parts[part].forward.multiplications)
        .sum();
    let tera = forward as f64 / 1e12;
    assert!((2.5..3.5).contains(&tera), "{tera}");
}
