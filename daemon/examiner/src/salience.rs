//! Where a picture's subject is when no model says so: where edges are dense and colours differ from those at the border.

use crate::tiles::small;
use image::RgbImage;

/// Longest side of the picture that is looked at.
const SIDE: u32 = 96;
/// What a place must have to be part of the subject, where the mean of the picture is 2.
const BASE: f32 = 2.5;
/// What some place must have for there to be a subject at all.
const PEAK: f32 = 3.0;
/// A box that takes more of the picture than this says nothing.
const LARGEST: f32 = 0.6;

/// How much each place of a small picture stands out; 0 for most of them.
pub(crate) struct Salience {
    width: usize,
    height: usize,
    weights: Vec<f32>,
}

impl Salience {
    pub fn of(picture: &RgbImage) -> Self {
        let picture = small(picture, SIDE);
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let pixels: Vec<[f32; 3]> = picture.pixels().map(|pixel| pixel.0.map(f32::from)).collect();
        let border = border_color(&pixels, width, height);
        let colors: Vec<f32> = pixels.iter().map(|pixel| apart(pixel, &border)).collect();
        let edges: Vec<f32> = (0..pixels.len())
            .map(|at| {
                let right = if at % width + 1 < width { at + 1 } else { at };
                let below = if at / width + 1 < height { at + width } else { at };
                apart(&pixels[at], &pixels[right]) + apart(&pixels[at], &pixels[below])
            })
            .collect();
        let (colors, edges) = (relative(&smooth(&colors, width, height)), relative(&smooth(&edges, width, height)));
        let both: Vec<f32> = colors.iter().zip(&edges).map(|(color, edge)| color + edge).collect();
        // Both have a mean of one. Grass reaches 2.7 somewhere, the faintest subject of a photograph 3.2.
        let weights = match both.iter().any(|weight| *weight > PEAK) {
            true => both.into_iter().map(|weight| (weight - BASE).max(0.0)).collect(),
            false => vec![0.0; both.len()],
        };
        Self { width, height, weights }
    }

    /// Part of what stands out that is inside a box (left, top, right, bottom; 0 to 1); 1 if nothing does.
    pub fn inside(&self, sides: [f32; 4]) -> f32 {
        let mut inside = 0.0;
        for (at, weight) in self.weights.iter().enumerate() {
            let x = ((at % self.width) as f32 + 0.5) / self.width as f32;
            let y = ((at / self.width) as f32 + 0.5) / self.height as f32;
            if x >= sides[0] && x <= sides[2] && y >= sides[1] && y <= sides[3] {
                inside += weight;
            }
        }
        let all: f32 = self.weights.iter().sum();
        if all > 0.0 { inside / all } else { 1.0 }
    }

    /// The box around most of what stands out; `None` if that is all over the picture, or nothing.
    pub fn subject(&self) -> Option<[f32; 4]> {
        let mut columns = vec![0.0; self.width];
        let mut rows = vec![0.0; self.height];
        for (at, weight) in self.weights.iter().enumerate() {
            columns[at % self.width] += weight;
            rows[at / self.width] += weight;
        }
        let ((left, right), (top, bottom)) = (middle(&columns)?, middle(&rows)?);
        ((right - left) * (bottom - top) <= LARGEST).then_some([left, top, right, bottom])
    }
}

/// Where the middle nine tenths of the weights lie, 0 to 1.
fn middle(weights: &[f32]) -> Option<(f32, f32)> {
    const TAIL: f32 = 0.05;
    let all: f32 = weights.iter().sum();
    if all <= 0.0 {
        return None;
    }
    let mut sums = vec![0.0];
    sums.extend(weights.iter().scan(0.0, |sum, weight| {
        *sum += weight;
        Some(*sum)
    }));
    let first = sums.iter().skip(1).position(|sum| *sum > TAIL * all)?;
    let last = sums.iter().rposition(|sum| *sum < (1.0 - TAIL) * all)? + 1;
    let count = weights.len() as f32;
    Some((first as f32 / count, last as f32 / count))
}

fn apart(a: &[f32; 3], b: &[f32; 3]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum()
}

/// The median colour of the outermost pixels.
fn border_color(pixels: &[[f32; 3]], width: usize, height: usize) -> [f32; 3] {
    let outermost = |at: &usize| {
        let (x, y) = (at % width, at / width);
        x == 0 || y == 0 || x + 1 == width || y + 1 == height
    };
    let border: Vec<usize> = (0..pixels.len()).filter(outermost).collect();
    [0, 1, 2].map(|c| {
        let mut levels: Vec<f32> = border.iter().map(|&at| pixels[at][c]).collect();
        levels.sort_by(f32::total_cmp);
        levels.get(levels.len() / 2).copied().unwrap_or(0.0)
    })
}

/// Divided by the mean.
fn relative(values: &[f32]) -> Vec<f32> {
    let mean = values.iter().sum::<f32>() / values.len().max(1) as f32;
    values.iter().map(|value| if mean > 1e-3 { value / mean } else { 1.0 }).collect()
}

/// Means over squares of an eighth of the longer side, so that a place counts by what is around it.
fn smooth(values: &[f32], width: usize, height: usize) -> Vec<f32> {
    let reach = (width.max(height) / 16).max(1);
    // Sums of everything above and left.
    let mut sums = vec![0.0f64; (width + 1) * (height + 1)];
    for y in 0..height {
        let mut row = 0.0;
        for x in 0..width {
            row += f64::from(values[y * width + x]);
            sums[(y + 1) * (width + 1) + x + 1] = sums[y * (width + 1) + x + 1] + row;
        }
    }
    (0..values.len())
        .map(|at| {
            let (x, y) = (at % width, at / width);
            let (left, right) = (x.saturating_sub(reach), (x + reach + 1).min(width));
            let (top, bottom) = (y.saturating_sub(reach), (y + reach + 1).min(height));
            let sum = |x: usize, y: usize| sums[y * (width + 1) + x];
            let inside = sum(right, bottom) - sum(left, bottom) - sum(right, top) + sum(left, top);
            (inside / ((right - left) * (bottom - top)) as f64) as f32
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    fn disc(x: u32, y: u32) -> RgbImage {
        RgbImage::from_fn(640, 360, |px, py| {
            let inside = px.abs_diff(x).pow(2) + py.abs_diff(y).pow(2) < 60 * 60;
            Rgb(if inside { [200, 60 + (px % 9 * 10) as u8, 40] } else { [90, 140, 90 + (py % 3) as u8] })
        })
    }

    #[test]
    fn what_differs_from_the_border_is_the_subject() {
        for (x, y) in [(100, 100), (320, 180), (560, 250)] {
            let subject = Salience::of(&disc(x, y)).subject().expect("a subject");
            let wanted =
                [(x - 60) as f32 / 640.0, (y - 60) as f32 / 360.0, (x + 60) as f32 / 640.0, (y + 60) as f32 / 360.0];
            for (found, wanted) in subject.iter().zip(wanted) {
                assert!((found - wanted).abs() < 0.12, "{subject:?} at {x}, {y}");
            }
        }
    }

    #[test]
    fn what_is_alike_everywhere_has_no_subject() {
        let grass = RgbImage::from_fn(640, 360, |x, y| Rgb([40, 100 + ((x * 7 + y * 13) % 50) as u8, 40]));
        for picture in [grass, RgbImage::new(640, 360), RgbImage::new(1, 1)] {
            let salience = Salience::of(&picture);
            assert!(salience.subject().is_none() && salience.inside([0.2, 0.0, 0.8, 1.0]) > 0.45);
        }
    }
}
