//! Weights as files store them: checked, converted and put in order in one pass over memory, on all cores.

use crate::{
    Device, Result, Tensor,
    parallel::{Shared, for_each},
};
use candle_core::{DType, Error, Shape, WithDType};
use half::{bf16, f16, slice::HalfFloatSliceExt};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Values of one task.
const GRAIN: usize = 1 << 17;

/// The little-endian numbers `bytes` of type `from` as a tensor of type `to` on the CPU; `None` if one of them is NaN or
/// infinite.
///
/// With `taps` above 1, they are a convolution's weight `[out, in, k, k]` with k k = `taps`, which becomes channels-last:
/// `[out, k k in]`. Else `shape` is kept. Types: f16, bf16 and f32 on both sides.
///
/// # Errors
/// If the types are others, or bytes and shape disagree.
pub fn stored(bytes: &[u8], from: DType, to: DType, shape: &[usize], taps: usize) -> Result<Option<Tensor>> {
    let count: usize = shape.iter().product();
    let rows = shape.first().copied().unwrap_or(1).max(1);
    if bytes.len() != count * from.size_in_bytes() || !count.is_multiple_of(rows * taps) {
        return Err(Error::Msg(format!("{} bytes are no {shape:?} of {from:?}", bytes.len())));
    }
    let shape = if taps > 1 { vec![rows, count / rows] } else { shape.to_vec() };
    let widen: fn(&[u8], &mut [f32]) -> bool = match from {
        DType::F16 => widen_f16,
        DType::BF16 => widen_bf16,
        DType::F32 => widen_f32,
        other => return Err(Error::Msg(format!("weights stored as {other:?} are not read here"))),
    };
    let layout = Layout { count, rows, taps, width: from.size_in_bytes() };
    match to {
        DType::F32 => layout.fill::<f32>(bytes, shape, widen, |from, to| to.copy_from_slice(from)),
        DType::BF16 => layout.fill::<bf16>(bytes, shape, widen, |from, to| to.convert_from_f32_slice(from)),
        DType::F16 => layout.fill::<f16>(bytes, shape, widen, |from, to| to.convert_from_f32_slice(from)),
        other => Err(Error::Msg(format!("weights are not read as {other:?}"))),
    }
}

struct Layout {
    count: usize,
    rows: usize,
    taps: usize,
    /// Bytes of a stored value.
    width: usize,
}

impl Layout {
    fn fill<T: WithDType>(
        &self,
        bytes: &[u8],
        shape: impl Into<Shape>,
        widen: fn(&[u8], &mut [f32]) -> bool,
        narrow: fn(&[f32], &mut [T]),
    ) -> Result<Option<Tensor>> {
        // Whole rows where their values are put in another order.
        let unit = if self.taps > 1 { self.count / self.rows } else { 1 };
        let grain = (GRAIN / unit.max(1)).max(1) * unit.max(1);
        let mut values = vec![T::zero(); self.count];
        let (shared, finite) = (Shared::new(&mut values), AtomicBool::new(true));
        for_each(self.count.div_ceil(grain), |task| {
            let (start, count) = (task * grain, grain.min(self.count - task * grain));
            // SAFETY: tasks own disjoint parts of the exclusively borrowed values.
            let out = unsafe { shared.part(start, count) };
            let mut wide = vec![0f32; count];
            if !widen(&bytes[start * self.width..(start + count) * self.width], &mut wide) {
                finite.store(false, Relaxed);
                return;
            }
            if self.taps == 1 {
                return narrow(&wide, out);
            }
            let channels = unit / self.taps;
            let mut turned = vec![0f32; unit];
            for (row, out) in wide.chunks_exact(unit).zip(out.chunks_exact_mut(unit)) {
                for (tap, turned) in turned.chunks_exact_mut(channels).enumerate() {
                    turned.iter_mut().zip(row[tap..].iter().step_by(self.taps)).for_each(|(t, r)| *t = *r);
                }
                narrow(&turned, out);
            }
        });
        if !finite.into_inner() {
            return Ok(None);
        }
        Tensor::from_vec(values, shape, &Device::Cpu).map(Some)
    }
}

/// Widens exactly; whether all are finite.
fn widen_f16(bytes: &[u8], out: &mut [f32]) -> bool {
    // A file may put tensors at odd addresses.
    let halves: Vec<f16> = bytes.as_chunks::<2>().0.iter().map(|bytes| f16::from_le_bytes(*bytes)).collect();
    halves.convert_to_f32_slice(out);
    all_finite(out)
}

fn widen_bf16(bytes: &[u8], out: &mut [f32]) -> bool {
    for (out, bytes) in out.iter_mut().zip(bytes.as_chunks::<2>().0) {
        *out = f32::from_bits(u32::from(u16::from_le_bytes(*bytes)) << 16);
    }
    all_finite(out)
}

fn widen_f32(bytes: &[u8], out: &mut [f32]) -> bool {
    for (out, bytes) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *out = f32::from_le_bytes(*bytes);
    }
    all_finite(out)
}

/// Without a branch for each value, so that the compiler makes vectors of it.
fn all_finite(values: &[f32]) -> bool {
    const EXPONENT: u32 = 0x7F80_0000;
    values.chunks(1024).all(|part| part.iter().fold(true, |all, x| all & (x.to_bits() & EXPONENT != EXPONENT)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Vec<f32> {
        // More than one task, both signs, subnormal halves among them.
        (0..2 * 3 * 9 * 7000).map(|i| ((i * 37 % 1000) as f32 - 500.0) * 1.5e-7 * 8f32.powi(i % 8)).collect()
    }

    fn bytes(tensor: &candle_core::Tensor) -> Vec<u8> {
        let mut bytes = Vec::new();
        tensor.write_bytes(&mut bytes).expect("written");
        bytes
    }

    #[test]
    fn every_pair_of_types_is_converted_as_candle_does() {
        let shape = [2 * 7000, 3, 3, 3];
        let source = candle_core::Tensor::from_vec(values(), &shape, &candle_core::Device::Cpu).expect("a tensor");
        let types = [DType::F16, DType::BF16, DType::F32];
        for (from, to) in types.into_iter().flat_map(|from| types.map(|to| (from, to))) {
            let source = source.to_dtype(from).expect("converted");
            let raw = bytes(&source);
            let plain = stored(&raw, from, to, &shape, 1).expect("read").expect("finite");
            let expected = source.to_dtype(to).expect("converted");
            assert_eq!((plain.dims(), plain.dtype()), (&shape[..], to));
            assert_eq!(bytes(&plain.host().expect("on the CPU")), bytes(&expected), "{from:?} {to:?}");
            let turned = stored(&raw, from, to, &shape, 9).expect("read").expect("finite");
            let expected = expected.permute([0, 2, 3, 1]).and_then(|t| t.contiguous()).expect("turned");
            assert_eq!(turned.dims(), [2 * 7000, 27]);
            assert_eq!(bytes(&turned.host().expect("on the CPU")), bytes(&expected), "{from:?} {to:?} turned");
        }
    }

    #[test]
    fn one_value_that_is_not_finite_is_found_anywhere() {
        for at in [0, GRAIN, values().len() - 1] {
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let mut values = values();
                values[at] = bad;
                let count = values.len();
                let source = candle_core::Tensor::from_vec(values, count, &candle_core::Device::Cpu).expect("a tensor");
                for from in [DType::F16, DType::BF16, DType::F32] {
                    let raw = bytes(&source.to_dtype(from).expect("converted"));
                    assert!(stored(&raw, from, DType::F32, &[count], 1).expect("read").is_none());
                }
            }
        }
        assert!(stored(&[0; 6], DType::F16, DType::F32, &[4], 1).is_err());
        let scalar = stored(&1f32.to_le_bytes(), DType::F32, DType::F32, &[], 1).expect("read").expect("finite");
        assert_eq!(scalar.to_scalar::<f32>().expect("one value"), 1.0);
    }
}
