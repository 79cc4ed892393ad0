//! What can go wrong with models and their files. Every message names the thing and says what to do.

use std::{io, path::PathBuf};

/// A failure to open, understand or run a model.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read at all.
    #[error("cannot open {path}: {source}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is no checkpoint of ours: another format, another model, another kind of file.
    #[error("{path}: {what}")]
    Refused {
        /// The file.
        path: PathBuf,
        /// What it is, and what to do.
        what: String,
    },
    /// The file ends before its header says so.
    #[error(
        "{path} is truncated: its header promises {expected} bytes, the file has {found}. Download or copy it again"
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes promised.
        expected: u64,
        /// Bytes there.
        found: u64,
    },
    /// Tensors are absent.
    #[error(
        "{path} lacks {count} tensors that {model} needs, such as `{example}`. The file is incomplete or of another model"
    )]
    Missing {
        /// The file.
        path: PathBuf,
        /// How many.
        count: usize,
        /// The model that was detected.
        model: &'static str,
        /// The first of them.
        example: String,
    },
    /// A tensor has another shape than its neighbours imply.
    #[error(
        "{path}: tensor `{key}` has shape {found:?} where {expected:?} belongs. The file is damaged or of another model"
    )]
    Shape {
        /// The file.
        path: PathBuf,
        /// The tensor.
        key: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that the rest of the file implies.
        expected: Vec<usize>,
    },
    /// A tensor holds NaN or infinity.
    #[error(
        "{path}: tensor `{key}` holds values that are not finite. The checkpoint is damaged; get another copy or another merge"
    )]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The tensor.
        key: String,
    },
    /// A caller's value does not fit the model.
    #[error("{0}")]
    Invalid(String),
    /// Writing a file failed.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A tensor operation failed.
    #[error(transparent)]
    Kernel(#[from] candle_core::Error),
}

/// This crate's results.
pub type Result<T> = std::result::Result<T, Error>;
