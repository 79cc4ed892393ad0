//! The two files of a concept, in the forms that hosts load: a LoRA with kohya's keys and a text embedding.

use super::{LayerPath, Site, attach, visit};
use crate::{
    Error, Family, Model, Result,
    layer::{Parameter, Parameters, exact},
};
use candle_core::{DType, Device, Tensor};
use std::collections::BTreeMap;

/// How keys name the layers of the UNet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// What every host resolves: the checkpoint's own paths for XL, diffusers' for 1.5.
    Host,
    /// diffusers' paths always, as some converters write them.
    Diffusers,
}

fn key(path: &LayerPath, naming: Naming, family: Family) -> String {
    let name = if naming == Naming::Host && family == Family::Sdxl { &path.original } else { &path.diffusers };
    format!("lora_{}_{}", path.model, name.replace('.', "_"))
}

/// The tensors of a LoRA file: `lora_down.weight`, `lora_up.weight` and `alpha` of every site, f32.
///
/// Convolutions go back to `[rank, in, k, k]` and `[out, rank, 1, 1]`. DoRA has no export: hosts compute it differently.
///
/// # Errors
/// If a site has no parameters.
pub fn export(
    sites: &[Site],
    parameters: &Parameters,
    alpha: f64,
    naming: Naming,
    family: Family,
) -> Result<BTreeMap<String, Tensor>> {
    let mut tensors = BTreeMap::new();
    for site in sites {
        let names = site.names(false);
        let find = |name: &str| {
            let index = parameters.entries().iter().position(|entry| entry.name == name);
            index
                .map_or_else(|| Err(Error::Invalid(format!("bug: no parameter `{name}`"))), |i| parameters.parameter(i))
        };
        let value = |parameter: Parameter| -> Result<Tensor> { Ok(parameter.value.to_dtype(DType::F32)?.host()?) };
        let (mut down, mut up) = (value(find(&names[0])?)?, value(find(&names[1])?)?);
        if let Some(kernel) = site.conv_kernel {
            let inputs = site.fan_in / (kernel * kernel);
            down = down.reshape((site.rank, kernel, kernel, inputs))?.permute((0, 3, 1, 2))?.contiguous()?;
            up = up.reshape((site.out_channels, site.rank, 1, 1))?;
        }
        let stem = key(&site.path, naming, family);
        tensors.insert(format!("{stem}.lora_down.weight"), down);
        tensors.insert(format!("{stem}.lora_up.weight"), up);
        tensors.insert(format!("{stem}.alpha"), Tensor::new(alpha as f32, &Device::Cpu)?);
    }
    Ok(tensors)
}

/// The tensors of an embedding file, f32: `clip_l` and `clip_g` for XL, `emb_params` for 1.5. `rows` in the order of
/// [`crate::TextEncoder::encoders`].
///
/// # Errors
/// If a tensor cannot be read.
pub fn embeddings(rows: &[Parameter], family: Family) -> Result<BTreeMap<String, Tensor>> {
    let names: &[&str] = match family {
        Family::Sd15 => &["emb_params"],
        Family::Sdxl => &["clip_l", "clip_g"],
    };
    let tensor = |(name, row): (&&str, &Parameter)| -> Result<(String, Tensor)> {
        Ok(((*name).to_owned(), row.value.to_dtype(DType::F32)?.host()?))
    };
    names.iter().zip(rows).map(tensor).collect()
}

/// Puts the adapters of a LoRA file on `model` at `strength`, in either naming, and returns their values, which must
/// outlive their use.
///
/// # Errors
/// If a key fits no layer, a part is missing or a shape is wrong; the message names the key.
pub fn apply(model: &mut Model, tensors: &BTreeMap<String, Tensor>, strength: f64) -> Result<Parameters> {
    let mut stems: BTreeMap<&str, BTreeMap<&str, &Tensor>> = BTreeMap::new();
    for (key, tensor) in tensors {
        let (stem, part) = key.split_once('.').unwrap_or((key, ""));
        stems.entry(stem).or_default().insert(part, tensor);
    }
    let family = model.unet.family();
    let mut layers = BTreeMap::new();
    visit(model, &mut |path, layer| {
        for naming in [Naming::Host, Naming::Diffusers] {
            layers.insert(key(path, naming, family), Site::new(path, layer, 0));
        }
    });
    let (mut sites, mut initial, mut scales) = (Vec::new(), Vec::new(), BTreeMap::new());
    for (stem, parts) in stems {
        let Some(site) = layers.get(stem) else {
            return Err(Error::Invalid(format!(
                "the LoRA's key `{stem}` fits no layer of this model: it was made for another base"
            )));
        };
        let part = |name: &str| {
            parts.get(name).copied().ok_or_else(|| Error::Invalid(format!("the LoRA lacks `{stem}.{name}`")))
        };
        let (down, up) =
            (part("lora_down.weight")?.to_dtype(DType::F32)?, part("lora_up.weight")?.to_dtype(DType::F32)?);
        let rank = down.dim(0)?;
        let site = Site { rank, ..site.clone() };
        if down.elem_count() != rank * site.fan_in || up.elem_count() != site.out_channels * rank {
            return Err(Error::Invalid(format!(
                "the LoRA's `{stem}` has the wrong shape: it was made for another base"
            )));
        }
        let alpha = match parts.get("alpha") {
            Some(alpha) => f64::from(alpha.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?[0]),
            None => rank as f64,
        };
        let down = if down.rank() == 4 { down.permute((0, 2, 3, 1))?.contiguous()? } else { down };
        let names = site.names(false);
        initial.push((names[0].clone(), site.down_shape(), down.flatten_all()?.to_vec1()?));
        initial.push((names[1].clone(), site.up_shape(), up.flatten_all()?.to_vec1()?));
        scales.insert(site.path.id(), strength * alpha / rank as f64);
        sites.push(site);
    }
    let parameters = Parameters::new(initial, exact(model.unet.compute()), model.unet.device())?;
    attach(model, &sites, &parameters, |site| scales[&site.path.id()])?;
    Ok(parameters)
}

/// First values for `sites` from a LoRA file, under [`Site::names`]: its product at alpha / rank of the file is kept under
/// `alpha` / rank of the site.
///
/// # Errors
/// If the file has other layers or another rank.
pub fn initial_values(
    sites: &[Site],
    tensors: &BTreeMap<String, Tensor>,
    alpha: f64,
    family: Family,
) -> Result<BTreeMap<String, Vec<f32>>> {
    let mut values = BTreeMap::new();
    for site in sites {
        let stem = key(&site.path, Naming::Host, family);
        let part = |name: &str| {
            let key = format!("{stem}.{name}");
            tensors.get(&key).ok_or_else(|| Error::Invalid(format!("the LoRA lacks `{key}`: it has other targets")))
        };
        let (down, up) =
            (part("lora_down.weight")?.to_dtype(DType::F32)?, part("lora_up.weight")?.to_dtype(DType::F32)?);
        if down.dim(0)? != site.rank || down.elem_count() != site.rank * site.fan_in {
            return Err(Error::Invalid(format!("the LoRA has rank {}, not {}", down.dim(0)?, site.rank)));
        }
        let their_alpha = f64::from(part("alpha")?.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?[0]);
        let down = if down.rank() == 4 { down.permute((0, 2, 3, 1))?.contiguous()? } else { down };
        let names = site.names(false);
        values.insert(names[0].clone(), down.flatten_all()?.to_vec1()?);
        values.insert(names[1].clone(), (up * (their_alpha / alpha))?.flatten_all()?.to_vec1()?);
    }
    Ok(values)
}
