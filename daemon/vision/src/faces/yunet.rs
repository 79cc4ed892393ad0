//! YuNet (`face_detection_yunet_2023mar.onnx`, 233 kB, MIT): faces of about 10 to 300 pixels.

use std::path::Path;

use image::RgbImage;

use super::decoding::{self, STRIDES};
use super::overlap::{exact, strongest, truncated};
use super::{Face, FaceDetector, fit, not_empty, planes, shrunk};
use crate::error::{Error, Result};
use crate::runtime::Device;
use crate::session::Session;

/// Width and height of the canvas that YuNet was trained on.
const CANVAS: u32 = 640;
/// Larger faces than this were not trained; a picture that can't hold one needs no second look.
const LARGEST_FACE: u32 = 300;
/// The longest side that a model of free size looks at: a bound on memory, not a matter of quality.
const MAX_SIDE: u32 = 4096;
/// Sides of a canvas of free size are multiples of this.
const DIVISOR: u32 = 32;

/// A YuNet: of the 2023 form (640 x 640 only) or the 2026 form (any size).
pub struct Yunet {
    session: Session,
    /// Width and height when the model takes one size only.
    canvas: Option<(u32, u32)>,
}

impl Yunet {
    /// Opens the model at `path`.
    ///
    /// # Errors
    /// When there is no such file, or it holds another kind of model.
    pub fn open(path: &Path, device: Device) -> Result<Self> {
        let session = Session::open(path, device)?;
        for stride in STRIDES {
            for name in ["cls", "obj", "bbox", "kps"] {
                session.output(&format!("{name}_{stride}"))?;
            }
        }
        let canvas = match session.input("input")?.dims.as_slice() {
            [None | Some(1), Some(3), None, None] => None,
            [None | Some(1), Some(3), Some(height), Some(width)] if sound(*height) && sound(*width) => {
                Some((*width as u32, *height as u32))
            }
            other => return Err(Error::model(path, format!("a YuNet takes [1, 3, 640, 640], not {other:?}"))),
        };
        Ok(Self { session, canvas })
    }

    /// What `cv2.FaceDetectorYN` finds: one look at the picture, shrunk (bilinear) only where it doesn't fit.
    ///
    /// # Errors
    /// As [`FaceDetector::faces`].
    pub fn detect(&mut self, picture: &RgbImage) -> Result<Vec<Face>> {
        self.detect_at(picture, 1.0)
    }

    /// As [`Self::detect`], at `factor` (above 0, up to 1) of that size.
    ///
    /// # Errors
    /// As [`FaceDetector::faces`].
    pub fn detect_at(&mut self, picture: &RgbImage, factor: f64) -> Result<Vec<Face>> {
        not_empty(picture)?;
        let largest = match self.canvas {
            Some((width, height)) => {
                let fit = |room: u32, side: u32| f64::from(room) / f64::from(side);
                fit(width, picture.width()).min(fit(height, picture.height())).min(1.0)
            }
            None => fit(picture, MAX_SIDE),
        };
        self.look(picture, largest * factor.clamp(0.0, 1.0))
    }

    fn look(&mut self, picture: &RgbImage, scale: f64) -> Result<Vec<Face>> {
        let small = shrunk(picture, scale);
        let round_up = |side: u32| side.div_ceil(DIVISOR) * DIVISOR;
        let (width, height) = self.canvas.unwrap_or((round_up(small.width()), round_up(small.height())));
        let input = planes(&small, width, height, [2, 1, 0]);
        let outputs = self.session.run(&[("input", input)])?;
        let faces = decoding::yunet(&outputs, width, height).map_err(|what| Error::model(self.session.path(), what))?;
        let back = |whole: u32, part: u32| (f64::from(whole) / f64::from(part)) as f32;
        let (x, y) = (back(picture.width(), small.width()), back(picture.height(), small.height()));
        Ok(strongest(faces, truncated).into_iter().map(|face| face.scaled(x, y)).collect())
    }
}

impl FaceDetector for Yunet {
    /// Looks twice: with the picture fitted into 640 pixels, and at half that size for faces that fill it.
    fn faces(&mut self, picture: &RgbImage) -> Result<Vec<Face>> {
        not_empty(picture)?;
        let canvas = self.canvas.map_or(CANVAS, |(width, height)| width.min(height));
        let scale = fit(picture, canvas);
        let mut faces = self.look(picture, scale)?;
        let longest = f64::from(picture.width().max(picture.height())) * scale;
        if longest > f64::from(LARGEST_FACE) {
            faces.extend(self.look(picture, scale / 2.0)?);
            faces = strongest(faces, exact);
        }
        Ok(faces)
    }
}

/// A side of a canvas on which every grid has whole cells, small enough for memory.
fn sound(side: usize) -> bool {
    side > 0 && side <= MAX_SIDE as usize && side.is_multiple_of(DIVISOR as usize)
}
