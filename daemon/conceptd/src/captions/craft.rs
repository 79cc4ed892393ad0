//! One caption, crafted and explained.

use super::Look;
use crate::{Failure, client::print_json};
use serde_json::json;

/// Prints a text with the concept in it; what was changed goes to standard error.
pub fn print(text: &str, look: &Look, as_json: bool) -> Result<(), Failure> {
    let crafted = preparation::crafted(text, &look.name, look.mode()?, look.class_word.as_deref(), &look.leave_out);
    let changes: Vec<String> = crafted.changes.iter().map(ToString::to_string).collect();
    if as_json {
        return Ok(print_json(&json!({ "text": crafted.text, "changes": changes }))?);
    }
    println!("{}", crafted.text);
    changes.iter().for_each(|change| eprintln!("  {change}"));
    Ok(())
}
