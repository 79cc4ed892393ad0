//! A whole training, from what was asked to files on disk.

use crate::{
    Base, Bundle, Error, Finished, Observer, Plan, Result, RunFolder, Stopwatch, device,
    ladder::Means,
    latents::Latents,
    outcome::{preview, write_report},
    run::{self, Setup},
    scores::{Judge, score},
};
use dataset::{Limits, Options};
use diffusion::{Checkpoint, Vae, checkpoint::Overrides, layer::Precision};
use protocol::{Event, Mode, Parameters, Part, Prediction, Stage, TrainTask};
use std::{fs, path::Path, time::Instant};

/// Fewest pictures of a concept.
pub const FEWEST: usize = 2;

/// How a training is carried out beside what was asked.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Go on from the last snapshot, where there is one.
    pub resume: bool,
    /// Draw base beside concept at the end.
    pub preview: bool,
}

/// Carries out a training: reads the pictures, trains, and leaves the concept, its report and its pictures in `task.out`.
/// `judge` is asked at the end who compares its snapshots, if anybody; `watch` sees where the time goes.
///
/// # Errors
/// If a part fails or the observer stops it; everything up to the last snapshot is on disk.
pub fn carry_out(
    task: &TrainTask,
    manner: Manner,
    watch: &Stopwatch,
    observer: &mut dyn Observer,
    judge: &mut dyn FnMut() -> Option<Box<dyn Judge>>,
) -> Result<Finished> {
    let begun = Instant::now();
    let device = watch.time(Part::Device, || device::choose(task.device))?;
    watch.on(&device);
    if let Some(text) = device::remark(&device) {
        observer.see(&Event::Note { text });
    }
    let base = watch.time(Part::Base, || open_base(&task.base, task.vae.as_deref(), task.prediction))?;
    let start = task.continue_from.as_deref().map(Bundle::read).transpose()?;
    let folder = RunFolder::of(&task.out, &task.stem);
    let architecture = base.checkpoint.architecture();
    let family = caption::Family::of(&task.base.file_stem().unwrap_or_default().to_string_lossy(), None);
    let resolve = |pictures| -> Result<Plan> {
        let plan = Plan::resolve(&task.name, task.mode, architecture, pictures, &task.parameters)?;
        Ok(Plan { family, ..plan })
    };
    // Once before the pictures are read, for their size, and again when their number is known.
    let draft = resolve(1)?;
    let _occupied = folder.occupy()?;
    let read = || read_pictures(task, &base, &draft, &folder, &device, watch, observer);
    let (latents, data_digest) = watch.time(Part::Pictures, read)?;
    let mut plan = resolve(latents.examples.len())?;
    if manner.resume && folder.begun() && plan.asked.time_budget.is_some() {
        // The budget was turned into a number of steps then.
        if let Some(steps) = folder.description()?["steps"].as_u64() {
            plan.set_steps(steps);
        }
    }
    fs::create_dir_all(&task.out).map_err(crate::error::at(&task.out))?;
    let setup = Setup {
        base: &base,
        latents: &latents,
        data_digest,
        plan: plan.clone(),
        findings: task.findings.clone(),
        chunks: 1,
        device: device.clone(),
        stem: task.stem.clone(),
        folder: folder.clone(),
        resume: manner.resume,
        start,
        memory: task.memory,
        memory_budget: task.memory_budget,
        means: Means::PLAIN,
        begun,
        preview: manner.preview,
        watch,
    };
    let finished = run::train(setup, observer)?;
    watch.time(Part::Writing, || -> Result<()> {
        finished.bundle.write(&task.out)?;
        write_report(&task.out, &plan, &finished, None)
    })?;
    if manner.preview {
        observer.see(&Event::Stage { stage: Stage::Drawing });
        let precision = Precision::on(&device).with(finished.quantized);
        watch.time(Part::Preview, || {
            preview(&task.out, &base, &precision, &plan, &finished.bundle, watch, || observer.stop())
        })?;
        if let Some(mut judge) = watch.time(Part::Scoring, judge) {
            let scores = watch.time(Part::Scoring, || {
                score(&folder, &base, &precision, &plan, &mut *judge, watch, || observer.stop())
            })?;
            write_report(&task.out, &plan, &finished, Some(&scores))?;
            observer.see(&Event::Scored { scores });
        }
    }
    observer.see(&Event::Note { text: finished.verdict.clone() });
    let bundle = task.out.join(format!("{}.tar", task.stem)).display().to_string();
    observer.see(&Event::Done { step: finished.step, bundle });
    Ok(finished)
}

/// Opens a checkpoint with what replaces its VAE and its prediction, and reads it once for its digest.
///
/// # Errors
/// If it cannot be trained.
pub fn open_base(path: &Path, vae: Option<&Path>, prediction: Option<Prediction>) -> Result<Base> {
    Base::open(path, overrides(vae, prediction))
}

/// Opens a checkpoint without reading more than its header.
///
/// # Errors
/// If it cannot be trained.
pub fn open_checkpoint(path: &Path, vae: Option<&Path>, prediction: Option<Prediction>) -> Result<Checkpoint> {
    Ok(Checkpoint::open(path, overrides(vae, prediction))?)
}

fn overrides(vae: Option<&Path>, prediction: Option<Prediction>) -> Overrides<'_> {
    use diffusion::checkpoint::Prediction as Detected;
    let prediction = prediction.map(|prediction| match prediction {
        Prediction::Epsilon => Detected::Epsilon,
        Prediction::Velocity => Detected::Velocity { zero_terminal_snr: false },
        Prediction::VelocityZtsnr => Detected::Velocity { zero_terminal_snr: true },
    });
    Overrides { vae, prediction }
}

/// How a plan reads pictures.
pub fn picture_options(resolution: usize, crop: protocol::Crop, limits: &protocol::Limits) -> Options {
    let crop = match crop {
        // What the square is moved to comes with each picture.
        protocol::Crop::Center | protocol::Crop::Salience | protocol::Crop::Face => dataset::Crop::Center,
        protocol::Crop::Bucket => dataset::Crop::Bucket,
    };
    let limits = Limits {
        pixels: limits.picture_pixels,
        entries: usize::try_from(limits.pictures).unwrap_or(usize::MAX).saturating_mul(4),
        file_bytes: limits.file_bytes,
        total_bytes: limits.dataset_bytes,
        ..Limits::default()
    };
    Options { limits, ..Options::new(resolution, crop) }
}

fn read_pictures(
    task: &TrainTask,
    base: &Base,
    plan: &Plan,
    folder: &RunFolder,
    device: &kernels::Device,
    watch: &Stopwatch,
    observer: &mut dyn Observer,
) -> Result<(Latents, [u8; 32])> {
    observer.see(&Event::Stage { stage: Stage::Latents });
    let (masks, focuses, left_out) = (task.masks.clone(), task.focuses.clone(), task.left_out.clone());
    let options = Options { masks, focuses, left_out, ..picture_options(plan.resolution, plan.crop, &task.limits) };
    let scale = base.checkpoint.architecture().family.latent_scale();
    let mut latents = Latents::new(scale, folder.path());
    // Loaded with the first picture: without any, the error should not wait for it.
    let mut vae = None;
    let found = dataset::scan(&task.pictures, &options, &task.captions, &mut |photo| {
        if observer.stop() {
            return Err(Error::Interrupted { step: 0 });
        }
        if vae.is_none() {
            vae = Some(watch.time(Part::Model, || Vae::load(&base.checkpoint, device))?);
        }
        vae.as_ref().map_or(Ok(()), |vae| watch.time(Part::Latents, || latents.add(photo, vae, plan)))
    })?;
    if let Some(vae) = &vae {
        watch.time(Part::Latents, || latents.finish(vae, plan))?;
    }
    let skipped = found.skipped.iter().map(|skipped| format!("skipped {}: {}", skipped.name, skipped.reason));
    for text in skipped.chain(found.notes.iter().cloned()) {
        observer.see(&Event::Note { text });
    }
    latents.examples.sort_by_key(|example| example.digest);
    let count = latents.examples.len();
    if count < FEWEST {
        return Err(Error::TooFew { count });
    }
    Ok((latents, found.digest()))
}

/// The parameters and the mode that a bundle was made with.
///
/// # Errors
/// If it does not say.
pub fn recipe_of(bundle: &Bundle) -> Result<(Parameters, Mode)> {
    let recipe = || -> Option<(Parameters, Mode)> {
        let made: serde_json::Value = serde_json::from_str(bundle.metadata.get("conceptd.made_with")?).ok()?;
        Some((serde_json::from_value(made["asked"].clone()).ok()?, bundle.mode()?))
    };
    recipe().ok_or_else(|| {
        Error::Invalid(format!("{}: it does not say how it was made; give a concept of conceptd", bundle.stem))
    })
}
