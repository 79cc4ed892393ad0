//! Which frames of an animation or a film are worth learning from: spread evenly, sharp, and not twice the same.

use image::{GrayImage, imageops};

/// Frames beyond this many are not looked at.
pub(crate) const LOOKED_AT: usize = 2000;
/// Side of the thumbnails by which frames are compared.
const THUMB: u32 = 16;
/// Mean difference of two thumbnails, in levels, below which frames count as the same. A subject that moves by a
/// twentieth of the picture differs by more; the noise of compression by less than 1.
const SAME: f64 = 2.5;
/// Standard deviation of a thumbnail, in levels, below which nothing is to be seen (fades, black frames).
const BLANK: f64 = 3.0;

/// What is remembered of a frame: a quarter of a kilobyte.
pub(crate) struct Glance {
    /// Mean square of the Laplacian; comparable between frames of one file only.
    sharpness: f64,
    thumb: GrayImage,
}

impl Glance {
    pub fn of(frame: &GrayImage) -> Self {
        Self { sharpness: sharpness(frame), thumb: imageops::thumbnail(frame, THUMB, THUMB) }
    }

    fn is_blank(&self) -> bool {
        let levels = || self.thumb.as_raw().iter().map(|&level| f64::from(level));
        let count = f64::from(THUMB * THUMB);
        let mean = levels().sum::<f64>() / count;
        levels().map(|level| (level - mean).powi(2)).sum::<f64>() / count < BLANK * BLANK
    }

    fn shows_the_same(&self, other: &Self) -> bool {
        let pairs = self.thumb.as_raw().iter().zip(other.thumb.as_raw());
        pairs.map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() < SAME * f64::from(THUMB * THUMB)
    }
}

fn sharpness(frame: &GrayImage) -> f64 {
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    if width < 3 || height < 3 {
        return 0.0;
    }
    let rows: Vec<&[u8]> = frame.as_raw().chunks_exact(width).collect();
    let mut sum = 0u64;
    for trio in rows.windows(3) {
        for x in 1..width - 1 {
            let around = [trio[0][x], trio[2][x], trio[1][x - 1], trio[1][x + 1]];
            let laplacian = around.into_iter().map(i64::from).sum::<i64>() - 4 * i64::from(trio[1][x]);
            sum += (laplacian * laplacian) as u64;
        }
    }
    sum as f64 / ((width - 2) * (height - 2)) as f64
}

/// The frames to take, in order: the sharpest of each of `most` equal intervals, without those that show what an earlier
/// one shows, and without blank ones unless all are.
pub(crate) fn choose(glances: &[Glance], most: usize) -> Vec<usize> {
    let intervals = most.min(glances.len());
    let all_blank = glances.iter().all(Glance::is_blank);
    let mut chosen: Vec<usize> = Vec::new();
    for i in 0..intervals {
        let interval = i * glances.len() / intervals..(i + 1) * glances.len() / intervals;
        let candidates = interval.filter(|&frame| all_blank || !glances[frame].is_blank());
        // Of equally sharp ones the first.
        let best = candidates.rev().max_by(|&a, &b| glances[a].sharpness.total_cmp(&glances[b].sharpness));
        let known = |frame: usize| chosen.iter().any(|&earlier| glances[earlier].shows_the_same(&glances[frame]));
        if let Some(best) = best.filter(|&best| !known(best)) {
            chosen.push(best);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Luma;

    /// A bar at `x`, its sides as soft as asked.
    fn bar(x: f64, soft: f64) -> Glance {
        Glance::of(&GrayImage::from_fn(64, 64, |at, _| {
            let inside = 1.0 / (1.0 + (((f64::from(at) - x).abs() - 6.0) / soft).exp());
            Luma([(255.0 * inside) as u8])
        }))
    }

    #[test]
    fn the_sharpest_of_each_interval_is_taken() {
        let film: Vec<Glance> =
            (0..40).map(|i| bar(10.0 + f64::from(i), if i % 10 == 3 { 0.3 } else { 3.0 })).collect();
        assert_eq!(choose(&film, 4), [3, 13, 23, 33]);
        assert_eq!(choose(&film[..2], 8).len(), 2, "fewer frames than are wanted");
        assert!(choose(&[], 8).is_empty() && choose(&film, 0).is_empty());
    }

    #[test]
    fn what_shows_the_same_is_taken_once_and_blank_frames_never() {
        let mut film: Vec<Glance> = (0..30).map(|_| bar(20.0, 0.5)).collect();
        film.extend((0..30).map(|_| bar(40.0, 0.5)));
        film.extend((0..30).map(|_| Glance::of(&GrayImage::from_pixel(64, 64, Luma([9])))));
        assert_eq!(choose(&film, 9), [0, 30]);
        assert_eq!(choose(&film[60..], 9), [0], "nothing but black is still a picture");
    }
}
