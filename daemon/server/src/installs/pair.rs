//! The files that a concept is in a host: LoRA and embedding, a picture for each, and A1111's description.

use super::place::{Content, Piece};
use crate::{Blobs, Error, Home, Result, hosts::folders::Folders, library};
use concept::Bundle;
use protocol::{BaseFamily, ConceptView};
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Strength at which a concept is meant to be used.
const STRENGTH: f64 = 1.0;

/// Every file that `stem` may take in a host, whether this concept has it or not.
pub fn names(stem: &str, folders: &Folders) -> Vec<PathBuf> {
    let lora = |end: &str| folders.loras.join(format!("{stem}_lora.{end}"));
    let embedding = |end: &str| folders.embeddings.join(format!("{stem}_embeddings.{end}"));
    vec![
        lora("png"),
        lora("json"),
        // A1111 takes a plain picture in the embeddings' folder for an embedding.
        embedding("preview.png"),
        embedding("safetensors"),
        lora("safetensors"),
    ]
}

/// The files of a concept for a host, in the order in which they are placed: the LoRA, by which hosts list it, last.
///
/// # Errors
/// If the concept's files are gone or the disk refuses.
pub fn pieces(
    home: &Home,
    concept: &ConceptView,
    bundle: &Bundle,
    folders: &Folders,
    host: &str,
) -> Result<Vec<Piece>> {
    let stem = &bundle.stem;
    let [lora_picture, description, picture, embedding, lora] = &names(stem, folders)[..] else {
        return Err(Error::bug("a concept has five files"));
    };
    let mut pieces = Vec::new();
    if let Some(preview) = home.get(&concept.id, library::PREVIEW)? {
        pieces.push(Piece { to: lora_picture.clone(), content: Content::Of(preview.clone()) });
        if bundle.tokens() > 0 {
            pieces.push(Piece { to: picture.clone(), content: Content::Of(preview) });
        }
    }
    pieces.push(Piece { to: description.clone(), content: Content::Bytes(self::description(concept, stem, host)?) });
    // Kept beside the bundle, so that several hosts on one disk share one copy.
    let mut ours = |to: &PathBuf, bytes: concept::Result<Option<Vec<u8>>>| -> Result<()> {
        let Some(bytes) = bytes.map_err(|error| Error::Worker(error.to_string()))? else { return Ok(()) };
        let kept = home.concept(&concept.id).join("loose").join(to.file_name().unwrap_or_default());
        if fs::read(&kept).ok().as_ref() != Some(&bytes) {
            // Not in place: a host may share the old one.
            let _ = fs::remove_file(&kept);
            crate::write_whole(&kept, &bytes)?;
        }
        pieces.push(Piece { to: to.clone(), content: Content::Of(kept) });
        Ok(())
    };
    ours(embedding, bundle.embedding_file())?;
    ours(lora, bundle.lora_file().map(Some))?;
    Ok(pieces)
}

/// Whether a file is the description of a concept.
pub fn is_description(path: &Path) -> bool {
    path.extension().is_some_and(|kind| kind == "json")
}

/// What A1111 and Forge show and fill in, and what hosts' code needs to expand prompts when no daemon runs.
///
/// # Errors
/// Never, but for a bug.
pub fn description(concept: &ConceptView, stem: &str, host: &str) -> Result<Vec<u8>> {
    let trigger = match concept.tokens {
        0 => concept.name.clone(),
        _ => format!("{stem}_embeddings"),
    };
    let text = json!({
        "description": format!("{} ({} concept by conceptd). Used together with {trigger}.", concept.name, concept.mode.name()),
        "sd version": match concept.family { BaseFamily::Sdxl => "SDXL", BaseFamily::Sd15 => "SD1" },
        "activation text": trigger,
        "preferred weight": STRENGTH,
        "negative text": "",
        "notes": concept.verdict.clone().unwrap_or_default(),
        "conceptd": {
            "id": concept.id, "host": host, "name": concept.name, "mode": concept.mode, "stem": stem,
            "tokens": concept.tokens, "bare_name": concept.bare_name, "strength": STRENGTH,
        },
    });
    serde_json::to_vec_pretty(&text).map_err(Error::bug)
}
