//! What can go wrong while training.

/// A training run that cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The model failed.
    #[error(transparent)]
    Model(#[from] diffusion::Error),
    /// A tensor operation failed.
    #[error(transparent)]
    Kernel(#[from] candle_core::Error),
    /// A value that the caller chose cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// The loss is no longer a number.
    #[error(
        "training diverged at step {step}: the loss is {loss}. Try half the learning rate, or continue from the last snapshot \
         with one"
    )]
    Diverged {
        /// The step.
        step: u64,
        /// Its loss.
        loss: f64,
    },
}

/// This crate's results.
pub type Result<T> = std::result::Result<T, Error>;
