//! Frozen weights in half precision are widened exactly: results equal those of the same numbers in f32.

use candle_core::{DType, Result};
use kernels::{Device, Init, Tensor, Term, Window};

fn values(shape: &[usize], factor: f32) -> Tensor {
    let count: usize = shape.iter().product();
    let numbers: Vec<f32> = (0..count).map(|i| ((i * 7919) % 1009) as f32 / 1009.0 - 0.5).map(|x| x * factor).collect();
    Tensor::from_vec(numbers, shape, &Device::Cpu).expect("values")
}

fn same(a: &Tensor, b: &Tensor) -> Result<bool> {
    Ok((a.host()? - b.host()?)?.abs()?.max_all()?.to_scalar::<f32>()? < 1e-5)
}

#[test]
fn products_with_half_weights_are_those_of_the_widened_weights() -> Result<()> {
    for dtype in [DType::BF16, DType::F16] {
        let half = values(&[130, 63], 2.0).to_dtype(dtype)?;
        let wide = half.to_dtype(DType::F32)?;
        let (x, g) = (values(&[90, 63], 1.0), values(&[90, 130], 1.0));
        let forward =
            |w: &Tensor| kernels::linear(&[Term { input: &x, weight: w.into(), scale: 1.0 }], Init::default());
        let backward = |w: &Tensor| kernels::linear_backward(&[Term { input: &g, weight: w.into(), scale: 1.0 }], None);
        assert!(same(&forward(&half)?, &forward(&wide)?)?, "{dtype:?} forward");
        assert!(same(&backward(&half)?, &backward(&wide)?)?, "{dtype:?} backward");

        let half = values(&[40, 9 * 7], 2.0).to_dtype(dtype)?;
        let wide = half.to_dtype(DType::F32)?;
        let (x, g) = (values(&[2, 9, 8, 7], 1.0), values(&[2, 9, 8, 40], 1.0));
        let forward = |w: &Tensor| {
            kernels::convolve(&Term { input: &x, weight: w.into(), scale: 1.0 }, Window::SAME3, &[], Init::default())
        };
        let backward = |w: &Tensor| {
            kernels::convolve_backward(&[Term { input: &g, weight: w.into(), scale: 1.0 }], Window::SAME3, 9, 8)
        };
        assert!(same(&forward(&half)?, &forward(&wide)?)?, "{dtype:?} convolution");
        assert!(same(&backward(&half)?, &backward(&wide)?)?, "{dtype:?} convolution backward");
    }
    Ok(())
}

#[test]
fn unfit_shapes_are_errors_that_name_them() {
    let (x, w) = (values(&[4, 6], 1.0), values(&[3, 7], 1.0));
    let error = kernels::linear(&[Term { input: &x, weight: (&w).into(), scale: 1.0 }], Init::default())
        .expect_err("6 is not 7");
    assert!(error.to_string().contains("[4, 6]") && error.to_string().contains("[3, 7]"), "{error}");
    let odd = values(&[1, 2, 2, 33], 1.0);
    let affine = kernels::Affine { scale: values(&[33], 1.0), shift: values(&[33], 1.0), epsilon: 1e-5 };
    assert!(kernels::group_norm(&odd, &affine, true).is_err());
}
