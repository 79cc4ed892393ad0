//! Norms on the GPU give what they give on the CPU: every size of groups and rows, forward and backward.

use crate::pair::{Pair, assert_same, error, types};
use candle_core::{DType, Result};
use kernels::{Affine, Tensor, group_norm, group_norm_backward, layer_norm, layer_norm_backward};

/// Scale and shift of both devices.
fn affine(channels: usize) -> Result<(Affine, Affine)> {
    let (scale, shift) = (Pair::new(&[channels], 101, DType::F32)?, Pair::new(&[channels], 102, DType::F32)?);
    let host = Affine { scale: scale.host, shift: shift.host, epsilon: 1e-5 };
    Ok((host, Affine { scale: scale.device, shift: shift.device, epsilon: 1e-5 }))
}

fn check_group_norm(x: &Pair, silu: bool, dtype: DType) -> Result<()> {
    let (host, device) = affine(x.host.dims()[x.host.rank() - 1])?;
    let (grad, residual) = (Pair::new(x.host.dims(), 3, dtype)?, Pair::new(x.host.dims(), 4, dtype)?);
    let (right, right_statistics) = group_norm(&x.host, &host, silu)?;
    let (ours, statistics) = group_norm(&x.device, &device, silu)?;
    let what = format!("group norm {:?}{}", x.host.dims(), if silu { " with silu" } else { "" });
    assert_same(&ours, &right, &what)?;
    assert_same(&statistics, &right_statistics, &format!("{what}: statistics"))?;
    for beside in [None, Some(&residual)] {
        let right = beside.map(|beside| &beside.host);
        let right = group_norm_backward(&grad.host, &x.host, &right_statistics, &host, silu, right)?;
        let ours = beside.map(|beside| &beside.device);
        let ours = group_norm_backward(&grad.device, &x.device, &statistics, &device, silu, ours)?;
        let beside = if beside.is_some() { " and residual" } else { "" };
        assert_same(&ours, &right, &format!("{what}: gradient{beside}"))?;
    }
    Ok(())
}

#[test]
#[ignore = "needs a GPU or the emulator"]
fn group_norms_are_those_of_the_cpu() -> Result<()> {
    // Groups of 1 to 80 channels; few rows, one chunk, many, the last of them ragged.
    let shapes: [&[usize]; 9] = [
        &[2, 1, 3, 32],
        &[1, 9, 11, 64],
        &[2, 37, 41, 64],
        &[1, 50, 64, 128],
        &[3, 77, 320],
        &[2, 12, 13, 640],
        &[1, 8, 8, 960],
        &[1, 5, 7, 1920],
        &[2, 3, 5, 2560],
    ];
    for dtype in types() {
        for shape in shapes {
            let x = Pair::new(shape, 1, dtype)?;
            check_group_norm(&x, true, dtype)?;
            check_group_norm(&x, false, dtype)?;
        }
        check_group_norm(&Pair::new(&[3, 7, 32], 2, dtype)?.rest()?, true, dtype)?;
    }
    Ok(())
}

#[test]
#[ignore = "needs a GPU or the emulator"]
fn a_large_mean_does_not_drown_the_deviation() -> Result<()> {
    let shape = [1, 4000, 64];
    let numbers: Vec<f32> = Pair::new(&shape, 5, DType::F32)?.host.to_vec()?;
    let x = Pair::of(numbers.iter().map(|x| 1000.0 + x).collect(), &shape, DType::F32)?;
    let (host, device) = affine(64)?;
    let exact = |tensor: &Tensor| tensor.to_dtype(DType::F64);
    let host = Affine { scale: exact(&host.scale)?, shift: exact(&host.shift)?, ..host };
    let (right, right_statistics) = group_norm(&exact(&x.host)?, &host, false)?;
    let (ours, statistics) = group_norm(&x.device, &device, false)?;
    // Half a unit in the last place of the mean is 3e-5 deviations.
    assert!(error(&ours, &right, "norm")? < 1e-4, "{:e}", error(&ours, &right, "norm")?);
    assert!(error(&statistics, &right_statistics, "statistics")? < 1e-6);
    let (ours, right) = (layer_norm(&x.device, &device)?, layer_norm(&exact(&x.host)?, &host)?);
    assert!(error(&ours, &right, "layer norm")? < 1e-4);
    Ok(())
}

#[test]
#[ignore = "needs a GPU or the emulator"]
fn layer_norms_are_those_of_the_cpu() -> Result<()> {
    for dtype in types() {
        // In registers or read again; odd channels, which are read one by one.
        for channels in [8, 63, 320, 640, 767, 768, 776, 1024, 1280, 1281, 2048] {
            let x = Pair::new(&[3, 7, channels], 1, dtype)?;
            let (grad, residual) = (Pair::new(&[3, 7, channels], 3, dtype)?, Pair::new(&[3, 7, channels], 4, dtype)?);
            let (host, device) = affine(channels)?;
            // As they are, and where addresses may not be aligned.
            for (x, grad, residual) in [(&x, &grad, &residual), (&x.rest()?, &grad.rest()?, &residual.rest()?)] {
                let what = format!("layer norm {:?}", x.host.dims());
                assert_same(&layer_norm(&x.device, &device)?, &layer_norm(&x.host, &host)?, &what)?;
                let ours = layer_norm_backward(&grad.device, &x.device, &device, &residual.device)?;
                let right = layer_norm_backward(&grad.host, &x.host, &host, &residual.host)?;
                assert_same(&ours, &right, &format!("{what}: gradient"))?;
            }
        }
    }
    Ok(())
}

#[test]
#[ignore = "needs a GPU or the emulator"]
fn the_same_inputs_give_the_same_bytes() -> Result<()> {
    let (x, grad) =
        (Pair::new(&[2, 999, 320], 1, DType::F16)?.device, Pair::new(&[2, 999, 320], 2, DType::F16)?.device);
    let (_, affine) = affine(320)?;
    let run = || {
        let (y, statistics) = group_norm(&x, &affine, true)?;
        let dx = group_norm_backward(&grad, &x, &statistics, &affine, true, None)?;
        Result::Ok([y.to_vec::<f32>()?, statistics.to_vec()?, dx.to_vec()?])
    };
    assert_eq!(run()?, run()?);
    Ok(())
}

#[test]
#[ignore = "needs a GPU or the emulator"]
fn what_does_not_fit_is_an_error() -> Result<()> {
    let of = |shape: &[usize], dtype| Ok::<_, candle_core::Error>(Pair::new(shape, 1, dtype)?.device);
    let (x, half) = (of(&[2, 5, 64], DType::F32)?, of(&[2, 5, 64], DType::BF16)?);
    let ((on_host, good), (_, other)) = (affine(64)?, affine(32)?);
    let (_, statistics) = group_norm(&x, &good, true)?;
    assert!(group_norm(&x, &on_host, true).is_err(), "scale on the CPU");
    assert!(group_norm(&x, &other, true).is_err(), "scale of other channels");
    assert!(group_norm(&of(&[2, 5, 48], DType::F32)?, &affine(48)?.1, true).is_err(), "48 channels");
    assert!(group_norm_backward(&half, &x, &statistics, &good, true, None).is_err(), "types differ");
    assert!(group_norm_backward(&x, &x, &x, &good, true, None).is_err(), "no statistics");
    assert!(group_norm_backward(&x, &x, &statistics, &good, true, Some(&half)).is_err(), "types differ");
    assert!(layer_norm(&x, &other).is_err(), "scale of other channels");
    assert!(layer_norm_backward(&x, &half, &good, &x).is_err(), "types differ");
    assert!(layer_norm_backward(&x, &of(&[2, 4, 64], DType::F32)?, &good, &x).is_err(), "shapes differ");
    Ok(())
}
