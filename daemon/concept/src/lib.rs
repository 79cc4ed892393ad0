//! From pictures to a concept: what will be done (plan), doing it (run), what comes out (bundle), and pictures of it.
//!
//! A run lives in a folder of its own beside its result, survives any interruption, and gives the same bytes however
//! often it was interrupted.

mod base;
mod bundle;
mod canvas;
mod error;
mod files;
mod latents;
mod mode;
mod names;
mod painter;
mod plan;
mod prompts;
mod report;
mod run;
mod state;

pub use base::{Base, hex};
pub use bundle::{Bundle, ConceptTensors};
pub use canvas::{label_grid, loss_plot};
pub use error::{Error, Result};
pub use mode::Mode;
pub use names::{free_name, safe_name};
pub use painter::{Applied, Painter, PictureRequest};
pub use plan::{Horizon, Overrides, Plan, Reason};
pub use report::{Event, Observer};
pub use run::{Finished, RunFolder, Setup, deliver, promote, train};
