//! Learning rates over a run.

use std::fmt;

/// How a rate changes before its final fall.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ramp {
    /// Always the same.
    Constant(f64),
    /// from (to / from)^(step / steps): Eden's rate of the UNet.
    Exponential {
        /// At the first step.
        from: f64,
        /// Reached behind the last.
        to: f64,
    },
    /// peak (1 - f)^power, and zero once f exceeds `freeze`: Eden's rate of the tokens.
    Polynomial {
        /// At the first step.
        peak: f64,
        /// Of the fall.
        power: f64,
        /// Share of the run after which the rate is zero.
        freeze: f64,
    },
}

impl fmt::Display for Ramp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(rate) => write!(f, "{rate:.2e}"),
            Self::Exponential { from, to } => write!(f, "{to:.2e}, rising from {from:.2e}"),
            Self::Polynomial { peak, freeze, .. } => {
                write!(f, "{peak:.2e}, falling, and frozen after {} %", 100.0 * freeze)
            }
        }
    }
}

impl Ramp {
    /// The same course with another peak.
    #[must_use]
    pub fn with_peak(self, peak: f64) -> Self {
        match self {
            Self::Constant(_) => Self::Constant(peak),
            Self::Exponential { from, to } => Self::Exponential { from: from * peak / to, to: peak },
            Self::Polynomial { power, freeze, .. } => Self::Polynomial { peak, power, freeze },
        }
    }
}

/// A rate over a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Its course.
    pub ramp: Ramp,
    /// Share of the run, at its end, over which the rate also falls to zero along a cosine (Loshchilov and Hutter, arXiv
    /// 1608.03983). Zero: it does not.
    pub tail: f64,
}

impl Rate {
    /// The rate of `step` (from 0) in a run of `steps`; `completion` is the share f of the run that lies behind, which
    /// Eden counts in whole epochs.
    pub fn at(&self, step: u64, steps: u64, completion: f64) -> f64 {
        let share = step as f64 / steps.max(1) as f64;
        let rate = match self.ramp {
            Ramp::Constant(rate) => rate,
            Ramp::Exponential { from, to } => from * (to / from).powf(share),
            Ramp::Polynomial { freeze, .. } if completion > freeze => 0.0,
            Ramp::Polynomial { peak, power, .. } => peak * (1.0 - completion).powf(power),
        };
        let into_tail = if self.tail > 0.0 { ((share - (1.0 - self.tail)) / self.tail).max(0.0) } else { 0.0 };
        rate * (1.0 + (std::f64::consts::PI * into_tail).cos()) / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of the reference's twenty-step run (five batches an epoch).
    #[test]
    fn edens_rates_are_the_references() {
        let unet = Rate { ramp: Ramp::Exponential { from: 5e-5, to: 3e-4 }, tail: 0.0 };
        let tokens = Rate { ramp: Ramp::Polynomial { peak: 1e-3, power: 1.7, freeze: 0.7 }, tail: 0.0 };
        let close = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-12, "{a} {b}");
        close(unet.at(0, 20, 0.0), 5e-5);
        close(unet.at(19, 20, 0.95), 0.000_274_292_348_028_548_5);
        close(tokens.at(1, 20, 0.05), 0.000_916_495_061_218_012_7);
        close(tokens.at(14, 20, 0.7), 0.000_129_153_486_074_980_3);
        assert_eq!(tokens.at(15, 20, 0.75), 0.0);
    }

    #[test]
    fn the_tail_falls_to_zero() {
        let rate = Rate { ramp: Ramp::Constant(2.0), tail: 0.25 };
        assert_eq!(rate.at(75, 100, 0.75), 2.0);
        assert!((rate.at(87, 100, 0.87) - 1.0).abs() < 0.1);
        assert!(rate.at(99, 100, 0.99) < 0.01);
    }
}
