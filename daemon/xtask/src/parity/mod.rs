//! Runs a golden case of the reference implementations and writes what this engine computes for it.

mod case;
mod train;

use anyhow::{Result, bail};
use candle_core::{Device, Tensor};
use case::{Case, Outputs};
use clap::Args;
use diffusion::{
    Conditioning, TextEncoder, UNet,
    layer::{Precision, Tape},
    lora,
    sampler::{self, Guidance, Sampler, Steps},
    schedule::NoiseSchedule,
    tensorfile,
    tokenizer::{Tokenizer, replace_placeholder},
};
use kernels::Quantization;
use std::{collections::BTreeMap, path::PathBuf};

#[derive(Args)]
pub struct Parity {
    /// The case.
    case: PathBuf,
    /// Where the outputs go.
    out: PathBuf,
    /// On the first GPU, in f32 as on the CPU.
    #[arg(long)]
    cuda: bool,
    /// Blocks run again backward.
    #[arg(long)]
    recompute: bool,
    /// Frozen matrices in 8 bits.
    #[arg(long)]
    int8: bool,
}

impl Parity {
    /// Computes the `out.*` tensors of the case file and writes them.
    pub fn run(&self) -> Result<()> {
        let device = if self.cuda { kernels::Device::cuda(0)? } else { kernels::Device::Cpu };
        let quantized = self.int8.then_some(Quantization::Int8);
        let case = Case::open(&self.case, Precision { device, quantized, ..Precision::f32() })?;
        let mut outputs = Outputs::default();
        match case.kind.as_str() {
            "tokenize" => tokenize(&case, &mut outputs)?,
            "clip" => clip(&case, &mut outputs)?,
            "vae_encode" => vae_encode(&case, &mut outputs)?,
            "vae_decode" => vae_decode(&case, &mut outputs)?,
            "unet" => unet(&case, &mut outputs)?,
            "sample" => sample(&case, &mut outputs)?,
            "lora_grad" => train::gradients(&case, self.recompute, &mut outputs)?,
            "train" | "train_prodigy" => train::run(&case, self.recompute, &mut outputs)?,
            "export" => export(&case, &mut outputs)?,
            other => bail!("unknown kind of case `{other}`"),
        }
        std::fs::write(&self.out, tensorfile::serialize(&outputs.0, &BTreeMap::new())?)?;
        Ok(())
    }
}

fn tokenize(case: &Case, outputs: &mut Outputs) -> Result<()> {
    let tokens = case.strings("tokens")?;
    let tokenizer = Tokenizer::new(&tokens)?;
    let placeholder = case.params["placeholder"].as_str().unwrap_or_default();
    let (mut l, mut g, mut count) = (Vec::new(), Vec::new(), 0);
    for prompt in case.strings("prompts")? {
        let ids = tokenizer.encode_cut(&replace_placeholder(&prompt, placeholder, &tokens.concat()))?;
        l.extend(ids.l.into_iter().map(i64::from));
        g.extend(ids.g.into_iter().map(i64::from));
        count += 1;
    }
    outputs.put("ids_l", &Tensor::from_vec(l, (count, 77), &Device::Cpu)?)?;
    outputs.put("ids_g", &Tensor::from_vec(g, (count, 77), &Device::Cpu)?)
}

fn clip(case: &Case, outputs: &mut Outputs) -> Result<()> {
    let mut text = TextEncoder::load(&case.checkpoint()?, &case.precision)?;
    set_tokens(case, &mut text)?;
    let conditioning = text.forward(&case.text("")?, &mut Tape::off())?;
    outputs.put("context", &conditioning.context.host()?)?;
    conditioning.pooled.iter().try_for_each(|pooled| outputs.put("pooled", &pooled.host()?))
}

/// Gives the encoders the case's token rows.
fn set_tokens(case: &Case, text: &mut TextEncoder) -> Result<()> {
    let widths: Vec<usize> = text.encoders().map(|(_, encoder)| encoder.width()).collect();
    let rows = case.token_rows()?.into_iter().zip(widths);
    let initial = rows.map(|(values, width)| ("tokens".to_owned(), vec![values.len() / width, width], values));
    let parameters =
        diffusion::layer::Parameters::new(initial.collect(), case.precision.exact(), &case.precision.device)?;
    let rows =
        (0..parameters.entries().len()).map(|i| parameters.parameter(i)).collect::<diffusion::Result<Vec<_>>>()?;
    text.set_tokens(rows.into_iter().map(Some));
    Ok(())
}

fn vae_encode(case: &Case, outputs: &mut Outputs) -> Result<()> {
    let vae = case.vae()?;
    let latents = vae.encode(&case.image("image")?)?;
    let noise = case.image("noise")?.host()?;
    outputs.put_image("mean", &latents.mean.clone().into())?;
    outputs.put_image("std", &latents.std.clone().into())?;
    outputs.put_image("sample_scaled", &latents.sample(&noise, vae.scale())?.into())
}

fn vae_decode(case: &Case, outputs: &mut Outputs) -> Result<()> {
    outputs.put_image("image", &case.vae()?.decode(&case.image("latents_scaled")?)?)
}

fn unet(case: &Case, outputs: &mut Outputs) -> Result<()> {
    let unet = UNet::load(&case.checkpoint()?, &case.precision)?;
    let pooled = if case.has("pooled") { Some(case.placed(case.tensor("pooled")?)?) } else { None };
    let text = Conditioning { context: case.placed(case.tensor("context")?)?, pooled };
    let timesteps: Vec<f64> = case.indices("timesteps")?.into_iter().map(|t| t as f64).collect();
    let eps =
        unet.forward(&case.placed(case.image("latents")?)?, &timesteps, &text, &case.time_ids()?, &mut Tape::off())?;
    outputs.put_image("eps", &eps)
}

fn sample(case: &Case, outputs: &mut Outputs) -> Result<()> {
    let mut model = case.model()?;
    let strength = case.number("lora_scale")?;
    if case.params.get("rank").is_some() {
        train::bind(case, &mut model)?;
        lora::scale_strength(&mut model, strength);
    } else {
        set_tokens(case, &mut model.text)?;
    }
    let encode =
        |infix: &str| -> Result<Conditioning> { Ok(model.text.forward(&case.text(infix)?, &mut Tape::off())?) };
    let mut positive = encode("")?;
    if case.params["blend"] == true {
        // Eden: at strength s the text is blended with that without the tokens, 0.5 + 0.5 s^0.4 of the former.
        let share = 0.5 + 0.5 * strength.powf(0.4);
        positive = blend(&encode("_zero")?, &positive, share)?;
    }
    let negative = match case.params["negative"].as_str() {
        Some("zeros") => zeros(&positive)?,
        _ => encode("_neg")?,
    };
    let schedule = NoiseSchedule::new(case.prediction());
    let steps = Steps::trailing(&schedule, case.number("steps")? as usize)?;
    let time_ids = case.time_ids()?;
    let guidance = Guidance {
        positive: &positive,
        negative: &negative,
        scale: case.number("guidance_scale")?,
        time_ids: &time_ids,
    };
    let start = kernels::scale(&case.image("noise")?.to_device(&case.precision.device)?, steps.sigmas[0])?;
    let mut first = None;
    let end = sampler::sample(&model.unet, &schedule, Sampler::Euler, &steps, &guidance, start, |_, x| {
        first.get_or_insert_with(|| x.clone());
        Ok(())
    })?;
    outputs.put_list("timesteps", &steps.timesteps)?;
    outputs.put_list("sigmas", &steps.sigmas)?;
    outputs.put_image("latents", &end)?;
    first.iter().try_for_each(|x| outputs.put_image("latents_step1", x))
}

/// (1 - share) a + share b.
fn blend(a: &Conditioning, b: &Conditioning, share: f64) -> Result<Conditioning> {
    let mix = |a: &kernels::Tensor, b: &kernels::Tensor| -> Result<kernels::Tensor> {
        Ok(kernels::add(&kernels::scale(a, 1.0 - share)?, &kernels::scale(b, share)?)?)
    };
    let pooled = a.pooled.as_ref().zip(b.pooled.as_ref()).map(|(a, b)| mix(a, b)).transpose()?;
    Ok(Conditioning { context: mix(&a.context, &b.context)?, pooled })
}

fn zeros(like: &Conditioning) -> Result<Conditioning> {
    let pooled = like.pooled.as_ref().map(kernels::Tensor::zeros_like).transpose()?;
    Ok(Conditioning { context: like.context.zeros_like()?, pooled })
}

fn export(case: &Case, outputs: &mut Outputs) -> Result<()> {
    let mut model = case.model()?;
    let trainables = train::bind(case, &mut model)?;
    let family = model.unet.family();
    let folder = tempfile::tempdir()?;
    let lora_file = folder.path().join("case_lora.safetensors");
    let embedding_file = folder.path().join("case_embeddings.safetensors");
    let exported = lora::export(
        &trainables.sites,
        &trainables.parameters,
        case.number("alpha")?,
        lora::Naming::Diffusers,
        family,
    )?;
    std::fs::write(&lora_file, tensorfile::serialize(&exported, &BTreeMap::new())?)?;
    let exported = lora::embeddings(&trainables.tokens, family)?;
    std::fs::write(&embedding_file, tensorfile::serialize(&exported, &BTreeMap::new())?)?;

    // A model that knows the concept from its files alone.
    let mut model = case.model()?;
    let tensors = candle_core::safetensors::load(&lora_file, &Device::Cpu)?.into_iter().collect();
    let _values = lora::apply(&mut model, &tensors, 1.0)?;
    let rows = candle_core::safetensors::load(&embedding_file, &Device::Cpu)?;
    set_tokens(case, &mut model.text)?;
    for (key, tensor) in tensors {
        outputs.put(format!("lora_file.{key}"), &tensor)?;
    }
    for (key, tensor) in rows {
        outputs.put(format!("emb_file.{key}"), &tensor)?;
    }
    let text = model.text.forward(&case.text("")?, &mut Tape::off())?;
    let timesteps: Vec<f64> = case.indices("timesteps")?.into_iter().map(|t| t as f64).collect();
    let eps = model.unet.forward(
        &case.placed(case.image("latents")?)?,
        &timesteps,
        &text,
        &case.time_ids()?,
        &mut Tape::off(),
    )?;
    outputs.put_image("eps", &eps)
}
