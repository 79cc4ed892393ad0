//! A golden case: its inputs and parameters. Expected outputs are never read.

use anyhow::{Context, Result, bail};
use candle_core::{DType, Device, Tensor};
use diffusion::{
    Checkpoint, Family, Model, Vae,
    checkpoint::{Architecture, ClipDims, MappedFile, Overrides, Prediction, Source, UnetDims, VaeDims},
    clip::TextBatch,
    layer::Precision,
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{io::BufWriter, path::Path};
use synthetic::{Random, Stored};

pub struct Case {
    file: MappedFile,
    pub kind: String,
    pub params: Value,
    /// Where and in which types it is computed.
    pub precision: Precision,
    checkpoint: Value,
}

impl Case {
    pub fn open(path: &Path, precision: Precision) -> Result<Self> {
        let file = MappedFile::open(path)?;
        let json: Value = serde_json::from_str(file.metadata("case").context("the file has no `case` metadata")?)?;
        if json["format"] != 1 {
            bail!("case format {}: this build reads format 1", json["format"]);
        }
        let kind = json["kind"].as_str().context("no kind")?.to_owned();
        Ok(Self { kind, params: json["params"].clone(), checkpoint: json["checkpoint"].clone(), precision, file })
    }

    pub fn has(&self, key: &str) -> bool {
        self.file.info(&format!("in.{key}")).is_some()
    }

    pub fn tensor(&self, key: &str) -> Result<Tensor> {
        Ok(self.file.tensor(&format!("in.{key}"))?)
    }

    /// An image or latent `[.., C, H, W]` as `[.., H, W, C]`, on the CPU.
    pub fn image(&self, key: &str) -> Result<kernels::Tensor> {
        Ok(kernels::to_channels_last(&self.tensor(key)?.into())?)
    }

    /// A tensor where the case is computed, in the type of activations.
    pub fn placed(&self, tensor: impl Into<kernels::Tensor>) -> Result<kernels::Tensor> {
        Ok(tensor.into().to_dtype(self.precision.compute)?.to_device(&self.precision.device)?)
    }

    pub fn floats(&self, key: &str) -> Result<Vec<f32>> {
        Ok(self.tensor(key)?.flatten_all()?.to_vec1()?)
    }

    pub fn ids(&self, key: &str) -> Result<Vec<u32>> {
        Ok(self.tensor(key)?.flatten_all()?.to_vec1::<i64>()?.into_iter().map(|id| id as u32).collect())
    }

    pub fn indices(&self, key: &str) -> Result<Vec<usize>> {
        Ok(self.ids(key)?.into_iter().map(|id| id as usize).collect())
    }

    /// Token ids named `ids<infix>_l` and `ids<infix>_g`.
    pub fn text(&self, infix: &str) -> Result<TextBatch> {
        let g = format!("ids{infix}_g");
        Ok(TextBatch {
            l: self.ids(&format!("ids{infix}_l"))?,
            g: if self.has(&g) { self.ids(&g)? } else { Vec::new() },
            chunks: 1,
        })
    }

    pub fn time_ids(&self) -> Result<Vec<f32>> {
        if self.has("time_ids") { self.floats("time_ids") } else { Ok(Vec::new()) }
    }

    /// First rows of the new tokens of each encoder.
    pub fn token_rows(&self) -> Result<Vec<Vec<f32>>> {
        ["ti.clip_l", "ti.clip_g"].iter().filter(|key| self.has(key)).map(|key| self.floats(key)).collect()
    }

    pub fn number(&self, name: &str) -> Result<f64> {
        self.params[name].as_f64().with_context(|| format!("the case has no number `{name}`"))
    }

    pub fn numbers(&self, name: &str) -> Result<Vec<f64>> {
        let list = self.params[name].as_array().with_context(|| format!("the case has no list `{name}`"))?;
        Ok(list.iter().filter_map(Value::as_f64).collect())
    }

    pub fn strings(&self, name: &str) -> Result<Vec<String>> {
        let list = self.params[name].as_array().with_context(|| format!("the case has no list `{name}`"))?;
        Ok(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    pub fn prediction(&self) -> Prediction {
        match self.params["prediction"].as_str() {
            Some("v_prediction") => Prediction::Velocity { zero_terminal_snr: false },
            _ => Prediction::Epsilon,
        }
    }

    /// Makes the case's checkpoint as a file, as a user would have it, and opens that.
    pub fn checkpoint(&self) -> Result<Checkpoint> {
        let wanted = self.architecture()?;
        let stored = if self.checkpoint["dtype"] == "f16" { Stored::F16 } else { Stored::F32 };
        let seed = self.checkpoint["seed"].as_u64().context("no seed")?;
        let gain = self.checkpoint["dims"]["gain"].as_f64().unwrap_or(1.0);
        let random = Random::new(&wanted, seed, stored, gain);
        let digest = content_sha256(&random)?;
        if self.checkpoint["content_sha256"] != digest.as_str() {
            bail!("the random checkpoint has content {digest}, not {}", self.checkpoint["content_sha256"]);
        }
        let file = tempfile::NamedTempFile::with_suffix(".safetensors")?;
        let mut out = BufWriter::new(file.reopen()?);
        random.write(&mut out)?;
        drop(out);
        let checkpoint = Checkpoint::open(file.path(), Overrides { vae: None, prediction: Some(self.prediction()) })?;
        if *checkpoint.architecture() != wanted {
            bail!("detected {:?}, not {wanted:?}", checkpoint.architecture());
        }
        Ok(checkpoint)
    }

    pub fn model(&self) -> Result<Model> {
        Ok(Model::load(&self.checkpoint()?, &self.precision)?)
    }

    pub fn vae(&self) -> Result<Vae> {
        Ok(Vae::load(&self.checkpoint()?, &self.precision.device)?)
    }

    fn architecture(&self) -> Result<Architecture> {
        let dims = &self.checkpoint["dims"];
        let number = |value: &Value| value.as_u64().map(|n| n as usize);
        let list =
            |value: &Value| -> Vec<usize> { value.as_array().into_iter().flatten().filter_map(number).collect() };
        let clip = |value: &Value| -> Option<ClipDims> {
            Some(ClipDims {
                hidden: number(&value["hidden"])?,
                layers: number(&value["layers"])?,
                mlp: number(&value["mlp"])?,
                projection: number(&value["proj"]),
            })
        };
        let (unet, vae) = (&dims["unet"], &dims["vae"]);
        let channels = number(&unet["model_channels"]).context("no model_channels")?;
        let vae_channels = number(&vae["ch"]).context("no VAE channels")?;
        let need = |value: &Value, name: &str| number(value).with_context(|| format!("no {name}"));
        Ok(Architecture {
            family: if dims["family"] == "sdxl" { Family::Sdxl } else { Family::Sd15 },
            prediction: self.prediction(),
            unet: UnetDims {
                model_channels: channels,
                widths: list(&unet["channel_mult"]).iter().map(|m| m * channels).collect(),
                res_blocks: need(&unet["num_res_blocks"], "num_res_blocks")?,
                depths: list(&unet["transformer_depth"]),
                middle_depth: need(&unet["middle_depth"], "middle_depth")?,
                context: need(&unet["context_dim"], "context_dim")?,
                added: number(&unet["adm_in"]),
                linear_projections: unet["linear_proj"].as_bool().unwrap_or(true),
            },
            vae: VaeDims {
                widths: list(&vae["ch_mult"]).iter().map(|m| m * vae_channels).collect(),
                res_blocks: need(&vae["num_res_blocks"], "VAE blocks")?,
            },
            clip_l: clip(&dims["clip_l"]).context("no clip_l")?,
            clip_g: clip(&dims["clip_g"]),
        })
    }
}

/// The digest of a checkpoint's content that does not depend on its layout.
fn content_sha256(source: &Random) -> Result<String> {
    let mut hasher = Sha256::new();
    for key in source.keys() {
        let info = source.info(key).context("a listed key")?;
        let shape: Vec<String> = info.shape.iter().map(usize::to_string).collect();
        hasher.update(format!("{key}\n{:?}\n{}\n", info.dtype, shape.join(",")));
        let mut bytes = Vec::new();
        source.tensor(key)?.write_bytes(&mut bytes)?;
        hasher.update(&bytes);
    }
    Ok(hasher.finalize().iter().map(|b| format!("{b:02x}")).collect())
}

/// The outputs of a case.
#[derive(Default)]
pub struct Outputs(pub std::collections::BTreeMap<String, Tensor>);

impl Outputs {
    pub fn put(&mut self, name: impl Into<String>, tensor: &Tensor) -> Result<()> {
        // A single number is written as [1].
        let tensor = if tensor.rank() == 0 { tensor.reshape(1)? } else { tensor.clone() };
        let tensor = if tensor.dtype() == DType::I64 { tensor } else { tensor.to_dtype(DType::F32)? };
        self.0.insert(format!("out.{}", name.into()), tensor.contiguous()?);
        Ok(())
    }

    /// A channels-last image as the case stores it.
    pub fn put_image(&mut self, name: &str, image: &kernels::Tensor) -> Result<()> {
        self.put(name, &kernels::to_channels_first(image)?.host()?)
    }

    pub fn put_list(&mut self, name: &str, values: &[f64]) -> Result<()> {
        self.put(name, &Tensor::from_vec(values.to_vec(), values.len(), &Device::Cpu)?)
    }
}
