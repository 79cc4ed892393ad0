//! Telling what a file is from the names and shapes of its tensors, and refusing by name what cannot be trained.

use super::{
    Architecture, ClipDims, Family, Prediction, Source, UnetDims, VAE_PREFIX, VaeDims,
    layout::{CLIP_G_PREFIX, UNET_PREFIX, clip_l_prefix},
};
use crate::{Error, Result};

const WANTED: &str = "conceptd trains on Stable Diffusion XL and 1.5 checkpoints";

/// Detects the architecture of a checkpoint.
pub(super) fn architecture(source: &dyn Source) -> Result<Architecture> {
    let file = File(source);
    let refuse = |what: String| Err(Error::Refused { path: source.path().to_owned(), what });
    if let Some(what) = another_kind(&file) {
        return refuse(format!("{what}; {WANTED}"));
    }
    let inputs = file.dim(&format!("{UNET_PREFIX}.input_blocks.0.0.weight"), 1)?;
    match inputs {
        VaeDims::LATENT => {}
        9 => {
            return refuse(format!(
                "this is an inpainting model (9 input channels); use its ordinary version: {WANTED}"
            ));
        }
        8 => {
            return refuse(format!(
                "this is an editing model of the InstructPix2Pix kind (8 input channels); {WANTED}"
            ));
        }
        n => return refuse(format!("its UNet has {n} input channels, not 4; {WANTED}")),
    }
    let unet = unet(&file)?;
    let family = match unet.added {
        Some(_) => Family::Sdxl,
        None => Family::Sd15,
    };
    let clip_l = clip_l(&file, clip_l_prefix(family))?;
    let clip_g = match family {
        Family::Sd15 => None,
        Family::Sdxl => Some(clip_g(&file)?),
    };
    let architecture =
        Architecture { family, prediction: prediction(source), unet, vae: vae(&file, VAE_PREFIX)?, clip_l, clip_g };
    consistent(source, &architecture)?;
    Ok(architecture)
}

/// Detects a VAE file: the prefix of its names and its sizes.
pub(super) fn vae_file(source: &dyn Source) -> Result<(&'static str, VaeDims)> {
    let file = File(source);
    for prefix in [VAE_PREFIX, ""] {
        if file.has(&format!("{prefix}encoder.conv_in.weight"))
            && file.has(&format!("{prefix}encoder.down.0.block.0.conv1.weight"))
        {
            return Ok((prefix, vae(&file, prefix)?));
        }
    }
    let what = if file.has("encoder.down_blocks.0.resnets.0.conv1.weight") {
        "this VAE is in diffusers' layout; get its single-file version (names such as `encoder.down.0.block.0.conv1.weight`)"
    } else {
        "this file holds no Stable Diffusion VAE"
    };
    Err(Error::Refused { path: source.path().to_owned(), what: what.into() })
}

/// Questions about a file's tensors.
struct File<'a>(&'a dyn Source);

impl File<'_> {
    fn has(&self, key: &str) -> bool {
        self.0.info(key).is_some()
    }

    fn any(&self, test: impl Fn(&str) -> bool) -> bool {
        self.0.keys().into_iter().any(test)
    }

    fn dim(&self, key: &str, axis: usize) -> Result<usize> {
        let missing =
            || Error::Missing { path: self.0.path().to_owned(), count: 1, model: "the model", example: key.to_owned() };
        self.0.info(key).and_then(|info| info.shape.get(axis)).copied().filter(|&n| n > 0).ok_or_else(missing)
    }

    /// The number of consecutive i from 0 for which the tensor exists.
    fn count(&self, key: impl Fn(usize) -> String) -> usize {
        (0..).take_while(|&i| self.has(&key(i))).count()
    }
}

/// What a file is, if it is no checkpoint of the two families.
fn another_kind(file: &File) -> Option<&'static str> {
    let unet = |name: &str| file.has(&format!("{UNET_PREFIX}.{name}"));
    let part = |name: &str| file.any(|key| key.contains(name));
    if part("lora_down")
        || part("lora_A.")
        || part(".lora.down")
        || part("lora_up")
        || part("hada_w1")
        || part("lokr_w")
    {
        return Some("this is a LoRA, not a checkpoint; name the checkpoint that it was made for");
    }
    if file.has("emb_params") || (file.has("clip_l") && file.has("clip_g")) || part("string_to_param") {
        return Some("this is a text embedding, not a checkpoint");
    }
    if part("joint_blocks.0.") {
        return Some("this is a Stable Diffusion 3 model");
    }
    if part("double_blocks.0.") {
        return Some("this is a Flux model (or one of its relatives)");
    }
    if part("control_model.") || part("controlnet_") {
        return Some("this is a ControlNet");
    }
    if !unet("input_blocks.0.0.weight") {
        if part("down_blocks.0.") && part("up_blocks.0.") && part("conv_in.weight") && !part("decoder.") {
            return Some(
                "this is a UNet in diffusers' layout without text encoders and VAE; get the single-file checkpoint",
            );
        }
        if part("encoder.conv_in.weight") && part("decoder.conv_in.weight") {
            return Some("this is a VAE, not a checkpoint; name it with --vae beside one");
        }
        if part("text_model.encoder.layers.0.") || part("resblocks.0.") {
            return Some("this is a text encoder, not a checkpoint");
        }
        return Some("this is not a Stable Diffusion checkpoint");
    }
    if file.any(|key| key.starts_with("cond_stage_model.model.")) {
        return Some("this is a Stable Diffusion 2 model");
    }
    let second = file.any(|key| key.starts_with(CLIP_G_PREFIX));
    if file.any(|key| key.starts_with("conditioner.embedders.0.model.")) && !second {
        return Some("this is an SDXL refiner; use the base model");
    }
    if file.has("edm_mean") && file.has("edm_std") {
        return Some("this is a Playground 2.5 model, whose noise differs from Stable Diffusion's");
    }
    let encoders = ["cond_stage_model.", "conditioner.embedders."];
    if !file.any(|key| encoders.iter().any(|prefix| key.starts_with(prefix))) {
        return Some("this is a UNet without its text encoders; get the full checkpoint");
    }
    None
}

fn unet(file: &File) -> Result<UnetDims> {
    let p = UNET_PREFIX;
    let model_channels = file.dim(&format!("{p}.input_blocks.0.0.weight"), 0)?;
    let (mut widths, mut depths, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    let depth_at = |at: &str| file.count(|i| format!("{at}.transformer_blocks.{i}.norm1.weight"));
    let (mut context, mut linear_projections, mut fresh) = (None, true, true);
    for n in 1.. {
        if file.has(&format!("{p}.input_blocks.{n}.0.op.weight")) {
            fresh = true;
            continue;
        }
        let conv = format!("{p}.input_blocks.{n}.0.in_layers.2.weight");
        if !file.has(&conv) {
            break;
        }
        let (width, at) = (file.dim(&conv, 0)?, format!("{p}.input_blocks.{n}.1"));
        if std::mem::take(&mut fresh) {
            widths.push(width);
            depths.push(depth_at(&at));
            counts.push(0);
        }
        if let Some(count) = counts.last_mut() {
            *count += 1;
        }
        if file.has(&format!("{at}.proj_in.weight")) {
            context = Some(file.dim(&format!("{at}.transformer_blocks.0.attn2.to_k.weight"), 1)?);
            linear_projections = file.0.info(&format!("{at}.proj_in.weight")).is_some_and(|info| info.shape.len() == 2);
        }
    }
    let label = format!("{p}.label_emb.0.0.weight");
    Ok(UnetDims {
        model_channels,
        res_blocks: counts.first().copied().unwrap_or(0),
        widths,
        depths,
        middle_depth: depth_at(&format!("{p}.middle_block.1")),
        context: context.unwrap_or(0),
        added: if file.has(&label) { Some(file.dim(&label, 1)?) } else { None },
        linear_projections,
    })
}

fn vae(file: &File, prefix: &str) -> Result<VaeDims> {
    let levels = file.count(|i| format!("{prefix}encoder.down.{i}.block.0.conv1.weight")).max(1);
    let widths = (0..levels).map(|i| file.dim(&format!("{prefix}encoder.down.{i}.block.0.conv1.weight"), 0));
    let res_blocks = file.count(|i| format!("{prefix}encoder.down.0.block.{i}.conv1.weight"));
    Ok(VaeDims { widths: widths.collect::<Result<_>>()?, res_blocks })
}

fn clip_l(file: &File, prefix: &str) -> Result<ClipDims> {
    Ok(ClipDims {
        hidden: file.dim(&format!("{prefix}.embeddings.token_embedding.weight"), 1)?,
        layers: file.count(|i| format!("{prefix}.encoder.layers.{i}.layer_norm1.weight")),
        mlp: file.dim(&format!("{prefix}.encoder.layers.0.mlp.fc1.weight"), 0)?,
        projection: None,
    })
}

fn clip_g(file: &File) -> Result<ClipDims> {
    let p = CLIP_G_PREFIX;
    Ok(ClipDims {
        hidden: file.dim(&format!("{p}.token_embedding.weight"), 1)?,
        layers: file.count(|i| format!("{p}.transformer.resblocks.{i}.ln_1.weight")),
        mlp: file.dim(&format!("{p}.transformer.resblocks.0.mlp.c_fc.weight"), 0)?,
        projection: Some(file.dim(&format!("{p}.text_projection"), 1)?),
    })
}

/// The marker tensors that velocity models carry, then the model specification's metadata, else epsilon.
fn prediction(source: &dyn Source) -> Prediction {
    let metadata = source.metadata("modelspec.prediction_type").unwrap_or_default();
    let velocity = source.info("v_pred").is_some() || source.info("edm_vpred.sigma_max").is_some() || metadata == "v";
    if !velocity && metadata != "v_prediction" {
        return Prediction::Epsilon;
    }
    Prediction::Velocity {
        zero_terminal_snr: source.info("ztsnr").is_some() || source.info("edm_vpred.sigma_max").is_some(),
    }
}

/// Contradictions between parts that each look right.
fn consistent(source: &dyn Source, architecture: &Architecture) -> Result<()> {
    let refuse = |what: String| Err(Error::Refused { path: source.path().to_owned(), what });
    let text = architecture.clip_l.hidden + architecture.clip_g.as_ref().map_or(0, |g| g.hidden);
    let unet = &architecture.unet;
    if unet.context != text {
        return refuse(format!(
            "its UNet reads text of width {} but its text encoders write {text}: the file mixes parts of different models",
            unet.context
        ));
    }
    if let (Some(added), Some(g)) = (unet.added, &architecture.clip_g) {
        let expected = g.projection.unwrap_or(g.hidden) + 6 * 256;
        if added != expected {
            return refuse(format!("its UNet's added conditions have width {added}, not {expected}; {WANTED}"));
        }
    }
    let divides = unet.widths.iter().chain(&architecture.vae.widths).all(|width| width % kernels::GROUPS == 0);
    if unet.widths.is_empty() || unet.res_blocks == 0 || !divides {
        return refuse("its UNet or VAE has no shape of Stable Diffusion's".into());
    }
    Ok(())
}
