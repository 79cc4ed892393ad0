//! 16-bit floats on their way in and out of models: values are f32 everywhere else.
//!
//! IEEE 754 binary16, rounded to the nearest, ties to even.

use ort::memory::Allocator;
use ort::value::{DynTensor, DynTensorValueType, DynValue, TensorElementType};

/// A tensor of 16-bit floats with these values.
pub(crate) fn value(dims: &[usize], values: &[f32]) -> ort::Result<DynTensor> {
    if dims.iter().product::<usize>() != values.len() {
        return Err(ort::Error::new(format!("{} values don't fill a tensor of {dims:?}", values.len())));
    }
    let mut tensor = DynTensor::new(&Allocator::default(), TensorElementType::Float16, dims.to_vec())?;
    if values.is_empty() {
        return Ok(tensor);
    }
    let halves = tensor.data_ptr_mut().cast::<u16>();
    for (index, value) in values.iter().enumerate() {
        // SAFETY: the tensor was just made in the processor's memory for `values.len()` values of two bytes, aligned by the
        // runtime for any type, and nobody else has it.
        unsafe { halves.add(index).write(narrow(*value)) };
    }
    Ok(tensor)
}

/// Dimensions and values of a tensor of 16-bit floats.
pub(crate) fn values(value: &DynValue) -> ort::Result<(Vec<i64>, Vec<f32>)> {
    let tensor = value.view().downcast::<DynTensorValueType>()?;
    let here = *tensor.data_type() == TensorElementType::Float16 && tensor.memory_info().is_cpu_accessible();
    if !here {
        return Err(ort::Error::new("the tensor is not one of 16-bit floats in the processor's memory"));
    }
    let shape = tensor.shape().to_vec();
    let count = tensor.shape().num_elements();
    let halves = tensor.data_ptr().cast::<u16>();
    // SAFETY: a tensor of this type and shape in the processor's memory holds `count` values of two bytes, and it lives as
    // long as `value` is borrowed.
    let floats = (0..count).map(|index| widen(unsafe { halves.add(index).read() })).collect();
    Ok((shape, floats))
}

/// The value of a 16-bit float, exactly.
fn widen(half: u16) -> f32 {
    let sign = u32::from(half >> 15) << 31;
    let exponent = u32::from(half >> 10 & 0x1f);
    let fraction = u32::from(half & 0x3ff);
    match exponent {
        // Subnormal: the fraction counts steps of 2^-24.
        0 => f32::from_bits(sign | (fraction as f32 / 16_777_216.0).to_bits()),
        0x1f => f32::from_bits(sign | 0x7f80_0000 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | fraction << 13),
    }
}

/// The 16-bit float next to a value.
fn narrow(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16 & 0x8000) as u16;
    let magnitude = bits & 0x7fff_ffff;
    if magnitude > 0x7f80_0000 {
        return sign | 0x7e00;
    }
    // 65520 lies half way between the largest 16-bit float and the next one that there would be.
    if magnitude >= 0x477f_f000 {
        return sign | 0x7c00;
    }
    if magnitude < 0x3880_0000 {
        // Subnormal: steps of 2^-24, which the sum with a number of that last bit rounds to.
        return sign | (f32::from_bits(magnitude) + 0.5).to_bits() as u16;
    }
    let odd = magnitude >> 13 & 1;
    sign | ((magnitude - 0x3800_0000 + 0xfff + odd) >> 13) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_survives_the_way_there_and_back() {
        for half in 0..=u16::MAX {
            let wide = widen(half);
            if wide.is_nan() {
                assert!(widen(narrow(wide)).is_nan());
            } else {
                assert_eq!(narrow(wide), half, "{wide}");
            }
        }
    }

    #[test]
    fn values_between_two_halves_go_to_the_nearest_and_ties_to_the_even_one() {
        for half in 0..0x7bff_u16 {
            let (low, high) = (f64::from(widen(half)), f64::from(widen(half + 1)));
            let middle = (low + high) / 2.0;
            let even = if half % 2 == 0 { half } else { half + 1 };
            assert_eq!(narrow(middle as f32), even, "{middle}");
            assert_eq!(narrow((low + (high - low) * 0.49) as f32), half);
            assert_eq!(narrow(-(low + (high - low) * 0.51) as f32), (half + 1) | 0x8000);
        }
        assert_eq!(narrow(65_519.0), 0x7bff);
        assert_eq!(narrow(65_520.0), 0x7c00);
        assert_eq!(narrow(1e-9), 0);
    }
}
