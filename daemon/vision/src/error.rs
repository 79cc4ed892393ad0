//! What can go wrong between a picture and what a model says of it: one variant for each thing that a reader would do.

use std::error::Error as StdError;
use std::path::{Path, PathBuf};

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Every failure of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no ONNX Runtime: install it or say where it is.
    #[error(
        "ONNX Runtime is needed to look at pictures with models, but {what}. Get it with `pip install onnxruntime` (or \
         unpack the release archive of ONNX Runtime 1.17 or newer), then set `onnxruntime` in config.toml, or ORT_DYLIB_PATH, \
         to its library file (libonnxruntime.so.VERSION, onnxruntime.dll or libonnxruntime.VERSION.dylib)"
    )]
    LibraryMissing {
        /// Which place was looked at, as a part of a sentence.
        what: String,
    },
    /// The library is there and the system or we can't use it: get another one.
    #[error(
        "ONNX Runtime at {path} can't be used: {reason}. Get another one with `pip install --upgrade onnxruntime` (1.17 or \
         newer, for this processor), then set `onnxruntime` in config.toml, or ORT_DYLIB_PATH, to its library file"
    )]
    LibraryRefused {
        /// The library's file.
        path: PathBuf,
        /// Why, in the loader's words.
        reason: String,
    },
    /// The graphics card can't be used by this ONNX Runtime: install its GPU build, or use the CPU.
    #[error(
        "ONNX Runtime can't use CUDA here: {reason}. Install its GPU build (`pip install onnxruntime-gpu`; 1.27 and newer need \
         CUDA 13 and cuDNN 9, older ones CUDA 12), or choose the CPU"
    )]
    Provider {
        /// Why, in the runtime's words.
        reason: String,
    },
    /// A model's file is missing, damaged, or of another model: fetch it again or name another one.
    #[error("{path} can't be used as a model: {what}")]
    Model {
        /// The file (or folder) that is at fault.
        path: PathBuf,
        /// What is wrong with it, as a part of a sentence.
        what: String,
    },
    /// A picture can't be read or is of a kind that no model takes: leave it out or save it anew.
    #[error("{picture} can't be used as a picture: {what}")]
    Picture {
        /// The picture's file, or what it is.
        picture: String,
        /// What is wrong with it, as a part of a sentence.
        what: String,
    },
    /// A sound model failed while it ran, mostly for want of memory.
    #[error("{path} failed while it ran: {reason}")]
    Run {
        /// The model's file.
        path: PathBuf,
        /// Why, in the runtime's words.
        reason: String,
    },
    /// A server that was to write captions did not do so: go on without it.
    #[error("the caption server at {url} {what}")]
    Endpoint {
        /// The server's address, without its path.
        url: String,
        /// What it did, as the rest of the sentence.
        what: String,
    },
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
}

impl Error {
    /// A model's file that is missing, damaged or of another model.
    pub fn model(path: &Path, what: impl Into<String>) -> Self {
        Self::Model { path: path.to_owned(), what: what.into() }
    }

    /// A picture that can't be used.
    pub fn picture(picture: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Picture { picture: picture.into(), what: what.into() }
    }
}

/// An error and all that caused it, in one line. (The text of a failed `dlopen` says only that it failed; why is in its source.)
pub(crate) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}
