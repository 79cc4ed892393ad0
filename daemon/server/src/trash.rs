//! Concepts that were deleted: their files, and what was known of them, until somebody takes them back or out for good.

use crate::{
    App, Error, Result, intake,
    store::{Concept, now_ms},
    write_whole,
};
use protocol::TrashedConcept;
use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What was known of a concept, among its files.
const RECORD: &str = "deleted.json";

#[derive(Serialize, Deserialize)]
struct Deleted {
    at_ms: i64,
    concept: Concept,
}

/// Moves a concept out of the library.
///
/// # Errors
/// If the disk or the database refuses.
pub fn discard(app: &App, concept: Concept) -> Result<()> {
    let (id, folder) = (concept.view.id.clone(), app.home.concept(&concept.view.id));
    let deleted = Deleted { at_ms: now_ms(), concept };
    write_whole(&folder.join(RECORD), &serde_json::to_vec(&deleted).map_err(Error::bug)?)?;
    app.home.discard(&folder)?;
    app.store.remove::<Concept>(&id)?;
    Ok(())
}

/// The concepts in the trash, the last first.
pub fn list(app: &App) -> Vec<TrashedConcept> {
    let Ok(entries) = fs::read_dir(app.home.trash()) else { return Vec::new() };
    let entries = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut items: Vec<TrashedConcept> = entries.filter_map(|id| view(app, id)).collect();
    items.sort_by_key(|item| std::cmp::Reverse(item.deleted_at_ms));
    items
}

fn view(app: &App, id: String) -> Option<TrashedConcept> {
    let (folder, Deleted { at_ms, concept }) = find(app, &id)?;
    let view = concept.view;
    let bytes = intake::size(&folder);
    Some(TrashedConcept { id, name: view.name, stem: view.stem, mode: view.mode, bytes, deleted_at_ms: at_ms })
}

/// The files of a concept in the trash and what was known of it.
fn find(app: &App, id: &str) -> Option<(PathBuf, Deleted)> {
    let entries = fs::read_dir(app.home.trash().join(id)).ok()?;
    entries.filter_map(|entry| Some(entry.ok()?.path())).find_map(|folder| Some((folder.clone(), read(&folder)?)))
}

fn read(folder: &Path) -> Option<Deleted> {
    serde_json::from_slice(&fs::read(folder.join(RECORD)).ok()?).ok()
}

/// Why a concept cannot be taken back.
pub enum Kept {
    /// There is none.
    Missing,
    /// Another concept has the name of its files by now.
    Taken(String),
}

/// Takes a concept back into the library.
///
/// # Errors
/// If the disk or the database refuses.
pub fn restore(app: &App, id: &str) -> Result<std::result::Result<Concept, Kept>> {
    let Some((folder, Deleted { concept, .. })) = find(app, id) else { return Ok(Err(Kept::Missing)) };
    let stem = &concept.view.stem;
    if app.store.all::<Concept>()?.iter().any(|other| other.view.stem == *stem) {
        return Ok(Err(Kept::Taken(stem.clone())));
    }
    let home = app.home.concept(&concept.view.id);
    fs::rename(&folder, &home).map_err(Error::disk(&folder))?;
    app.store.insert(&concept)?;
    let _ = fs::remove_file(home.join(RECORD));
    let _ = fs::remove_dir(app.home.trash().join(id));
    Ok(Ok(concept))
}

/// Deletes a concept for good; returns whether there was one.
///
/// # Errors
/// If the disk refuses.
pub fn forget(app: &App, id: &str) -> Result<bool> {
    let Some((folder, _)) = find(app, id) else { return Ok(false) };
    fs::remove_dir_all(&folder).map_err(Error::disk(&folder))?;
    let _ = fs::remove_dir(app.home.trash().join(id));
    Ok(true)
}
