//! Every backward primitive against central finite differences of its forward one, in f64.
//!
//! For a random cotangent c, L(x) = <c, f(x)>; the analytic gradient is backward(c). Each test perturbs a spread of input
//! elements and demands agreement to 1e-6 of the gradient's scale. Shapes are odd on purpose: more than one tile, ragged
//! edges, several samples.

use candle_core::{DType, Result};
use kernels::{Activation, Affine, Attended, Device, Init, Tensor, Term, Window};

/// Deterministic values in -1..1.
fn values(shape: &[usize], seed: u64) -> Tensor {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    let count = shape.iter().product();
    Tensor::from_vec(std::iter::repeat_with(next).take(count).collect::<Vec<_>>(), shape, &Device::Cpu).expect("values")
}

fn dot(a: &Tensor, b: &Tensor) -> f64 {
    let flat = |t: &Tensor| t.to_vec::<f64>().expect("f64");
    flat(a).iter().zip(flat(b)).map(|(a, b)| a * b).sum()
}

/// The largest difference of two tensors' elements.
fn difference(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.shape(), b.shape());
    let flat = |t: &Tensor| t.to_vec::<f64>().expect("f64");
    flat(a).iter().zip(flat(b)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// `x` with `f` applied to each element.
fn map(x: &Tensor, f: impl Fn(f64) -> f64) -> Tensor {
    let values = x.to_vec::<f64>().expect("f64").into_iter().map(f).collect();
    Tensor::from_vec(values, x.shape(), &Device::Cpu).expect("values")
}

/// Compares `analytic` with differences of `loss` around `x`, at up to 60 elements.
fn check(name: &str, x: &Tensor, analytic: &Tensor, loss: impl Fn(&Tensor) -> Result<f64>) {
    assert_eq!(x.shape(), analytic.shape(), "{name}: the gradient's shape");
    let base: Vec<f64> = x.to_vec().expect("f64");
    let gradient: Vec<f64> = analytic.to_vec().expect("f64");
    let scale = gradient.iter().fold(0f64, |m, g| m.max(g.abs())).max(1e-3);
    let step = 1e-5;
    for i in (0..base.len()).step_by((base.len() / 60).max(1)) {
        let at = |delta: f64| {
            let mut moved = base.clone();
            moved[i] += delta;
            loss(&Tensor::from_vec(moved, x.shape(), &Device::Cpu).expect("moved")).expect("a loss")
        };
        let numeric = (at(step) - at(-step)) / (2.0 * step);
        let error = (numeric - gradient[i]).abs() / scale;
        assert!(error < 1e-6, "{name}[{i}]: analytic {} numeric {numeric}", gradient[i]);
    }
}

fn affine(channels: usize) -> Affine {
    Affine { scale: map(&values(&[channels], 8), |x| x + 1.5), shift: values(&[channels], 9), epsilon: 1e-5 }
}

#[test]
fn linear_passes_gradients_of_all_its_terms() -> Result<()> {
    let (x, w) = (values(&[2, 37, 24], 1), values(&[70, 24], 2));
    let (h, up) = (values(&[2, 37, 5], 3), values(&[70, 5], 4));
    let c = values(&[2, 37, 70], 5);
    let beside = values(&[2, 37, 24], 6);
    let forward = |x: &Tensor, h: &Tensor| {
        let terms =
            [Term { input: x, weight: (&w).into(), scale: 1.0 }, Term { input: h, weight: (&up).into(), scale: 0.7 }];
        let bias = values(&[70], 7);
        let residual = values(&[2, 37, 70], 8);
        let per_sample = values(&[2, 70], 9);
        kernels::linear(&terms, Init { bias: Some(&bias), residual: Some(&residual), per_sample: Some(&per_sample) })
    };
    let dx = kernels::linear_backward(&[Term { input: &c, weight: (&w).into(), scale: 1.0 }], None)?;
    check("linear x", &x, &dx, |x| Ok(dot(&c, &forward(x, &h)?)));
    let dh = kernels::linear_backward(&[Term { input: &c, weight: (&up).into(), scale: 0.7 }], None)?;
    check("linear low rank", &h, &dh, |h| Ok(dot(&c, &forward(&x, h)?)));
    let with = kernels::linear_backward(&[Term { input: &c, weight: (&w).into(), scale: 1.0 }], Some(&beside))?;
    assert!(difference(&with, &kernels::add(&dx, &beside)?) < 1e-12);
    Ok(())
}

#[test]
fn linear_agrees_with_a_plain_matrix_product() -> Result<()> {
    // Few rows and many take different paths.
    for rows in [1, 3, 64, 200, 700] {
        let (x, w, bias) = (values(&[rows, 150], 1), values(&[260, 150], 2), values(&[260], 3));
        let y = kernels::linear(
            &[Term { input: &x, weight: (&w).into(), scale: 1.0 }],
            Init { bias: Some(&bias), ..Init::default() },
        )?;
        let plain = x.host()?.matmul(&w.host()?.t()?)?.broadcast_add(&bias.host()?)?.into();
        let difference = difference(&y, &plain);
        assert!(difference < 1e-12, "{rows} rows: {difference:e}");
    }
    Ok(())
}

#[test]
fn convolution_agrees_with_candles_and_passes_gradients() -> Result<()> {
    let windows = [
        (Window::SAME3, 7, 6),
        (Window { kernel: 3, stride: 2, before: 1, after: 1 }, 8, 6),
        (Window { kernel: 3, stride: 2, before: 0, after: 1 }, 6, 4),
    ];
    for (window, height, width) in windows {
        let (x, w) = (values(&[2, height, width, 5], 1), values(&[11, 5, 3, 3], 2));
        let flat = w.permute(&[0, 2, 3, 1])?.flatten_from(1)?;
        let forward = |x: &Tensor| {
            let term = Term { input: x, weight: (&flat).into(), scale: 1.0 };
            kernels::convolve(&term, window, &[], Init::default())
        };
        let y = forward(&x)?;
        let padded = x.host()?.permute((0, 3, 1, 2))?.pad_with_zeros(2, window.before, window.after)?;
        let padded = padded.pad_with_zeros(3, window.before, window.after)?;
        let plain = padded.conv2d(&w.host()?, 0, window.stride, 1, 1)?;
        assert!(difference(&kernels::to_channels_first(&y)?, &plain.into()) < 1e-12, "{window:?}");
        let c = values(y.dims(), 3);
        let dx = kernels::convolve_backward(
            &[Term { input: &c, weight: (&flat).into(), scale: 1.0 }],
            window,
            height,
            width,
        )?;
        check("convolution x", &x, &dx, |x| Ok(dot(&c, &forward(x)?)));
    }
    Ok(())
}

#[test]
fn outer_products_are_the_gradients_of_trainable_matrices() -> Result<()> {
    let (x, w, c) = (values(&[2, 6, 5, 4], 1), values(&[3, 36], 2), values(&[2, 6, 5, 3], 3));
    let target = Tensor::ones((3, 36), DType::F64, &Device::Cpu)?;
    kernels::outer_add_patches(&target, &c, &x, 0.5, Window::SAME3)?;
    let dw = map(&target, |x| x - 1.0);
    check("convolution weight", &w, &dw, |w| {
        let term = Term { input: &x, weight: w.into(), scale: 0.5 };
        Ok(dot(&c, &kernels::convolve(&term, Window::SAME3, &[], Init::default())?))
    });
    let (x, w, c) = (values(&[300, 70], 1), values(&[9, 70], 2), values(&[300, 9], 3));
    let dw = Tensor::zeros((9, 70), DType::F64, &Device::Cpu)?;
    kernels::outer_add(&dw, &c, &x, 1.0)?;
    check("linear weight", &w, &dw, |w| {
        Ok(dot(&c, &kernels::linear(&[Term { input: &x, weight: w.into(), scale: 1.0 }], Init::default())?))
    });
    Ok(())
}

#[test]
fn group_norm_passes_gradients() -> Result<()> {
    // 300 rows of 64 channels make more than one task; 32 channels make groups of one.
    for (shape, silu) in [(&[2, 20, 15, 64][..], true), (&[1, 4, 3, 32], false), (&[2, 5, 7, 96], true)] {
        let affine = affine(shape[3]);
        let (x, c, beside) = (values(shape, 1), values(shape, 2), values(shape, 3));
        let (_, statistics) = kernels::group_norm(&x, &affine, silu)?;
        let dx = kernels::group_norm_backward(&c, &x, &statistics, &affine, silu, None)?;
        check("group norm", &x, &dx, |x| Ok(dot(&c, &kernels::group_norm(x, &affine, silu)?.0)));
        let with = kernels::group_norm_backward(&c, &x, &statistics, &affine, silu, Some(&beside))?;
        assert!(difference(&with, &kernels::add(&dx, &beside)?) < 1e-12);
    }
    Ok(())
}

#[test]
fn layer_norm_passes_gradients() -> Result<()> {
    let affine = affine(70);
    let (x, c) = (values(&[2, 13, 70], 1), values(&[2, 13, 70], 2));
    let dx = kernels::layer_norm_backward(&c, &x, &affine, &c)?;
    // The gradient that passes beside the norm is that of an added identity.
    check("layer norm", &x, &dx, |x| Ok(dot(&c, &kernels::layer_norm(x, &affine)?) + dot(&c, x)));
    Ok(())
}

#[test]
fn attention_passes_gradients() -> Result<()> {
    for (queries, keys, causal) in [(70, 70, true), (300, 77, false), (5, 9, false)] {
        let (q, k, v) = (values(&[2, queries, 24], 1), values(&[2, keys, 24], 2), values(&[2, keys, 24], 3));
        let c = values(&[2, queries, 24], 4);
        let (o, log_sums) = kernels::attention(&q, &k, &v, 3, causal)?;
        let attended = Attended { q: &q, k: &k, v: &v, o: &o, log_sums: &log_sums };
        let (dq, dk, dv) = kernels::attention_backward(&c, attended, 3, causal)?;
        check("attention q", &q, &dq, |q| Ok(dot(&c, &kernels::attention(q, &k, &v, 3, causal)?.0)));
        check("attention k", &k, &dk, |k| Ok(dot(&c, &kernels::attention(&q, k, &v, 3, causal)?.0)));
        check("attention v", &v, &dv, |v| Ok(dot(&c, &kernels::attention(&q, &k, v, 3, causal)?.0)));
    }
    Ok(())
}

#[test]
fn activations_pass_gradients() -> Result<()> {
    let (x, c) = (map(&values(&[3, 50], 1), |x| 4.0 * x), values(&[3, 50], 2));
    for f in [Activation::Silu, Activation::Gelu, Activation::QuickGelu] {
        let dx = kernels::activate_backward(&c, &x, f)?;
        check("activation", &x, &dx, |x| Ok(dot(&c, &kernels::activate(x, f)?)));
    }
    let c = values(&[3, 25], 3);
    check("geglu", &x, &kernels::geglu_backward(&c, &x)?, |x| Ok(dot(&c, &kernels::geglu(x)?)));
    Ok(())
}

#[test]
fn arrangements_pass_gradients() -> Result<()> {
    let (x, c) = (values(&[2, 3, 4, 5], 1), values(&[2, 6, 8, 5], 2));
    let dx = kernels::upsample_nearest_backward(&c)?;
    check("upsample", &x, &dx, |x| Ok(dot(&c, &kernels::upsample_nearest(x)?)));

    let (a, b, c) = (values(&[2, 7, 3], 1), values(&[2, 7, 4], 2), values(&[2, 7, 7], 3));
    let (da, db) = kernels::split_channels(&c, 3)?;
    check("concat left", &a, &da, |a| Ok(dot(&c, &kernels::concat_channels(a, &b)?)));
    check("concat right", &b, &db, |b| Ok(dot(&c, &kernels::concat_channels(&a, b)?)));

    let (x, c) = (values(&[2, 7, 3], 1), values(&[2, 3], 2));
    let dx = kernels::scatter_rows(&c, &[4, 0], 7)?;
    check("gather", &x, &dx, |x| Ok(dot(&c, &kernels::gather_rows(x, &[4, 0])?)));
    Ok(())
}

#[test]
fn new_token_rows_get_the_gradient_of_every_place_they_stand() -> Result<()> {
    let (table, rows, positions) = (values(&[10, 6], 1), values(&[2, 6], 2), values(&[4, 6], 3));
    let (ids, c) = ([1, 10, 11, 10, 3, 11, 0, 2], values(&[2, 4, 6], 4));
    let drows = Tensor::zeros((2, 6), DType::F64, &Device::Cpu)?;
    kernels::embed_backward(&drows, &c, &ids, 10)?;
    check("token rows", &rows, &drows, |rows| Ok(dot(&c, &kernels::embed(&table, Some(rows), &positions, &ids)?)));
    assert!(kernels::embed(&table, Some(&rows), &positions, &[12, 0, 0, 0]).is_err());
    Ok(())
}

#[test]
fn the_loss_and_the_penalties_have_their_gradients() -> Result<()> {
    let (p, t) = (values(&[2, 3, 3, 4], 1), values(&[2, 3, 3, 4], 2));
    let mask = map(&values(&[2, 3, 3, 1], 3), f64::abs);
    let weights = [0.3, 1.9];
    let error = |p: &Tensor| kernels::weighted_squared_error(p, &t, Some(&mask), &weights);
    check("squared error", &p, &error(&p)?.grad, |p| error(p)?.loss.to_scalar());

    let rows = values(&[3, 40], 4);
    let grads = rows.zeros_like()?;
    kernels::std_penalty(&rows, &grads, 0.3, 0.02, 0.5)?;
    check("deviation penalty", &rows, &grads, |rows| {
        kernels::std_penalty(rows, &rows.zeros_like()?, 0.3, 0.02, 0.5)?.to_scalar()
    });

    let grads = rows.zeros_like()?;
    kernels::add_sign(&grads, &rows, 0.25)?;
    check("absolute value", &rows, &grads, |rows| Ok(0.25 * kernels::absolute_sum(rows)?.to_scalar::<f64>()?));
    Ok(())
}
