//! Checkpoints of random numbers: every value is a function of (seed, key, index), so that a checkpoint of any size is
//! the same on every machine and in every language, and needs no file.
//!
//! For flat index i of the tensor `key`: z = splitmix64((FNV-1a 64 of key XOR seed) + (i + 1) golden), u = its top 24
//! bits in [-1, 1), value = offset + scale u in f64, rounded to f32 (and then to f16 for such files). Offset and scale
//! give realistic activations: matrices have gain^2 / fan-in variance, norms lie around one.

use candle_core::{DType, Device, Tensor};
use diffusion::{
    Error, Family, Result,
    checkpoint::{Architecture, ClipDims, Prediction, Source, TensorInfo, UnetDims, VaeDims, tensors},
    tensorfile::{self, Header},
};
use half::f16;
use rayon::prelude::*;
use std::{
    collections::BTreeMap,
    io::{self, Write},
    path::Path,
};

/// A random checkpoint.
pub struct Random {
    tensors: BTreeMap<String, TensorInfo>,
    seed: u64,
    gain: f64,
}

/// Type that a checkpoint stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// Single precision.
    F32,
    /// Half precision.
    F16,
}

impl Random {
    /// A checkpoint of the given sizes. `gain` scales all matrices and biases (1 for ordinary activations).
    pub fn new(architecture: &Architecture, seed: u64, stored: Stored, gain: f64) -> Self {
        let float = match stored {
            Stored::F32 => safetensors::Dtype::F32,
            Stored::F16 => safetensors::Dtype::F16,
        };
        let info = |dtype, shape| TensorInfo { dtype, shape };
        let mut all: BTreeMap<String, TensorInfo> =
            tensors(architecture).into_iter().map(|(key, shape)| (key, info(float, shape))).collect();
        // Tensors that published files carry and loaders ignore.
        let text = match architecture.family {
            Family::Sd15 => "cond_stage_model.transformer.text_model",
            Family::Sdxl => "conditioner.embedders.0.transformer.text_model",
        };
        all.insert(format!("{text}.embeddings.position_ids"), info(safetensors::Dtype::I64, vec![1, 77]));
        if architecture.family == Family::Sdxl {
            all.insert("conditioner.embedders.1.model.logit_scale".into(), info(float, vec![]));
        }
        Self { tensors: all, seed, gain }
    }

    /// Writes it as a safetensors file, one tensor in memory at a time.
    ///
    /// # Errors
    /// If writing fails.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let header = |(key, info): (&String, &TensorInfo)| {
            let dtype = match info.dtype {
                safetensors::Dtype::I64 => DType::I64,
                safetensors::Dtype::F16 => DType::F16,
                _ => DType::F32,
            };
            Header { key: key.clone(), dtype, shape: info.shape.clone() }
        };
        let mut headers: Vec<Header> = self.tensors.iter().map(header).collect();
        tensorfile::sort(&mut headers);
        tensorfile::write_header(out, &headers, &BTreeMap::new())?;
        for header in &headers {
            self.tensor(&header.key).map_err(io::Error::other)?.write_bytes(out).map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn values(&self, key: &str, shape: &[usize]) -> Vec<f32> {
        if key.ends_with("logit_scale") {
            return vec![4.6052];
        }
        let (offset, scale) = distribution(key, shape, self.gain);
        let base = fnv1a(key) ^ self.seed;
        let value = |i: usize| {
            let z = mix(base.wrapping_add((i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)));
            let u = ((z >> 40) as f64 - 8_388_608.0) / 8_388_608.0;
            (offset + scale * u) as f32
        };
        (0..shape.iter().product()).into_par_iter().with_min_len(1 << 16).map(value).collect()
    }
}

impl Source for Random {
    fn path(&self) -> &Path {
        Path::new("random checkpoint")
    }

    fn info(&self, key: &str) -> Option<&TensorInfo> {
        self.tensors.get(key)
    }

    fn keys(&self) -> Vec<&str> {
        self.tensors.keys().map(String::as_str).collect()
    }

    fn metadata(&self, _: &str) -> Option<&str> {
        None
    }

    fn tensor(&self, key: &str) -> Result<Tensor> {
        let info = self.info(key).ok_or_else(|| Error::Invalid(format!("bug: no tensor `{key}`")))?;
        let shape = info.shape.as_slice();
        if info.dtype == safetensors::Dtype::I64 {
            return Ok(Tensor::arange(0i64, 77, &Device::Cpu)?.reshape(shape)?);
        }
        let values = self.values(key, shape);
        Ok(if info.dtype == safetensors::Dtype::F16 {
            let halves: Vec<f16> = values.into_par_iter().map(f16::from_f32).collect();
            Tensor::from_vec(halves, shape, &Device::Cpu)?
        } else {
            Tensor::from_vec(values, shape, &Device::Cpu)?
        })
    }
}

fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// (offset, scale) of a tensor's values.
fn distribution(key: &str, shape: &[usize], gain: f64) -> (f64, f64) {
    // Small inputs for the transformers' norms, where gain is not one.
    let gain = if key.contains(".proj_in.") { gain * gain } else { gain };
    if key.ends_with("token_embedding.weight") {
        (0.0, 0.024)
    } else if key.ends_with("position_embedding.weight") || key.ends_with("positional_embedding") {
        (0.0, 0.01)
    } else if key.ends_with("text_projection") {
        (0.0, gain * (3.0 / shape[0] as f64).sqrt())
    } else if shape.len() == 1 {
        if key.ends_with("bias") { (0.0, gain * 0.05) } else { (1.0, 0.1) }
    } else {
        (0.0, gain * (3.0 / shape[1..].iter().product::<usize>() as f64).sqrt())
    }
}

/// The sizes of Stable Diffusion XL.
pub fn sdxl() -> Architecture {
    Architecture::published(Family::Sdxl)
}

/// The layout of XL with the fewest numbers that still exercise all of it.
pub fn tiny_xl() -> Architecture {
    xl(32, &[1, 2, 4], &[0, 1, 2], (64, 2), (128, 2), 128, &[32, 32, 64, 64])
}

/// The sizes of Stable Diffusion 1.5.
pub fn sd15() -> Architecture {
    Architecture::published(Family::Sd15)
}

/// The layout of 1.5, tiny.
pub fn tiny_15() -> Architecture {
    v1(32, &[1, 2, 4, 4], (64, 2), &[32, 32, 64, 64])
}

fn xl(
    channels: usize,
    mult: &[usize],
    depths: &[usize],
    l: (usize, usize),
    g: (usize, usize),
    projection: usize,
    vae: &[usize],
) -> Architecture {
    Architecture {
        family: Family::Sdxl,
        prediction: Prediction::Epsilon,
        unet: UnetDims {
            model_channels: channels,
            widths: mult.iter().map(|m| m * channels).collect(),
            res_blocks: 2,
            depths: depths.to_vec(),
            middle_depth: depths[depths.len() - 1],
            context: l.0 + g.0,
            added: Some(projection + 6 * 256),
            linear_projections: true,
        },
        vae: VaeDims { widths: vae.to_vec(), res_blocks: 2 },
        clip_l: clip(l, None),
        clip_g: Some(clip(g, Some(projection))),
    }
}

fn v1(channels: usize, mult: &[usize], l: (usize, usize), vae: &[usize]) -> Architecture {
    Architecture {
        family: Family::Sd15,
        prediction: Prediction::Epsilon,
        unet: UnetDims {
            model_channels: channels,
            widths: mult.iter().map(|m| m * channels).collect(),
            res_blocks: 2,
            depths: vec![1, 1, 1, 0],
            middle_depth: 1,
            context: l.0,
            added: None,
            linear_projections: false,
        },
        vae: VaeDims { widths: vae.to_vec(), res_blocks: 2 },
        clip_l: clip(l, None),
        clip_g: None,
    }
}

fn clip((hidden, layers): (usize, usize), projection: Option<usize>) -> ClipDims {
    ClipDims { hidden, layers, mlp: 4 * hidden, projection }
}
