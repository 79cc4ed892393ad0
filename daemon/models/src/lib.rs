//! Model files: found where hosts keep them, fetched from a hub, verified before they count.
//!
//! A [`Store`] knows which captioners, taggers, detectors and embedders are on this machine. Models come from a folder (used in
//! place, never copied), from the folders of other programs ([`found_in`]) or from a hub repository; nothing is downloaded
//! unless [`Store::add`] is asked to, and what is present is used without a request. A model counts as installed when its record
//! is written, which happens last, after every file was read whole and its digest compared.

mod catalogue;
mod digest;
mod error;
mod form;
mod found;
mod hub;
mod onnx;
mod progress;
mod recognise;
mod record;
mod source;
mod store;

pub use catalogue::{Home, KNOWN, Known, KnownFile, known, known_repository};
pub use error::{ModelsError, Result};
pub use form::{Form, Purpose};
pub use found::{Place, PlaceKind, found_in};
pub use hub::{Hub, Token};
pub use progress::{Doing, Progress, Watch};
pub use recognise::{Candidate, Piece, recognise};
pub use record::{File, Installed, Origin};
pub use source::Source;
pub use store::{Listed, Removed, Store, Want};
