//! Concepts that were deleted: their files, and what was known of them, until somebody takes them back or out for good.
//!
//! `trash/T` holds the folder of the concept and, beside it, where no bundle and no upload can put anything, its record. The
//! record is there before anything moves and goes last, so that whatever is broken off in between can be finished.

use crate::{
    App, Error, Home, Result, intake,
    store::{Concept, now_ms},
    write_whole,
};
use protocol::TrashedConcept;
use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::PathBuf,
    sync::{MutexGuard, PoisonError},
};

/// The file of the record.
const RECORD: &str = "deleted.json";

#[derive(Serialize, Deserialize)]
struct Deleted {
    at_ms: i64,
    concept: Concept,
}

/// One at a time: two that delete or restore the same would take each other's files.
fn turn(app: &App) -> MutexGuard<'_, ()> {
    app.library.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Moves a concept out of the library; one that is gone already stays so.
///
/// # Errors
/// If the disk or the database refuses.
pub fn discard(app: &App, id: &str) -> Result<()> {
    let _turn = turn(app);
    let Some(concept) = app.store.get::<Concept>(id)? else { return Ok(()) };
    let place = app.home.trash().join(crate::id("t")?);
    let record = serde_json::to_vec(&Deleted { at_ms: now_ms(), concept }).map_err(Error::bug)?;
    write_whole(&place.join(RECORD), &record)?;
    let folder = app.home.concept(id);
    if folder.exists() {
        fs::rename(&folder, place.join(id)).map_err(Error::disk(&folder))?;
    }
    app.store.remove::<Concept>(id)?;
    Ok(())
}

/// The concepts in the trash, the last first.
pub fn list(app: &App) -> Vec<TrashedConcept> {
    let view = |id: String| {
        let Deleted { at_ms, concept } = read(&app.home, &id)?;
        let bytes = intake::size(&app.home.trash().join(&id).join(&concept.view.id));
        let view = concept.view;
        Some(TrashedConcept { id, name: view.name, stem: view.stem, mode: view.mode, bytes, deleted_at_ms: at_ms })
    };
    let mut items: Vec<TrashedConcept> = places(&app.home).into_iter().filter_map(view).collect();
    items.sort_by_key(|item| std::cmp::Reverse(item.deleted_at_ms));
    items
}

fn places(home: &Home) -> Vec<String> {
    let Ok(entries) = fs::read_dir(home.trash()) else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

fn read(home: &Home, id: &str) -> Option<Deleted> {
    serde_json::from_slice(&fs::read(home.trash().join(id).join(RECORD)).ok()?).ok()
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
    let _turn = turn(app);
    let Some(Deleted { concept, .. }) = read(&app.home, id) else { return Ok(Err(Kept::Missing)) };
    let stem = &concept.view.stem;
    if app.store.all::<Concept>()?.iter().any(|other| other.view.stem == *stem) {
        return Ok(Err(Kept::Taken(stem.clone())));
    }
    let (from, to) = (app.home.trash().join(id).join(&concept.view.id), app.home.concept(&concept.view.id));
    fs::rename(&from, &to).map_err(Error::disk(&from))?;
    app.store.insert(&concept)?;
    remove(app.home.trash().join(id))?;
    Ok(Ok(concept))
}

/// Deletes a concept for good; returns whether there was one.
///
/// # Errors
/// If the disk refuses.
pub fn forget(app: &App, id: &str) -> Result<bool> {
    let _turn = turn(app);
    if read(&app.home, id).is_none() {
        return Ok(false);
    }
    remove(app.home.trash().join(id))?;
    Ok(true)
}

fn remove(place: PathBuf) -> Result<()> {
    fs::remove_dir_all(&place).map_err(Error::disk(&place))
}

/// Finishes what an earlier daemon was killed in.
///
/// # Errors
/// If the disk or the database refuses.
pub fn tidy(app: &App) -> Result<()> {
    for id in places(&app.home) {
        let Some(Deleted { concept, .. }) = read(&app.home, &id) else { continue };
        let place = app.home.trash().join(&id);
        let moved = place.join(&concept.view.id).exists();
        let listed = app.store.get::<Concept>(&concept.view.id)?.is_some();
        match (moved, listed) {
            // Deleted, all but its row.
            (true, true) => drop(app.store.remove::<Concept>(&concept.view.id)?),
            (true, false) => {}
            // Restored, all but its row; or not moved yet.
            (false, false) if app.home.concept(&concept.view.id).exists() => {
                app.store.insert(&concept)?;
                remove(place)?;
            }
            (false, _) => remove(place)?,
        }
    }
    Ok(())
}
