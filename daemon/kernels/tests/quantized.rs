//! Matrices in eight and four bits: within their stated bounds, and products with them those of the widened matrix.

use candle_core::{DType, Result};
use kernels::{Device, Init, NF4_BLOCK, Quantization, Quantized, Tensor, Term, Window};
use std::f64::consts::TAU;

const KINDS: [Quantization; 2] = [Quantization::Int8, Quantization::Nf4];

/// Normally distributed values (Box and Muller) from a counter, hashed.
fn normal(shape: &[usize], seed: u64) -> Tensor {
    let uniform = |i: u64| {
        let mut x = i.wrapping_add(seed << 32).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((x ^ (x >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    };
    let count: usize = shape.iter().product();
    let value = |i: u64| (-2.0 * (1.0 - uniform(2 * i)).ln()).sqrt() * (TAU * uniform(2 * i + 1)).cos();
    let values: Vec<f32> = (0..count as u64).map(|i| value(i) as f32).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).expect("values")
}

/// The bound of every value's error, and what f32 may add.
fn bounds(weight: &[f32], cols: usize, kind: Quantization) -> Vec<f32> {
    let group = if kind == Quantization::Int8 { cols } else { NF4_BLOCK };
    let groups = weight.chunks(group).map(|group| (group.len(), group.iter().fold(0f32, |most, x| most.max(x.abs()))));
    groups.flat_map(|(count, absmax)| vec![kind.error_bound(absmax) + 1e-6 * absmax; count]).collect()
}

fn vec(tensor: &Tensor) -> Vec<f32> {
    tensor.to_vec().expect("values")
}

fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
    vec(a).iter().zip(vec(b)).fold(0f32, |most, (a, b)| most.max((a - b).abs()))
}

#[test]
fn every_value_lies_within_its_bound() -> Result<()> {
    // 37 x 91 is odd and no multiple of a block: blocks cross lines, the last is short, and its byte is half empty.
    for shape in [[37, 91], [64, 320], [1, 1], [3, 64]] {
        for dtype in [DType::F32, DType::F16, DType::BF16, DType::F64] {
            let weight = normal(&shape, 1).to_dtype(dtype)?;
            for kind in KINDS {
                let matrix = Quantized::new(&weight, kind)?;
                assert_eq!((matrix.rows(), matrix.cols(), matrix.kind()), (shape[0], shape[1], kind));
                let stored = matrix.values().elem_count() + 4 * matrix.scales().elem_count();
                assert_eq!(stored, matrix.bytes());
                let (from, to) = (vec(&weight), vec(&matrix.widen()?));
                for (i, bound) in bounds(&from, shape[1], kind).into_iter().enumerate() {
                    let error = (from[i] - to[i]).abs();
                    assert!(error <= bound, "{kind:?} {shape:?} {dtype:?} [{i}]: {error} > {bound}");
                }
            }
        }
    }
    Ok(())
}

#[test]
fn the_bounds_are_no_larger_than_they_must_be() -> Result<()> {
    // Halfway between two neighbours: 0.5 of 127 steps; the middle of the widest gap.
    for (kind, middle) in [(Quantization::Int8, 0.5 / 127.0), (Quantization::Nf4, -0.848_096_4)] {
        let matrix = Quantized::new(&Tensor::from_vec(vec![1.0f32, middle], (1, 2), &Device::Cpu)?, kind)?;
        let error = (vec(&matrix.widen()?)[1] - middle).abs();
        assert!(error > 0.999 * kind.error_bound(1.0), "{kind:?}: {error}");
    }
    Ok(())
}

#[test]
fn errors_of_normal_weights_are_as_stated() -> Result<()> {
    let weight = normal(&[640, 1280], 2);
    let square = |values: &mut dyn Iterator<Item = f32>| values.map(|x| f64::from(x * x)).sum::<f64>().sqrt();
    for (kind, stated) in [(Quantization::Int8, 0.008), (Quantization::Nf4, 0.093)] {
        let wide = Quantized::new(&weight, kind)?.widen()?;
        let (from, to) = (vec(&weight), vec(&wide));
        let share = square(&mut from.iter().zip(&to).map(|(a, b)| a - b)) / square(&mut from.iter().copied());
        assert!((share / stated - 1.0).abs() < 0.06, "{kind:?}: {share}");
    }
    Ok(())
}

#[test]
fn zeros_and_the_largest_stay_what_they_are() -> Result<()> {
    let values = vec![0.0f32, -3.0, 0.0, 3.0, 0.0, 0.0, 0.0, 0.0];
    for kind in KINDS {
        let matrix = Quantized::new(&Tensor::from_vec(values.clone(), (2, 4), &Device::Cpu)?, kind)?;
        assert_eq!(vec(&matrix.widen()?), values, "{kind:?}");
        // Numbers below the normal range are no trap.
        let tiny = Tensor::from_vec(vec![1e-40f32, -1e-42], (1, 2), &Device::Cpu)?;
        assert!(vec(&Quantized::new(&tiny, kind)?.widen()?).iter().all(|x| x.is_finite() && x.abs() <= 1e-39));
    }
    Ok(())
}

#[test]
fn products_are_those_of_the_widened_matrix_and_within_the_bound_of_the_plain_one() -> Result<()> {
    let (weight, x, g) = (normal(&[130, 63], 3), normal(&[90, 63], 4), normal(&[90, 130], 5));
    let (kernel, image, above) = (normal(&[40, 9 * 7], 6), normal(&[2, 9, 8, 7], 7), normal(&[2, 9, 8, 40], 8));
    for kind in KINDS {
        let few = Quantized::new(&weight, kind)?;
        let wide = few.widen()?;
        let term = |weight| Term { input: &x, weight, scale: 0.5 };
        let got = kernels::linear(&[term((&few).into())], Init::default())?;
        let same = kernels::linear(&[term((&wide).into())], Init::default())?;
        assert!(largest_difference(&got, &same) < 2e-5, "{kind:?} forward");
        let exact = kernels::linear(&[term((&weight).into())], Init::default())?;
        let bound = bounds(&vec(&weight), 63, kind);
        let (got, exact, inputs) = (vec(&got), vec(&exact), vec(&x));
        for (i, (got, exact)) in got.iter().zip(&exact).enumerate() {
            let (position, output) = (i / 130, i % 130);
            let input = &inputs[position * 63..][..63];
            let most: f32 = input.iter().zip(&bound[output * 63..]).map(|(x, bound)| 0.5 * x.abs() * bound).sum();
            assert!((got - exact).abs() <= most + 2e-5, "{kind:?} [{i}]: {got} {exact} {most}");
        }
        let back = |weight| kernels::linear_backward(&[Term { input: &g, weight, scale: 1.0 }], None);
        assert!(largest_difference(&back((&few).into())?, &back((&wide).into())?) < 5e-5, "{kind:?} backward");

        let few = Quantized::new(&kernel, kind)?;
        let wide = few.widen()?;
        let window = Window::SAME3;
        let forward =
            |weight| kernels::convolve(&Term { input: &image, weight, scale: 1.0 }, window, &[], Init::default());
        assert!(largest_difference(&forward((&few).into())?, &forward((&wide).into())?) < 2e-5, "{kind:?} convolution");
        let back = |weight| kernels::convolve_backward(&[Term { input: &above, weight, scale: 1.0 }], window, 9, 8);
        assert!(largest_difference(&back((&few).into())?, &back((&wide).into())?) < 5e-5, "{kind:?} convolution back");

        let (up, down) = (normal(&[40, 2], 9), normal(&[2, 63], 10));
        let norms = |weight| kernels::row_norms(weight, &up, &down, 0.3);
        assert!(largest_difference(&norms((&few).into())?, &norms((&wide).into())?) < 1e-4, "{kind:?} row norms");
    }
    Ok(())
}

#[test]
fn products_in_f64_take_the_same_values() -> Result<()> {
    for kind in KINDS {
        let few = Quantized::new(&normal(&[9, 70], 11), kind)?;
        let (x, wide) = (normal(&[5, 70], 12).to_dtype(DType::F64)?, few.widen()?.to_dtype(DType::F64)?);
        let product = |weight| kernels::linear(&[Term { input: &x, weight, scale: 1.0 }], Init::default());
        assert!(largest_difference(&product((&few).into())?, &product((&wide).into())?) < 1e-6);
    }
    Ok(())
}

#[test]
fn the_same_on_any_number_of_threads() -> Result<()> {
    let weight = normal(&[300, 513], 13);
    for kind in KINDS {
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            pool.install(|| Quantized::new(&weight, kind))
        };
        let (one, three) = (with(1)?, with(3)?);
        assert_eq!(one.values().to_vec::<u8>()?, three.values().to_vec::<u8>()?);
        assert_eq!(vec(one.scales()), vec(three.scales()));
    }
    Ok(())
}
