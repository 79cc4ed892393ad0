//! CLIP, whose embeddings of pictures and of texts lie in one space: openai/clip-vit-large-patch14, -base-patch32 and others
//! of their layout, from safetensors. The network is candle-transformers'.
//!
//! Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision" (arXiv 2103.00020).

use std::path::{Path, PathBuf};

use candle_core::{Device, Result as CandleResult, Tensor};
use candle_nn::{Linear, Module, VarBuilder, linear_no_bias};
use candle_transformers::models::clip::text_model::{Activation, ClipTextConfig, ClipTextTransformer};
use candle_transformers::models::clip::vision_model::{ClipVisionConfig, ClipVisionTransformer};
use image::RgbImage;
use tokenizers::Tokenizer;

use super::{Embedder, cosine, middle, unit};
use crate::checkpoint::{CLIP, Settings, Weights, encode, failed, pixels, some, tokenizer, unfit, weights_file};
use crate::error::{Error, Result};

/// CLIP's tower for pictures.
pub struct ClipImage {
    path: PathBuf,
    tower: ClipVisionTransformer,
    projection: Linear,
    device: Device,
    side: u32,
}

impl ClipImage {
    /// Opens the tower for pictures of the model in a folder with `model.safetensors` and `config.json`; the one for texts is
    /// not read.
    ///
    /// # Errors
    /// When a file is missing or damaged, or is of another model.
    pub fn open(folder: &Path, device: &Device) -> Result<Self> {
        let settings = Settings::open(folder)?;
        let path = weights_file(folder);
        Self::build(&settings, Weights::open(&path)?.builder(device), path)
    }

    fn build(settings: &Settings, weights: VarBuilder, path: PathBuf) -> Result<Self> {
        settings.expect("model_type", "clip")?;
        let config = vision_config(&settings.part("vision_config")?, projection(settings)?)?;
        // Without it, candle-transformers would go on with random numbers.
        if !weights.contains_tensor("vision_model.embeddings.class_embedding") {
            return Err(Error::model(&path, "it holds no `vision_model.embeddings.class_embedding`"));
        }
        let fail = unfit(&path);
        let tower = ClipVisionTransformer::new(weights.pp("vision_model"), &config).map_err(&fail)?;
        let projection = linear_no_bias(config.embed_dim, config.projection_dim, weights.pp("visual_projection"));
        let projection = projection.map_err(&fail)?;
        drop(fail);
        Ok(Self { path, tower, projection, device: weights.device().clone(), side: config.image_size as u32 })
    }

    fn features(&self, picture: &RgbImage) -> CandleResult<Tensor> {
        let seen = self.tower.forward(&pixels(picture, &CLIP, &self.device)?)?;
        self.projection.forward(&seen)
    }
}

impl Embedder for ClipImage {
    fn embed(&mut self, picture: &RgbImage) -> Result<Vec<f32>> {
        some(picture)?;
        let features = self.features(&middle(picture, self.side, self.side)).map_err(failed(&self.path))?;
        unit(&features, &self.path)
    }
}

/// Both towers of CLIP: how well a picture shows what a text says.
pub struct ClipScorer {
    image: ClipImage,
    tower: ClipTextTransformer,
    projection: Linear,
    tokenizer: Tokenizer,
    vocabulary: usize,
    places: usize,
}

impl ClipScorer {
    /// Opens the model in a folder with `model.safetensors`, `config.json` and `tokenizer.json`.
    ///
    /// # Errors
    /// When a file is missing or damaged, or is of another model.
    pub fn open(folder: &Path, device: &Device) -> Result<Self> {
        let settings = Settings::open(folder)?;
        let path = weights_file(folder);
        let weights = Weights::open(&path)?.builder(device);
        let image = ClipImage::build(&settings, weights.clone(), path.clone())?;
        let config = text_config(&settings.part("text_config")?, projection(&settings)?)?;
        let tower = ClipTextTransformer::new(weights.pp("text_model"), &config).map_err(unfit(&path))?;
        let projection = linear_no_bias(config.embed_dim, config.projection_dim, weights.pp("text_projection"));
        Ok(Self {
            image,
            tower,
            projection: projection.map_err(unfit(&path))?,
            tokenizer: tokenizer(folder)?,
            vocabulary: config.vocab_size,
            places: config.max_position_embeddings,
        })
    }

    /// Where a picture lies: a vector of length one.
    ///
    /// # Errors
    /// When the model fails.
    pub fn image(&mut self, picture: &RgbImage) -> Result<Vec<f32>> {
        self.image.embed(picture)
    }

    /// Where a text lies: a vector of length one. Only its first tokens count when it has more than the model has places
    /// (75 and the two marks).
    ///
    /// # Errors
    /// When the model or its tokenizer fails.
    pub fn text(&mut self, text: &str) -> Result<Vec<f32>> {
        let ids = self.ids(text)?;
        let features = self.text_features(&ids).map_err(failed(&self.image.path))?;
        unit(&features, &self.image.path)
    }

    /// Obedience to the prompt: the cosine between a picture and a text. With OpenAI's weights, some 0.2 for a picture that
    /// has nothing to do with the text and 0.3 for one that shows it.
    ///
    /// # Errors
    /// When the model or its tokenizer fails.
    pub fn score(&mut self, picture: &RgbImage, text: &str) -> Result<f32> {
        Ok(cosine(&self.image(picture)?, &self.text(text)?))
    }

    /// The tokens of a text, the two marks around them.
    fn ids(&self, text: &str) -> Result<Vec<u32>> {
        let wrong =
            |what: String| Error::model(&self.image.path, format!("its tokenizer.json is of another model: {what}"));
        let mut ids = encode(&self.tokenizer, text, true).map_err(wrong)?;
        let end = *ids.last().ok_or_else(|| wrong("it gives nothing for a text".to_owned()))?;
        if ids.len() > self.places {
            ids.truncate(self.places);
            ids[self.places - 1] = end;
        }
        // The tower reads the whole text off the token with the highest number, which is the end in all such models.
        if ids.iter().any(|id| *id > end) || end as usize >= self.vocabulary {
            return Err(wrong(format!("a text ends with token {end}, which is not the last of {}", self.vocabulary)));
        }
        Ok(ids)
    }

    fn text_features(&self, ids: &[u32]) -> CandleResult<Tensor> {
        let ids = Tensor::new(ids, &self.image.device)?.unsqueeze(0)?;
        self.projection.forward(&self.tower.forward(&ids)?)
    }
}

impl Embedder for ClipScorer {
    fn embed(&mut self, picture: &RgbImage) -> Result<Vec<f32>> {
        self.image(picture)
    }
}

/// How many values an embedding has.
fn projection(settings: &Settings) -> Result<usize> {
    settings.size("projection_dim", 512, 2..=8192)
}

/// What candle-transformers' CLIP has built in.
fn built_in(settings: &Settings) -> Result<()> {
    settings.expect("hidden_act", "quick_gelu")?;
    let epsilon = settings.epsilon("layer_norm_eps", 1e-5)?;
    if epsilon == 1e-5 {
        Ok(())
    } else {
        Err(settings.wrong("layer_norm_eps", format!("is {epsilon}; only 1e-5 is known here")))
    }
}

/// `vision_config`, with the defaults of transformers' `CLIPVisionConfig`.
fn vision_config(settings: &Settings, projection_dim: usize) -> Result<ClipVisionConfig> {
    built_in(settings)?;
    let (image_size, patch_size) = settings.patches(224, 32)?;
    let embed_dim = settings.size("hidden_size", 768, 8..=4096)?;
    Ok(ClipVisionConfig {
        embed_dim,
        activation: Activation::QuickGelu,
        intermediate_size: settings.size("intermediate_size", 3072, 8..=16_384)?,
        num_hidden_layers: settings.size("num_hidden_layers", 12, 1..=64)?,
        num_attention_heads: settings.heads(12, embed_dim)?,
        projection_dim,
        num_channels: settings.size("num_channels", 3, 3..=3)?,
        image_size,
        patch_size,
    })
}

/// `text_config`, with the defaults of transformers' `CLIPTextConfig`.
fn text_config(settings: &Settings, projection_dim: usize) -> Result<ClipTextConfig> {
    built_in(settings)?;
    let embed_dim = settings.size("hidden_size", 512, 8..=4096)?;
    Ok(ClipTextConfig {
        vocab_size: settings.size("vocab_size", 49_408, 8..=1 << 18)?,
        embed_dim,
        activation: Activation::QuickGelu,
        intermediate_size: settings.size("intermediate_size", 2048, 8..=16_384)?,
        max_position_embeddings: settings.size("max_position_embeddings", 77, 4..=4096)?,
        pad_with: None,
        num_hidden_layers: settings.size("num_hidden_layers", 12, 1..=64)?,
        num_attention_heads: settings.heads(8, embed_dim)?,
        projection_dim,
    })
}
