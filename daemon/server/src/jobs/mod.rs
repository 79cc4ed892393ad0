//! Jobs: lanes that take work from the queue, the workers that do it, and what a user may change meanwhile.

mod control;
mod courtesy;
mod lane;
mod training;
mod warm;
mod worker;

pub use control::{Change, Controls};
pub use lane::{Lane, recover};
pub use worker::{Heard, Worker};
