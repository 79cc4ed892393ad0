//! Models as their authors publish them, in one folder: `model.safetensors`, `config.json`, `tokenizer.json`.
//!
//! Sizes are compared with limits before anything is built from them, and only those weights are read that a model asks for.

mod settings;
mod tokens;
mod weights;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use image::RgbImage;

use crate::error::{Error, Result};

pub(crate) use settings::Settings;
pub(crate) use tokens::{decode, encode, tokenizer};
pub(crate) use weights::Weights;

/// Mean and standard deviation of each channel in the pictures that a model was trained on, of values from 0 to 1.
pub(crate) struct Channels {
    pub mean: [f32; 3],
    pub std: [f32; 3],
}

/// `OPENAI_CLIP_MEAN` and `OPENAI_CLIP_STD` of transformers, which BLIP took over.
pub(crate) const CLIP: Channels =
    Channels { mean: [0.481_454_66, 0.457_827_5, 0.408_210_73], std: [0.268_629_54, 0.261_302_6, 0.275_777_1] };

/// `IMAGENET_DEFAULT_MEAN` and `IMAGENET_DEFAULT_STD` of transformers.
pub(crate) const IMAGENET: Channels = Channels { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/// `[1, 3, height, width]` of a picture that already has a model's size.
pub(crate) fn pixels(picture: &RgbImage, channels: &Channels, device: &Device) -> candle_core::Result<Tensor> {
    let (width, height) = picture.dimensions();
    let mut values = Vec::with_capacity(picture.as_raw().len());
    for channel in 0..3 {
        let (mean, std) = (channels.mean[channel], channels.std[channel]);
        values.extend(picture.pixels().map(|pixel| (f32::from(pixel.0[channel]) / 255.0 - mean) / std));
    }
    Tensor::from_vec(values, (1, 3, height as usize, width as usize), device)
}

/// A picture without pixels is none; the kernels behind a model may not survive one.
pub(crate) fn some(picture: &RgbImage) -> Result<()> {
    if picture.as_raw().is_empty() {
        return Err(Error::picture("the picture", "it has no pixels"));
    }
    Ok(())
}

/// The file that holds the weights.
pub(crate) fn weights_file(folder: &Path) -> PathBuf {
    folder.join("model.safetensors")
}

/// A failure while weights become a model: the file does not hold what its `config.json` says.
pub(crate) fn unfit(path: &Path) -> impl Fn(candle_core::Error) -> Error {
    move |error| Error::model(path, first_line(&error))
}

/// A failure while a model ran.
pub(crate) fn failed(path: &Path) -> impl Fn(candle_core::Error) -> Error {
    move |error| Error::Run { path: path.to_owned(), reason: first_line(&error) }
}

/// candle adds a backtrace below the message when the environment asks for one.
fn first_line(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or("unknown").to_owned()
}

/// A whole file of at most `limit` bytes.
fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let unreadable = |error: std::io::Error| Error::model(path, format!("it can't be read ({error})"));
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > limit {
        return Err(Error::model(path, format!("it is larger than {limit} bytes, which no such file is")));
    }
    Ok(bytes)
}
