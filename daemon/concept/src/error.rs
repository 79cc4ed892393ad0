//! What can keep pictures from becoming a concept.

use std::{io, path::PathBuf};

/// A failure on the way from pictures to a concept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The pictures.
    #[error(transparent)]
    Dataset(#[from] dataset::Error),
    /// The base model.
    #[error(transparent)]
    Model(#[from] diffusion::Error),
    /// The training step.
    #[error(transparent)]
    Training(#[from] trainer::Error),
    /// A tensor operation.
    #[error(transparent)]
    Kernel(#[from] candle_core::Error),
    /// A parameter that cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// A file that cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The run was asked to stop; its snapshot is on disk.
    #[error("interrupted at step {step}; run the same command with --resume to go on")]
    Interrupted {
        /// Steps done.
        step: u64,
    },
}

/// This crate's results.
pub type Result<T> = std::result::Result<T, Error>;

/// Names the file in an I/O error.
pub(crate) fn at(path: &std::path::Path) -> impl Fn(io::Error) -> Error + '_ {
    move |source| Error::File { path: path.to_owned(), source }
}
