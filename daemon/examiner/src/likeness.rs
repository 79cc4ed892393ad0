//! Pictures that show nearly the same, upright or mirrored or cropped, whatever their size, brightness and compression.
//!
//! Hashes find candidates, thumbnails decide. Measured on five photographs: the same one blurred, compressed to JPEG quality
//! 10, brightened by 1.4 or mirrored has hashes at most 10 bits apart and thumbnails that correlate above 0.98; cropped to
//! 0.8 to 0.97 of its sides above 0.95 in most cases. Unrelated photographs stay below 0.6, both sides of a stereo pair at
//! 0.81, different drawings of one creature at 0.947.

use image::{RgbImage, imageops};
use rayon::prelude::*;

/// Side of the thumbnails that decide.
const SIDE: usize = 32;
/// Bits in which hashes of candidates differ at most. Unrelated pictures differ in about half of the 64.
const CANDIDATE: u32 = 13;
/// Correlation of thumbnails from which on pictures are nearly the same.
const SAME: f32 = 0.96;
/// Correlation below which no better crop is looked for.
const HOPELESS: f32 = 0.7;
/// Parts of the sides that crops of the hashes leave out.
const CUTS: [f32; 2] = [0.1, 0.2];
/// Where a crop lies in what is left: at one side, in the middle, at the other side.
const PLACES: [f32; 3] = [0.0, 0.5, 1.0];

/// What pictures are recognised by: three kilobytes.
#[derive(Clone)]
pub(crate) struct Likeness {
    /// Of the whole picture, then of crops of it.
    hashes: Vec<u64>,
    /// Of the mirrored picture.
    mirrored: u64,
    /// Squeezed into a square; three colours a pixel.
    thumb: Vec<u8>,
    grey: bool,
}

/// A part of a thumbnail.
#[derive(Clone, Copy)]
struct Part {
    /// Of the sides, that is left out.
    cut: f32,
    /// Of what is left out, that is on the left.
    x: f32,
    /// Of what is left out, that is above.
    y: f32,
}

const WHOLE: Part = Part { cut: 0.0, x: 0.0, y: 0.0 };

fn parts() -> impl Iterator<Item = Part> {
    let crops = CUTS.into_iter().flat_map(|cut| PLACES.into_iter().map(move |x| (cut, x)));
    std::iter::once(WHOLE).chain(crops.flat_map(|(cut, x)| PLACES.into_iter().map(move |y| Part { cut, x, y })))
}

impl Likeness {
    /// `grey` says that it has no colours, so that those of others do not count.
    pub fn of(picture: &RgbImage, grey: bool) -> Self {
        let side = SIDE as u32;
        let thumb = imageops::resize(picture, side, side, imageops::FilterType::Triangle).into_raw();
        let hashes = parts().map(|part| hash(&cropped(&thumb, part))).collect();
        Self { hashes, mirrored: hash(&flipped(&cropped(&thumb, WHOLE))), thumb, grey }
    }

    /// Bytes that it holds.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        size_of_val(&self.hashes[..]) + self.thumb.len()
    }

    /// Whether both show nearly the same.
    pub fn repeats(&self, other: &Self) -> Option<Repeat> {
        let grey = self.grey || other.grey;
        let within = |whole: &Self, part_hash: u64, thumb: &dyn Fn() -> Vec<u8>| {
            let near = parts().zip(&whole.hashes).map(|(part, hash)| (part, (hash ^ part_hash).count_ones()));
            let nearest = near.min_by_key(|(_, distance)| *distance).filter(|(_, distance)| *distance <= CANDIDATE);
            nearest.is_some_and(|(part, _)| holds(&whole.thumb, &thumb(), part, grey))
        };
        let upright = within(self, other.hashes[0], &|| other.thumb.clone())
            || within(other, self.hashes[0], &|| self.thumb.clone());
        if upright {
            return Some(Repeat::Upright);
        }
        let mirrored = within(self, other.mirrored, &|| flipped(&other.thumb))
            || within(other, self.mirrored, &|| flipped(&self.thumb));
        mirrored.then_some(Repeat::Mirrored)
    }
}

/// How a picture repeats another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    Upright,
    Mirrored,
}

/// A bit for each pair of neighbours in a row of a 9 x 8 thumbnail: whether it gets brighter ("dHash").
fn hash(thumb: &[f32]) -> u64 {
    let grey: Vec<f32> = thumb.chunks_exact(3).map(|c| 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2]).collect();
    // Means over cells whose borders lie between pixels.
    let mean = |column: usize, row: usize| {
        let (left, right) = (column as f32 * SIDE as f32 / 9.0, (column + 1) as f32 * SIDE as f32 / 9.0);
        let (mut sum, mut weights) = (0.0, 0.0);
        for x in left as usize..(right.ceil() as usize).min(SIDE) {
            let weight = right.min((x + 1) as f32) - left.max(x as f32);
            for y in row * SIDE / 8..(row + 1) * SIDE / 8 {
                sum += weight * grey[y * SIDE + x];
                weights += weight;
            }
        }
        sum / weights
    };
    (0..64).fold(0, |hash, i| {
        let (column, row) = (i % 8, i / 8);
        // A level of difference is noise; flat places must not be hashed by it.
        (hash << 1) | u64::from(mean(column, row) + 0.5 < mean(column + 1, row))
    })
}

fn flipped<T: Copy>(thumb: &[T]) -> Vec<T> {
    thumb.chunks_exact(3 * SIDE).flat_map(|row| row.chunks_exact(3).rev().flatten().copied()).collect()
}

/// Whether a part of `whole` near the given one is nearly `thumb`.
fn holds(whole: &[u8], thumb: &[u8], near: Part, grey: bool) -> bool {
    let likeness = |part| correlation(&cropped(whole, part), thumb, grey);
    let first = likeness(near);
    if !(HOPELESS..SAME).contains(&first) {
        return first >= SAME;
    }
    [-0.05, 0.0, 0.05].into_iter().map(|more| (near.cut + more).max(0.02)).any(|cut| {
        let around = |at: f32| [at - 0.25, at, at + 0.25].map(|at| at.clamp(0.0, 1.0));
        around(near.x).into_iter().any(|x| around(near.y).into_iter().any(|y| likeness(Part { cut, x, y }) >= SAME))
    })
}

/// A part of a thumbnail, enlarged to its size again.
fn cropped(thumb: &[u8], part: Part) -> Vec<f32> {
    if part.cut == 0.0 {
        return thumb.iter().map(|&level| f32::from(level)).collect();
    }
    let most = (SIDE - 1) as f32;
    // Where each pixel lies: the one before, the one behind, and how far it is to that.
    let places = |start: f32| -> Vec<(usize, usize, f32)> {
        let place =
            |i: usize| (start * part.cut + (1.0 - part.cut) * (i as f32 + 0.5) / SIDE as f32) * SIDE as f32 - 0.5;
        (0..SIDE)
            .map(|i| place(i).clamp(0.0, most))
            .map(|at| (at as usize, (at as usize + 1).min(SIDE - 1), at.fract()))
            .collect()
    };
    let (across, down) = (places(part.x), places(part.y));
    let level = |x: usize, y: usize, c: usize| f32::from(thumb[(y * SIDE + x) * 3 + c]);
    let mut result = Vec::with_capacity(thumb.len());
    for &(y0, y1, fy) in &down {
        for &(x0, x1, fx) in &across {
            for c in 0..3 {
                let above = level(x0, y0, c) * (1.0 - fx) + level(x1, y0, c) * fx;
                let below = level(x0, y1, c) * (1.0 - fx) + level(x1, y1, c) * fx;
                result.push(above * (1.0 - fy) + below * fy);
            }
        }
    }
    result
}

/// Correlation of two thumbnails, which neither brightness nor contrast changes. Of two without any contrast 1.
fn correlation(a: &[f32], b: &[u8], grey: bool) -> f32 {
    // A level of noise; what has less is blank.
    const BLANK: f64 = 1.0;
    let values: Vec<(f64, f64)> = match grey {
        true => a.chunks_exact(3).zip(b.chunks_exact(3)).map(|(a, b)| (luma(a), luma(b))).collect(),
        false => a.iter().zip(b).map(|(a, b)| (f64::from(*a), f64::from(*b))).collect(),
    };
    let count = values.len() as f64;
    let (sum_a, sum_b) = values.iter().fold((0.0, 0.0), |sums, (a, b)| (sums.0 + a, sums.1 + b));
    let (mean_a, mean_b) = (sum_a / count, sum_b / count);
    let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
    for (a, b) in values {
        let (a, b) = (a - mean_a, b - mean_b);
        (aa, bb, ab) = (aa + a * a, bb + b * b, ab + a * b);
    }
    match (aa < BLANK * count, bb < BLANK * count) {
        (true, true) => f32::from(u8::from((mean_a - mean_b).abs() < 8.0)),
        (false, false) => (ab / (aa * bb).sqrt()) as f32,
        _ => 0.0,
    }
}

fn luma<T: Copy + Into<f64>>(pixel: &[T]) -> f64 {
    0.2126 * pixel[0].into() + 0.7152 * pixel[1].into() + 0.0722 * pixel[2].into()
}

/// Pictures that repeat each other, in groups of at least two, by their places in `prints`; in order. With each group whether
/// something in it is mirrored.
pub(crate) fn groups(prints: &[&Likeness]) -> Vec<(Vec<usize>, bool)> {
    let pairs: Vec<(usize, usize, Repeat)> = (0..prints.len())
        .into_par_iter()
        .flat_map_iter(|a| {
            (a + 1..prints.len()).filter_map(move |b| prints[a].repeats(prints[b]).map(|repeat| (a, b, repeat)))
        })
        .collect();
    let mut first: Vec<usize> = (0..prints.len()).collect();
    let root = |first: &[usize], mut at: usize| {
        while first[at] != at {
            at = first[at];
        }
        at
    };
    for &(a, b, _) in &pairs {
        let (a, b) = (root(&first, a), root(&first, b));
        first[a.max(b)] = a.min(b);
    }
    let mut groups: std::collections::BTreeMap<usize, (Vec<usize>, bool)> = Default::default();
    for at in 0..prints.len() {
        groups.entry(root(&first, at)).or_default().0.push(at);
    }
    for &(a, _, repeat) in &pairs {
        groups.entry(root(&first, a)).or_default().1 |= repeat == Repeat::Mirrored;
    }
    groups.into_values().filter(|(members, _)| members.len() > 1).collect()
}
