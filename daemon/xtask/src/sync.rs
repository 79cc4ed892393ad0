//! `cargo xtask sync`: the schemas that follow from the Rust types, and the client's copies in what hosts load.

use anyhow::{Context, Result, bail};
use protocol::{Captions, CreationRequest, EventRecord, JobView, Limits, Parameters, PromptRequest, TrainRequest};
use schemars::schema_for;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

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

/// What hosts load is dropped into their folders alone, so each carries the client and the form of a training.
const HOSTS: [&str; 2] = ["comfy_nodes", "a1111_extension"];
/// Where the client is written by hand.
const CLIENT: &str = "schemas/python/concept_client";

/// Every generated file, with its content.
fn wanted(root: &Path) -> Result<BTreeMap<PathBuf, String>> {
    let mut wanted = BTreeMap::new();
    for (name, value) in files()? {
        wanted.insert(Path::new("schemas").join(name), text(&value)?);
    }
    let form = text(&serde_json::to_value(schema_for!(TrainRequest))?)?;
    for host in HOSTS {
        let folder = Path::new(host).join("concept_client");
        for source in sources(&root.join(CLIENT))? {
            let name = source.file_name().context("a file has a name")?;
            wanted.insert(folder.join(name), plain(&fs::read_to_string(&source)?));
        }
        wanted.insert(folder.join("train_request.json"), form.clone());
    }
    Ok(wanted)
}

fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    Ok(entries.into_iter().filter(|path| path.extension().is_some_and(|kind| kind == "py")).collect())
}

/// A checkout may have turned line ends.
fn plain(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// Writes the files, and removes copies of what the client no longer has.
pub fn write(root: &Path) -> Result<()> {
    let wanted = wanted(root)?;
    for stale in stale(root, &wanted)? {
        fs::remove_file(stale)?;
    }
    for (path, text) in wanted {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap_or(root))?;
        fs::write(path, text)?;
    }
    Ok(())
}

/// Fails if a file is not what the types and the client say.
pub fn check(root: &Path) -> Result<()> {
    let wanted = wanted(root)?;
    for (path, text) in &wanted {
        if plain(&fs::read_to_string(root.join(path)).unwrap_or_default()) != *text {
            bail!("{} is not what its source says: run `cargo xtask sync` and commit it", path.display());
        }
    }
    if let Some(stale) = stale(root, &wanted)?.first() {
        bail!("{} has no source any more: run `cargo xtask sync` and commit it", stale.display());
    }
    Ok(())
}

fn stale(root: &Path, wanted: &BTreeMap<PathBuf, String>) -> Result<Vec<PathBuf>> {
    let mut stale = Vec::new();
    for host in HOSTS {
        let folder = root.join(host).join("concept_client");
        if folder.is_dir() {
            stale.extend(sources(&folder)?);
        }
    }
    stale.retain(|path| path.strip_prefix(root).is_ok_and(|path| !wanted.contains_key(path)));
    Ok(stale)
}

fn text(value: &Value) -> Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}
