//! What is among given files, and a small copy of each picture for whoever looks through them.

use image::{DynamicImage, ImageFormat, imageops::thumbnail};
use protocol::{Limits, PictureView, SkippedFile, Survey};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Longest side of a small copy, in pixels: enough for a page to move its crop.
const SIDE: u32 = 512;

/// Looks through files. Small copies go into the folder `thumbnails`, named by the digest of the picture's pixels: a JPEG,
/// and a PNG of its mask if one lies beside it.
///
/// # Errors
/// If a file cannot be read, or there is no picture.
pub fn survey(paths: &[PathBuf], limits: &Limits, thumbnails: Option<&Path>) -> Result<Survey, dataset::Error> {
    // Nothing is fitted: this is only a look.
    let options = concept::picture_options(0, protocol::Crop::Center, limits);
    let mut pictures = Vec::new();
    let found = dataset::scan(paths, &options, &dataset::Captions::new(), &mut |photo| {
        let (width, height) = photo.original;
        let (sha256, masked) = (concept::hex(&photo.digest), photo.mask.is_some());
        if let Some(folder) = thumbnails {
            let mask = photo.mask.map(DynamicImage::ImageLuma8);
            let copies = [(Some(photo.image.into()), "jpg", ImageFormat::Jpeg), (mask, "png", ImageFormat::Png)];
            for (picture, ending, format) in copies {
                if let Some(picture) = picture {
                    keep(&picture, &folder.join(format!("{sha256}.{ending}")), format);
                }
            }
        }
        pictures.push(PictureView {
            name: photo.name,
            width,
            height,
            caption: photo.caption,
            mask: masked,
            repeats: photo.repeats,
            sha256,
            used: true,
            focus: None,
        });
        Ok::<_, dataset::Error>(())
    })?;
    pictures.sort_by(|a, b| a.name.cmp(&b.name));
    let skipped = found.skipped.iter().map(|s| SkippedFile { name: s.name.clone(), reason: s.reason.clone() });
    Ok(Survey { pictures, skipped: skipped.collect(), notes: found.notes.clone() })
}

/// Writes a small copy. Without one a page shows the name alone, so that a full disk costs no more than that.
fn keep(picture: &DynamicImage, path: &Path, format: ImageFormat) {
    let written = || -> Result<(), image::ImageError> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let factor = f64::from(SIDE) / f64::from(picture.width().max(picture.height()));
        let side = |side: u32| ((f64::from(side) * factor).round() as u32).max(1);
        match factor < 1.0 {
            true => small(picture, side(picture.width()), side(picture.height())).save_with_format(path, format),
            false => picture.save_with_format(path, format),
        }
    };
    if let Err(error) = written() {
        eprintln!("{}: {error}", path.display());
    }
}

fn small(picture: &DynamicImage, width: u32, height: u32) -> DynamicImage {
    match picture {
        DynamicImage::ImageLuma8(mask) => thumbnail(mask, width, height).into(),
        picture => thumbnail(&picture.to_rgb8(), width, height).into(),
    }
}
