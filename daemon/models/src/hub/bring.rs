//! All files of a model from a hub: from the cache where they are, else fetched.

use std::fs;
use std::path::PathBuf;

use super::Hub;
use super::cache::Shelf;
use super::download;
use super::wire::Wire;
use crate::error::{ModelsError, Result};
use crate::form::Form;
use crate::progress::{Doing, Meter};
use crate::recognise::{self, Listing};

/// What is wanted of a repository.
pub(crate) struct Order<'a> {
    /// `owner/name`.
    pub(crate) repository: &'a str,
    pub(crate) revision: &'a str,
    pub(crate) wish: Wish,
}

/// Which files are wanted.
pub(crate) enum Wish {
    /// These: role and name of each.
    Files(Form, Vec<(String, String)>),
    /// Those of the one model in the repository.
    Any,
}

/// A model in the cache.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) form: Form,
    pub(crate) commit: String,
    /// Role and place of each file, and whether it came now.
    pub(crate) files: Vec<(String, PathBuf, bool)>,
}

impl Hub {
    /// Brings what `order` wants into the cache; without a request when it is there.
    pub(crate) fn bring(&self, order: &Order<'_>, meter: &mut Meter<'_>) -> Result<Fetched> {
        let shelf = Shelf::new(self, order.repository, order.revision);
        if let Some(fetched) = shelf.commit().and_then(|commit| present(&shelf, &commit, order)) {
            return Ok(fetched);
        }
        if self.offline {
            return Err(ModelsError::Offline { what: order.repository.to_owned() });
        }
        let wire = Wire::new(self, order.repository);
        let contents = wire.contents(order.revision)?;
        let (form, files) = match &order.wish {
            Wish::Files(form, files) => (*form, files.clone()),
            Wish::Any => {
                let listing = Listing { names: &contents.names, model_type: contents.model_type, signature: &|_| None };
                let choice = recognise::one_of(recognise::choose(&listing), order.repository, |choice| {
                    choice.name.as_deref().unwrap_or("model")
                })?;
                (choice.form, choice.files)
            }
        };
        let files = self.collect(&wire, &shelf, &contents.commit, files, meter)?;
        shelf.remember(&contents.commit)?;
        Ok(Fetched { form, commit: contents.commit, files })
    }

    /// Fetches those `files` of `commit` that the cache lacks.
    fn collect(
        &self,
        wire: &Wire<'_>,
        shelf: &Shelf,
        commit: &str,
        files: Vec<(String, String)>,
        meter: &mut Meter<'_>,
    ) -> Result<Vec<(String, PathBuf, bool)>> {
        // Every size first, so that progress knows its end and a missing file shows before the first byte.
        let mut plan = Vec::new();
        for (part, name) in files {
            let about = match shelf.find(commit, &name) {
                Some(_) => None,
                None => Some(wire.about(commit, &name)?),
            };
            plan.push((part, name, about));
        }
        meter.stage(Doing::Downloading, plan.iter().filter_map(|(.., about)| about.as_ref()?.bytes).sum());
        let mut placed = Vec::new();
        for (part, name, about) in plan {
            meter.file(&name);
            let (path, new) = match about {
                None => (shelf.find(commit, &name), false),
                Some(about) => {
                    let blob = download::fetch(self, wire, shelf, &about, meter)?;
                    (Some(shelf.show(&blob.path, commit, &name, blob.new)?), blob.new)
                }
            };
            let path = path.ok_or(ModelsError::NotFound { what: name })?;
            placed.push((part, path, new));
        }
        Ok(placed)
    }
}

/// What is wanted, when the cache has all of it.
fn present(shelf: &Shelf, commit: &str, order: &Order<'_>) -> Option<Fetched> {
    let (form, files) = match &order.wish {
        Wish::Files(form, files) => {
            let places = files.iter().map(|(part, name)| Some((part.clone(), shelf.find(commit, name)?, false)));
            (*form, places.collect::<Option<Vec<_>>>()?)
        }
        Wish::Any => {
            let folder = shelf.snapshot(commit);
            fs::metadata(&folder).ok()?;
            let [candidate] = <[_; 1]>::try_from(recognise::in_folder(&folder)).ok()?;
            let places = candidate.pieces.into_iter().map(|piece| (piece.part, piece.path, false));
            (candidate.form, places.collect())
        }
    };
    Some(Fetched { form, commit: commit.to_owned(), files })
}
