//! Cases of gradients and whole training runs.

use super::case::{Case, Outputs};
use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor};
use diffusion::{
    Model,
    lora::{self, Targets},
    schedule::NoiseSchedule,
};
use trainer::{Batch, Objective, Optimizer, Rates, SnrNormal, SnrWeighting, Trainables, Trainer, VelocityWeight};

/// Puts the case's adapters and token rows on `model`.
pub fn bind(case: &Case, model: &mut Model) -> Result<Trainables> {
    let rank = case.number("rank")? as usize;
    let sites = lora::sites(model, &Targets::suffixes(case.strings("targets")?), rank);
    let dora = case.params["dora"] == true;
    // Read beforehand, so that a missing tensor is an error and not a panic.
    let mut first = std::collections::HashMap::new();
    for site in &sites {
        let parts = [("down", "down"), ("up", "up"), ("magnitude", "dora")];
        for (ours, theirs) in &parts[..if dora { 3 } else { 2 }] {
            let tensor = case.tensor(&format!("lora.{}.{theirs}", site.path.diffusers))?;
            let tensor = if tensor.rank() == 4 { tensor.permute((0, 2, 3, 1))?.contiguous()? } else { tensor };
            first.insert(format!("{}.{ours}", site.path.id()), tensor.flatten_all()?.to_vec1::<f32>()?);
        }
    }
    let alpha = case.number("alpha")?;
    Ok(Trainables::bind(
        model,
        sites,
        dora,
        alpha,
        |name, _| first.remove(name).unwrap_or_default(),
        case.token_rows()?,
    )?)
}

fn trainer(case: &Case, recompute: bool) -> Result<Trainer> {
    let mut model = case.model()?;
    let trainables = bind(case, &mut model)?;
    let gamma = case.params["snr_gamma"].as_f64().filter(|&gamma| gamma > 0.0);
    let objective = Objective {
        schedule: NoiseSchedule::new(case.prediction()),
        snr: gamma.map(|gamma| SnrWeighting { gamma, normal: SnrNormal::Batch, velocity: VelocityWeight::PlusOne }),
        l1: case.params["l1_penalty"].as_f64().unwrap_or(0.0),
        token_std: case.params["token_std_w"].as_f64().unwrap_or(0.0),
    };
    let adapters = optimizer(case, "unet_optimizer", "lora_weight_decay", "growth_rate_unet");
    let tokens = optimizer(case, "ti_optimizer", "ti_weight_decay", "growth_rate_ti");
    Ok(Trainer::new(model, trainables, objective, adapters, tokens, recompute)?)
}

fn optimizer(case: &Case, kind: &str, decay: &str, growth: &str) -> Optimizer {
    let weight_decay = case.params[decay].as_f64().unwrap_or(0.0);
    if case.params[kind] != "prodigy" {
        let adamw = &case.params["adamw"];
        let or = |value: &serde_json::Value, default: f64| value.as_f64().unwrap_or(default);
        let (beta1, beta2) = (or(&adamw["betas"][0], 0.9), or(&adamw["betas"][1], 0.999));
        return Optimizer::AdamW { beta1, beta2, epsilon: or(&adamw["eps"], 1e-8), weight_decay };
    }
    let p = &case.params["prodigy"];
    let or = |value: &serde_json::Value, default: f64| value.as_f64().unwrap_or(default);
    Optimizer::Prodigy {
        beta1: or(&p["betas"][0], 0.9),
        beta2: or(&p["betas"][1], 0.99),
        beta3: or(&p["beta3"], 0.99f64.sqrt()),
        epsilon: or(&p["eps"], 1e-8),
        weight_decay,
        d0: or(&p["d0"], 1e-6),
        growth: or(&p[growth], f64::INFINITY),
    }
}

/// Mean of each sample's mask.
fn mask_means(mask: &kernels::Tensor) -> Result<Vec<f64>> {
    let means = mask.host()?.flatten_from(1)?.to_dtype(DType::F64)?.mean(1)?;
    Ok(means.to_vec1()?)
}

pub fn gradients(case: &Case, recompute: bool, outputs: &mut Outputs) -> Result<()> {
    let mut trainer = trainer(case, recompute)?;
    let mask = case.image("mask")?;
    let batch = Batch {
        latents: case.image("latents")?,
        noise: case.image("noise")?,
        mask_means: mask_means(&mask)?,
        mask: Some(mask),
        timesteps: case.indices("timesteps")?,
        text: case.text("")?,
        time_ids: case.time_ids()?,
    };
    let (losses, pass) = trainer.forward(&batch, true)?;
    trainer.backward(&batch, pass, 1.0)?;
    let penalty = trainer.penalize(true)?;
    outputs.put("loss_img", &losses.image.host()?)?;
    outputs.put("loss", &kernels::add(&losses.image, &penalty)?.host()?)?;
    outputs.put_image("eps", &losses.prediction)?;
    put_trainables(&trainer, outputs, "grad.", trainer.gradients().values())
}

pub fn run(case: &Case, recompute: bool, outputs: &mut Outputs) -> Result<()> {
    let mut trainer = trainer(case, recompute)?;
    let (latents, masks, noise) = (case.tensor("latents")?, case.tensor("masks")?, case.tensor("noise")?);
    let (index, timesteps) = (case.indices("index")?, case.indices("timesteps")?);
    let (text, one_time_ids) = (case.text("")?, case.time_ids()?);
    let (lr_unet, lr_tokens) = (case.numbers("lr_unet")?, case.numbers("lr_ti")?);
    let (steps, batch_size) = (case.number("steps")? as usize, noise.dim(1)?);
    let (mut image, mut total) = (Vec::new(), Vec::new());
    let (mut d_unet, mut d_tokens) = (Vec::new(), Vec::new());
    for step in 0..steps {
        let chosen = &index[step * batch_size..(step + 1) * batch_size];
        let pick = |all: &Tensor| -> Result<kernels::Tensor> {
            let rows = Tensor::from_vec(chosen.iter().map(|&i| i as u32).collect(), batch_size, &Device::Cpu)?;
            Ok(kernels::to_channels_last(&all.index_select(&rows, 0)?.into())?)
        };
        let ids = |all: &[u32]| -> Vec<u32> {
            chosen.iter().flat_map(|&i| all.chunks(77).nth(i).unwrap_or_default()).copied().collect()
        };
        let mask = pick(&masks)?;
        let batch = Batch {
            latents: pick(&latents)?,
            noise: kernels::to_channels_last(&noise.get(step)?.contiguous()?.into())?,
            mask_means: mask_means(&mask)?,
            mask: Some(mask),
            timesteps: timesteps[step * batch_size..(step + 1) * batch_size].to_vec(),
            text: diffusion::clip::TextBatch { l: ids(&text.l), g: ids(&text.g), chunks: 1 },
            time_ids: one_time_ids.repeat(if one_time_ids.is_empty() { 0 } else { batch_size }),
        };
        let rates = Rates {
            unet: *lr_unet.get(step).context("a rate for each step")?,
            text: 0.0,
            tokens: *lr_tokens.get(step).context("a rate for each step")?,
        };
        let learn_tokens = rates.tokens > 0.0;
        let (losses, pass) = trainer.forward(&batch, learn_tokens)?;
        trainer.backward(&batch, pass, 1.0)?;
        let penalty = trainer.penalize(learn_tokens)?;
        trainer.update(rates)?;
        let number = |t: &kernels::Tensor| -> Result<f64> { Ok(t.to_scalar()?) };
        image.push(number(&losses.image)?);
        total.push(number(&losses.image)? + number(&penalty)?);
        let (unet, tokens) = trainer.estimates();
        d_unet.push(unet);
        d_tokens.push(tokens);
    }
    outputs.put_list("loss_img", &image)?;
    outputs.put_list("loss_tot", &total)?;
    if case.params["unet_optimizer"] == "prodigy" {
        outputs.put_list("d_unet", &d_unet)?;
    }
    if case.params["ti_optimizer"] == "prodigy" {
        outputs.put_list("d_ti", &d_tokens)?;
    }
    put_trainables(&trainer, outputs, "", trainer.trainables().parameters.values())
}

/// Writes a flat tensor of all parameters under the case's names and shapes.
fn put_trainables(trainer: &Trainer, outputs: &mut Outputs, prefix: &str, flat: &kernels::Tensor) -> Result<()> {
    let (trainables, flat) = (trainer.trainables(), flat.host()?);
    for entry in trainables.parameters.entries() {
        let value = flat.narrow(0, entry.start, entry.range().len())?.reshape(entry.shape.as_slice())?;
        let (id, part) = entry.name.rsplit_once('.').unwrap_or_default();
        let Some(site) = trainables.sites.iter().find(|site| site.path.id() == id) else {
            outputs.put(entry.name.replace("tokens.", &format!("{prefix}ti.")), &value)?;
            continue;
        };
        let value = match (part, site.conv_kernel) {
            ("down", Some(k)) => {
                value.reshape((site.rank, k, k, site.fan_in / (k * k)))?.permute((0, 3, 1, 2))?.contiguous()?
            }
            ("up", Some(_)) => value.reshape((site.out_channels, site.rank, 1, 1))?,
            _ => value,
        };
        let part = if part == "magnitude" { "dora" } else { part };
        outputs.put(format!("{prefix}lora.{}.{part}", site.path.diffusers), &value)?;
    }
    Ok(())
}
