//! CLIPSeg (`clipseg-rd64-refined`): masks what a text names.

use std::path::Path;

use image::{GrayImage, Luma, RgbImage};
use tokenizers::Tokenizer;

use super::{IMAGENET, first_map, normalised, not_empty, sigmoid};
use crate::checkpoint::{encode, tokenizer};
use crate::error::{Error, Result};
use crate::resample::{ResampleFilter, resize_gray, resize_rgb};
use crate::runtime::Device;
use crate::session::{Session, Tensor};

/// Pictures are squashed to this square, bilinear (`preprocessor_config.json`: size 352, resample 2).
const SIDE: usize = 352;
/// Tokens of a text with its start and end; longer ones are cut (`CLIPTokenizer`, `padding="max_length"`).
const TOKENS: usize = 77;
/// A text of more bytes than this is cut before it is tokenised; 77 tokens never reach that far.
const TEXT: usize = 4096;
const START: &str = "<|startoftext|>";
const END: &str = "<|endoftext|>";

/// How a soft mask becomes one of black and white; the defaults are OneTrainer's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hard {
    /// What is surer than this (0 to 1) belongs to the subject.
    pub threshold: f32,
    /// Over how many of the model's own pixels (352 a side) to each side the mask is averaged beforehand.
    pub smooth: u32,
    /// By how many of the picture's pixels it grows to each side afterwards.
    pub expand: u32,
}

impl Default for Hard {
    fn default() -> Self {
        Self { threshold: 0.3, smooth: 5, expand: 10 }
    }
}

/// A CLIPSeg with its tokenizer.
pub struct TextSegmenter {
    session: Session,
    tokenizer: Tokenizer,
    start: u32,
    end: u32,
}

impl TextSegmenter {
    /// Opens `model.onnx` and `tokenizer.json` in `folder` (or the model in its `onnx` folder, as hubs have it).
    ///
    /// # Errors
    /// When one of them is missing or of another model.
    pub fn open(folder: &Path, device: Device) -> Result<Self> {
        let beside = folder.join("model.onnx");
        let path = if beside.exists() { beside } else { folder.join("onnx").join("model.onnx") };
        let session = Session::open(&path, device)?;
        session.input("input_ids")?;
        session.input("attention_mask")?;
        session.output("logits")?;
        let picture = session.input("pixel_values")?;
        let fits = matches!(picture.dims.as_slice(), [_, None | Some(3), None | Some(SIDE), None | Some(SIDE)]);
        if !fits {
            return Err(Error::model(
                &path,
                format!("a CLIPSeg takes pictures [1, 3, 352, 352], not {:?}", picture.dims),
            ));
        }
        // Start, end, length and padding are CLIP's, whatever the file asks for.
        let tokenizer = tokenizer(folder)?;
        let path = folder.join("tokenizer.json");
        let id = |token: &str| {
            let missing = || Error::model(&path, format!("it has no `{token}`; it is not CLIP's tokenizer"));
            tokenizer.token_to_id(token).ok_or_else(missing)
        };
        let (start, end) = (id(START)?, id(END)?);
        Ok(Self { session, tokenizer, start, end })
    }

    /// How sure the model is of each pixel that it shows `text`: 255 is sure. The mask is soft and of the picture's size.
    ///
    /// # Errors
    /// When the picture is empty, or the model fails or answers what no such model answers.
    pub fn mask(&mut self, picture: &RgbImage, text: &str) -> Result<GrayImage> {
        let soft = self.probabilities(picture, text)?;
        Ok(resize_gray(&soft, picture.width(), picture.height(), ResampleFilter::Bilinear))
    }

    /// As [`Self::mask`], in black and white.
    ///
    /// # Errors
    /// As [`Self::mask`].
    pub fn hard_mask(&mut self, picture: &RgbImage, text: &str, hard: Hard) -> Result<GrayImage> {
        let smooth = averaged(&self.probabilities(picture, text)?, hard.smooth);
        let whole = resize_gray(&smooth, picture.width(), picture.height(), ResampleFilter::Bilinear);
        let threshold = hard.threshold * 255.0;
        let mask = GrayImage::from_fn(whole.width(), whole.height(), |x, y| {
            Luma([if f32::from(whole.get_pixel(x, y).0[0]) > threshold { 255 } else { 0 }])
        });
        Ok(grown(&mask, hard.expand))
    }

    /// The ids of `text` and which of them count: start, text, end, then the end again up to 77.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn tokens(&self, text: &str) -> Result<(Vec<i64>, Vec<i64>)> {
        let text = &text[..text.floor_char_boundary(TEXT)];
        let broken = |what: String| Error::model(self.session.path(), format!("its tokenizer fails ({what})"));
        let ids = encode(&self.tokenizer, text, false).map_err(broken)?;
        let words = ids.into_iter().take(TOKENS - 2);
        let mut ids: Vec<i64> = [self.start].into_iter().chain(words).chain([self.end]).map(i64::from).collect();
        let mut attention = vec![1; ids.len()];
        ids.resize(TOKENS, i64::from(self.end));
        attention.resize(TOKENS, 0);
        Ok((ids, attention))
    }

    /// The model's answer in its own size, as probabilities of 0 to 255.
    fn probabilities(&mut self, picture: &RgbImage, text: &str) -> Result<GrayImage> {
        not_empty(picture)?;
        let (ids, attention) = self.tokens(text)?;
        let squashed = resize_rgb(picture, SIDE as u32, SIDE as u32, ResampleFilter::Bilinear);
        let outputs = self.session.run(&[
            ("input_ids", Tensor::i64(&[1, TOKENS], ids)),
            ("attention_mask", Tensor::i64(&[1, TOKENS], attention)),
            ("pixel_values", normalised(&squashed, 255.0, IMAGENET)),
        ])?;
        let broken = |what: &str| Error::model(self.session.path(), what);
        let found = outputs.get("logits").and_then(first_map);
        let (width, height, logits) = found.ok_or_else(|| broken("its logits are no map of floats"))?;
        if logits.iter().any(|value| value.is_nan()) {
            return Err(broken("it gives what are no numbers"));
        }
        let levels = logits.iter().map(|value| (sigmoid(*value) * 255.0).round() as u8).collect();
        Ok(GrayImage::from_raw(width, height, levels).expect("bug: a map has width times height values"))
    }
}

/// The mean over `radius` pixels to each side; the border's pixels go on outside.
fn averaged(mask: &GrayImage, radius: u32) -> GrayImage {
    let radius = i64::from(radius.min(SIDE as u32));
    let mean = |line: &[u8]| {
        let at = |place: i64| u64::from(line[place.clamp(0, line.len() as i64 - 1) as usize]);
        let mut sum: u64 = (-radius..=radius).map(at).sum();
        let count = 2 * radius as u64 + 1;
        let mut means = Vec::with_capacity(line.len());
        for place in 0..line.len() as i64 {
            means.push(((sum + count / 2) / count) as u8);
            sum = sum + at(place + radius + 1) - at(place - radius);
        }
        means
    };
    lines(mask, &mean)
}

/// The greatest value within `radius` pixels to each side, of a mask of 0 and 255.
fn grown(mask: &GrayImage, radius: u32) -> GrayImage {
    let reach = radius as usize;
    let spread = |line: &[u8]| {
        let mut wide = vec![0; line.len()];
        let mut end = 0;
        for (place, _) in line.iter().enumerate().filter(|(_, value)| **value > 0) {
            let from = place.saturating_sub(reach).max(end);
            end = place.saturating_add(reach).saturating_add(1).min(line.len());
            if from < end {
                wide[from..end].fill(255);
            }
        }
        wide
    };
    lines(mask, &spread)
}

/// `change` on each row, then on each column of what comes out.
fn lines(mask: &GrayImage, change: &dyn Fn(&[u8]) -> Vec<u8>) -> GrayImage {
    let across = |mask: &GrayImage| {
        let mut turned = GrayImage::new(mask.height(), mask.width());
        for (y, row) in mask.chunks_exact(mask.width().max(1) as usize).enumerate() {
            for (x, value) in change(row).into_iter().enumerate() {
                turned.put_pixel(y as u32, x as u32, Luma([value]));
            }
        }
        turned
    };
    across(&across(mask))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(width: u32, rows: &[&[u8]]) -> GrayImage {
        GrayImage::from_raw(width, rows.len() as u32, rows.concat()).expect("rows of that width")
    }

    #[test]
    fn a_point_grows_to_a_square_that_ends_at_the_border() {
        let point = GrayImage::from_fn(7, 5, |x, y| Luma([if (x, y) == (1, 2) { 255 } else { 0 }]));
        for (radius, wide, high) in [(0, 1, 1), (1, 3, 3), (2, 4, 5), (u32::MAX, 7, 5)] {
            let grown = grown(&point, radius);
            assert_eq!(grown.iter().filter(|value| **value == 255).count(), wide * high, "{radius}");
        }
        let two = GrayImage::from_fn(9, 1, |x, _| Luma([if x == 1 || x == 7 { 255 } else { 0 }]));
        assert_eq!(grown(&two, 2).into_raw(), [255, 255, 255, 255, 0, 255, 255, 255, 255]);
    }

    #[test]
    fn the_mean_continues_the_border() {
        let step = mask(4, &[&[0, 0, 90, 90], &[0, 0, 90, 90]]);
        assert_eq!(averaged(&step, 1), mask(4, &[&[0, 30, 60, 90], &[0, 30, 60, 90]]));
        assert_eq!(averaged(&step, 0), step);
        let even = GrayImage::from_pixel(3, 2, Luma([77]));
        assert_eq!(averaged(&even, u32::MAX), even);
    }
}
