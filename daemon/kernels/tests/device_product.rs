//! Products on the GPU give what they give on the CPU: every kind of weight, window, tile and split.

use candle_core::{DType, Result};
use kernels::{
    Device, Init, Tensor, Term, Window,
    cuda::{
        Gpu,
        product::{Kind, Product, Side, View, Weight, sum},
    },
    linear, linear_backward, outer_add, outer_add_patches,
};

const TYPES: [DType; 3] = [DType::F32, DType::BF16, DType::F16];
const DOWN: Window = Window { kernel: 3, stride: 2, before: 1, after: 1 };
const DOWN_UNEVEN: Window = Window { kernel: 3, stride: 2, before: 0, after: 1 };
const FIVE: Window = Window { kernel: 5, stride: 3, before: 2, after: 1 };

fn gpu() -> Gpu {
    kernels::first_gpu().expect("a GPU")
}

/// Numbers from -1/2 to 1/2 times `factor`, the same on both devices: rounded to `dtype` on the GPU, f32 on the CPU.
struct Pair {
    host: Tensor,
    device: Tensor,
}

fn pair(shape: &[usize], seed: usize, dtype: DType) -> Result<Pair> {
    let count: usize = shape.iter().product();
    let numbers: Vec<f32> = (0..count).map(|i| ((i * 7919 + seed * 104_729) % 1009) as f32 / 1009.0 - 0.5).collect();
    let rounded = Tensor::from_vec(numbers, shape, &Device::Cpu)?.to_dtype(dtype)?;
    Ok(Pair { host: rounded.to_dtype(DType::F32)?, device: rounded.to_device(&Device::Cuda(gpu()))? })
}

/// An f32 tensor on the GPU whose numbers `dtype` holds exactly, as trainable matrices are rounded where they are read.
fn single(shape: &[usize], seed: usize, dtype: DType) -> Result<Pair> {
    let host = pair(shape, seed, dtype)?.host;
    Ok(Pair { device: host.to_device(&Device::Cuda(gpu()))?, host })
}

/// The largest difference, in units of the largest number; half a unit in the last place is what rounding alone gives.
fn assert_same(device: &Tensor, host: &Tensor, dtype: DType, what: &str) -> Result<()> {
    let (ours, right) = (device.host()?.to_dtype(DType::F32)?, host.host()?);
    assert_eq!(ours.dims(), right.dims(), "{what}");
    let largest = right.abs()?.max_all()?.to_scalar::<f32>()?;
    // A NaN must not pass: max_all() skips it, the sum does not.
    let difference = (ours - right)?.abs()?;
    let error = difference.max_all()?.to_scalar::<f32>()? / largest;
    let allowed = match dtype {
        DType::F32 => 1e-5,
        DType::BF16 => 1.0 / 250.0,
        _ => 1.0 / 2000.0,
    };
    println!("{what} {dtype:?}: {error:e}");
    assert!(error <= allowed && difference.sum_all()?.to_scalar::<f32>()?.is_finite(), "{what} {dtype:?}: {error:e}");
    Ok(())
}

#[test]
#[ignore = "needs a GPU or the emulator"]
fn linear_maps_are_those_of_the_cpu() -> Result<()> {
    // Ragged and even, wide and thin, short and long; odd channels, which are read one by one.
    let shapes =
        [(300, 320, 200), (1, 64, 72), (154, 1280, 16), (70, 63, 45), (2, 1280, 320), (257, 96, 136), (600, 40, 4)];
    for dtype in TYPES {
        for (rows, inner, columns) in shapes {
            for rank in [4, 16, 36] {
                let (x, w) = (pair(&[2, rows, inner], 1, dtype)?, pair(&[columns, inner], 2, dtype)?);
                let (p, up) = (pair(&[2, rows, rank], 3, dtype)?, single(&[columns, rank], 4, dtype)?);
                let bias = single(&[columns], 5, DType::F32)?;
                let (sample, residual) = (pair(&[2, columns], 6, dtype)?, pair(&[2, rows, columns], 7, dtype)?);
                let run = |pick: fn(&Pair) -> &Tensor, full: bool| {
                    let terms = [
                        Term { input: pick(&x), weight: pick(&w), scale: 1.0 },
                        Term { input: pick(&p), weight: pick(&up), scale: 0.75 },
                    ];
                    let init = Init {
                        bias: Some(pick(&bias)),
                        per_sample: Some(pick(&sample)),
                        residual: Some(pick(&residual)),
                    };
                    linear(&terms, if full { init } else { Init::default() })
                };
                for full in [false, true] {
                    let what = format!("linear {rows} x {inner} x {columns}, rank {rank}, {full}");
                    assert_same(&run(|p| &p.device, full)?, &run(|p| &p.host, full)?, dtype, &what)?;
                }
            }
        }
    }
    Ok(())
}

#[test]
#[ignore = "needs a GPU or the emulator"]
fn input_gradients_of_linear_maps_are_those_of_the_cpu() -> Result<()> {
    for dtype in TYPES {
        for (rows, outs, inner) in
            [(300, [320, 64, 40], 200), (70, [63, 31, 45], 45), (3, [640, 320, 320], 1000), (130, [96, 8, 16], 16)]
        {
            let residual = pair(&[rows, inner], 1, dtype)?;
            let parts = outs.iter().enumerate().map(|(i, &out)| {
                let (dy, w) = (pair(&[rows, out], 10 + i, dtype)?, pair(&[out, inner], 20 + i, dtype)?);
                Ok([
                    (dy, w, 1.0),
                    (pair(&[rows, 16], 30 + i, dtype)?, single(&[16, inner], 40 + i, dtype)?, 0.5 + i as f64),
                ])
            });
            let parts = parts.collect::<Result<Vec<_>>>()?;
            let run = |pick: fn(&Pair) -> &Tensor, beside: bool| {
                let terms: Vec<Term> = parts
                    .iter()
                    .flatten()
                    .map(|(dy, w, scale)| Term { input: pick(dy), weight: pick(w), scale: *scale })
                    .collect();
                linear_backward(&terms, beside.then(|| pick(&residual)))
            };
            for beside in [false, true] {
                let what = format!("linear backward {rows} x {outs:?} x {inner}, {beside}");
                assert_same(&run(|p| &p.device, beside)?, &run(|p| &p.host, beside)?, dtype, &what)?;
            }
        }
    }
    Ok(())
}

#[test]
#[ignore = "needs a GPU or the emulator"]
fn convolutions_and_their_gradients_are_those_of_the_cpu() -> Result<()> {
    for dtype in TYPES {
        for window in [Window::SAME3, DOWN, DOWN_UNEVEN, FIVE, Window::POINT] {
            for (height, width, inner, out) in
                [(13, 10, 40, 72), (16, 16, 4, 64), (8, 11, 64, 4), (9, 7, 7, 5), (12, 12, 128, 32)]
            {
                let taps = window.kernel * window.kernel;
                let (high, wide) = (window.output(height), window.output(width));
                let x = pair(&[2, height, width, inner], 1, dtype)?;
                let w = pair(&[out, taps * inner], 2, dtype)?;
                let down = single(&[16, taps * inner], 3, dtype)?;
                let (p, up) = (pair(&[2, high, wide, 16], 4, dtype)?, single(&[out, 16], 5, dtype)?);
                let (bias, sample) = (single(&[out], 6, DType::F32)?, pair(&[2, out], 7, dtype)?);
                let (dy, residual) = (pair(&[2, high, wide, out], 8, dtype)?, pair(&[2, high, wide, out], 9, dtype)?);
                let what = format!("{window:?} {height} x {width} x {inner} to {out}");
                let forward = |pick: fn(&Pair) -> &Tensor| {
                    let init = Init {
                        bias: Some(pick(&bias)),
                        per_sample: Some(pick(&sample)),
                        residual: Some(pick(&residual)),
                    };
                    let patches = Term { input: pick(&x), weight: pick(&w), scale: 1.0 };
                    let point = Term { input: pick(&p), weight: pick(&up), scale: 0.5 };
                    kernels::convolve(&patches, window, &[point], init)
                };
                assert_same(&forward(|p| &p.device)?, &forward(|p| &p.host)?, dtype, &what)?;
                let backward = |pick: fn(&Pair) -> &Tensor| {
                    let terms = [
                        Term { input: pick(&dy), weight: pick(&w), scale: 1.0 },
                        Term { input: pick(&p), weight: pick(&down), scale: 2.0 },
                    ];
                    kernels::convolve_backward(&terms, window, height, width)
                };
                assert_same(&backward(|p| &p.device)?, &backward(|p| &p.host)?, dtype, &format!("backward {what}"))?;
            }
        }
    }
    Ok(())
}

#[test]
#[ignore = "needs a GPU or the emulator"]
fn outer_products_are_those_of_the_cpu() -> Result<()> {
    let close = |device: &Tensor, host: &Tensor, what: &str| assert_same(device, host, DType::F32, what);
    for dtype in TYPES {
        for (positions, n, k) in
            [(3000, 16, 320), (77, 320, 16), (1000, 64, 200), (600, 200, 64), (50, 5, 9), (1, 128, 128), (700, 33, 31)]
        {
            let (a, b) = (pair(&[positions, n], 1, dtype)?, pair(&[positions, k], 2, dtype)?);
            let target = single(&[n, k], 3, DType::F32)?;
            outer_add(&target.host, &a.host, &b.host, 0.5)?;
            outer_add(&target.device, &a.device, &b.device, 0.5)?;
            close(&target.device, &target.host, &format!("outer {positions} x {n} x {k}, {dtype:?}"))?;
        }
        for window in [Window::SAME3, DOWN, DOWN_UNEVEN, FIVE] {
            for (height, width, inner, rank) in [(24, 20, 40, 16), (9, 7, 7, 5), (16, 16, 4, 64), (8, 8, 64, 128)] {
                let taps = window.kernel * window.kernel;
                let a = pair(&[3, window.output(height), window.output(width), rank], 1, dtype)?;
                let b = pair(&[3, height, width, inner], 2, dtype)?;
                let target = single(&[rank, taps * inner], 3, DType::F32)?;
                outer_add_patches(&target.host, &a.host, &b.host, 1.0, window)?;
                outer_add_patches(&target.device, &a.device, &b.device, 1.0, window)?;
                close(
                    &target.device,
                    &target.host,
                    &format!("{window:?} {height} x {width} x {inner}, {rank}, {dtype:?}"),
                )?;
            }
        }
    }
    Ok(())
}

/// A quantised matrix: what lies on the GPU, and the same numbers in f32.
struct Quantised {
    values: Tensor,
    scales: Tensor,
    wide: Tensor,
    weight: Weight,
}

const LEVELS: [f32; 16] = [
    -1.0,
    -0.696_192_8,
    -0.525_073_05,
    -0.394_917_5,
    -0.284_441_38,
    -0.184_773_43,
    -0.091_050_036,
    0.0,
    0.079_580_3,
    0.160_930_2,
    0.246_112_3,
    0.337_915_24,
    0.440_709_83,
    0.562_617,
    0.722_956_84,
    1.0,
];

/// Factors are powers of two, so that int8 is exact in every type.
fn quantised(kind: Kind, rows: usize, columns: usize) -> Result<Quantised> {
    let device = Device::Cuda(gpu());
    let count = rows * columns;
    let code = |i: usize| (i * 7919 + i / 13) % 251;
    let factor = |i: usize| 2.0_f32.powi((i % 5) as i32 - 9);
    let (bytes, factors, wide): (Vec<u8>, Vec<f32>, Vec<f32>) = match kind {
        Kind::Int8 => (
            (0..count).map(|i| (code(i) as i32 - 125) as i8 as u8).collect(),
            (0..rows).map(factor).collect(),
            (0..count).map(|i| (code(i) as f32 - 125.0) * factor(i / columns)).collect(),
        ),
        _ => (
            (0..count.div_ceil(2)).map(|i| (code(2 * i) % 16 + code(2 * i + 1) % 16 * 16) as u8).collect(),
            (0..count.div_ceil(64)).map(factor).collect(),
            (0..count).map(|i| LEVELS[code(i) % 16] * factor(i / 64)).collect(),
        ),
    };
    let (values, scales) =
        (Tensor::from_slice(&bytes, bytes.len(), &device)?, Tensor::from_slice(&factors, factors.len(), &device)?);
    let weight = Weight { kind, address: values.address(), scales: scales.address(), rows, columns };
    Ok(Quantised { values, scales, wide: Tensor::from_vec(wide, (rows, columns), &Device::Cpu)?, weight })
}

#[test]
#[ignore = "needs a GPU or the emulator"]
fn quantised_weights_are_widened_where_they_are_read() -> Result<()> {
    for dtype in TYPES {
        for kind in [Kind::Int8, Kind::Nf4] {
            for (rows, inner, columns) in [(300, 320, 200), (70, 63, 45), (3, 1280, 320), (130, 128, 32)] {
                let w = quantised(kind, columns, inner)?;
                assert!(w.values.elem_count() > 0 && w.scales.elem_count() > 0);
                let rounded = w.wide.to_dtype(dtype)?.to_dtype(DType::F32)?;
                let (x, dy) = (pair(&[rows, inner], 1, dtype)?, pair(&[rows, columns], 2, dtype)?);
                let (p, up) = (pair(&[rows, 16], 3, dtype)?, single(&[columns, 16], 4, dtype)?);
                let what = format!("{kind:?} {rows} x {inner} x {columns}");
                let products = [
                    Product { input: &x.device, view: View::Rows, weight: w.weight, scale: 1.0 },
                    Product { input: &p.device, view: View::Rows, weight: Weight::of(&up.device, dtype)?, scale: 0.5 },
                ];
                let ours = sum(&gpu(), &[rows, columns], Side::Transposed, &products, Init::default())?;
                let terms = [
                    Term { input: &x.host, weight: &rounded, scale: 1.0 },
                    Term { input: &p.host, weight: &up.host, scale: 0.5 },
                ];
                assert_same(&ours, &linear(&terms, Init::default())?, dtype, &what)?;
                let back = [Product { input: &dy.device, view: View::Rows, weight: w.weight, scale: 1.5 }];
                let ours = sum(&gpu(), &[rows, inner], Side::Plain, &back, Init::default())?;
                let term = Term { input: &dy.host, weight: &rounded, scale: 1.5 };
                assert_same(&ours, &linear_backward(&[term], None)?, dtype, &format!("backward {what}"))?;
            }
            // Under a window, through both sides.
            let (x, w) = (pair(&[1, 10, 9, 64], 1, dtype)?, quantised(kind, 40, 9 * 64)?);
            let rounded = w.wide.to_dtype(dtype)?.to_dtype(DType::F32)?;
            let view = View::Patches(Window::SAME3);
            let forward = [Product { input: &x.device, view, weight: w.weight, scale: 1.0 }];
            let ours = sum(&gpu(), &[1, 10, 9, 40], Side::Transposed, &forward, Init::default())?;
            let term = Term { input: &x.host, weight: &rounded, scale: 1.0 };
            let right = kernels::convolve(&term, Window::SAME3, &[], Init::default())?;
            assert_same(&ours, &right, dtype, &format!("{kind:?} convolution"))?;
            let dy = pair(&[1, 10, 9, 40], 2, dtype)?;
            let view = View::Spread(Window::SAME3, 10, 9);
            let backward = [Product { input: &dy.device, view, weight: w.weight, scale: 1.0 }];
            let ours = sum(&gpu(), &[1, 10, 9, 64], Side::Plain, &backward, Init::default())?;
            let term = Term { input: &dy.host, weight: &rounded, scale: 1.0 };
            let right = kernels::convolve_backward(&[term], Window::SAME3, 10, 9)?;
            assert_same(&ours, &right, dtype, &format!("{kind:?} convolution backward"))?;
        }
    }
    Ok(())
}
