//! What waits for memory alone gives on the GPU what it gives on the CPU: activations, arrangements, embeddings, DoRA,
//! losses, optimizers.

use crate::pair::{Pair, assert_same, gpu, types};
use candle_core::{DType, Result};
use kernels::{Activation, AdamW, Init, Prodigy, ProdigyMoments, Tensor};

type Pick = fn(&Pair) -> &Tensor;
const HOST: Pick = |pair| &pair.host;
const DEVICE: Pick = |pair| &pair.device;

/// Runs `f` on both devices and compares all that it gives.
fn compare(what: &str, f: impl Fn(Pick) -> Result<Vec<Tensor>>) -> Result<()> {
    let (ours, right) = (f(DEVICE)?, f(HOST)?);
    assert_eq!(ours.len(), right.len());
    ours.iter().zip(&right).try_for_each(|(ours, right)| assert_same(ours, right, what))
}

/// Shapes whose rows are whole runs and such as are not, aligned and not.
fn shapes(dtype: DType, seed: usize) -> Result<Vec<Pair>> {
    let ragged = Pair::new(&[3, 7, 9, 22], seed, dtype)?;
    Ok(vec![Pair::new(&[2, 4, 6, 64], seed, dtype)?, ragged.rest()?, ragged, Pair::new(&[2, 2, 2, 3], seed, dtype)?])
}

#[test]
#[ignore = "needs a GPU or the emulator"]
fn activations_are_those_of_the_cpu() -> Result<()> {
    for dtype in types() {
        for (x, grad) in shapes(dtype, 1)?.iter().zip(&shapes(dtype, 2)?) {
            for f in [Activation::Silu, Activation::Gelu, Activation::QuickGelu] {
                compare(&format!("{f:?}"), |on| {
                    Ok(vec![kernels::activate(on(x), f)?, kernels::activate_backward(on(grad), on(x), f)?])
                })?;
            }
        }
        for width in [64, 11, 320] {
            let (x, grad) = (Pair::new(&[3, 5, 2 * width], 3, dtype)?, Pair::new(&[3, 5, width], 4, dtype)?);
            compare("geglu", |on| Ok(vec![kernels::geglu(on(&x))?, kernels::geglu_backward(on(&grad), on(&x))?]))?;
        }
    }
    // Where e^x leaves what f32 holds.
    let x = Pair::of(vec![-300.0, -100.0, -90.0, -20.0, 0.0, 20.0, 90.0, 300.0], &[8], DType::F16)?;
    for f in [Activation::Silu, Activation::Gelu, Activation::QuickGelu] {
        compare(&format!("{f:?} of large numbers"), |on| {
            Ok(vec![kernels::activate(on(&x), f)?, kernels::activate_backward(on(&x), on(&x), f)?])
        })?;
    }
    Ok(())
}

#[test]
#[ignore = "needs a GPU or the emulator"]
fn sums_and_factors_are_those_of_the_cpu() -> Result<()> {
    for dtype in types() {
        let parts: Vec<Vec<Pair>> = (0..18).map(|seed| shapes(dtype, seed)).collect::<Result<_>>()?;
        for which in 0..parts[0].len() {
            for count in [1, 2, 3, 8, 9, 18] {
                let all = |on: Pick| parts[..count].iter().map(|part| on(&part[which])).collect::<Vec<_>>();
                if dtype == DType::F32 || count < 9 {
                    compare(&format!("sum of {count}"), |on| Ok(vec![kernels::add_all(&all(on))?]))?;
                } else {
                    // Sums between launches are rounded.
                    assert!(kernels::add_all(&all(DEVICE))?.to_vec::<f32>()?.iter().all(|x| x.is_finite()));
                }
            }
            let (x, y) = (&parts[0][which], &parts[1][which]);
            compare("scale", |on| Ok(vec![kernels::scale(on(x), -0.37)?]))?;
            let target = x.copy()?;
            kernels::accumulate(&target.host, &y.host)?;
            kernels::accumulate(&target.device, &y.device)?;
            target.assert_same("accumulate")?;
            let target = x.copy()?;
            kernels::scale_in_place(&target.host, 1.5)?;
            kernels::scale_in_place(&target.device, 1.5)?;
            target.assert_same("scale in place")?;
            let sum = Pair::new(y.host.dims(), 30, DType::F32)?;
            kernels::accumulate(&sum.host, &y.host)?;
            kernels::accumulate(&sum.device, &y.device)?;
            sum.assert_same("accumulate in f32")?;
            kernels::clear(&sum.device)?;
            assert!(sum.device.to_vec::<f32>()?.iter().all(|x| x.to_bits() == 0));
            for to in types() {
                let cast = x.device.to_dtype(to)?.host()?;
                let right = x.host.host()?.to_dtype(to)?;
                assert_eq!(
                    cast.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?,
                    right.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?,
                    "{dtype:?} as {to:?}"
                );
            }
        }
        for shape in [&[2, 1, 32][..], &[2, 35, 41, 64], &[1, 300, 320], &[3, 20, 7], &[1, 3, 2570]] {
            let x = Pair::new(shape, 5, dtype)?;
            compare(&format!("sum over space of {shape:?}"), |on| Ok(vec![kernels::sum_space(on(&x))?]))?;
        }
    }
    Ok(())
}

#[test]
#[ignore = "needs a GPU or the emulator"]
fn arrangements_are_those_of_the_cpu() -> Result<()> {
    for dtype in types() {
        for x in &shapes(dtype, 1)? {
            compare("doubled", |on| Ok(vec![kernels::upsample_nearest(on(x))?]))?;
            let (height, channels) = (x.host.dim(1)?, x.host.dim(3)?);
            let grad = Pair::new(&[2, 2 * height, 6, channels], 2, dtype)?;
            compare("halved", |on| Ok(vec![kernels::upsample_nearest_backward(on(&grad))?]))?;
            compare("channels first", |on| Ok(vec![kernels::to_channels_first(on(x))?]))?;
            compare("channels last", |on| Ok(vec![kernels::to_channels_last(on(x))?]))?;
            for axes in [[0, 2, 1, 3], [3, 2, 1, 0], [1, 0, 2, 3], [0, 1, 2, 3]] {
                compare(&format!("{axes:?}"), |on| Ok(vec![on(x).permute(&axes)?]))?;
            }
            for axis in 0..4 {
                let length = x.host.dim(axis)? - 1;
                compare(&format!("part of axis {axis}"), |on| Ok(vec![on(x).narrow(axis, 1, length)?.copy()?]))?;
            }
        }
        for (left, right) in [(64, 32), (13, 64), (5, 2), (8, 1)] {
            let (a, b) = (Pair::new(&[2, 9, left], 1, dtype)?, Pair::new(&[2, 9, right], 2, dtype)?);
            compare(&format!("{left} + {right} channels"), |on| {
                let joined = kernels::concat_channels(on(&a), on(&b))?;
                let (a, b) = kernels::split_channels(&joined, left)?;
                Ok(vec![joined, a, b])
            })?;
        }
        for channels in [64, 13] {
            let (x, grad) = (Pair::new(&[3, 7, channels], 1, dtype)?, Pair::new(&[3, channels], 2, dtype)?);
            compare("picked rows", |on| {
                let back = kernels::scatter_rows(on(&grad), &[0, 6, 3], 7)?;
                Ok(vec![kernels::gather_rows(on(&x), &[6, 0, 2])?, back])
            })?;
        }
    }
    let bytes = Tensor::from_vec((0..60_u8).collect(), (3, 4, 5), &gpu())?;
    let right: Vec<u8> = (0..60).map(|i| i % 4 * 5 + i / 4 % 5 + i / 20 * 20).collect();
    assert_eq!(bytes.permute(&[0, 2, 1])?.to_vec::<u8>()?, right);
    Ok(())
}

#[test]
#[ignore = "needs a GPU or the emulator"]
fn embeddings_are_those_of_the_cpu() -> Result<()> {
    const IDS: [u32; 14] = [0, 5, 49, 50, 51, 3, 51, 50, 7, 7, 1, 2, 50, 49];
    for dtype in types() {
        for stored in types() {
            for channels in [64, 300] {
                let (table, rows) = (Pair::new(&[50, channels], 1, stored)?, Pair::new(&[2, channels], 2, DType::F32)?);
                let positions = Pair::new(&[7, channels], 3, dtype)?;
                compare("embedding", |on| {
                    let known: Vec<u32> = IDS.iter().map(|id| id % 50).collect();
                    let plain = kernels::embed(on(&table), None, on(&positions), &known)?;
                    Ok(vec![plain, kernels::embed(on(&table), Some(on(&rows)), on(&positions), &IDS)?])
                })?;
            }
        }
        let (target, ids) = (Pair::new(&[2, 300], 4, DType::F32)?, [IDS; 30].concat());
        let grad = Pair::new(&[30, 14, 300], 5, dtype)?;
        kernels::embed_backward(&target.host, &grad.host, &ids, 50)?;
        kernels::embed_backward(&target.device, &grad.device, &ids, 50)?;
        target.assert_same("embedding backward")?;
    }
    Ok(())
}

#[test]
#[ignore = "needs a GPU or the emulator"]
fn dora_is_that_of_the_cpu() -> Result<()> {
    for dtype in types() {
        for (a, b) in shapes(dtype, 1)?.iter().zip(&shapes(dtype, 2)?) {
            let (batch, channels) = (a.host.dim(0)?, a.host.dim(3)?);
            let factor = Pair::new(&[channels], 3, DType::F32)?;
            let sample = Pair::new(&[batch, channels], 4, dtype)?;
            compare("channel product", |on| Ok(vec![kernels::channel_product(on(a), on(b))?]))?;
            compare("channels scaled", |on| Ok(vec![kernels::scale_channels(on(a), on(&factor))?]))?;
            compare("sum", |on| {
                let full = Init { bias: Some(on(&factor)), per_sample: Some(on(&sample)), residual: Some(on(b)) };
                let bias = Init { bias: Some(on(&factor)), ..Init::default() };
                Ok(vec![kernels::add_init(on(a), full)?, kernels::add_init(on(a), bias)?])
            })?;
        }
        for (rows, columns, rank) in [(10, 64, 4), (7, 1000, 16), (3, 37, 3), (9, 2880, 33)] {
            let weight = Pair::new(&[rows, columns], 1, dtype)?;
            let (up, down) = (Pair::new(&[rows, rank], 2, DType::F32)?, Pair::new(&[rank, columns], 3, DType::F32)?);
            compare(&format!("norms of {rows} x {columns}"), |on| {
                let norms = kernels::row_norms(on(&weight).into(), on(&up), on(&down), 0.3)?;
                Ok(vec![on(&up).narrow(0, 0, rows)?.flatten_all()?.narrow(0, 0, rows)?.div(&norms)?, norms])
            })?;
        }
    }
    Ok(())
}

#[test]
#[ignore = "needs a GPU or the emulator"]
fn losses_are_those_of_the_cpu() -> Result<()> {
    for batch in [1, 3, 70] {
        let weights: Vec<f64> = (0..batch).map(|i| 0.5 + 0.1 * i as f64).collect();
        let others: Vec<f64> = (0..batch).map(|i| 1.0 - 0.02 * i as f64).collect();
        for (height, width, channels) in [(8, 12, 4), (3, 3, 3), (40, 33, 4)] {
            let shape = [batch, height, width, channels];
            for dtype in types() {
                let (x, noise) = (Pair::new(&shape, 1, dtype)?, Pair::new(&shape, 2, dtype)?);
                compare("noise", |on| Ok(vec![kernels::add_noise(on(&x), on(&noise), &others, &weights)?]))?;
            }
            let (p, t) = (Pair::new(&shape, 3, DType::F32)?, Pair::new(&shape, 4, DType::F32)?);
            let mask = Pair::new(&[batch, height, width, 1], 5, DType::F32)?;
            for masked in [false, true] {
                compare(&format!("squared error of {shape:?}"), |on| {
                    let mask = masked.then_some(on(&mask));
                    let error = kernels::weighted_squared_error(on(&p), on(&t), mask, &weights)?;
                    Ok(vec![error.loss, error.grad])
                })?;
            }
        }
    }
    Ok(())
}

#[test]
#[ignore = "needs a GPU or the emulator"]
fn optimizers_are_those_of_the_cpu() -> Result<()> {
    for size in [5, 1024, 9001] {
        let of = |seed| Pair::single(&[size], seed, DType::F32);
        let positive =
            |seed| Pair::of(of(seed)?.host.to_vec::<f32>()?.iter().map(|x| x * x).collect(), &[size], DType::F32);
        let (values, grads, first, second) = (of(1)?, of(2)?, of(3)?, positive(4)?);
        let rule = AdamW { rate: 1e-2, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weight_decay: 0.1, step: 3 };
        for on in [HOST, DEVICE] {
            kernels::adamw(on(&values), on(&grads), on(&first), on(&second), rule)?;
        }
        [&values, &first, &second].iter().try_for_each(|pair| pair.assert_same("adamw"))?;

        let (initial, sum) = (of(5)?, of(6)?);
        let rule = Prodigy { d: 1e-3, d0: 1e-6, rate: 1e-3, beta1: 0.9, beta2: 0.99, beta3: 0.995 };
        let sums = [HOST, DEVICE].map(|on| {
            let (initial, first, second, sum) = (on(&initial), on(&first), on(&second), on(&sum));
            kernels::prodigy_moments(on(&values), on(&grads), ProdigyMoments { initial, first, second, sum }, rule)
        });
        let [(right, right_size), (ours, our_size)] = match sums {
            [Ok(host), Ok(device)] => [host, device],
            [Err(error), _] | [_, Err(error)] => return Err(error),
        };
        // The terms of the first sum have both signs.
        assert!((ours - right).abs() < 1e-5 * size as f64 * rule.d / rule.d0 * rule.rate, "{ours} for {right}");
        assert!((our_size / right_size - 1.0).abs() < 1e-6, "{our_size} for {right_size}");
        [&first, &second, &sum].iter().try_for_each(|pair| pair.assert_same("prodigy's moments"))?;
        for on in [HOST, DEVICE] {
            kernels::prodigy_update(on(&values), on(&first), on(&second), 1e-3, 0.1, 1e-8)?;
            kernels::add_sign(on(&grads), on(&values), 0.25)?;
        }
        values.assert_same("prodigy's update")?;
        grads.assert_same("sign")?;
        compare("sums", |on| Ok(vec![kernels::absolute_sum(on(&values))?, kernels::squared_sum(on(&values))?]))?;
    }
    let endless = Pair::of(vec![1.0, f32::INFINITY, 3.0, f32::NAN], &[4], DType::F32)?.device;
    assert!(!kernels::squared_sum(&endless)?.to_scalar::<f64>()?.is_finite());
    for channels in [64, 300] {
        for dtype in types() {
            let table = Pair::new(&[19, channels], 1, dtype)?;
            compare("deviations", |on| Ok(vec![kernels::row_std(on(&table))?]))?;
        }
        let (rows, grads) = (Pair::new(&[3, channels], 2, DType::F32)?, Pair::new(&[3, channels], 3, DType::F32)?);
        compare("deviation penalty", |on| Ok(vec![kernels::std_penalty(on(&rows), on(&grads), 0.3, 0.02, 0.5)?]))?;
        grads.assert_same("deviation penalty's gradient")?;
    }
    Ok(())
}

#[test]
#[ignore = "needs a GPU or the emulator"]
fn what_does_not_fit_is_an_error() -> Result<()> {
    let of = |shape: &[usize], dtype| Ok::<_, candle_core::Error>(Pair::new(shape, 1, dtype)?.device);
    let (x, half) = (of(&[2, 6, 64], DType::F32)?, of(&[2, 6, 64], DType::BF16)?);
    let (row, short) = (of(&[64], DType::F32)?, of(&[63], DType::F32)?);
    let on_host = Pair::new(&[2, 6, 64], 1, DType::F32)?.host;
    assert!(kernels::add(&x, &half).is_err() && kernels::add(&x, &on_host).is_err());
    assert!(kernels::accumulate(&half, &x).is_err() && kernels::accumulate(&x, &row).is_err());
    assert!(kernels::activate_backward(&half, &x, Activation::Silu).is_err());
    assert!(kernels::geglu_backward(&x, &x).is_err() && kernels::geglu(&short).is_err());
    assert!(kernels::concat_channels(&x, &half).is_err() && kernels::split_channels(&x, 65).is_err());
    assert!(kernels::gather_rows(&x, &[0, 6]).is_err() && kernels::gather_rows(&x, &[0]).is_err());
    assert!(kernels::scatter_rows(&of(&[2, 64], DType::F32)?, &[0, 6], 6).is_err());
    assert!(kernels::upsample_nearest_backward(&of(&[1, 3, 4, 8], DType::F32)?).is_err());
    assert!(kernels::embed(&half, None, &of(&[6, 64], DType::BF16)?, &[1; 6]).is_err(), "table of other channels");
    assert!(kernels::embed(&of(&[9, 64], DType::F32)?, None, &of(&[6, 64], DType::BF16)?, &[9; 6]).is_err());
    assert!(kernels::embed_backward(&of(&[1, 64], DType::F32)?, &x, &[9; 11], 9).is_err());
    assert!(kernels::embed_backward(&of(&[1, 64], DType::F32)?, &x, &[11; 12], 9).is_err());
    assert!(kernels::channel_product(&x, &half).is_err() && kernels::scale_channels(&x, &short).is_err());
    assert!(kernels::row_norms((&half).into(), &of(&[2, 4], DType::F32)?, &of(&[4, 384], DType::BF16)?, 1.0).is_err());
    assert!(kernels::add_noise(&x, &x, &[1.0], &[1.0, 1.0]).is_err());
    assert!(kernels::squared_sum(&half).is_err() && kernels::add_sign(&x, &row, 1.0).is_err());
    assert!(x.div(&half).is_err() && x.narrow(2, 60, 5).is_err());
    Ok(())
}
