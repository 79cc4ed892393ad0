//! What can go wrong in the daemon outside of a request.

use std::{
    fmt::Display,
    io,
    path::{Path, PathBuf},
};

/// A failure of the daemon.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another daemon has this home.
    #[error("another conceptd uses {0}; stop it, or give another --home")]
    Taken(PathBuf),
    /// A setting cannot be used.
    #[error("{0}")]
    Config(String),
    /// The port is taken.
    #[error("cannot listen on {address}: {source}. Give another --port (0 for any that is free)")]
    Listen {
        /// Which address.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The disk refuses.
    #[error("{path}: {source}")]
    Disk {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The database refuses.
    #[error("the database: {0}")]
    Database(#[from] rusqlite::Error),
    /// A worker could not be started, or gave up.
    #[error("{0}")]
    Worker(String),
    /// The models that look at pictures cannot be listed.
    #[error(transparent)]
    Models(#[from] ::models::ModelsError),
    /// Something that cannot be.
    #[error("bug: {0}")]
    Bug(String),
}

impl Error {
    /// Names the file in an I/O error.
    pub fn disk(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
        move |source| Self::Disk { path: path.to_owned(), source }
    }

    /// An error that no input should cause.
    pub fn bug(what: impl Display) -> Self {
        Self::Bug(what.to_string())
    }
}

/// This crate's results.
pub type Result<T> = std::result::Result<T, Error>;
