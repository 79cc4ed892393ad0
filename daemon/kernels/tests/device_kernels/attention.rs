//! Attention on the GPU gives what it gives on the CPU: every depth of heads, whole and ragged tiles, few keys, causal.

use crate::pair::{Pair, types};
use candle_core::{DType, Result};
use kernels::{Attended, Tensor, attention, attention_backward};

/// The root of the mean squared difference, in units of the root mean square. Probabilities and their gradients are
/// rounded to `dtype` before they are multiplied, as well as the result.
fn assert_same(device: &Tensor, host: &Tensor, dtype: DType, slack: f32, what: &str) -> Result<()> {
    let (ours, right) = (device.host()?.to_dtype(DType::F32)?, host.host()?);
    assert_eq!(ours.dims(), right.dims(), "{what}");
    let square = |x: &candle_core::Tensor| x.sqr()?.sum_all()?.to_scalar::<f32>();
    let error = (square(&(ours - &right)?)? / square(&right)?.max(1e-12)).sqrt();
    let allowed = match dtype {
        DType::F32 => 5e-6,
        DType::BF16 => 7e-3,
        _ => 9e-4,
    };
    println!("{what} {dtype:?}: {error:e}");
    // A NaN is not below.
    assert!(error < slack * allowed, "{what} {dtype:?}: {error:e}");
    Ok(())
}

struct Case {
    batch: usize,
    heads: usize,
    queries: usize,
    keys: usize,
    depth: usize,
    causal: bool,
    /// Of the queries: large ones make a few keys take all.
    size: f32,
}

fn check(case: &Case, dtype: DType) -> Result<()> {
    let &Case { batch, heads, queries, keys, depth, causal, size } = case;
    let what = format!("{batch} x {heads} x {queries} x {keys} x {depth}{}", if causal { " causal" } else { "" });
    let width = heads * depth;
    // Where few keys take all, gradients of scores are small differences of rounded numbers.
    let slack = (size / 4.0).max(1.0);
    let (q, k) =
        (Pair::sized(&[batch, queries, width], 1, dtype, size)?, Pair::sized(&[batch, keys, width], 2, dtype, 2.0)?);
    let (v, grad) =
        (Pair::sized(&[batch, keys, width], 3, dtype, 2.0)?, Pair::sized(&[batch, queries, width], 4, dtype, 2.0)?);
    let run = |pick: fn(&Pair) -> &Tensor| {
        let (q, k, v, grad) = (pick(&q), pick(&k), pick(&v), pick(&grad));
        let (o, log_sums) = attention(q, k, v, heads, causal)?;
        let attended = Attended { q, k, v, o: &o, log_sums: &log_sums };
        let (dq, dk, dv) = attention_backward(grad, attended, heads, causal)?;
        Result::Ok([o, dq, dk, dv, log_sums])
    };
    let (ours, right) = (run(|pair| &pair.device)?, run(|pair| &pair.host)?);
    for (name, (ours, right)) in ["o", "dq", "dk", "dv", "log-sums"].iter().zip(ours.iter().zip(&right)) {
        let dtype = if *name == "log-sums" { DType::F32 } else { dtype };
        assert_same(ours, right, dtype, slack, &format!("{what}: {name}"))?;
    }
    Ok(())
}

#[test]
#[ignore = "needs a GPU or the emulator"]
fn every_depth_is_that_of_the_cpu() -> Result<()> {
    for dtype in types() {
        let depths = if dtype == DType::F32 { &[8, 40, 80, 192][..] } else { &[16, 24, 40, 64, 80, 160, 192] };
        for &depth in depths {
            check(&Case { batch: 2, heads: 2, queries: 131, keys: 131, depth, causal: false, size: 2.0 }, dtype)?;
            check(&Case { batch: 1, heads: 3, queries: 77, keys: 77, depth, causal: true, size: 4.0 }, dtype)?;
            // Few keys: the queries are split, in two or more shares.
            check(&Case { batch: 1, heads: 2, queries: 300, keys: 77, depth, causal: false, size: 2.0 }, dtype)?;
        }
        check(&Case { batch: 2, heads: 1, queries: 70, keys: 45, depth: 512, causal: false, size: 2.0 }, dtype)?;
    }
    Ok(())
}

#[test]
#[ignore = "needs a GPU or the emulator"]
fn large_blocks_and_whole_tiles_are_those_of_the_cpu() -> Result<()> {
    for dtype in types() {
        // Enough queries for blocks of 128 on the emulated GPU; a GPU proper takes blocks of 64 for so few.
        for (depth, queries, keys) in [(64, 256, 128), (64, 300, 154), (40, 256, 64), (48, 130, 50)] {
            check(&Case { batch: 2, heads: 3, queries, keys, depth, causal: false, size: 2.0 }, dtype)?;
        }
        check(&Case { batch: 1, heads: 8, queries: 192, keys: 192, depth: 64, causal: true, size: 2.0 }, dtype)?;
        check(&Case { batch: 1, heads: 1, queries: 64, keys: 64, depth: 512, causal: true, size: 2.0 }, dtype)?;
    }
    Ok(())
}

#[test]
#[ignore = "needs a GPU or the emulator"]
fn sharp_attention_stays_finite() -> Result<()> {
    for dtype in types() {
        for depth in [64, 512] {
            check(&Case { batch: 1, heads: 1, queries: 5, keys: 154, depth, causal: false, size: 16.0 }, dtype)?;
        }
    }
    Ok(())
}

#[test]
#[ignore = "needs a GPU or the emulator"]
fn the_same_inputs_give_the_same_bytes() -> Result<()> {
    let (q, k) = (
        Pair::sized(&[1, 200, 128], 1, DType::F16, 2.0)?.device,
        Pair::sized(&[1, 77, 128], 2, DType::F16, 2.0)?.device,
    );
    let run = || {
        let (o, log_sums) = attention(&q, &k, &k, 2, false)?;
        let attended = Attended { q: &q, k: &k, v: &k, o: &o, log_sums: &log_sums };
        let (dq, dk, dv) = attention_backward(&o, attended, 2, false)?;
        let flat = |x: Tensor| x.host()?.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>();
        Result::Ok([flat(dq)?, flat(dk)?, flat(dv)?])
    };
    assert_eq!(run()?, run()?);
    Ok(())
}

#[test]
#[ignore = "needs a GPU or the emulator"]
fn what_does_not_fit_is_an_error() -> Result<()> {
    let of = |shape: &[usize], dtype| Ok::<_, candle_core::Error>(Pair::sized(shape, 1, dtype, 1.0)?.device);
    let (q, k) = (of(&[1, 20, 64], DType::BF16)?, of(&[1, 30, 64], DType::BF16)?);
    assert!(attention(&q, &k, &k, 1, false).is_ok());
    assert!(attention(&q, &k, &k, 1, true).is_err(), "causal with more keys than queries");
    assert!(attention(&q, &k, &k, 3, false).is_err(), "64 columns are no three heads");
    assert!(attention(&q, &k, &k, 16, false).is_err(), "heads of four columns");
    assert!(attention(&q, &of(&[1, 30, 64], DType::F16)?, &k, 1, false).is_err(), "types differ");
    assert!(
        attention(&q, &Pair::sized(&[1, 30, 64], 1, DType::BF16, 1.0)?.host, &k, 1, false).is_err(),
        "devices differ"
    );
    Ok(())
}
