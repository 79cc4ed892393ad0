//! How sharp a picture is: the width of its edges.
//!
//! An edge is a step that something has blurred with a bell of standard deviation s. Blurred once more, with a known
//! deviation s0, its slope falls by R = sqrt(s^2 + s0^2) / s, so that s = s0 / sqrt(R^2 - 1) (Zhuo and Sim, "Defocus map
//! estimation from a single image", 2011). The measure depends neither on contrast nor on how much of the picture has
//! edges, so drawings of flat colours count as sharp.

use crate::tiles::{small_grey, tiles};
use image::{GrayImage, RgbImage};

/// Deviation of the second blur, in pixels.
const AGAIN: f32 = 1.0;
/// Slope after the second blur, in levels a pixel, from which on it is an edge and no noise.
const STEEP: f32 = 4.0;
/// Edges from which on a tile, and a picture, is judged.
const ENOUGH: usize = 24;
/// Wider edges cannot be told from slopes.
const WIDEST: f32 = 8.0;

/// Standard deviation of a picture's sharper edges in its own pixels; `None` if it has no edges at all. A perfect edge has
/// 0.4. The sharpest quarter of the picture counts: backgrounds may be out of focus.
pub(crate) fn edge_width(picture: &RgbImage) -> Option<f32> {
    let mut widths: Vec<f32> = tiles(picture).filter_map(|tile| median_width(&tile)).collect();
    if widths.is_empty() {
        return coarse_width(picture);
    }
    widths.sort_by(f32::total_cmp);
    Some(widths[widths.len() / 4])
}

/// Of a picture whose edges are so wide that they only show when it is made smaller.
fn coarse_width(picture: &RgbImage) -> Option<f32> {
    let longest = picture.width().max(picture.height());
    [512, 256, 128, 64].into_iter().filter(|side| *side < longest).find_map(|side| {
        let width = median_width(&small_grey(picture, side))?;
        Some(width * longest as f32 / side as f32)
    })
}

/// The median width of the edges of a tile, if it has enough.
fn median_width(tile: &GrayImage) -> Option<f32> {
    let (width, height) = (tile.width() as usize, tile.height() as usize);
    if width < 8 || height < 8 {
        return None;
    }
    let sharp: Vec<f32> = tile.as_raw().iter().map(|&level| f32::from(level)).collect();
    let soft = blurred(&sharp, width, height);
    let mut widths = Vec::new();
    for y in 2..height - 2 {
        for x in 2..width - 2 {
            let at = y * width + x;
            let (across, down) = (soft[at + 1] - soft[at], soft[at + width] - soft[at]);
            // Only where an edge is met at less than 45 degrees; slanted, it would seem wider.
            let (step, slope) = if across.abs() >= down.abs() { (1, across.abs()) } else { (width, down.abs()) };
            let slope_at = |at: usize| (soft[at + step] - soft[at]).abs();
            if slope < STEEP || slope < slope_at(at - step) || slope <= slope_at(at + step) {
                continue;
            }
            let ratio = (sharp[at + step] - sharp[at]).abs() / slope;
            let narrowest = f32::hypot(1.0, AGAIN / WIDEST);
            widths.push(AGAIN / (ratio.max(narrowest).powi(2) - 1.0).sqrt());
        }
    }
    if widths.len() < ENOUGH {
        return None;
    }
    let middle = widths.len() / 2;
    Some(*widths.select_nth_unstable_by(middle, f32::total_cmp).1)
}

/// Blurred with a bell of deviation [`AGAIN`]; what is beyond the border is as the border.
fn blurred(levels: &[f32], width: usize, height: usize) -> Vec<f32> {
    const REACH: usize = 3;
    let mut bell = [0.0; REACH + 1];
    for (i, weight) in bell.iter_mut().enumerate() {
        *weight = (-0.5 * (i as f32 / AGAIN).powi(2)).exp();
    }
    let sum = bell[0] + 2.0 * bell[1..].iter().sum::<f32>();
    // Along the rows, each between copies of its ends.
    let mut rows = vec![0.0; levels.len()];
    let mut line = vec![0.0; width + 2 * REACH];
    for (row, to) in levels.chunks_exact(width).zip(rows.chunks_exact_mut(width)) {
        line[..REACH].fill(row[0]);
        line[REACH..REACH + width].copy_from_slice(row);
        line[REACH + width..].fill(row[width - 1]);
        for (x, to) in to.iter_mut().enumerate() {
            let at = x + REACH;
            *to = (1..=REACH).fold(bell[0] * line[at], |sum, i| sum + bell[i] * (line[at - i] + line[at + i])) / sum;
        }
    }
    // Then whole rows are added.
    let row = |y: usize| &rows[y * width..(y + 1) * width];
    let mut result = vec![0.0; levels.len()];
    for (y, to) in result.chunks_exact_mut(width).enumerate() {
        for i in 0..=REACH {
            let weight = if i == 0 { bell[0] / 2.0 } else { bell[i] } / sum;
            let (above, below) = (row(y.saturating_sub(i)), row((y + i).min(height - 1)));
            for ((to, above), below) in to.iter_mut().zip(above).zip(below) {
                *to += weight * (above + below);
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, imageops};

    fn bars() -> RgbImage {
        RgbImage::from_fn(400, 300, |x, y| Rgb([if (x / 40 + y / 50) % 2 == 0 { 30 } else { 200 }; 3]))
    }

    /// The measure follows the blur that was put in.
    #[test]
    fn blur_is_measured_in_pixels() {
        let sharp = edge_width(&bars()).expect("edges");
        assert!(sharp < 0.6, "{sharp}");
        for blur in [1.0, 2.0] {
            let width = edge_width(&imageops::blur(&bars(), blur)).expect("edges");
            assert!((width / blur - 1.0).abs() < 0.25, "{blur}: {width}");
        }
        // Wider, a level more or less of 255 decides.
        assert!(edge_width(&imageops::blur(&bars(), 4.0)).is_some_and(|width| width > 2.8));
    }

    #[test]
    fn faint_wide_edges_are_found_on_a_smaller_picture() {
        let hills = RgbImage::from_fn(1500, 1000, |x, y| {
            Rgb([(128.0 + 60.0 * (x as f32 / 60.0).sin() + 60.0 * (y as f32 / 70.0).cos()) as u8; 3])
        });
        assert!(edge_width(&hills).is_some_and(|width| width > 8.0));
    }

    #[test]
    fn nothing_has_no_edges() {
        for size in [(1, 1), (7, 300), (640, 480)] {
            assert_eq!(edge_width(&RgbImage::from_pixel(size.0, size.1, Rgb([90, 90, 90]))), None);
        }
    }
}
