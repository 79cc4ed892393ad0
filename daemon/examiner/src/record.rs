//! What is kept of a picture after a look at it: a few kilobytes, so that any number of pictures can be examined.

use crate::{
    Seen, Settings,
    blocks::jpeg_steps,
    edges::edge_width,
    faces::{FaceBox, main_face},
    light::Light,
    likeness::Likeness,
    looks::Looks,
    masks::{bounds, covered},
    salience::Salience,
    tiles::small,
};
use dataset::{Photo, Window, crop_window, training_size};
use image::GrayImage;
use protocol::SubjectSource;

/// Longest side of the picture by which colours and likeness are measured.
const LOOK: u32 = 512;
/// Longer embeddings are cut off, so that a record stays small.
const LONGEST_EMBEDDING: usize = 2048;
/// More faces than this are a crowd.
const CROWD: usize = 32;

/// What a look at a picture has shown.
#[derive(Clone)]
pub struct PictureRecord {
    pub(crate) name: String,
    pub(crate) size: (u32, u32),
    pub(crate) transparent: bool,
    pub(crate) captioned: bool,
    pub(crate) caption_tokens: Option<usize>,
    /// What is trained of it when it is cropped from the middle.
    pub(crate) window: Window,
    /// Training pixels for each pixel of the picture.
    pub(crate) enlargement: f32,
    /// In pixels of the picture.
    pub(crate) edge_width: Option<f32>,
    pub(crate) jpeg_steps: f32,
    pub(crate) light: Light,
    pub(crate) faces: Option<Vec<FaceBox>>,
    pub(crate) subject: Option<Subject>,
    pub(crate) likeness: Likeness,
    pub(crate) looks: Looks,
    /// Of length one; empty if there is none.
    pub(crate) embedding: Vec<f32>,
}

/// Where the subject is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Subject {
    /// Left, top, right, bottom, 0 to 1.
    pub sides: [f32; 4],
    pub source: SubjectSource,
    /// The part of it that is in the crop from the middle.
    pub kept: f32,
}

impl PictureRecord {
    pub(crate) fn of(settings: &Settings, photo: &Photo, seen: &Seen) -> Self {
        let size = photo.image.dimensions();
        let target = training_size(size, settings.resolution, settings.crop);
        let window = crop_window(size, target, None);
        let look = small(&photo.image, LOOK);
        let light = Light::of(&look);
        let faces = seen.faces.map(|faces| {
            let sound = faces.iter().copied().filter(|face| face.is_sound(size));
            sound.take(CROWD).collect::<Vec<_>>()
        });
        let mask = photo.mask.as_ref().or(seen.mask);
        let subject = subject(faces.as_deref(), mask, &look, size, relative(size, window));
        Self {
            name: photo.name.clone(),
            size,
            transparent: photo.transparent,
            captioned: photo.caption.is_some(),
            caption_tokens: seen.caption_tokens,
            window,
            enlargement: target.0 as f32 / window.width as f32,
            edge_width: edge_width(&photo.image),
            jpeg_steps: jpeg_steps(&photo.image),
            light,
            faces,
            subject,
            likeness: Likeness::of(&look, light.is_grey()),
            looks: Looks::of(&look),
            embedding: unit(seen.embedding.unwrap_or_default()),
        }
    }

    /// The picture's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the subject is (left, top, right, bottom; 0 to 1), for [`dataset::Options::focuses`] and crops; `None` if nothing
    /// stands out.
    pub fn focus(&self) -> Option<[f32; 4]> {
        self.subject.map(|subject| subject.sides)
    }

    /// Half the width of edges in pixels of the training picture.
    pub(crate) fn trained_edge_width(&self) -> Option<f32> {
        self.edge_width.map(|width| width * self.enlargement.min(1.0))
    }

    pub(crate) fn crop(&self) -> [f32; 4] {
        relative(self.size, self.window)
    }
}

fn relative((width, height): (u32, u32), window: Window) -> [f32; 4] {
    let (width, height) = (width.max(1) as f32, height.max(1) as f32);
    let (right, bottom) = (window.x + window.width, window.y + window.height);
    [window.x as f32 / width, window.y as f32 / height, right as f32 / width, bottom as f32 / height]
}

/// A face says best where the subject is, then a mask that is neither empty nor full, then what stands out.
fn subject(
    faces: Option<&[FaceBox]>,
    mask: Option<&GrayImage>,
    look: &image::RgbImage,
    size: (u32, u32),
    crop: [f32; 4],
) -> Option<Subject> {
    if let Some(face) = faces.and_then(|faces| main_face(faces, size)) {
        let (width, height) = (size.0 as f32, size.1 as f32);
        let right_bottom = (face.x + face.width, face.y + face.height);
        let bare = [face.x / width, face.y / height, right_bottom.0 / width, right_bottom.1 / height];
        return Some(Subject { sides: face.head(size), source: SubjectSource::Face, kept: common(bare, crop) });
    }
    if let Some(mask) = mask.filter(|mask| covered(mask).is_some_and(|part| (0.005..0.9).contains(&part)))
        && let Some(sides) = bounds(mask)
    {
        return Some(Subject { sides, source: SubjectSource::Mask, kept: kept(mask, crop) });
    }
    let salience = Salience::of(look);
    let sides = salience.subject()?;
    Some(Subject { sides, source: SubjectSource::Salience, kept: salience.inside(crop) })
}

/// The part of a box that lies in another.
fn common(of: [f32; 4], within: [f32; 4]) -> f32 {
    let of = of.map(|side| side.clamp(0.0, 1.0));
    let along = |low: usize| (of[low + 2].min(within[low + 2]) - of[low].max(within[low])).max(0.0);
    let area = (of[2] - of[0]) * (of[3] - of[1]);
    if area > 0.0 { along(0) * along(1) / area } else { 1.0 }
}

/// The part of a mask's weight that lies in a box.
fn kept(mask: &GrayImage, within: [f32; 4]) -> f32 {
    let (width, height) = (mask.width() as f32, mask.height() as f32);
    let (mut all, mut inside) = (0u64, 0u64);
    for (x, y, level) in mask.enumerate_pixels() {
        let (x, y, level) = ((x as f32 + 0.5) / width, (y as f32 + 0.5) / height, u64::from(level[0]));
        all += level;
        if x >= within[0] && x <= within[2] && y >= within[1] && y <= within[3] {
            inside += level;
        }
    }
    if all > 0 { (inside as f64 / all as f64) as f32 } else { 1.0 }
}

/// Scaled to a length of one; empty if it has none or holds what is no number.
fn unit(embedding: &[f32]) -> Vec<f32> {
    let embedding = &embedding[..embedding.len().min(LONGEST_EMBEDDING)];
    let length = embedding.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    if !length.is_finite() || length < 1e-12 {
        return Vec::new();
    }
    embedding.iter().map(|value| (f64::from(*value) / length) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dataset::Crop;
    use image::{Rgb, RgbImage};
    use protocol::Mode;

    /// Ten thousand pictures must not fill memory.
    #[test]
    fn a_record_is_small() {
        let photo = Photo {
            name: "a.png".into(),
            image: RgbImage::from_fn(2000, 1500, |x, y| Rgb([x as u8, y as u8, (x * y) as u8])),
            mask: None,
            transparent: false,
            caption: None,
            repeats: 1,
            original: (2000, 1500),
            crop: (0, 0),
            digest: [0; 32],
        };
        let settings = Settings { mode: Mode::Face, resolution: 1024, crop: Crop::Bucket };
        let faces = vec![FaceBox { x: 5.0, y: 5.0, width: 50.0, height: 50.0, score: 1.0 }; 1000];
        let seen = Seen { faces: Some(&faces), embedding: Some(&[0.5; 9000]), ..Seen::default() };
        let record = PictureRecord::of(&settings, &photo, &seen);
        let heap = size_of_val(&record.embedding[..])
            + size_of_val(record.faces.as_deref().unwrap_or_default())
            + size_of_val(&record.looks.border[..])
            + record.likeness.bytes();
        assert!(size_of_val(&record) + heap < 20_000, "{heap}");
    }
}
