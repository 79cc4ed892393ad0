//! SFace (`face_recognition_sface_2021dec.onnx`): a face as 128 numbers, near to one another for one person.
//!
//! As `cv2.FaceRecognizerSF` does it: the face is turned and scaled so that its landmarks lie where ArcFace's template has
//! them, cut to 112 x 112 and given as RGB from 0 to 255 (OpenCV swaps its BGR; the model itself centres the values).

use std::path::Path;

use image::{Rgb, RgbImage};

use super::{Face, planes};
use crate::error::{Error, Result};
use crate::runtime::Device;
use crate::session::Session;

/// From this cosine on, two faces are taken for one person's (OpenCV's sample, from LFW).
pub const SAME_PERSON: f32 = 0.363;

/// Width and height of an aligned face.
const SIDE: u32 = 112;
/// Where the landmarks belong in it (ArcFace's template), and their mean as OpenCV has it.
const TEMPLATE: [[f64; 2]; 5] =
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]];
const TEMPLATE_MEAN: [f64; 2] = [56.0262, 71.9008];

/// Turns faces into vectors.
pub struct FaceEmbedder {
    session: Session,
    input: String,
    output: String,
}

impl FaceEmbedder {
    /// Opens the model at `path`: SFace's, or any of ArcFace's form that takes `[1, 3, 112, 112]` RGB from 0 to 255.
    ///
    /// # Errors
    /// When there is no such file, or it holds another kind of model.
    pub fn open(path: &Path, device: Device) -> Result<Self> {
        let session = Session::open(path, device)?;
        let other = || {
            Error::model(path, "a face recogniser takes [1, 3, 112, 112] and gives one vector; this is another model")
        };
        let ([input], [output]) = (session.inputs(), session.outputs()) else { return Err(other()) };
        let fits = matches!(input.dims.as_slice(), [None | Some(1), Some(3), None | Some(112), None | Some(112)]);
        if !fits {
            return Err(other());
        }
        let (input, output) = (input.name.clone(), output.name.clone());
        Ok(Self { session, input, output })
    }

    /// The vector of a face in `picture`, of length 1, so that [`cosine`] is a dot product.
    ///
    /// # Errors
    /// When the landmarks lie at one point, or the model fails or gives nothing that is a vector.
    pub fn embed(&mut self, picture: &RgbImage, face: &Face) -> Result<Vec<f32>> {
        let Some(crop) = aligned(picture, face) else {
            return Err(Error::picture("the face", "its eyes, nose and mouth lie at one point"));
        };
        let outputs = self.session.run(&[(&self.input, planes(&crop, SIDE, SIDE, [0, 1, 2]))])?;
        let vector = outputs.get(&self.output).and_then(|tensor| tensor.floats()).unwrap_or_default();
        unit(vector).ok_or_else(|| Error::model(self.session.path(), "what it gives is no vector with a direction"))
    }
}

/// The cosine of the angle between two vectors of length 1: 1 for the same, about 0 for strangers.
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn unit(vector: &[f32]) -> Option<Vec<f32>> {
    let length = vector.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>().sqrt();
    (length.is_finite() && length > 1e-12).then(|| vector.iter().map(|v| (f64::from(*v) / length) as f32).collect())
}

/// The face upright in 112 x 112 pixels, black where the picture ends; `None` when its landmarks lie at one point.
pub fn aligned(picture: &RgbImage, face: &Face) -> Option<RgbImage> {
    let turn = similarity(&face.landmarks)?;
    Some(RgbImage::from_fn(SIDE, SIDE, |x, y| sample(picture, turn.back([f64::from(x), f64::from(y)]))))
}

/// A turn by an angle with one scale for both axes, then a shift: (x, y) -> (ax - by + c, bx + ay + d).
struct Similarity {
    a: f64,
    b: f64,
    shift: [f64; 2],
}

/// The similarity without reflection that brings `points` nearest to the template, in squares.
///
/// Umeyama 1991 for two dimensions, where it needs no decomposition: turning and scaling are one complex factor, the
/// projection of the template on the points.
fn similarity(points: &[[f32; 2]; 5]) -> Option<Similarity> {
    let points = points.map(|point| point.map(f64::from));
    let mean: [f64; 2] = std::array::from_fn(|axis| points.iter().map(|point| point[axis]).sum::<f64>() / 5.0);
    let (mut along, mut across, mut square) = (0.0, 0.0, 0.0);
    for (point, wanted) in points.iter().zip(TEMPLATE) {
        let [x, y] = [point[0] - mean[0], point[1] - mean[1]];
        let [u, v] = [wanted[0] - TEMPLATE_MEAN[0], wanted[1] - TEMPLATE_MEAN[1]];
        along += x * u + y * v;
        across += x * v - y * u;
        square += x * x + y * y;
    }
    let (a, b) = (along / square, across / square);
    let shift = [TEMPLATE_MEAN[0] - a * mean[0] + b * mean[1], TEMPLATE_MEAN[1] - b * mean[0] - a * mean[1]];
    let scale = a * a + b * b;
    // Points without extent give no number; a factor of (almost) nothing would ask for pixels at infinity.
    (square > 1e-9 && scale > 1e-12 && scale.is_finite()).then_some(Similarity { a, b, shift })
}

impl Similarity {
    /// The point of the picture that comes to `at`.
    fn back(&self, at: [f64; 2]) -> [f64; 2] {
        let [x, y] = [at[0] - self.shift[0], at[1] - self.shift[1]];
        let scale = self.a * self.a + self.b * self.b;
        [(self.a * x + self.b * y) / scale, (self.a * y - self.b * x) / scale]
    }
}

/// Bilinear between the four pixels around `at`; those outside are black.
fn sample(picture: &RgbImage, at: [f64; 2]) -> Rgb<u8> {
    let [left, top] = at.map(f64::floor);
    let [right_part, lower_part] = [at[0] - left, at[1] - top];
    let mut sum = [0.0; 3];
    for (dx, dy) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)] {
        let (x, y) = (left + dx, top + dy);
        if x < 0.0 || y < 0.0 || x >= f64::from(picture.width()) || y >= f64::from(picture.height()) {
            continue;
        }
        let weight = (1.0 - (dx - right_part).abs()) * (1.0 - (dy - lower_part).abs());
        let pixel = picture.get_pixel(x as u32, y as u32);
        for (sum, value) in sum.iter_mut().zip(pixel.0) {
            *sum += weight * f64::from(value);
        }
    }
    Rgb(sum.map(|value| value.round() as u8))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(landmarks: [[f32; 2]; 5]) -> Face {
        Face { x: 0.0, y: 0.0, width: 1.0, height: 1.0, score: 1.0, landmarks }
    }

    #[test]
    fn the_template_itself_is_cut_as_it_lies() {
        let picture = RgbImage::from_fn(150, 130, |x, y| Rgb([x as u8, y as u8, (x ^ y) as u8]));
        let landmarks = TEMPLATE.map(|[x, y]| [x as f32 + 20.0, y as f32 + 10.0]);
        let crop = aligned(&picture, &face(landmarks)).expect("five points apart");
        let wrong =
            crop.enumerate_pixels().filter(|(x, y, pixel)| *picture.get_pixel(x + 20, y + 10) != **pixel).count();
        assert_eq!(wrong, 0);
    }

    #[test]
    fn landmarks_without_extent_or_number_are_no_face() {
        let picture = RgbImage::new(8, 8);
        for odd in [3.0, f32::NAN, f32::INFINITY, 1e38] {
            assert!(aligned(&picture, &face([[odd; 2]; 5])).is_none(), "{odd}");
        }
        assert!(aligned(&RgbImage::new(0, 0), &face(TEMPLATE.map(|p| p.map(|v| v as f32)))).is_some());
    }

    #[test]
    fn only_vectors_with_a_direction_have_length_one() {
        assert_eq!(unit(&[3.0, 4.0]), Some(vec![0.6, 0.8]));
        for odd in [&[][..], &[0.0, 0.0], &[f32::NAN, 1.0], &[f32::INFINITY]] {
            assert_eq!(unit(odd), None);
        }
    }
}
