//! BLIP, which writes short captions in plain English: Salesforce/blip-image-captioning-base and -large, from safetensors.
//!
//! The network is candle-transformers'; what surrounds it follows `BlipForConditionalGeneration.generate` and
//! `BlipImageProcessor` of transformers. candle-transformers' own reading of `config.json` is not used: it takes no defaults
//! where published files leave a field out, and it keeps `encoder_hidden_size` where transformers replaces it by the width
//! of the vision tower.
//!
//! Li et al. 2022, "BLIP: Bootstrapping Language-Image Pre-training" (arXiv 2201.12086).

use std::path::{Path, PathBuf};

use candle_core::{Device, IndexOp, Result as CandleResult, Tensor};
use candle_transformers::models::blip::{BlipForConditionalGeneration, Config, VisionConfig};
use candle_transformers::models::blip_text;
use image::RgbImage;
use tokenizers::Tokenizer;

use crate::captioner::{Caption, Captioner};
use crate::checkpoint::{
    CLIP, Settings, Weights, decode, encode, failed, pixels, some, tokenizer, unfit, weights_file,
};
use crate::error::{Error, Result};
use crate::resample::{ResampleFilter, resize_rgb};

/// How a caption is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlipOptions {
    /// The words that every caption begins with, such as "a photo of"; nothing lets the model begin.
    pub prefix: String,
    /// At most so many tokens follow the prefix.
    pub max_new: usize,
    /// No run of so many tokens comes twice, which keeps the model from going round in circles; 0 lets it.
    pub no_repeat: usize,
}

impl Default for BlipOptions {
    fn default() -> Self {
        Self { prefix: String::new(), max_new: 50, no_repeat: 3 }
    }
}

/// A BLIP captioner.
pub struct Blip {
    path: PathBuf,
    model: BlipForConditionalGeneration,
    tokenizer: Tokenizer,
    device: Device,
    layout: Layout,
    options: BlipOptions,
}

/// What decoding needs to know of the configuration.
#[derive(Debug, Clone, Copy)]
struct Layout {
    /// The side of the picture, in pixels.
    side: u32,
    /// The token that a caption begins with ([DEC]).
    start: u32,
    /// The token that it ends with ([SEP]).
    end: u32,
    vocabulary: usize,
    /// The most tokens that there are places for.
    places: usize,
}

impl Blip {
    /// Opens the model in a folder with `model.safetensors`, `config.json` and `tokenizer.json`. (PyTorch's `.bin` files are
    /// not read.)
    ///
    /// # Errors
    /// When a file is missing or damaged, or is of another model.
    pub fn open(folder: &Path, device: &Device) -> Result<Self> {
        let path = weights_file(folder);
        let (config, layout) = configuration(&Settings::open(folder)?)?;
        let tokenizer = tokenizer(folder)?;
        let weights = Weights::open(&path)?
            .tied("text_decoder.cls.predictions.decoder.weight", "text_decoder.bert.embeddings.word_embeddings.weight")
            .tied("text_decoder.cls.predictions.bias", "text_decoder.cls.predictions.decoder.bias")
            .builder(device);
        let model = BlipForConditionalGeneration::new(&config, weights).map_err(unfit(&path))?;
        Ok(Self { path, model, tokenizer, device: device.clone(), layout, options: BlipOptions::default() })
    }

    /// The same model, with other options.
    #[must_use]
    pub fn with_options(mut self, options: BlipOptions) -> Self {
        self.options = options;
        self
    }

    /// The tokens of a caption: the start, the prefix, what the model adds, and the end if it came to one. Each is the most
    /// probable next one (greedy decoding).
    ///
    /// # Errors
    /// When the model fails, or the prefix is too long for it.
    pub fn ids(&mut self, picture: &RgbImage) -> Result<Vec<u32>> {
        some(picture)?;
        let mut ids = self.beginning()?;
        let side = self.layout.side;
        let picture = resize_rgb(picture, side, side, ResampleFilter::Bicubic);
        let last = (ids.len() + self.options.max_new).min(self.layout.places);
        self.model.reset_kv_cache();
        let seen = self.see(&picture).map_err(failed(&self.path))?;
        let mut fed = 0;
        while ids.len() < last {
            let scores = self.scores(&ids[fed..], &seen).map_err(failed(&self.path))?;
            fed = ids.len();
            let next = best(&scores, &repeats(&ids, self.options.no_repeat)).ok_or_else(|| Error::Run {
                path: self.path.clone(),
                reason: "it gave no usable number for any word (is the file whole?)".to_owned(),
            })?;
            ids.push(next);
            if next == self.layout.end {
                break;
            }
        }
        Ok(ids)
    }

    /// The caption that tokens stand for, without the marks between which it lies.
    ///
    /// # Errors
    /// When the tokenizer can't put them together.
    pub fn text(&self, ids: &[u32]) -> Result<String> {
        let text = decode(&self.tokenizer, ids).map_err(|reason| Error::Run { path: self.path.clone(), reason })?;
        Ok(text.trim().to_owned())
    }

    /// The start and the prefix. transformers encodes the prefix as BERT does, then puts the start in place of [CLS] and
    /// leaves [SEP] out; this is the same.
    fn beginning(&self) -> Result<Vec<u32>> {
        let mut ids = vec![self.layout.start];
        if !self.options.prefix.trim().is_empty() {
            let prefix = encode(&self.tokenizer, &self.options.prefix, false);
            ids.extend(prefix.map_err(|what| Error::model(&self.path, format!("its tokenizer fails ({what})")))?);
        }
        if ids.iter().any(|id| *id as usize >= self.layout.vocabulary) {
            return Err(Error::model(&self.path, "its tokenizer.json is of another model"));
        }
        if ids.len() >= self.layout.places {
            let what = format!("a prefix of {} tokens is longer than its {} places", ids.len(), self.layout.places);
            return Err(Error::model(&self.path, what));
        }
        Ok(ids)
    }

    /// What the vision tower makes of a picture.
    fn see(&self, picture: &RgbImage) -> CandleResult<Tensor> {
        pixels(picture, &CLIP, &self.device)?.apply(self.model.vision_model())
    }

    /// How well each token would follow, once the decoder has taken these, too. It remembers those before them.
    fn scores(&mut self, ids: &[u32], seen: &Tensor) -> CandleResult<Vec<f32>> {
        let ids = Tensor::new(ids, &self.device)?.unsqueeze(0)?;
        let scores = self.model.text_decoder().forward(&ids, seen)?;
        scores.i((0, scores.dim(1)? - 1))?.to_vec1()
    }
}

impl Captioner for Blip {
    fn caption(&mut self, picture: &RgbImage) -> Result<Option<Caption>> {
        let ids = self.ids(picture)?;
        let text = self.text(&ids)?;
        Ok((!text.is_empty()).then(|| Caption { text, tags: Vec::new() }))
    }
}

/// The fields of `config.json`, with the defaults of transformers' `BlipTextConfig` and `BlipVisionConfig`.
fn configuration(settings: &Settings) -> Result<(Config, Layout)> {
    settings.expect("model_type", "blip")?;
    let (vision, text) = (settings.part("vision_config")?, settings.part("text_config")?);
    let (side, patch) = vision.patches(384, 16)?;
    let vision = vision_config(&vision, side, patch)?;
    let vocabulary = text.size("vocab_size", 30_524, 8..=1 << 18)?;
    let places = text.size("max_position_embeddings", 512, 4..=4096)?;
    let hidden = text.size("hidden_size", 768, 8..=4096)?;
    let last = vocabulary - 1;
    let layout = Layout {
        side: side as u32,
        start: text.size("bos_token_id", 30_522.min(last), 0..=last)? as u32,
        end: text.size("sep_token_id", 102.min(last), 0..=last)? as u32,
        vocabulary,
        places,
    };
    let text_config = blip_text::Config {
        vocab_size: vocabulary,
        hidden_size: hidden,
        encoder_hidden_size: vision.hidden_size,
        intermediate_size: text.size("intermediate_size", 3072, 8..=16_384)?,
        projection_dim: 1,
        num_hidden_layers: text.size("num_hidden_layers", 12, 1..=64)?,
        num_attention_heads: text.heads(8, hidden)?,
        max_position_embeddings: places,
        hidden_act: text.activation("gelu")?,
        layer_norm_eps: text.epsilon("layer_norm_eps", 1e-12)?,
        is_decoder: true,
    };
    // The projections belong to BLIP's matching of pictures and texts; the captioner has none.
    Ok((Config { text_config, vision_config: vision, projection_dim: 1, image_text_hidden_size: 1 }, layout))
}

fn vision_config(settings: &Settings, side: usize, patch: usize) -> Result<VisionConfig> {
    let hidden = settings.size("hidden_size", 768, 8..=4096)?;
    Ok(VisionConfig {
        hidden_size: hidden,
        intermediate_size: settings.size("intermediate_size", 3072, 8..=16_384)?,
        projection_dim: 1,
        num_hidden_layers: settings.size("num_hidden_layers", 12, 1..=64)?,
        num_attention_heads: settings.heads(12, hidden)?,
        image_size: side,
        patch_size: patch,
        hidden_act: settings.activation("gelu")?,
        layer_norm_eps: settings.epsilon("layer_norm_eps", 1e-5)?,
    })
}

/// The tokens that would end a run of `size` tokens that was there before (`NoRepeatNGramLogitsProcessor` of transformers).
fn repeats(ids: &[u32], size: usize) -> Vec<u32> {
    if size == 0 || ids.len() + 1 < size {
        return Vec::new();
    }
    let tail = &ids[ids.len() + 1 - size..];
    ids.windows(size).filter(|run| &run[..size - 1] == tail).map(|run| run[size - 1]).collect()
}

/// The first of the best tokens; `None` when a score is no number or all tokens are banned.
fn best(scores: &[f32], banned: &[u32]) -> Option<u32> {
    let mut best: Option<(u32, f32)> = None;
    for (id, score) in (0_u32..).zip(scores.iter().copied()) {
        if score.is_nan() {
            return None;
        }
        if best.is_none_or(|(_, high)| score > high) && !banned.contains(&id) {
            best = Some((id, score));
        }
    }
    best.map(|(id, _)| id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_run_again_is_banned() {
        assert_eq!(repeats(&[1, 2, 3, 1, 2], 3), [3]);
        assert_eq!(repeats(&[1, 2, 3, 1, 2, 4, 1, 2], 3), [3, 4]);
        assert_eq!(repeats(&[5, 6], 1), [5, 6]);
        assert!(repeats(&[1, 2, 3, 1, 2], 0).is_empty());
        assert!(repeats(&[1], 3).is_empty());
        assert!(repeats(&[1, 2], 3).is_empty());
    }

    #[test]
    fn the_best_token_is_the_first_of_the_highest() {
        assert_eq!(best(&[0.0, 2.0, 2.0], &[]), Some(1));
        assert_eq!(best(&[0.0, 2.0, 2.0], &[1]), Some(2));
        assert_eq!(best(&[0.0, f32::NAN], &[]), None);
        assert_eq!(best(&[1.0], &[0]), None);
    }
}
