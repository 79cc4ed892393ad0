//! `conceptd card`: what a training may take on the graphics card, for a daemon that does not touch the driver itself.

use crate::{Failure, client::print_json};
use serde_json::json;

pub fn run() -> Result<(), Failure> {
    Ok(print_json(&json!(concept::device::room_beforehand()))?)
}
