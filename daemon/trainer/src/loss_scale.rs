//! Keeping gradients within the range of f16 (Micikevicius et al., arXiv 1710.03740): the loss is scaled up before the
//! backward pass, its gradients back down behind it. Other types have range enough and are left alone.

use crate::{Result, trainer::scalar};
use candle_core::DType;
use kernels::Tensor;

/// The first scale: gradients of a prediction are about 1e-5.
const FIRST: f64 = 65_536.0;
/// Updates without overflow after which the scale doubles.
const CALM: u64 = 1000;

/// The factor of the loss, and how it does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LossScale {
    /// One where nothing is scaled.
    factor: f64,
    calm: u64,
    overflowed: bool,
}

impl LossScale {
    /// For activations of this type.
    pub fn of(compute: DType) -> Self {
        Self { factor: if compute == DType::F16 { FIRST } else { 1.0 }, calm: 0, overflowed: false }
    }

    /// What the loss is multiplied by.
    pub fn factor(&self) -> f64 {
        self.factor
    }

    /// Whether the last gradients were not finite.
    pub fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// Scales gathered gradients back, or halves the scale if they are not finite.
    ///
    /// # Errors
    /// If a kernel fails.
    pub fn settle(&mut self, grads: &Tensor) -> Result<()> {
        if self.factor == 1.0 {
            return Ok(());
        }
        self.overflowed = !scalar(&kernels::squared_sum(grads)?)?.is_finite();
        if self.overflowed {
            (self.factor, self.calm) = ((self.factor / 2.0).max(2.0), 0);
            return Ok(kernels::clear(grads)?);
        }
        kernels::scale_in_place(grads, 1.0 / self.factor)?;
        self.calm += 1;
        if self.calm == CALM {
            (self.factor, self.calm) = (self.factor * 2.0, 0);
        }
        Ok(())
    }

    /// Four numbers, as optimizers have them.
    pub fn save(&self) -> [f64; 4] {
        [self.factor, self.calm as f64, 0.0, 0.0]
    }

    /// Takes back what [`Self::save`] gave, unless either was not scaled: a run may go on in another type.
    pub fn restore(&mut self, [factor, calm, ..]: [f64; 4]) {
        if self.factor != 1.0 && factor != 1.0 {
            (self.factor, self.calm) = (factor, calm as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernels::Device;

    #[test]
    fn gradients_are_scaled_back_and_an_overflow_halves_the_scale() {
        let grads = |x: f32| Tensor::from_vec(vec![x, 0.0], 2, &Device::Cpu).expect("gradients");
        let mut scale = LossScale::of(DType::F16);
        let fine = grads(FIRST as f32);
        scale.settle(&fine).expect("settled");
        assert_eq!((fine.to_vec::<f32>().expect("values"), scale.overflowed()), (vec![1.0, 0.0], false));
        let over = grads(f32::INFINITY);
        scale.settle(&over).expect("settled");
        assert_eq!(over.to_vec::<f32>().expect("values"), [0.0, 0.0]);
        assert!(scale.overflowed() && scale.factor() == FIRST / 2.0);
        let mut again = LossScale::of(DType::F16);
        again.restore(scale.save());
        assert_eq!(again.factor(), FIRST / 2.0);
        // From f16 to another type and back.
        let mut other = LossScale::of(DType::BF16);
        other.restore(scale.save());
        assert_eq!(other.factor(), 1.0);
        again.restore(other.save());
        assert_eq!(again.factor(), FIRST / 2.0);
    }

    #[test]
    fn other_types_are_left_alone() {
        let mut scale = LossScale::of(DType::F32);
        let grads = Tensor::from_vec(vec![f32::NAN], 1, &Device::Cpu).expect("gradients");
        scale.settle(&grads).expect("settled");
        assert!(!scale.overflowed() && scale.factor() == 1.0);
    }
}
