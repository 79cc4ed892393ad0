//! The four models of a Florence-2 export and what goes from one to the next.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::runtime::Device;
use crate::session::{Session, Tensor};

const NAMES: [&str; 4] = ["vision_encoder", "embed_tokens", "encoder_model", "decoder_model_merged"];

/// The variants of one export, by the endings of their names, in the order in which they are taken: whole weights first.
const VARIANTS: [&str; 8] = ["", "_fp16", "_quantized", "_int8", "_uint8", "_q4", "_q4f16", "_bnb4"];

/// The side of pictures where the model doesn't say it.
const SIDE: usize = 768;

/// The models.
#[derive(Debug)]
pub(super) struct Parts {
    vision: Session,
    pub embed: Session,
    encoder: Session,
    pub decoder: Session,
    /// The side of pictures in pixels.
    pub side: u32,
}

impl Parts {
    pub fn open(folder: &Path, device: Device) -> Result<Self> {
        let [vision, embed, encoder, decoder] = files(folder)?;
        let vision = Session::open(&vision, device)?;
        let embed = Session::open(&embed, device)?;
        let encoder = Session::open(&encoder, device)?;
        let decoder = Session::open(&decoder, device)?;
        vision.output("image_features")?;
        embed.input("input_ids")?;
        embed.output("inputs_embeds")?;
        encoder.input("attention_mask")?;
        encoder.input("inputs_embeds")?;
        encoder.output("last_hidden_state")?;
        let side = match vision.input("pixel_values")?.dims[..] {
            [_, _, Some(height), Some(width)] if height == width && height <= 4096 => height,
            [_, _, None, None] => SIDE,
            ref dims => return Err(Error::model(vision.path(), format!("its pictures are {dims:?}, not square"))),
        };
        Ok(Self { vision, embed, encoder, decoder, side: side as u32 })
    }

    /// The vectors of a picture, `[1, tokens, width]`.
    pub fn see(&mut self, pixels: Vec<f32>) -> Result<Tensor> {
        let side = self.side as usize;
        let pixels = Tensor::f32(&[1, 3, side, side], pixels);
        let outputs = self.vision.run(&[("pixel_values", pixels)])?;
        take(&self.vision, outputs, "image_features")
    }

    /// The vectors of tokens, `[1, tokens, width]`.
    pub fn embed(&mut self, ids: &[i64]) -> Result<Tensor> {
        let outputs = self.embed.run(&[("input_ids", Tensor::i64(&[1, ids.len()], ids.to_vec()))])?;
        take(&self.embed, outputs, "inputs_embeds")
    }

    /// The encoder's view of image vectors and, behind them, word vectors.
    pub fn encode(&mut self, image: Tensor, words: Tensor) -> Result<Tensor> {
        let together = behind(image, words).ok_or_else(|| {
            Error::model(self.encoder.path(), "its parts are of different models (their vectors have different widths)")
        })?;
        let length = together.dims[1];
        let mask = Tensor::i64(&[1, length], vec![1; length]);
        let outputs = self.encoder.run(&[("attention_mask", mask), ("inputs_embeds", together)])?;
        take(&self.encoder, outputs, "last_hidden_state")
    }
}

fn take(session: &Session, mut outputs: std::collections::BTreeMap<String, Tensor>, name: &str) -> Result<Tensor> {
    let tensor = outputs.remove(name).filter(|tensor| tensor.floats().is_some() && tensor.dims.len() == 3);
    tensor.ok_or_else(|| {
        Error::model(session.path(), format!("its output `{name}` should be floats of three dimensions"))
    })
}

/// Two sequences of vectors as one.
fn behind(first: Tensor, second: Tensor) -> Option<Tensor> {
    let ([1, a, width], [1, b, other]) = (first.dims.as_slice(), second.dims.as_slice()) else { return None };
    if width != other {
        return None;
    }
    let dims = [1, a + b, *width];
    let values = [first.floats()?, second.floats()?].concat();
    Some(Tensor::f32(&dims, values))
}

/// The files of the best variant that is whole.
fn files(folder: &Path) -> Result<[PathBuf; 4]> {
    let places = [folder.join("onnx"), folder.to_owned()];
    for place in &places {
        for variant in VARIANTS {
            let files = NAMES.map(|name| place.join(format!("{name}{variant}.onnx")));
            if files.iter().all(|file| file.is_file()) {
                return Ok(files);
            }
        }
    }
    let place = places.iter().find(|place| place.join("vision_encoder.onnx").is_file()).unwrap_or(&places[0]);
    let missing: Vec<String> =
        NAMES.iter().map(|name| format!("{name}.onnx")).filter(|name| !place.join(name).is_file()).collect();
    let what = format!("a Florence-2 export has four models, and {} is not in {}", missing.join(", "), place.display());
    Err(Error::model(folder, what))
}
