//! `cargo xtask sync`: the schemas that follow from the Rust types, written where clients find them.

use anyhow::{Result, bail};
use protocol::{Captions, CreationRequest, EventRecord, JobView, Limits, Parameters, PromptRequest, TrainRequest};
use schemars::schema_for;
use serde_json::Value;
use std::{fs, path::Path};

/// Every generated file below `schemas`, with its content.
fn files() -> Result<Vec<(&'static str, Value)>> {
    Ok(vec![
        ("openapi.json", server::openapi()),
        ("train_request.json", serde_json::to_value(schema_for!(TrainRequest))?),
        ("parameters.json", serde_json::to_value(schema_for!(Parameters))?),
        ("creation_request.json", serde_json::to_value(schema_for!(CreationRequest))?),
        ("prompt_request.json", serde_json::to_value(schema_for!(PromptRequest))?),
        ("captions.json", serde_json::to_value(schema_for!(Captions))?),
        ("job.json", serde_json::to_value(schema_for!(JobView))?),
        ("event.json", serde_json::to_value(schema_for!(EventRecord))?),
        ("limits.json", serde_json::to_value(schema_for!(Limits))?),
    ])
}

/// Writes the files.
pub fn write(root: &Path) -> Result<()> {
    fs::create_dir_all(root.join("schemas"))?;
    for (name, value) in files()? {
        fs::write(root.join("schemas").join(name), text(&value)?)?;
    }
    Ok(())
}

/// Fails if a file is not what the types say.
pub fn check(root: &Path) -> Result<()> {
    for (name, value) in files()? {
        // A checkout may have turned line ends.
        let there = fs::read_to_string(root.join("schemas").join(name)).unwrap_or_default().replace("\r\n", "\n");
        if there != text(&value)? {
            bail!("schemas/{name} is not what the Rust types say: run `cargo xtask sync` and commit it");
        }
    }
    Ok(())
}

fn text(value: &Value) -> Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}
