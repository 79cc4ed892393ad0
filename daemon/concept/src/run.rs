//! The training run: latents, steps, snapshots, held-out error, the end.

mod batches;
mod memory;
mod metadata;
mod samples;
mod step;
mod text;

pub use crate::state::RunFolder;

use crate::{
    Base, Error, Observer, Result, Stopwatch, brush,
    bundle::{Bundle, ConceptTensors},
    ladder::Means,
    latents::Latents,
    plan::Plan,
    prompts::Prompts,
    state::Progress,
};
use batches::Batches;
use candle_core::{DType, Tensor};
use diffusion::{
    Model,
    layer::Precision,
    lora::{self, Naming, Targets},
    schedule::NoiseSchedule,
};
use kernels::{Device, Quantization};
use protocol::{Event, MemoryLevel, Part, Stage};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};
use step::{check_divergence, check_held_out, update};
use trainer::{Objective, TokenInit, Trainables, Trainer};

/// Longest time between two snapshots of the state.
const SAVE_INTERVAL: Duration = Duration::from_secs(45);
/// Steps that a time budget is estimated from, after one that is not counted.
const CALIBRATION: u32 = 3;

/// What a run works on.
pub(crate) struct Setup<'a> {
    /// The base model.
    pub base: &'a Base,
    /// The pictures.
    pub latents: &'a Latents,
    /// Their digest.
    pub data_digest: [u8; 32],
    /// Every decision.
    pub plan: Plan,
    /// How many pictures have which finding of the examination.
    pub findings: BTreeMap<String, u64>,
    /// Parts of 75 tokens of the longest prompt.
    pub chunks: usize,
    /// Where it is trained.
    pub device: Device,
    /// Name of the result's files.
    pub stem: String,
    /// Where snapshots go.
    pub folder: RunFolder,
    /// Go on from the last snapshot.
    pub resume: bool,
    /// A concept to begin with.
    pub start: Option<Bundle>,
    /// How hard to save memory at least.
    pub memory: MemoryLevel,
    /// Bytes of memory that may be taken on the processor; 0 for no limit.
    pub memory_budget: u64,
    /// What is done about memory, which the longest prompt helps to decide.
    pub means: Means,
    /// When the whole began, of which a time budget counts.
    pub begun: Instant,
    /// Whether pictures are drawn at the end, for which a time budget needs room.
    pub preview: bool,
    /// Where its time goes.
    pub watch: &'a Stopwatch,
}

/// How a run ended.
pub struct Finished {
    /// The delivered concept.
    pub bundle: Bundle,
    /// Its step.
    pub step: u64,
    /// Loss of every update.
    pub losses: Vec<f64>,
    /// (step, held-out error) of every snapshot.
    pub held_out: Vec<(u64, f64)>,
    /// What the curves say, in words.
    pub verdict: String,
    /// The first of the plan's sample prompts.
    pub sample_prompt: String,
    /// How the base was packed, as which it should be drawn with here.
    pub quantized: Option<Quantization>,
}

/// Trains a concept.
///
/// # Errors
/// If a part fails, the loss diverges, or the observer stops the run; everything up to the last snapshot is on disk.
pub(crate) fn train(mut setup: Setup, observer: &mut dyn Observer) -> Result<Finished> {
    observer.see(&Event::Stage { stage: Stage::Model });
    let prompts = Prompts::new(setup.plan.recipe.tokens, &setup.plan.name)?;
    setup.chunks = text::longest(&setup, &prompts, observer)?;
    let memory = memory::settle(&mut setup, observer)?;
    let plan = &setup.plan;
    let watch = setup.watch;
    let mut trainer = watch.time(Part::Model, || trainer(&setup))?;
    if let Some(budget) = plan.asked.time_budget {
        let left = Duration::from_secs_f64(budget).saturating_sub(setup.begun.elapsed());
        calibrate(&mut setup, trainer, &prompts, left)?;
        trainer = watch.time(Part::Model, || self::trainer(&setup))?;
    }
    let plan = &setup.plan;
    let description = serde_json::json!({
        "name": plan.name, "mode": plan.mode, "steps": plan.recipe.steps, "asked": plan.asked, "memory": memory,
    });
    setup.folder.write_description(&description)?;
    let identity = watch.time(Part::Base, || identity(&setup))?;
    let mut progress = Progress { identity: identity.clone(), ..Progress::default() };
    if setup.resume && setup.folder.exists() {
        progress = setup.folder.restore(&mut trainer, &identity)?;
    }
    let batches = watch.time(Part::Batches, || Batches::new(setup.latents, &prompts, plan, setup.means.micro_batch))?;
    let steps = plan.recipe.steps;
    let frozen_from = batches.text_is_frozen_from().unwrap_or(u64::MAX);
    let pictures = setup.latents.examples.len();
    let batch_size = plan.recipe.batch_size;
    observer.see(&Event::Planned { steps, batch_size, pictures, step: progress.step, memory });
    observer.see(&Event::Stage { stage: Stage::Training });
    if progress.step >= frozen_from {
        text::freeze(&mut trainer, &setup, &batches, &prompts)?;
    }
    if progress.step == 0 && progress.held_out.is_empty() {
        progress.held_out.push((0, watch.time(Part::HeldOut, || batches.held_out(&trainer))?));
        watch.time(Part::Writing, || setup.folder.save(&trainer, &progress))?;
    }
    observer.see(&Event::Saved { step: progress.step });
    let mut saved = Instant::now();
    let mut ready = None;
    while progress.step < steps {
        if observer.stop() {
            watch.time(Part::Writing, || setup.folder.save(&trainer, &progress))?;
            observer.see(&Event::Saved { step: progress.step });
            return Err(Error::Interrupted { step: progress.step });
        }
        let begun = Instant::now();
        if progress.step == frozen_from {
            text::freeze(&mut trainer, &setup, &batches, &prompts)?;
        }
        let of_step = |step| watch.time(Part::Batches, || batches.of_step(step));
        let passes = ready.take().map_or_else(|| of_step(progress.step), Ok)?;
        let loss = update(&mut trainer, passes, &batches, plan, progress.step, watch)?;
        progress.step += 1;
        if progress.step < steps {
            // Put together while a GPU is at this update.
            ready = Some(of_step(progress.step)?);
        }
        let loss = loss.read()?;
        check_divergence(loss, &progress)?;
        progress.losses.push(loss);
        let seconds = begun.elapsed().as_secs_f64();
        observer.see(&Event::Step { step: progress.step, steps, loss, seconds });
        let due = progress.step.is_multiple_of(plan.save_every) || progress.step == steps;
        if due {
            let held_out = watch.time(Part::HeldOut, || batches.held_out(&trainer))?;
            check_held_out(held_out, &progress)?;
            progress.held_out.push((progress.step, held_out));
            watch
                .time(Part::Writing, || setup.folder.keep(progress.step, &bundle(&setup, &trainer, progress.step)?))?;
            observer.see(&Event::Snapshot { step: progress.step, held_out });
        }
        if due || saved.elapsed() > SAVE_INTERVAL {
            watch.time(Part::Writing, || setup.folder.save(&trainer, &progress))?;
            observer.see(&Event::Saved { step: progress.step });
            saved = Instant::now();
        }
        let wanted = plan.sample_every > 0 && progress.step.is_multiple_of(plan.sample_every);
        // The last state is drawn beside the base when the run is over.
        if observer.sample() || (wanted && progress.step < steps) {
            let drawn = watch
                .time(Part::Samples, || samples::draw(&setup, &trainer, &prompts, progress.step, || observer.stop()));
            match drawn {
                Err(Error::StoppedDrawing) => {}
                file => observer.see(&Event::Sample { step: progress.step, file: file? }),
            }
        }
    }
    let best = progress.held_out.iter().skip(1).min_by(|a, b| a.1.total_cmp(&b.1)).map_or(steps, |(step, _)| *step);
    let delivered = if plan.best { best } else { steps };
    Ok(Finished {
        bundle: Bundle::read(&setup.folder.snapshot_file(delivered))?,
        step: delivered,
        verdict: verdict(&progress.held_out, best, delivered),
        sample_prompt: plan.sample_prompts.first().cloned().unwrap_or_default(),
        quantized: setup.means.quantized,
        losses: progress.losses,
        held_out: progress.held_out,
    })
}

fn trainer(setup: &Setup) -> Result<Trainer> {
    let (plan, recipe) = (&setup.plan, &setup.plan.recipe);
    let mut model = Model::load(&setup.base.checkpoint, &Precision::on(&setup.device).with(setup.means.quantized))?;
    let targets = Targets::named(&recipe.targets, recipe.text_adapters)?;
    let sites = lora::sites(&mut model, &targets, recipe.rank);
    let init = match plan.token_init.as_str() {
        "random" => TokenInit::Random,
        word => TokenInit::Word(word.to_owned()),
    };
    let mut rows = if recipe.tokens > 0 { init.rows(&model.text, recipe.tokens, recipe.seed)? } else { Vec::new() };
    let mut start = BTreeMap::new();
    if let Some(bundle) = &setup.start {
        start = lora::initial_values(&sites, &bundle.tensors.lora, recipe.alpha, model.unet.family())?;
        if bundle.tokens() != recipe.tokens {
            let (theirs, ours) = (bundle.tokens(), recipe.tokens);
            return Err(Error::Invalid(format!(
                "--continue: the bundle has {theirs} tokens, not {ours}; add --token-count {theirs}"
            )));
        }
        let keys = model.text.encoders().map(|(name, _)| if plan.is_sd15 { "emb_params" } else { name });
        for (row, key) in rows.iter_mut().zip(keys.collect::<Vec<_>>()) {
            let tensor = bundle.tensors.embeddings.get(key);
            let other = || Error::Invalid("--continue: the bundle's embeddings are of another base".into());
            let values = tensor.ok_or_else(other)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
            if values.len() != row.len() {
                return Err(other());
            }
            *row = values;
        }
    }
    let mut gaussian = Trainables::gaussian(recipe.seed);
    let first = |name: &str, shape: &[usize]| start.remove(name).unwrap_or_else(|| gaussian(name, shape));
    let trainables = Trainables::bind(&mut model, sites, false, recipe.alpha, first, rows)?;
    let schedule = NoiseSchedule::new(setup.base.checkpoint.architecture().prediction);
    let objective = Objective { schedule, snr: recipe.snr, l1: recipe.l1, token_std: recipe.token_std };
    Ok(Trainer::new(
        model,
        trainables,
        objective,
        recipe.lora_optimizer(),
        recipe.token_optimizer(),
        setup.means.recompute,
    )?)
}

/// Chooses the number of updates so that the whole run takes `budget`, of which a part is spent by now.
/// Takes the trainer, so that the next one finds the room.
fn calibrate(setup: &mut Setup, mut trainer: Trainer, prompts: &Prompts, budget: Duration) -> Result<()> {
    let batches = Batches::new(setup.latents, prompts, &setup.plan, setup.means.micro_batch)?;
    let mut step = |step| -> Result<f64> {
        let passes = setup.watch.time(Part::Batches, || batches.of_step(step))?;
        update(&mut trainer, passes, &batches, &setup.plan, step, setup.watch)?.read()
    };
    step(0)?;
    let begun = Instant::now();
    for i in 0..CALIBRATION {
        step(1 + u64::from(i))?;
    }
    let each = begun.elapsed() / CALIBRATION;
    let begun = Instant::now();
    setup.watch.time(Part::HeldOut, || batches.held_out(&trainer))?;
    let held_out = begun.elapsed();
    // Measured eight times and once at the start; then base and concept are drawn, two passes a step.
    let passes = if setup.preview { 4 * brush::SAMPLE_STEPS * setup.plan.sample_prompts.len() } else { 0 };
    let drawing = held_out.mul_f64(passes as f64 / batches.held_out_passes() as f64);
    // The model is loaded again for each of both.
    let loading = setup.begun.elapsed().saturating_sub(each * (CALIBRATION + 1)) / 2;
    let rest = budget.saturating_sub(each * (CALIBRATION + 1) + held_out * 10 + drawing + loading);
    let steps = (rest.as_secs_f64() / each.as_secs_f64()) as u64;
    setup.plan.set_steps(steps.clamp(10, 100_000));
    Ok(())
}

/// A digest of everything that decides the result.
fn identity(setup: &Setup) -> Result<String> {
    let mut hasher = Sha256::new();
    let (base, prediction) = (setup.base, setup.base.checkpoint.architecture().prediction);
    let start = setup.start.as_ref().map(Bundle::to_tar).transpose()?.map(Sha256::digest);
    // Pictures along the way change nothing of the result.
    let plan = Plan { sample_prompts: Vec::new(), sample_every: 0, asked: Default::default(), ..setup.plan.clone() };
    hasher.update(format!("{plan:?}|{}|{:?}|{prediction:?}|{start:?}", base.digest()?, base.vae_digest()?));
    hasher.update(setup.data_digest);
    if let Some(bits) = setup.plan.asked.base_bits {
        hasher.update(bits.name());
    }
    Ok(crate::hex(&hasher.finalize()))
}

/// The concept as it stands.
fn bundle(setup: &Setup, trainer: &Trainer, step: u64) -> Result<Bundle> {
    let (trainables, family) = (trainer.trainables(), setup.base.checkpoint.architecture().family);
    let lora = lora::export(&trainables.sites, &trainables.parameters, setup.plan.recipe.alpha, Naming::Host, family)?;
    let embeddings = lora::embeddings(&trainables.tokens, family)?;
    // As they are written: the LoRA in halves.
    if let Some(key) = not_finite(&lora, DType::F16)?.or(not_finite(&embeddings, DType::F32)?) {
        return Err(trainer::Error::Invalid(format!(
            "`{key}` is not finite at step {step}; nothing is written. Try half the learning rate"
        ))
        .into());
    }
    Ok(Bundle {
        stem: setup.stem.clone(),
        tensors: ConceptTensors { lora, embeddings },
        metadata: metadata::of(setup, step)?,
    })
}

fn not_finite(tensors: &BTreeMap<String, Tensor>, stored: DType) -> Result<Option<String>> {
    for (key, tensor) in tensors {
        let values = tensor.to_dtype(stored)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
        if !values.iter().all(|x| x.is_finite()) {
            return Ok(Some(key.clone()));
        }
    }
    Ok(None)
}

fn verdict(held_out: &[(u64, f64)], best: u64, delivered: u64) -> String {
    let error_at = |step: u64| held_out.iter().find(|(s, _)| *s == step).map_or(f64::NAN, |(_, e)| *e);
    let (first, last) = (error_at(0), error_at(delivered));
    let fell = 100.0 * (1.0 - last / first);
    let mut text = if fell >= 0.0 {
        format!("the held-out error fell by {fell:.0} % ({first:.4} to {last:.4})")
    } else {
        format!("the held-out error rose from {first:.4} to {last:.4}")
    };
    if best != delivered && error_at(delivered) > 1.03 * error_at(best) {
        let (lowest, rose) = (error_at(best), 100.0 * (last / error_at(best) - 1.0));
        text += &format!(
            "; it was lowest at step {best} ({lowest:.4}) and rose by {rose:.0} % since: the concept begins to learn its pictures by \
             heart. `conceptd promote` delivers step {best} instead"
        );
    }
    text
}

/// Makes the snapshot of `step` the delivered concept.
///
/// # Errors
/// If there is no such snapshot.
pub fn promote(folder: &RunFolder, step: u64, out: &Path) -> Result<Bundle> {
    let steps = folder.snapshots()?;
    if !steps.contains(&step) {
        let list = steps.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
        return Err(Error::Invalid(format!("there is no snapshot of step {step}; there are {list}")));
    }
    let bundle = Bundle::read(&folder.snapshot_file(step))?;
    bundle.write(out)?;
    Ok(bundle)
}
