//! Small pieces of a picture at its own resolution: what scaling down would hide is measured there, at a bounded cost.

use image::{GrayImage, RgbImage, imageops};

/// Side of a tile, in pixels.
const SIDE: u32 = 160;
/// Tiles along each side of a picture, at most.
const ACROSS: u32 = 6;

/// Tiles spread evenly over a picture, in grey. Their left and top are multiples of 8, so that the blocks of a JPEG lie
/// alike in all of them.
pub(crate) fn tiles(picture: &RgbImage) -> impl Iterator<Item = GrayImage> + '_ {
    let (across, down) = (starts(picture.width()), starts(picture.height()));
    down.into_iter().flat_map(move |y| across.clone().into_iter().map(move |x| (x, y))).map(|(x, y)| {
        let (width, height) = (SIDE.min(picture.width() - x), SIDE.min(picture.height() - y));
        imageops::grayscale(&*imageops::crop_imm(picture, x, y, width, height))
    })
}

fn starts(side: u32) -> Vec<u32> {
    let free = side.saturating_sub(SIDE);
    let count = side.div_ceil(SIDE).min(ACROSS);
    (0..count).map(|i| free * i / (count - 1).max(1) / 8 * 8).collect()
}

/// The picture in grey, at most `longest` pixels long.
pub(crate) fn small_grey(picture: &RgbImage, longest: u32) -> GrayImage {
    imageops::grayscale(&small(picture, longest))
}

/// The picture, at most `longest` pixels long.
pub(crate) fn small(picture: &RgbImage, longest: u32) -> RgbImage {
    let most = picture.width().max(picture.height());
    if most <= longest {
        return picture.clone();
    }
    let side = |side: u32| ((u64::from(side) * u64::from(longest) / u64::from(most)) as u32).max(1);
    imageops::thumbnail(picture, side(picture.width()), side(picture.height()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_are_few_and_within_the_picture() {
        for (size, count) in [((100, 50), 1), ((160, 160), 1), ((161, 170), 4), ((4000, 1000), 36), ((1, 3000), 6)] {
            let picture = RgbImage::new(size.0, size.1);
            assert_eq!(tiles(&picture).count(), count, "{size:?}");
        }
        assert!(starts(5000).iter().all(|start| start % 8 == 0) && starts(5000)[5] > 5000 - 170);
        assert_eq!(small(&RgbImage::new(4000, 3), 512).dimensions(), (512, 1));
    }
}
