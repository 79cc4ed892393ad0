//! What the memory does not hold at once, in overlapping tiles whose seams are blended.
//!
//! A tile's group norms and attention see that tile alone, so that a tiled picture is not quite the whole one: close enough
//! to look at, and the only way on a card that is nearly full. Pictures of usual sizes are not tiled where there is room.

use crate::Result;
use candle_core::Tensor as Host;
use kernels::{Device, Tensor};

/// Sides of tiles in latents, the usual one first: 512 px, and 256 px where the memory does not hold that either.
pub(crate) const SIDES: [usize; 2] = [64, 32];

/// Values of `[B, height, width, _]` that are computed tile by tile, each of `side` latents. A latent is `from` values wide
/// in the input and `to` in the output: 8 and 1 where pixels become latents, 1 and 8 the other way.
///
/// # Errors
/// If a tile fails, or `input` has other dimensions.
pub(super) fn tiled(
    input: &Tensor,
    side: usize,
    (from, to): (usize, usize),
    device: &Device,
    mut tile: impl FnMut(&Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    let (batch, height, width, _) = input.dims4()?;
    let (height, width) = (height / from, width / from);
    let input = input.host()?;
    let (mut sum, mut weights, mut channels) = (Vec::new(), vec![0f32; height * width * to * to], 0);
    let ramp = |i, length| ramp(i, length, overlap(side) * to);
    for top in starts(height, side) {
        for left in starts(width, side) {
            let (rows, columns) = (height.min(side), width.min(side));
            let part = input.narrow(1, top * from, rows * from)?.narrow(2, left * from, columns * from)?;
            let part = tile(&Tensor::from(part.contiguous()?).to_device(device)?)?;
            channels = part.dims4()?.3;
            sum.resize(batch * height * width * to * to * channels, 0f32);
            let values = part.to_vec::<f32>()?;
            let mut values = values.chunks_exact(channels);
            for b in 0..batch {
                for y in 0..rows * to {
                    for x in 0..columns * to {
                        let weight = ramp(y, rows * to) * ramp(x, columns * to);
                        let at = (top * to + y) * width * to + left * to + x;
                        if b == 0 {
                            weights[at] += weight;
                        }
                        let at = b * height * width * to * to + at;
                        let sum = &mut sum[at * channels..(at + 1) * channels];
                        for (sum, value) in sum.iter_mut().zip(values.next().unwrap_or_default()) {
                            *sum += weight * value;
                        }
                    }
                }
            }
        }
    }
    let of_position = weights.iter().cycle();
    for (values, weight) in sum.chunks_exact_mut(channels.max(1)).zip(of_position) {
        values.iter_mut().for_each(|value| *value /= weight);
    }
    Ok(Host::from_vec(sum, (batch, height * to, width * to, channels), &candle_core::Device::Cpu)?.into())
}

/// What neighbours share at least.
fn overlap(side: usize) -> usize {
    side / 4
}

/// Where tiles begin along `length` latents: evenly, from the first latent to the last.
fn starts(length: usize, side: usize) -> impl Iterator<Item = usize> + Clone {
    let count = length.saturating_sub(overlap(side)).div_ceil(side - overlap(side)).max(1);
    let last = length.saturating_sub(side);
    (0..count).map(move |i| if count == 1 { 0 } else { i * last / (count - 1) })
}

/// Weight of position `i` of `length`: rising from each end over `overlap` positions, one between.
fn ramp(i: usize, length: usize, overlap: usize) -> f32 {
    let from_end = (i + 1).min(length - i);
    from_end.min(overlap) as f32 / overlap as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_everything_and_share_what_they_must() {
        for (side, length) in SIDES.into_iter().flat_map(|side| (1..400).map(move |length| (side, length))) {
            let starts: Vec<usize> = starts(length, side).collect();
            assert_eq!(starts[0], 0);
            assert_eq!(starts[starts.len() - 1] + side.min(length), length, "{length}");
            let mut shared = starts.windows(2).map(|two| (two[0] + side).saturating_sub(two[1]));
            assert!(shared.all(|shared| shared >= overlap(side)), "{length}: {starts:?}");
        }
    }

    #[test]
    fn what_needs_no_neighbour_is_the_same_in_tiles() {
        let (height, width) = (100, 70);
        let values: Vec<f32> = (0..2 * height * width * 3).map(|i| (i % 1013) as f32).collect();
        let input = Tensor::from_vec(values.clone(), (2, height, width, 3), &Device::Cpu).expect("an input");
        let mut tiles = 0;
        let same = |tile: &Tensor| {
            tiles += 1;
            assert!(tile.dims()[1] <= 64 && tile.dims()[2] <= 64);
            Ok(tile.clone())
        };
        let whole = tiled(&input, 64, (1, 1), &Device::Cpu, same).expect("tiles");
        assert_eq!((whole.dims(), tiles), (&[2, height, width, 3][..], 4));
        let off =
            whole.to_vec::<f32>().expect("values").iter().zip(&values).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off < 1e-3, "{off}");
        // Larger and smaller on the other side.
        let larger =
            tiled(&input, 64, (1, 2), &Device::Cpu, |tile| Ok(kernels::upsample_nearest(tile)?)).expect("tiles");
        let expected = kernels::upsample_nearest(&input).expect("upsampled").to_vec::<f32>().expect("values");
        assert_eq!(larger.dims(), [2, 2 * height, 2 * width, 3]);
        let larger = larger.to_vec::<f32>().expect("values");
        assert!(larger.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-3));
    }
}
