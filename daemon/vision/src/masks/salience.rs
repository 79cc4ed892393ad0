//! u2net, u2netp, IS-Net and BiRefNet: what stands out of the picture.
//!
//! The recipe is rembg's (`sessions/base.py` and one file for each model): squashed to the model's square with Lanczos,
//! divided by the picture's own greatest value, normalised; the answer stretched from 0 to 255, and Lanczos back.

use std::path::Path;

use image::{GrayImage, RgbImage};

use super::{IMAGENET, Segmenter, first_map, normalised, not_empty, sigmoid};
use crate::error::{Error, Result};
use crate::resample::{ResampleFilter, resize_gray, resize_rgb};
use crate::runtime::Device;
use crate::session::{Kind, Session, Slot};

/// The square of u2net and u2netp.
const SMALL: usize = 320;
/// The square of IS-Net and BiRefNet.
const LARGE: usize = 1024;
/// IS-Net was trained on values from -0.5 to 0.5.
const CENTRED: ([f64; 3], [f64; 3]) = ([0.5; 3], [1.0; 3]);

/// A model that masks what stands out.
pub struct Salience {
    session: Session,
    input: String,
    output: String,
    recipe: Recipe,
}

/// What the models differ by.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Recipe {
    width: u32,
    height: u32,
    /// Mean and deviation of each channel.
    scale: ([f64; 3], [f64; 3]),
    /// Whether the answer is always logits; else it is when it leaves 0 to 1.
    logits: bool,
}

impl Salience {
    /// Opens the model at `path` and tells by its inputs and outputs which one it is.
    ///
    /// # Errors
    /// When there is no such file, or it is none of these models.
    pub fn open(path: &Path, device: Device) -> Result<Self> {
        let session = Session::open(path, device)?;
        let (input, output, recipe) =
            recognise(session.inputs(), session.outputs()).map_err(|what| Error::model(path, what))?;
        Ok(Self { session, input, output, recipe })
    }
}

/// What was recognised, or why nothing was.
type Recognised = std::result::Result<(String, String, Recipe), String>;

/// The names of the input and the output that count, and what to do with them.
///
/// BiRefNet calls its picture `input_image` and its mask `output_image` (some exports have three outputs more); the others
/// give their finest mask first. A size of 320 tells u2net from IS-Net.
fn recognise(inputs: &[Slot], outputs: &[Slot]) -> Recognised {
    let other = "a model for masks takes one picture [1, 3, height, width] and gives maps; this is another model";
    let [input] = inputs else { return Err(other.to_owned()) };
    let [None | Some(1), Some(3), height, width] = input.dims.as_slice() else { return Err(other.to_owned()) };
    let named = outputs.iter().find(|slot| slot.name == "output_image");
    let is_map = |slot: &&Slot| slot.dims.len() == 4 && matches!(slot.kind, Kind::F32 | Kind::F16);
    let output = named.or(outputs.first()).filter(is_map).ok_or_else(|| other.to_owned())?;
    let birefnet = named.is_some() || input.name == "input_image" || input.name == "pixel_values";
    // Where any size is taken, that of the training is right; `input.1` is u2net's.
    let usual = if input.name == "input.1" { SMALL } else { LARGE };
    let side = |length: &Option<usize>| match length.unwrap_or(usual) {
        length @ 32..=4096 => Ok(length as u32),
        length => Err(format!("it takes pictures of {length} pixels a side, as no model for masks does")),
    };
    let (width, height) = (side(width)?, side(height)?);
    let centred = !birefnet && width as usize != SMALL;
    let recipe = Recipe { width, height, scale: if centred { CENTRED } else { IMAGENET }, logits: birefnet };
    Ok((input.name.clone(), output.name.clone(), recipe))
}

impl Segmenter for Salience {
    fn mask(&mut self, picture: &RgbImage) -> Result<GrayImage> {
        not_empty(picture)?;
        let Recipe { width, height, scale, logits } = self.recipe;
        let squashed = resize_rgb(picture, width, height, ResampleFilter::Lanczos);
        let most = squashed.iter().max().map_or(0.0, |most| f64::from(*most)).max(1e-6);
        let outputs = self.session.run(&[(&self.input, normalised(&squashed, most, scale))])?;
        let broken = |what: &str| Error::model(self.session.path(), what);
        let found = outputs.get(&self.output).and_then(first_map);
        let (width, height, values) = found.ok_or_else(|| broken("its first output is no map of floats"))?;
        let levels = stretched(values, logits).ok_or_else(|| broken("it gives numbers that are not finite"))?;
        let small = GrayImage::from_raw(width, height, levels).expect("bug: a map has width times height values");
        Ok(resize_gray(&small, picture.width(), picture.height(), ResampleFilter::Lanczos))
    }
}

/// The values from 0 to 255, the least at 0 and the greatest at 255; all 0 when they are all alike, `None` when one is no number.
fn stretched(values: &[f32], logits: bool) -> Option<Vec<u8>> {
    if !values.iter().all(|value| value.is_finite()) {
        return None;
    }
    let logits = logits || values.iter().any(|value| !(-0.01..=1.01).contains(value));
    let squash = if logits { sigmoid } else { |value| value };
    let (least, most) = values.iter().fold((f32::MAX, f32::MIN), |(least, most), value| {
        let value = squash(*value);
        (least.min(value), most.max(value))
    });
    let span = most - least;
    // The fraction is cut off, as numpy's `astype` does it.
    Some(
        values
            .iter()
            .map(|value| if span > 0.0 { ((squash(*value) - least) / span * 255.0) as u8 } else { 0 })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(name: &str, dims: &[usize]) -> Slot {
        let dims = dims.iter().map(|n| (*n > 0).then_some(*n)).collect();
        Slot { name: name.to_owned(), kind: Kind::F32, dims }
    }

    #[test]
    fn each_public_export_is_known_by_its_slots() {
        let (small, large) = ([1, 3, 320, 320], [1, 3, 1024, 1024]);
        let ask = |input: Slot, outputs: &[&str]| {
            let outputs: Vec<Slot> = outputs.iter().map(|name| slot(name, &[1, 1, 0, 0])).collect();
            let (_, output, recipe) = recognise(&[input], &outputs).expect("one of the models");
            (output, recipe.width, recipe.scale == IMAGENET, recipe.logits)
        };
        assert_eq!(ask(slot("input.1", &small), &["1959", "1960"]), ("1959".to_owned(), 320, true, false));
        assert_eq!(ask(slot("input.1", &[1, 3, 0, 0]), &["1959"]), ("1959".to_owned(), 320, true, false));
        assert_eq!(ask(slot("input", &large), &["output", "1895"]), ("output".to_owned(), 1024, false, false));
        let four = ["1", "2", "output_image", "3"];
        assert_eq!(ask(slot("input_image", &large), &four), ("output_image".to_owned(), 1024, true, true));
        assert_eq!(ask(slot("input_image", &[0, 3, 0, 0]), &["5"]), ("5".to_owned(), 1024, true, true));
    }

    #[test]
    fn other_models_are_refused_in_words() {
        let (mask, picture) = (slot("output", &[1, 1, 320, 320]), slot("input", &[1, 3, 320, 320]));
        let refused = |inputs: &[&Slot], outputs: &[&Slot]| {
            let owned = |slots: &[&Slot]| slots.iter().map(|slot| (*slot).clone()).collect::<Vec<_>>();
            recognise(&owned(inputs), &owned(outputs)).expect_err("another model")
        };
        assert!(refused(&[], &[&mask]).contains("another model"));
        assert!(refused(&[&picture, &picture], &[&mask]).contains("another model"));
        assert!(refused(&[&slot("input", &[1, 448, 448, 3])], &[&mask]).contains("another model"));
        assert!(refused(&[&picture], &[]).contains("another model"));
        assert!(refused(&[&slot("input", &[1, 3, 100_000, 320])], &[&mask]).contains("100000 pixels"));
        assert!(refused(&[&picture], &[&slot("output", &[1, 128])]).contains("another model"));
        assert!(refused(&[&picture], &[&Slot { kind: Kind::I64, ..mask }]).contains("another model"));
    }

    #[test]
    fn answers_are_stretched_and_odd_ones_end_well() {
        assert_eq!(stretched(&[0.25, 0.5, 0.75], false), Some(vec![0, 127, 255]));
        assert_eq!(stretched(&[-9.0, 0.0, 9.0], false), stretched(&[-9.0, 0.0, 9.0], true));
        assert_eq!(stretched(&[0.5; 3], false), Some(vec![0; 3]));
        assert_eq!(stretched(&[f32::MAX, f32::MIN], true), Some(vec![255, 0]));
        for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(stretched(&[0.5, odd], true), None);
        }
    }
}
