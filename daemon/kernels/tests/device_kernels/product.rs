//! Products on the GPU give what they give on the CPU: every kind of weight, window, tile and split.

use crate::pair::{Pair, assert_within, gpu, types};
use candle_core::{DType, Result};
use kernels::{
    Init, Quantization, Quantized, Tensor, Term, Weight, Window, linear, linear_backward, outer_add, outer_add_patches,
};

const DOWN: Window = Window { kernel: 3, stride: 2, before: 1, after: 1 };
const DOWN_UNEVEN: Window = Window { kernel: 3, stride: 2, before: 0, after: 1 };
const FIVE: Window = Window { kernel: 5, stride: 3, before: 2, after: 1 };

#[test]
#[ignore = "needs a GPU or the emulator"]
fn linear_maps_are_those_of_the_cpu() -> Result<()> {
    // Ragged and even, wide and thin, short and long; odd channels, which are read one by one.
    let shapes =
        [(300, 320, 200), (1, 64, 72), (154, 1280, 16), (70, 63, 45), (2, 1280, 320), (257, 96, 136), (600, 40, 4)];
    for dtype in types() {
        for (rows, inner, columns) in shapes {
            for rank in [4, 16, 36] {
                let (x, w) = (Pair::new(&[2, rows, inner], 1, dtype)?, Pair::new(&[columns, inner], 2, dtype)?);
                let (p, up) = (Pair::new(&[2, rows, rank], 3, dtype)?, Pair::single(&[columns, rank], 4, dtype)?);
                let bias = Pair::single(&[columns], 5, DType::F32)?;
                let (sample, residual) =
                    (Pair::new(&[2, columns], 6, dtype)?, Pair::new(&[2, rows, columns], 7, dtype)?);
                let run = |pick: fn(&Pair) -> &Tensor, full: bool| {
                    let terms = [
                        Term { input: pick(&x), weight: pick(&w).into(), scale: 1.0 },
                        Term { input: pick(&p), weight: pick(&up).into(), scale: 0.75 },
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
                    assert_within(&run(|p| &p.device, full)?, &run(|p| &p.host, full)?, dtype, &what)?;
                }
            }
        }
    }
    Ok(())
}

#[test]
#[ignore = "needs a GPU or the emulator"]
fn input_gradients_of_linear_maps_are_those_of_the_cpu() -> Result<()> {
    for dtype in types() {
        for (rows, outs, inner) in
            [(300, [320, 64, 40], 200), (70, [63, 31, 45], 45), (3, [640, 320, 320], 1000), (130, [96, 8, 16], 16)]
        {
            let residual = Pair::new(&[rows, inner], 1, dtype)?;
            let parts = outs.iter().enumerate().map(|(i, &out)| {
                let (dy, w) = (Pair::new(&[rows, out], 10 + i, dtype)?, Pair::new(&[out, inner], 20 + i, dtype)?);
                Ok([
                    (dy, w, 1.0),
                    (
                        Pair::new(&[rows, 16], 30 + i, dtype)?,
                        Pair::single(&[16, inner], 40 + i, dtype)?,
                        0.5 + i as f64,
                    ),
                ])
            });
            let parts = parts.collect::<Result<Vec<_>>>()?;
            let run = |pick: fn(&Pair) -> &Tensor, beside: bool| {
                let terms: Vec<Term> = parts
                    .iter()
                    .flatten()
                    .map(|(dy, w, scale)| Term { input: pick(dy), weight: pick(w).into(), scale: *scale })
                    .collect();
                linear_backward(&terms, beside.then(|| pick(&residual)))
            };
            for beside in [false, true] {
                let what = format!("linear backward {rows} x {outs:?} x {inner}, {beside}");
                assert_within(&run(|p| &p.device, beside)?, &run(|p| &p.host, beside)?, dtype, &what)?;
            }
        }
    }
    Ok(())
}

#[test]
#[ignore = "needs a GPU or the emulator"]
fn convolutions_and_their_gradients_are_those_of_the_cpu() -> Result<()> {
    for dtype in types() {
        for window in [Window::SAME3, DOWN, DOWN_UNEVEN, FIVE, Window::POINT] {
            for (height, width, inner, out) in
                [(13, 10, 40, 72), (16, 16, 4, 64), (8, 11, 64, 4), (9, 7, 7, 5), (12, 12, 128, 32)]
            {
                let taps = window.kernel * window.kernel;
                let (high, wide) = (window.output(height), window.output(width));
                let x = Pair::new(&[2, height, width, inner], 1, dtype)?;
                let w = Pair::new(&[out, taps * inner], 2, dtype)?;
                let down = Pair::single(&[16, taps * inner], 3, dtype)?;
                let (p, up) = (Pair::new(&[2, high, wide, 16], 4, dtype)?, Pair::single(&[out, 16], 5, dtype)?);
                let (bias, sample) = (Pair::single(&[out], 6, DType::F32)?, Pair::new(&[2, out], 7, dtype)?);
                let (dy, residual) =
                    (Pair::new(&[2, high, wide, out], 8, dtype)?, Pair::new(&[2, high, wide, out], 9, dtype)?);
                let what = format!("{window:?} {height} x {width} x {inner} to {out}");
                let forward = |pick: fn(&Pair) -> &Tensor| {
                    let init = Init {
                        bias: Some(pick(&bias)),
                        per_sample: Some(pick(&sample)),
                        residual: Some(pick(&residual)),
                    };
                    let patches = Term { input: pick(&x), weight: pick(&w).into(), scale: 1.0 };
                    let point = Term { input: pick(&p), weight: pick(&up).into(), scale: 0.5 };
                    kernels::convolve(&patches, window, &[point], init)
                };
                assert_within(&forward(|p| &p.device)?, &forward(|p| &p.host)?, dtype, &what)?;
                let backward = |pick: fn(&Pair) -> &Tensor| {
                    let terms = [
                        Term { input: pick(&dy), weight: pick(&w).into(), scale: 1.0 },
                        Term { input: pick(&p), weight: pick(&down).into(), scale: 2.0 },
                    ];
                    kernels::convolve_backward(&terms, window, height, width)
                };
                assert_within(&backward(|p| &p.device)?, &backward(|p| &p.host)?, dtype, &format!("backward {what}"))?;
            }
        }
    }
    Ok(())
}

#[test]
#[ignore = "needs a GPU or the emulator"]
fn outer_products_are_those_of_the_cpu() -> Result<()> {
    let close = |device: &Tensor, host: &Tensor, what: &str| assert_within(device, host, DType::F32, what);
    for dtype in types() {
        for (positions, n, k) in
            [(3000, 16, 320), (77, 320, 16), (1000, 64, 200), (600, 200, 64), (50, 5, 9), (1, 128, 128), (700, 33, 31)]
        {
            let (a, b) = (Pair::new(&[positions, n], 1, dtype)?, Pair::new(&[positions, k], 2, dtype)?);
            let target = Pair::single(&[n, k], 3, DType::F32)?;
            outer_add(&target.host, &a.host, &b.host, 0.5)?;
            outer_add(&target.device, &a.device, &b.device, 0.5)?;
            close(&target.device, &target.host, &format!("outer {positions} x {n} x {k}, {dtype:?}"))?;
        }
        for window in [Window::SAME3, DOWN, DOWN_UNEVEN, FIVE] {
            for (height, width, inner, rank) in [(24, 20, 40, 16), (9, 7, 7, 5), (16, 16, 4, 64), (8, 8, 64, 128)] {
                let taps = window.kernel * window.kernel;
                let a = Pair::new(&[3, window.output(height), window.output(width), rank], 1, dtype)?;
                let b = Pair::new(&[3, height, width, inner], 2, dtype)?;
                let target = Pair::single(&[rank, taps * inner], 3, DType::F32)?;
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

/// A quantized matrix on the GPU, and the numbers that kernels of `dtype` make of it, in f32.
fn quantized(kind: Quantization, rows: usize, columns: usize, dtype: DType) -> Result<(Quantized, Tensor)> {
    let packed = Quantized::new(&Pair::single(&[rows, columns], 9, DType::F32)?.host, kind)?;
    let wide = packed.widen()?.to_dtype(dtype)?.to_dtype(DType::F32)?;
    Ok((packed.to_device(&gpu())?, wide))
}

fn term<'a>(input: &'a Tensor, weight: Weight<'a>, scale: f64) -> Term<'a> {
    Term { input, weight, scale }
}

#[test]
#[ignore = "needs a GPU or the emulator"]
fn quantized_weights_are_widened_where_they_are_read() -> Result<()> {
    for dtype in types() {
        for kind in [Quantization::Int8, Quantization::Nf4] {
            for (rows, inner, columns) in [(300, 320, 200), (70, 63, 45), (3, 1280, 320), (130, 128, 32)] {
                let (packed, wide) = quantized(kind, columns, inner, dtype)?;
                let (x, dy) = (Pair::new(&[rows, inner], 1, dtype)?, Pair::new(&[rows, columns], 2, dtype)?);
                let (p, up) = (Pair::new(&[rows, 16], 3, dtype)?, Pair::single(&[columns, 16], 4, dtype)?);
                let what = format!("{kind:?} {rows} x {inner} x {columns}");
                let terms = [term(&x.device, (&packed).into(), 1.0), term(&p.device, (&up.device).into(), 0.5)];
                let right = [term(&x.host, (&wide).into(), 1.0), term(&p.host, (&up.host).into(), 0.5)];
                let (ours, right) = (linear(&terms, Init::default())?, linear(&right, Init::default())?);
                assert_within(&ours, &right, dtype, &what)?;
                let ours = linear_backward(&[term(&dy.device, (&packed).into(), 1.5)], None)?;
                let right = linear_backward(&[term(&dy.host, (&wide).into(), 1.5)], None)?;
                assert_within(&ours, &right, dtype, &format!("backward {what}"))?;
            }
            // Under a window, through both sides.
            let (x, (packed, wide)) = (Pair::new(&[1, 10, 9, 64], 1, dtype)?, quantized(kind, 40, 9 * 64, dtype)?);
            let forward =
                |x: &Tensor, weight| kernels::convolve(&term(x, weight, 1.0), Window::SAME3, &[], Init::default());
            let (ours, right) = (forward(&x.device, (&packed).into())?, forward(&x.host, (&wide).into())?);
            assert_within(&ours, &right, dtype, &format!("{kind:?} convolution"))?;
            let dy = Pair::new(&[1, 10, 9, 40], 2, dtype)?;
            let backward =
                |dy: &Tensor, weight| kernels::convolve_backward(&[term(dy, weight, 1.0)], Window::SAME3, 10, 9);
            let (ours, right) = (backward(&dy.device, (&packed).into())?, backward(&dy.host, (&wide).into())?);
            assert_within(&ours, &right, dtype, &format!("{kind:?} convolution backward"))?;
        }
    }
    Ok(())
}
