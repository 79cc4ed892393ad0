//! What can keep pictures from becoming a concept.

use protocol::ErrorCode;
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
    /// A training parameter that cannot be used.
    #[error("{name} {value} cannot be used: choose {choices}")]
    Parameter {
        /// Its name in [`protocol::Parameters`].
        name: &'static str,
        /// What was given.
        value: String,
        /// What can be given.
        choices: String,
    },
    /// Something else that was given and cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// The plan fits the memory at no level.
    #[error(
        "too little memory: even {how} {what} takes about {needed} MiB, and {available} MiB can be had {place}. {advice}"
    )]
    TooLittleMemory {
        /// For what.
        what: &'static str,
        /// What is done about memory at the lowest level.
        how: &'static str,
        /// What it then takes.
        needed: u64,
        /// What there is.
        available: u64,
        /// Where.
        place: &'static str,
        /// What to change.
        advice: String,
    },
    /// A file that cannot be read or written.
    #[error("{path}: {cause}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// Another process is at this run.
    #[error("{0}: another training of this name is at work in this folder; wait for it, or give another name or --out")]
    Occupied(PathBuf),
    /// Too few pictures.
    #[error(
        "only {count} usable picture: a concept needs at least {}, better 4 to 30 that differ in everything but the concept",
        crate::assignment::FEWEST
    )]
    TooFew {
        /// How many there are.
        count: usize,
    },
    /// Drawing was asked to stop.
    #[error("stopped while drawing")]
    StoppedDrawing,
    /// The run was asked to stop; its snapshot is on disk.
    #[error("interrupted at step {step}; run the same command with --resume to go on")]
    Interrupted {
        /// Steps done.
        step: u64,
    },
}

impl Error {
    /// What it is to programs.
    pub fn code(&self) -> ErrorCode {
        if self.to_string().contains(kernels::cuda::OUT_OF_MEMORY) {
            return ErrorCode::OutOfMemory;
        }
        match self {
            Self::Dataset(_) | Self::TooFew { .. } => ErrorCode::Dataset,
            Self::Model(_) => ErrorCode::Base,
            Self::Training(trainer::Error::Diverged { .. }) => ErrorCode::Diverged,
            Self::Training(_) | Self::Kernel(_) => ErrorCode::Internal,
            Self::TooLittleMemory { .. } => ErrorCode::OutOfMemory,
            Self::Parameter { .. } | Self::Invalid(_) => ErrorCode::Invalid,
            Self::File { .. } => ErrorCode::Disk,
            Self::Occupied(_) | Self::StoppedDrawing | Self::Interrupted { .. } => ErrorCode::Conflict,
        }
    }
}

/// This crate's results.
pub type Result<T> = std::result::Result<T, Error>;

/// Names the file in an I/O error.
pub(crate) fn at(path: &std::path::Path) -> impl Fn(io::Error) -> Error + '_ {
    move |cause| Error::File { path: path.to_owned(), cause }
}
