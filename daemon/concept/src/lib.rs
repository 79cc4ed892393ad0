//! From pictures to a concept: what will be done (plan), doing it (run), what comes out (bundle), and pictures of it.
//!
//! A run lives in a folder of its own beside its result, survives any interruption, and gives the same bytes however
//! often it was interrupted.

mod assignment;
mod base;
mod brush;
mod bundle;
mod canvas;
pub mod device;
mod distinctive;
mod error;
mod expand;
mod files;
mod ladder;
mod latents;
mod mode;
mod names;
mod outcome;
mod painter;
mod plan;
mod predict;
mod prompts;
mod report;
mod run;
mod scores;
mod state;
mod stopwatch;

pub use assignment::{FEWEST, Manner, carry_out, open_base, open_checkpoint, picture_options, recipe_of};
pub use base::{Base, digest_of as base_digest, hex, usual_side};
pub use brush::PictureRequest;
pub use bundle::{Bundle, ConceptTensors};
pub use canvas::{label_grid, loss_plot};
pub use dataset::{beginnings, concerns as may_belong, folded};
pub use distinctive::distinctive;
pub use error::{Error, Result};
pub use expand::{Called, expand};
pub use ladder::{Ladder, Means, Rung, room_on_card};
pub use names::{free_name, safe_name};
pub use outcome::{host_prompts, write_png};
pub use painter::{Applied, Painter};
pub use plan::{Plan, check_token_init};
pub use predict::{Predicted, predicted};
pub use report::Observer;
pub use run::{Finished, RunFolder, promote};
pub use scores::Judge;
pub use stopwatch::Stopwatch;
