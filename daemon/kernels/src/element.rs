//! The two compute types, with the transcendental functions that the loops of this crate can vectorise.

use candle_core::{CpuStorage, WithDType};
use std::ops::Neg;

/// A type that activations are computed in: `f32`, or `f64` where gradients are checked.
pub trait Real: WithDType + Neg<Output = Self> + gemm_type::Gemm {
    /// The value 0.
    const ZERO: Self;
    /// The value 1.
    const ONE: Self;
    /// e to the power of `self`. In `f32`: within 2 ulp, saturating at the ends of the normal range.
    fn exp(self) -> Self;
    /// The error function. In `f32`: absolute error below 2e-7.
    fn erf(self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// The larger of two values.
    fn max(self, other: Self) -> Self;
    /// Absolute value.
    fn abs(self) -> Self;
    /// The elements of a CPU storage of this type.
    fn elements(storage: &mut CpuStorage) -> Option<&mut [Self]>;
}

mod gemm_type {
    /// Marks the types that the matrix product library knows.
    pub trait Gemm: 'static {}
    impl Gemm for f32 {}
    impl Gemm for f64 {}
}

impl Real for f32 {
    const ZERO: f32 = 0.0;
    const ONE: f32 = 1.0;

    #[inline(always)]
    fn exp(self) -> f32 {
        // Cody-Waite: x = n ln 2 + r with |r| <= ln 2 / 2, then Taylor's series to the seventh order (remainder 5e-9).
        // Adding and subtracting 1.5 * 2^23 rounds to the nearest integer without a branch.
        const ROUND: f32 = 12_582_912.0;
        let x = self.clamp(-87.3, 88.3);
        let n = (x * std::f32::consts::LOG2_E + ROUND) - ROUND;
        let r = (x - n * 0.693_359_4) - n * -2.121_944_4e-4;
        let series = 1.0
            + r * (1.0
                + r * (0.5
                    + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0 + r * (1.0 / 5040.0)))))));
        // SAFETY: n lies between -126 and 127.5, so that it fits an i32.
        let exponent = unsafe { n.to_int_unchecked::<i32>() };
        series * f32::from_bits(((exponent + 127) << 23) as u32)
    }

    #[inline(always)]
    fn erf(self) -> f32 {
        // erf(x) = 1 - exp(-x p(x)) on [0, 4], p fitted to -ln(erfc(x)) / x (weighted least squares towards minimax).
        const P: [f32; 10] = [
            std::f32::consts::FRAC_2_SQRT_PI,
            0.636_619_9,
            0.102_770_3,
            -0.019_112_835,
            -0.000_264_926_43,
            0.001_815_400_7,
            -0.000_753_242_63,
            0.000_173_113_06,
            -2.269_301_8e-5,
            1.323_431e-6,
        ];
        let x = f32::min(f32::abs(self), 4.0);
        let mut p = P[9];
        let mut i = 9;
        while i > 0 {
            i -= 1;
            p = p * x + P[i];
        }
        (1.0 - Real::exp(-(x * p))).copysign(self)
    }

    #[inline(always)]
    fn sqrt(self) -> f32 {
        f32::sqrt(self)
    }

    #[inline(always)]
    fn max(self, other: f32) -> f32 {
        if self > other { self } else { other }
    }

    #[inline(always)]
    fn abs(self) -> f32 {
        f32::abs(self)
    }

    fn elements(storage: &mut CpuStorage) -> Option<&mut [f32]> {
        match storage {
            CpuStorage::F32(values) => Some(values),
            _ => None,
        }
    }
}

impl Real for f64 {
    const ZERO: f64 = 0.0;
    const ONE: f64 = 1.0;

    #[inline(always)]
    fn exp(self) -> f64 {
        f64::exp(self)
    }

    /// The series of erf for small arguments, the continued fraction of erfc for large ones; both to full precision.
    fn erf(self) -> f64 {
        let x = f64::abs(self);
        if x < 3.0 {
            // erf(x) = 2/sqrt(pi) exp(-x^2) sum 2^n x^(2n+1) / (2n+1)!!   (Abramowitz and Stegun 7.1.6)
            let (mut term, mut sum, mut n) = (x, x, 0.0);
            while term > sum * 1e-17 {
                n += 1.0;
                term *= 2.0 * x * x / (2.0 * n + 1.0);
                sum += term;
            }
            (std::f64::consts::FRAC_2_SQRT_PI * f64::exp(-x * x) * sum).copysign(self)
        } else {
            // erfc(x) = exp(-x^2)/sqrt(pi) 1/(x + (1/2)/(x + 1/(x + (3/2)/(x + ...))))   (7.1.14)
            let mut tail = x;
            for k in (1..=80).rev() {
                tail = x + f64::from(k) / 2.0 / tail;
            }
            let erfc = f64::exp(-x * x) / (std::f64::consts::PI.sqrt() * tail);
            (1.0 - erfc).copysign(self)
        }
    }

    #[inline(always)]
    fn sqrt(self) -> f64 {
        f64::sqrt(self)
    }

    #[inline(always)]
    fn max(self, other: f64) -> f64 {
        if self > other { self } else { other }
    }

    #[inline(always)]
    fn abs(self) -> f64 {
        f64::abs(self)
    }

    fn elements(storage: &mut CpuStorage) -> Option<&mut [f64]> {
        match storage {
            CpuStorage::F64(values) => Some(values),
            _ => None,
        }
    }
}

/// Runs a loop with the widest vector instructions that this processor has. The body must inline into the call.
#[inline(always)]
pub(crate) fn vectorized<R>(body: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(body)
}

/// Runs `$body` with `$t` bound to the compute type of `$tensor`.
macro_rules! dispatch {
    ($tensor:expr, $name:literal, $t:ident => $body:expr) => {{
        #[allow(unused_imports)]
        use {crate::element::Real as _, candle_core::WithDType as _};
        match $tensor.dtype() {
            candle_core::DType::F32 => {
                type $t = f32;
                $body
            }
            candle_core::DType::F64 => {
                type $t = f64;
                $body
            }
            other => {
                Err(candle_core::Error::Msg(format!("{}: cannot compute in {other:?}, only in f32 or f64", $name)))
            }
        }
    }};
}
pub(crate) use dispatch;

#[cfg(test)]
mod tests {
    use super::Real;

    #[test]
    fn exp_is_accurate_over_its_range() {
        let worst = (-8700..8800)
            .map(|i| i as f32 / 100.0)
            .map(|x| (f64::from(Real::exp(x)) / f64::from(x).exp() - 1.0).abs())
            .fold(0.0, f64::max);
        assert!(worst < 2.5e-7, "relative error {worst:e}");
    }

    #[test]
    fn erf_agrees_with_known_values_and_between_types() {
        for (x, want) in
            [(0.5, 0.520_499_877_813_046_5), (1.0, 0.842_700_792_949_714_9), (3.5, 0.999_999_256_901_627_7)]
        {
            assert!((Real::erf(x) - want).abs() < 1e-15, "erf({x})");
            assert!((Real::erf(-x) + want).abs() < 1e-15, "erf(-{x})");
        }
        let worst = (-600..=600)
            .map(|i| i as f32 / 100.0)
            .map(|x| (f64::from(Real::erf(x)) - Real::erf(f64::from(x))).abs())
            .fold(0.0, f64::max);
        assert!(worst < 2e-7, "absolute error {worst:e}");
    }
}
