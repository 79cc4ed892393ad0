//! What models see in pictures: captions, tags, faces, masks, likeness. It knows nothing of data sets and concepts.

mod captioner;
mod error;
mod half;
pub mod load;
pub mod resample;
pub mod runtime;
pub mod session;

pub use captioner::{Caption, Captioner, Tag, TagKind};
pub use error::{Error, Result};
