//! What of a picture counts: soft masks, white where the subject is. A mask that hides everything would teach nothing, so there
//! is none: what is not to be trusted becomes a white one, with a note.

use crate::faces::{FaceBox, main_face};
use image::{
    GrayImage, Luma,
    imageops::{self, FilterType},
};

/// What is outside of an object still counts this much: a subject is learnt better with a hint of where it is.
const FLOOR: u8 = 26;
/// Parts of a picture below and above which a mask of an object is not believed.
const BELIEVED: std::ops::RangeInclusive<f32> = 0.005..=0.98;

/// A mask, and why it is not what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Masked {
    /// As large as the picture; 255 counts fully, 0 not at all.
    pub mask: GrayImage,
    /// For the user, if the mask is white because nothing could be found.
    pub note: Option<String>,
}

/// The mask of the main face with its hair and neck: an ellipse whose rim fades out. Without a face all counts.
pub fn face_mask(size: (u32, u32), faces: &[FaceBox]) -> Masked {
    let Some(face) = main_face(faces, size) else {
        return white(size, "no face was found, so the whole picture counts; crop it to the face if there is one");
    };
    // The ellipse reaches from above the hair to the collar; its rim fades over a third of its radius.
    let (x, y) = (face.x + 0.5 * face.width, face.y + 0.45 * face.height);
    let (across, down) = (1.0 * face.width, 1.05 * face.height);
    let mask = GrayImage::from_fn(size.0, size.1, |px, py| {
        let radius = f32::hypot((px as f32 + 0.5 - x) / across, (py as f32 + 0.5 - y) / down);
        Luma([(255.0 * fade(radius, 0.85, 1.2)) as u8])
    });
    Masked { mask, note: None }
}

/// From 1 at `from` to 0 at `to`, without a kink.
fn fade(value: f32, from: f32, to: f32) -> f32 {
    let part = ((to - value) / (to - from)).clamp(0.0, 1.0);
    part * part * (3.0 - 2.0 * part)
}

/// The mask of an object from what a segmenter says, of any size: its rim softened, and never quite black. One of next to
/// nothing or of nearly everything is not believed.
pub fn object_mask(size: (u32, u32), segmented: &GrayImage) -> Masked {
    let Some(part) = covered(segmented) else {
        return white(size, "the subject could not be told from the background, so the whole picture counts");
    };
    if !BELIEVED.contains(&part) {
        let found = if part < 0.5 { "next to nothing" } else { "nearly everything" };
        return white(size, &format!("{found} was taken for the subject, so the whole picture counts"));
    }
    let fitted = match segmented.dimensions() == size {
        true => segmented.clone(),
        false => imageops::resize(segmented, size.0, size.1, FilterType::Triangle),
    };
    let mut mask = soften(&fitted);
    for pixel in mask.pixels_mut() {
        let level = u32::from(FLOOR) + u32::from(pixel[0]) * u32::from(255 - FLOOR) / 255;
        pixel[0] = level as u8;
    }
    Masked { mask, note: None }
}

/// The part of a mask that counts; `None` of an empty picture.
pub(crate) fn covered(mask: &GrayImage) -> Option<f32> {
    let count = mask.as_raw().len();
    let sum: u64 = mask.as_raw().iter().map(|&level| u64::from(level)).sum();
    (count > 0).then(|| (sum as f64 / count as f64 / 255.0) as f32)
}

/// The box around what counts at least half as much as white: left, top, right and bottom, 0 to 1.
pub(crate) fn bounds(mask: &GrayImage) -> Option<[f32; 4]> {
    let (mut left, mut top, mut right, mut bottom) = (u32::MAX, u32::MAX, 0, 0);
    for (x, y, _) in mask.enumerate_pixels().filter(|(_, _, level)| level[0] >= 128) {
        (left, right) = (left.min(x), right.max(x + 1));
        (top, bottom) = (top.min(y), bottom.max(y + 1));
    }
    let part = |side: u32, of: u32| side as f32 / of as f32;
    let (width, height) = mask.dimensions();
    (left < right).then(|| [part(left, width), part(top, height), part(right, width), part(bottom, height)])
}

/// Softened over a sixtieth of the longer side, at a quarter of the size: a wide blur of a large picture is slow.
fn soften(mask: &GrayImage) -> GrayImage {
    let (width, height) = mask.dimensions();
    let longest = width.max(height);
    let side = |side: u32| (u64::from(side) * 256 / u64::from(longest.max(256))).max(1) as u32;
    let small = imageops::resize(mask, side(width), side(height), FilterType::Triangle);
    let radius = small.width().max(small.height()) as f32 / 60.0;
    let soft = imageops::blur(&small, radius.max(0.5));
    imageops::resize(&soft, width, height, FilterType::Triangle)
}

fn white(size: (u32, u32), note: &str) -> Masked {
    Masked { mask: GrayImage::from_pixel(size.0, size.1, Luma([255])), note: Some(note.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(x: f32, y: f32, width: f32, height: f32) -> FaceBox {
        FaceBox { x, y, width, height, score: 0.9 }
    }

    #[test]
    fn a_face_counts_with_its_hair_and_fades_out() {
        let Masked { mask, note } = face_mask((400, 500), &[face(150.0, 150.0, 100.0, 130.0)]);
        let at = |x, y| mask.get_pixel(x, y)[0];
        assert_eq!((at(200, 215), note), (255, None));
        assert!(at(200, 110) == 255 && at(200, 310) > 200, "hair and neck");
        assert!((1..255).contains(&at(200, 70)), "the rim is soft: {}", at(200, 70));
        assert_eq!((at(20, 20), at(390, 490)), (0, 0));
    }

    #[test]
    fn of_several_faces_the_main_one_counts_and_without_any_all() {
        let faces = [face(10.0, 10.0, 30.0, 30.0), face(200.0, 200.0, 90.0, 90.0)];
        let mask = face_mask((400, 400), &faces).mask;
        assert_eq!((mask.get_pixel(245, 245)[0], mask.get_pixel(25, 25)[0]), (255, 0));
        for none in [&[][..], &[face(f32::NAN, 0.0, 1.0, 1.0)], &[face(-500.0, 0.0, 20.0, 20.0)]] {
            let Masked { mask, note } = face_mask((40, 30), none);
            assert!(mask.pixels().all(|level| level[0] == 255) && note.is_some_and(|note| note.contains("no face")));
        }
        // A face at the rim leaves something of it.
        assert!(covered(&face_mask((100, 100), &[face(-19.0, -19.0, 20.0, 20.0)]).mask).is_some_and(|part| part > 0.0));
    }

    #[test]
    fn an_object_is_soft_and_what_is_around_it_counts_a_little() {
        let square =
            GrayImage::from_fn(320, 320, |x, y| Luma([if (80..240).contains(&x) && y < 200 { 255 } else { 0 }]));
        let Masked { mask, note } = object_mask((640, 480), &square);
        let at = |x, y| mask.get_pixel(x, y)[0];
        assert_eq!((mask.dimensions(), note), ((640, 480), None));
        assert_eq!((at(320, 100), at(20, 470)), (255, FLOOR));
        assert!((FLOOR + 20..235).contains(&at(160, 100)), "the rim is soft: {}", at(160, 100));
    }

    #[test]
    fn masks_of_nothing_and_of_everything_are_not_believed() {
        let dot = GrayImage::from_fn(200, 200, |x, y| Luma([if x < 5 && y < 5 { 255 } else { 0 }]));
        let nearly = GrayImage::from_fn(200, 200, |x, y| Luma([if x < 5 && y < 5 { 0 } else { 255 }]));
        for mask in
            [GrayImage::new(200, 200), GrayImage::from_pixel(9, 9, Luma([255])), dot, nearly, GrayImage::new(0, 0)]
        {
            let Masked { mask, note } = object_mask((50, 60), &mask);
            assert!(note.is_some() && mask.dimensions() == (50, 60) && mask.pixels().all(|level| level[0] == 255));
        }
    }

    #[test]
    fn bounds_are_of_what_counts() {
        let mask = GrayImage::from_fn(100, 50, |x, y| Luma([if (10..40).contains(&x) && y >= 25 { 200 } else { 30 }]));
        assert_eq!(bounds(&mask), Some([0.1, 0.5, 0.4, 1.0]));
        assert_eq!(bounds(&GrayImage::new(9, 9)), None);
    }
}
