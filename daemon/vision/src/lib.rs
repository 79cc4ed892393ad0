//! What models see in pictures: captions, tags, faces, masks, likeness. It knows nothing of data sets and concepts.

pub mod blip;
mod captioner;
mod checkpoint;
pub mod endpoint;
mod error;
pub mod faces;
pub mod florence2;
mod half;
pub mod likeness;
pub mod load;
pub mod masks;
pub mod resample;
pub mod runtime;
pub mod session;
pub mod wd14;

pub use captioner::{Caption, Captioner, Tag, TagKind};
pub use error::{Error, Result};
