//! OpenCV's `INTER_AREA` for pictures that shrink, to the bit: kohya's scripts prepare large pictures with it.
//!
//! From `resize.cpp` of OpenCV: each new pixel is the mean of the old ones under it, weighed in 32-bit floats, across
//! first and down afterwards, rounded to even; whole factors are summed as integers, and 2 x 2 rounds half up.

use image::RgbImage;

const CHANNELS: usize = 3;

/// A square picture made smaller, to `side` x `side`. It must not be smaller already.
pub(super) fn shrink(picture: &RgbImage, side: u32) -> RgbImage {
    let old = picture.width() as usize;
    let new = side as usize;
    let pixels = if old.is_multiple_of(new) {
        blocks(picture.as_raw(), old, old / new)
    } else {
        weighed(picture.as_raw(), old, new)
    };
    RgbImage::from_raw(side, side, pixels).expect("bug: a pixel for every place")
}

/// Means of blocks of `factor` x `factor` pixels.
fn blocks(pixels: &[u8], side: usize, factor: usize) -> Vec<u8> {
    let new = side / factor;
    let scale = 1.0 / (factor * factor) as f32;
    let mut means = Vec::with_capacity(new * new * CHANNELS);
    let mut sums = vec![0_u32; new * CHANNELS];
    for rows in pixels.chunks_exact(side * CHANNELS * factor) {
        sums.fill(0);
        for row in rows.chunks_exact(side * CHANNELS) {
            for (sum, block) in sums.chunks_exact_mut(CHANNELS).zip(row.chunks_exact(CHANNELS * factor)) {
                for pixel in block.chunks_exact(CHANNELS) {
                    sum.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += u32::from(*value));
                }
            }
        }
        let mean = |sum: u32| if factor == 2 { ((sum + 2) >> 2) as u8 } else { rounded(sum as f32 * scale) };
        means.extend(sums.iter().map(|sum| mean(*sum)));
    }
    means
}

fn weighed(pixels: &[u8], side: usize, new: usize) -> Vec<u8> {
    let parts = parts(side, new);
    let mut means = Vec::with_capacity(new * new * CHANNELS);
    let mut across = vec![0.0_f32; new * CHANNELS];
    let mut sums = vec![0.0_f32; new * CHANNELS];
    // A row that two new rows share is summed for each of them, since only the upper row's sums would have to be kept.
    for part in &parts {
        sums.fill(0.0);
        for (row, weight) in part {
            sum_across(&pixels[row * side * CHANNELS..][..side * CHANNELS], &parts, &mut across);
            sums.iter_mut().zip(&across).for_each(|(sum, value)| *sum += weight * value);
        }
        means.extend(sums.iter().map(|sum| rounded(*sum)));
    }
    means
}

fn sum_across(row: &[u8], parts: &[Vec<(usize, f32)>], sums: &mut [f32]) {
    for (sum, part) in sums.chunks_exact_mut(CHANNELS).zip(parts) {
        sum.fill(0.0);
        for (place, weight) in part {
            for (sum, value) in sum.iter_mut().zip(&row[place * CHANNELS..][..CHANNELS]) {
                *sum += f32::from(*value) * weight;
            }
        }
    }
}

/// For each new pixel the old ones under it with their weights (`computeResizeAreaTab`).
fn parts(old: usize, new: usize) -> Vec<Vec<(usize, f32)>> {
    /// A smaller piece of a pixel counts for nothing.
    const LEAST: f64 = 1e-3;
    let scale = old as f64 / new as f64;
    (0..new)
        .map(|index| {
            let from = index as f64 * scale;
            let to = from + scale;
            let width = scale.min(old as f64 - from);
            let last = (to.floor() as usize).min(old - 1);
            let first = (from.ceil() as usize).min(last);
            let mut part = Vec::with_capacity(last - first + 2);
            if first as f64 - from > LEAST {
                part.push((first - 1, ((first as f64 - from) / width) as f32));
            }
            part.extend((first..last).map(|place| (place, (1.0 / width) as f32)));
            if to - last as f64 > LEAST {
                part.push((last, ((to - last as f64).min(1.0).min(width) / width) as f32));
            }
            part
        })
        .collect()
}

fn rounded(value: f32) -> u8 {
    value.round_ties_even() as u8
}
