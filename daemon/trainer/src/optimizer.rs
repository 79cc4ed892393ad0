//! AdamW and Prodigy over a contiguous part of the parameters.

use crate::{Error, Result};
use kernels::{AdamW, Prodigy, ProdigyMoments, Tensor};

/// Constants of an optimizer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// AdamW (arXiv 1711.05101).
    AdamW {
        /// Decay of the first moment.
        beta1: f64,
        /// Decay of the second moment.
        beta2: f64,
        /// Added to the root of the second moment.
        epsilon: f64,
        /// Decoupled.
        weight_decay: f64,
    },
    /// Prodigy (arXiv 2306.06101) with bias correction and safeguarded warm-up. Rates are factors of its own estimate.
    Prodigy {
        /// Decay of the first moment.
        beta1: f64,
        /// Decay of the second moment.
        beta2: f64,
        /// Decay of the sums behind the estimate.
        beta3: f64,
        /// Added to the root of the second moment.
        epsilon: f64,
        /// Decoupled.
        weight_decay: f64,
        /// First estimate.
        d0: f64,
        /// Largest factor by which the estimate grows in a step.
        growth: f64,
    },
}

impl Optimizer {
    /// AdamW with the usual constants.
    pub fn adamw(weight_decay: f64) -> Self {
        Self::AdamW { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay }
    }

    /// Prodigy with Eden's constants.
    pub fn prodigy(weight_decay: f64, growth: f64) -> Self {
        let beta3 = 0.99f64.sqrt();
        Self::Prodigy { beta1: 0.9, beta2: 0.99, beta3, epsilon: 1e-8, weight_decay, d0: 1e-6, growth }
    }
}

/// An optimizer at work on one flat part of the parameters.
pub struct OptimizerState {
    rule: Optimizer,
    values: Tensor,
    /// First and second moment; for Prodigy also the sum s and the first values.
    moments: Vec<Tensor>,
    step: u64,
    d: f64,
    d_max: f64,
    numerator: f64,
}

impl OptimizerState {
    /// An optimizer of `values`, a view that updates write through.
    ///
    /// # Errors
    /// If the device has no memory.
    pub fn new(rule: Optimizer, values: Tensor) -> Result<Self> {
        let zeros = || values.zeros_like();
        let moments = match rule {
            Optimizer::AdamW { .. } => vec![zeros()?, zeros()?],
            Optimizer::Prodigy { .. } => vec![zeros()?, zeros()?, zeros()?, values.copy()?],
        };
        let d = if let Optimizer::Prodigy { d0, .. } = rule { d0 } else { 0.0 };
        Ok(Self { rule, values, moments, step: 0, d, d_max: d, numerator: 0.0 })
    }

    /// Prodigy's estimate d; zero for AdamW.
    pub fn estimate(&self) -> f64 {
        self.d
    }

    /// Everything that changes: named tensors, and numbers (step, d, largest d, numerator).
    pub fn save(&self) -> (Vec<Tensor>, [f64; 4]) {
        (self.moments.clone(), [self.step as f64, self.d, self.d_max, self.numerator])
    }

    /// Takes back what [`Self::save`] gave.
    ///
    /// # Errors
    /// If it came from another optimizer or another number of values.
    pub fn restore(&mut self, moments: &[Tensor], numbers: [f64; 4]) -> Result<()> {
        if moments.len() != self.moments.len() {
            return Err(Error::Invalid("the snapshot is of another optimizer".into()));
        }
        for (ours, theirs) in self.moments.iter().zip(moments) {
            overwrite(ours, theirs)?;
        }
        let [step, d, d_max, numerator] = numbers;
        (self.step, self.d, self.d_max, self.numerator) = (step as u64, d, d_max, numerator);
        Ok(())
    }

    /// One update by `grads`, of the shape of the values. A rate of zero changes nothing but the moments.
    ///
    /// # Errors
    /// If a kernel fails.
    pub fn update(&mut self, grads: &Tensor, rate: f64) -> Result<()> {
        if self.values.elem_count() == 0 {
            return Ok(());
        }
        self.step += 1;
        match (self.rule, self.moments.as_slice()) {
            (Optimizer::AdamW { beta1, beta2, epsilon, weight_decay }, [first, second]) => {
                let rule = AdamW { rate, beta1, beta2, epsilon, weight_decay, step: self.step };
                Ok(kernels::adamw(&self.values, grads, first, second, rule)?)
            }
            (
                Optimizer::Prodigy { beta1, beta2, beta3, epsilon, weight_decay, d0, growth },
                [first, second, sum, initial],
            ) => {
                let power = i32::try_from(self.step).unwrap_or(i32::MAX);
                let rate = self.d * rate * (1.0 - beta2.powi(power)).sqrt() / (1.0 - beta1.powi(power));
                let rule = Prodigy { d: self.d, d0, rate, beta1, beta2, beta3 };
                let moments = ProdigyMoments { initial, first, second, sum };
                let (delta, denominator) = kernels::prodigy_moments(&self.values, grads, moments, rule)?;
                self.numerator = beta3 * self.numerator + delta;
                if denominator == 0.0 {
                    // No gradient yet: nothing moves, and the step does not count.
                    self.step -= 1;
                    return Ok(());
                }
                let estimate = self.numerator / denominator;
                if self.d == d0 {
                    self.d = self.d.max(estimate);
                }
                self.d_max = self.d_max.max(estimate);
                self.d = self.d_max.min(self.d * growth);
                Ok(kernels::prodigy_update(&self.values, first, second, rate, weight_decay, self.d * epsilon)?)
            }
            _ => Err(Error::Invalid("bug: an optimizer lost its moments".into())),
        }
    }
}

/// `target = source`, in place, so that views of the target see it.
pub(crate) fn overwrite(target: &Tensor, source: &Tensor) -> Result<()> {
    kernels::clear(target)?;
    Ok(kernels::accumulate(target, &source.to_device(target.device())?)?)
}
