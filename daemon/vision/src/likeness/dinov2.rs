//! DINOv2, which knows pictures by their looks alone: facebook/dinov2-small, -base and -large, from safetensors.
//!
//! The network is written out here after `modeling_dinov2.py` of transformers. candle-transformers has one, too, but for
//! another layout of the weights, with a classifier's head, and with other numbers: an approximate GELU, an epsilon of 1e-5
//! instead of 1e-6, and the nearest place's embedding where the model interpolates between places.
//!
//! Oquab et al. 2023, "DINOv2: Learning Robust Visual Features without Supervision" (arXiv 2304.07193).

use std::path::{Path, PathBuf};

use candle_core::{D, Device, IndexOp, Result as CandleResult, Tensor};
use candle_nn::{Activation, Conv2d, Conv2dConfig, LayerNorm, Linear, Module, VarBuilder};
use candle_nn::{conv2d, layer_norm, linear, linear_b, ops};
use image::RgbImage;

use super::{Embedder, middle, unit};
use crate::checkpoint::{IMAGENET, Settings, Weights, failed, pixels, some, unfit, weights_file};
use crate::error::Result;

/// What the published image processors make of a picture: the short side to 256, then the middle 224 x 224.
const SHORT: u32 = 256;
const SIDE: u32 = 224;

/// Sizes of the network.
struct Config {
    hidden: usize,
    inner: usize,
    layers: usize,
    heads: usize,
    /// Places along one side in training; the picture's own number may differ.
    places: usize,
    patch: usize,
    bias: bool,
    epsilon: f64,
    activation: Activation,
}

/// A DINOv2 model; its embedding is the last state of the class token.
pub struct Dinov2 {
    path: PathBuf,
    device: Device,
    patches: Conv2d,
    class: Tensor,
    positions: Tensor,
    blocks: Vec<Block>,
    norm: LayerNorm,
}

impl Dinov2 {
    /// Opens the model in a folder with `model.safetensors` and `config.json`.
    ///
    /// # Errors
    /// When a file is missing or damaged, or is of another model (such as one with registers, or the giant one).
    pub fn open(folder: &Path, device: &Device) -> Result<Self> {
        let config = configuration(&Settings::open(folder)?)?;
        let path = weights_file(folder);
        let weights = Weights::open(&path)?.builder(device);
        Self::build(&config, weights, path.clone()).map_err(unfit(&path))
    }

    fn build(config: &Config, weights: VarBuilder, path: PathBuf) -> CandleResult<Self> {
        let embeddings = weights.pp("embeddings");
        let stride = Conv2dConfig { stride: config.patch, ..Conv2dConfig::default() };
        let count = config.places * config.places + 1;
        let positions = embeddings.get((1, count, config.hidden), "position_embeddings")?;
        let layers = weights.pp("encoder.layer");
        Ok(Self {
            path,
            device: weights.device().clone(),
            patches: conv2d(3, config.hidden, config.patch, stride, embeddings.pp("patch_embeddings.projection"))?,
            class: embeddings.get((1, 1, config.hidden), "cls_token")?,
            positions: stretched(&positions, config.places, SIDE as usize / config.patch)?,
            blocks: (0..config.layers)
                .map(|layer| Block::new(config, &layers.pp(layer)))
                .collect::<CandleResult<_>>()?,
            norm: layer_norm(config.hidden, config.epsilon, weights.pp("layernorm"))?,
        })
    }

    fn features(&self, picture: &RgbImage) -> CandleResult<Tensor> {
        let pixels = pixels(picture, &IMAGENET, &self.device)?;
        let patches = self.patches.forward(&pixels)?.flatten_from(2)?.transpose(1, 2)?;
        let mut states = (Tensor::cat(&[&self.class, &patches], 1)? + &self.positions)?;
        for block in &self.blocks {
            states = block.forward(&states)?;
        }
        self.norm.forward(&states.i((.., 0))?)
    }
}

impl Embedder for Dinov2 {
    fn embed(&mut self, picture: &RgbImage) -> Result<Vec<f32>> {
        some(picture)?;
        let features = self.features(&middle(picture, SHORT, SIDE)).map_err(failed(&self.path))?;
        unit(&features, &self.path)
    }
}

/// One layer: attention, then two linear maps, each beside what it adds to.
struct Block {
    norm1: LayerNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    scale1: Tensor,
    norm2: LayerNorm,
    fc1: Linear,
    activation: Activation,
    fc2: Linear,
    scale2: Tensor,
    heads: usize,
}

impl Block {
    fn new(config: &Config, weights: &VarBuilder) -> CandleResult<Self> {
        let (hidden, inner, bias) = (config.hidden, config.inner, config.bias);
        let attention = weights.pp("attention.attention");
        Ok(Self {
            norm1: layer_norm(hidden, config.epsilon, weights.pp("norm1"))?,
            query: linear_b(hidden, hidden, bias, attention.pp("query"))?,
            key: linear_b(hidden, hidden, bias, attention.pp("key"))?,
            value: linear_b(hidden, hidden, bias, attention.pp("value"))?,
            output: linear(hidden, hidden, weights.pp("attention.output.dense"))?,
            scale1: weights.get(hidden, "layer_scale1.lambda1")?,
            norm2: layer_norm(hidden, config.epsilon, weights.pp("norm2"))?,
            fc1: linear(hidden, inner, weights.pp("mlp.fc1"))?,
            activation: config.activation,
            fc2: linear(inner, hidden, weights.pp("mlp.fc2"))?,
            scale2: weights.get(hidden, "layer_scale2.lambda1")?,
            heads: config.heads,
        })
    }

    fn attend(&self, states: &Tensor) -> CandleResult<Tensor> {
        let (batch, count, hidden) = states.dims3()?;
        let size = hidden / self.heads;
        let split = |map: &Linear| {
            map.forward(states)?.reshape((batch, count, self.heads, size))?.transpose(1, 2)?.contiguous()
        };
        let (query, key, value) = (split(&self.query)?, split(&self.key)?, split(&self.value)?);
        let scores = (query.matmul(&key.transpose(D::Minus2, D::Minus1)?)? / (size as f64).sqrt())?;
        let mixed = ops::softmax_last_dim(&scores)?.matmul(&value)?;
        self.output.forward(&mixed.transpose(1, 2)?.reshape((batch, count, hidden))?)
    }
}

impl Module for Block {
    fn forward(&self, states: &Tensor) -> CandleResult<Tensor> {
        let attended = self.attend(&self.norm1.forward(states)?)?.broadcast_mul(&self.scale1)?;
        let states = (attended + states)?;
        let inner = self.activation.forward(&self.fc1.forward(&self.norm2.forward(&states)?)?)?;
        self.fc2.forward(&inner)?.broadcast_mul(&self.scale2)? + states
    }
}

/// `config.json`, with the defaults of transformers' `Dinov2Config`.
fn configuration(settings: &Settings) -> Result<Config> {
    settings.expect("model_type", "dinov2")?;
    if settings.flag("use_swiglu_ffn", false)? {
        return Err(settings.wrong("use_swiglu_ffn", "is true; the small, base and large models are known here"));
    }
    settings.size("num_channels", 3, 3..=3)?;
    let hidden = settings.size("hidden_size", 768, 8..=4096)?;
    let (image, patch) = settings.patches(224, 14)?;
    if !(SIDE as usize).is_multiple_of(patch) {
        return Err(settings.wrong("patch_size", format!("is {patch}, which does not divide {SIDE}")));
    }
    Ok(Config {
        hidden,
        inner: hidden * settings.size("mlp_ratio", 4, 1..=16)?,
        layers: settings.size("num_hidden_layers", 12, 1..=64)?,
        heads: settings.heads(12, hidden)?,
        places: image / patch,
        patch,
        bias: settings.flag("qkv_bias", true)?,
        epsilon: settings.epsilon("layer_norm_eps", 1e-6)?,
        activation: settings.activation("gelu")?,
    })
}

/// Position embeddings for `to` x `to` patches out of those for `from` x `from`; that of the class token stays.
fn stretched(positions: &Tensor, from: usize, to: usize) -> CandleResult<Tensor> {
    if from == to {
        return Ok(positions.clone());
    }
    let rows: Vec<Vec<f32>> = positions.squeeze(0)?.to_vec2()?;
    let hidden = positions.dim(2)?;
    let taps = cubic(from, to);
    let mut values = rows[0].clone();
    for down in &taps {
        for across in &taps {
            let mut place = vec![0.0; hidden];
            for (y, high) in down {
                for (x, wide) in across {
                    let row = &rows[1 + y * from + x];
                    place.iter_mut().zip(row).for_each(|(sum, value)| *sum += high * wide * value);
                }
            }
            values.extend(place);
        }
    }
    Tensor::from_vec(values, (1, 1 + to * to, hidden), positions.device())
}

/// For each of `to` places: four of the `from` old ones and their weights, as `interpolate(mode="bicubic")` of PyTorch takes
/// them (Keys' cubic with a = -0.75; the outermost places go on beyond the edge).
fn cubic(from: usize, to: usize) -> Vec<[(usize, f32); 4]> {
    const A: f64 = -0.75;
    let near = |x: f64| ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0;
    let far = |x: f64| ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A;
    (0..to)
        .map(|index| {
            let at = (index as f64 + 0.5) * from as f64 / to as f64 - 0.5;
            let left = at.floor();
            let rest = at - left;
            let weights = [far(rest + 1.0), near(rest), near(1.0 - rest), far(2.0 - rest)];
            std::array::from_fn(|tap| {
                let place = (left + tap as f64 - 1.0).clamp(0.0, from as f64 - 1.0);
                (place as usize, weights[tap] as f32)
            })
        })
        .collect()
}
