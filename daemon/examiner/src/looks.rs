//! How a picture looks, in a few numbers: its background and its manner. Sets are compared by them.

use image::RgbImage;

/// Levels of each colour in a histogram.
const LEVELS: usize = 4;
/// Part of the sides that counts as background.
const RING: f32 = 0.15;

/// A third of a kilobyte.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Looks {
    /// Colours along the border, as parts of one.
    pub border: Vec<f32>,
    /// Part of neighbouring pixels along the border that differ visibly.
    pub border_edges: f32,
    /// Part of neighbouring pixels that are the same to a level: drawings of flat colours have 0.87 to 0.99, photographs
    /// 0.05 to 0.75.
    pub flat: f32,
}

impl Looks {
    /// Of a picture of a few hundred pixels.
    pub fn of(picture: &RgbImage) -> Self {
        let (width, height) = picture.dimensions();
        let ring = ((width.min(height) as f32 * RING) as u32).max(1);
        let in_ring = |x: u32, y: u32| x < ring || y < ring || x + ring >= width || y + ring >= height;
        let mut border = vec![0.0f32; LEVELS * LEVELS * LEVELS];
        let (mut ring_pixels, mut ring_edges, mut pairs, mut same) = (0u32, 0u32, 0u32, 0u32);
        for (x, y, pixel) in picture.enumerate_pixels() {
            let [r, g, b] = pixel.0.map(usize::from);
            let change = if x + 1 < width { difference(pixel.0, picture.get_pixel(x + 1, y).0) } else { 0 };
            if x + 1 < width {
                pairs += 1;
                same += u32::from(change <= 1);
            }
            if in_ring(x, y) {
                ring_pixels += 1;
                ring_edges += u32::from(change > 24);
                let level = |value: usize| value * LEVELS / 256;
                border[(level(r) * LEVELS + level(g)) * LEVELS + level(b)] += 1.0;
            }
        }
        let part = |count: u32, of: u32| count as f32 / of.max(1) as f32;
        border.iter_mut().for_each(|count| *count /= ring_pixels.max(1) as f32);
        Self { border, border_edges: part(ring_edges, ring_pixels), flat: part(same, pairs) }
    }

    /// How alike two backgrounds are: the common part of both histograms, less for unlike density of edges. 1 is the same.
    pub fn background_likeness(&self, other: &Self) -> f32 {
        let common: f32 = self.border.iter().zip(&other.border).map(|(a, b)| a.min(*b)).sum();
        let (a, b) = (self.border_edges + 0.02, other.border_edges + 0.02);
        common * (a.min(b) / a.max(b)).sqrt()
    }
}

/// The largest difference of the three colours.
fn difference(a: [u8; 3], b: [u8; 3]) -> u8 {
    a.iter().zip(b).map(|(a, b)| a.abs_diff(b)).max().unwrap_or(0)
}
