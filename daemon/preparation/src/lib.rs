//! From pictures to what is learnt of them: described, examined, masked, with whatever models are installed.
//!
//! Pictures are decoded on one thread and looked at on others; of each only what is small is kept, so that memory does not
//! grow with their number. Models are opened when they are needed and gone when this returns.

mod eyes;
mod judge;
mod look;
mod rewrite;
mod seen;
mod training;

pub use caption::Crafted;
pub use judge::Judge;
pub use look::{Looked, prepare};
pub use training::{before_training, given};

use protocol::{ErrorCode, Mode};
use std::{io, path::PathBuf};

/// Why pictures cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The pictures cannot be read.
    #[error(transparent)]
    Dataset(#[from] dataset::Error),
    /// A captioner was named that is not there.
    #[error("there is no captioner `{wanted}`; installed are: {installed}. `conceptd models add` installs one")]
    NoSuchCaptioner {
        /// What was asked for.
        wanted: String,
        /// Those that are there.
        installed: String,
    },
    /// A model cannot be used.
    #[error(transparent)]
    Vision(#[from] vision::Error),
    /// The store of models cannot be read.
    #[error(transparent)]
    Models(#[from] models::ModelsError),
    /// The tokenizer fails.
    #[error(transparent)]
    Tokenizer(#[from] diffusion::Error),
    /// The disk refuses.
    #[error("{path}: {source}")]
    Disk {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A picture with a mask or the preview cannot be written.
    #[error("cannot write {path}: {reason}")]
    Picture {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The caller asked to stop.
    #[error("stopped while looking at the pictures; nothing is lost")]
    Stopped,
}

impl Error {
    /// For programs.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Dataset(_) | Self::Stopped => ErrorCode::Dataset,
            Self::NoSuchCaptioner { .. } => ErrorCode::Invalid,
            Self::Vision(_) | Self::Models(_) => ErrorCode::Vision,
            Self::Tokenizer(_) => ErrorCode::Internal,
            Self::Disk { .. } | Self::Picture { .. } => ErrorCode::Disk,
        }
    }
}

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A text with the concept in it, as a captioner's would be.
pub fn crafted(text: &str, name: &str, mode: Mode, class_word: Option<&str>, leave_out: &[String]) -> Crafted {
    caption::craft(text, name, mode_of(mode), caption::Form::of(text), &options(class_word, leave_out))
}

fn options(class_word: Option<&str>, leave_out: &[String]) -> caption::Options {
    let class_noun = class_word.map(str::to_owned);
    caption::Options { class_noun, dropout: leave_out.to_vec(), ..caption::Options::default() }
}

fn mode_of(mode: Mode) -> caption::Mode {
    match mode {
        Mode::Face => caption::Mode::Face,
        Mode::Object => caption::Mode::Object,
        Mode::Style => caption::Mode::Style,
    }
}
