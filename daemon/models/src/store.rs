//! The models of this machine: added, listed, checked, removed, chosen.

use std::fs;
use std::path::{Path, PathBuf};

use crate::catalogue::{Home, Known, known, known_digest, rank};
use crate::digest;
use crate::error::{ModelsError, Result};
use crate::form::{Form, Purpose};
use crate::hub::{Hub, Order, Wish, is_shown};
use crate::progress::{Doing, Meter, Watch};
use crate::recognise::{self, Candidate};
use crate::record::{self, File, Installed, Origin};
use crate::source::{Source, is_repository, is_revision};

/// The folder of installed models: one folder for each, with a record. The files lie where they came from.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
    hub: Hub,
}

/// An entry of [`Store::list`].
#[derive(Debug)]
pub enum Listed {
    /// A model whose files are there, with the sizes that they had.
    Ready(Installed),
    /// A model that cannot be used.
    Broken {
        /// Its name.
        id: String,
        /// Why, and what to do.
        why: ModelsError,
    },
}

/// Which model is wanted.
#[derive(Debug, Clone, Copy)]
pub enum Want<'a> {
    /// The one with this name.
    Id(&'a str),
    /// The best of this form.
    Form(Form),
    /// The best for this purpose.
    Purpose(Purpose),
}

/// What [`Store::remove`] did.
#[derive(Debug, PartialEq, Eq)]
pub struct Removed {
    /// Files that are still there: those of other programs, and those in the shared cache unless they were to go.
    pub left: Vec<PathBuf>,
    /// Bytes freed.
    pub freed: u64,
}

impl Store {
    /// The store at `folder` (`HOME/models`), which fetches from the hub of this process's environment. Nothing is created.
    pub fn open(folder: &Path) -> Self {
        Self::with_hub(folder, Hub::from_env())
    }

    /// The store at `folder`, which fetches from `hub`.
    pub fn with_hub(folder: &Path, hub: Hub) -> Self {
        Self { folder: folder.to_owned(), hub }
    }

    /// The hub that models are fetched from.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Every model with a record, by name.
    ///
    /// # Errors
    /// When the folder cannot be read; a model that cannot be used is an entry, not an error.
    pub fn list(&self) -> Result<Vec<Listed>> {
        let mut listed = Vec::new();
        for id in self.ids()? {
            match self.read(&id) {
                Ok(None) => {}
                Ok(Some(model)) => listed.push(Listed::Ready(model)),
                Err(why) => listed.push(Listed::Broken { id, why }),
            }
        }
        Ok(listed)
    }

    fn ids(&self) -> Result<Vec<String>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(ModelsError::io("read", &self.folder, error)),
        };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut ids: Vec<_> = names.filter(|name| is_id(name)).collect();
        ids.sort();
        Ok(ids)
    }

    /// The model `id`, its files looked at but not read; `None` without a record.
    fn read(&self, id: &str) -> Result<Option<Installed>> {
        let Some(model) = record::read(&self.folder.join(id))? else { return Ok(None) };
        for file in &model.files {
            match fs::metadata(&file.path) {
                Err(_) => return Err(ModelsError::Missing { id: id.to_owned(), path: file.path.clone() }),
                Ok(about) if about.len() != file.bytes => {
                    return Err(ModelsError::Changed { id: id.to_owned(), path: file.path.clone() });
                }
                Ok(_) => {}
            }
        }
        Ok(Some(model))
    }

    /// The best installed model for `want`, by form, then known models in the catalogue's order, then by name; `None` when none
    /// is installed. No digests are computed.
    ///
    /// # Errors
    /// When the model that was named cannot be used, or the folder cannot be read.
    pub fn resolve(&self, want: Want<'_>) -> Result<Option<Installed>> {
        let forms = match want {
            Want::Id(id) => return if is_id(id) { self.read(id) } else { Ok(None) },
            Want::Form(form) => vec![form],
            Want::Purpose(purpose) => purpose.forms().to_vec(),
        };
        let place = |model: &Installed| forms.iter().position(|form| *form == model.form);
        let ready = self.list()?.into_iter().filter_map(|listed| match listed {
            Listed::Ready(model) => Some(model),
            Listed::Broken { .. } => None,
        });
        Ok(ready
            .filter_map(|model| Some(((place(&model)?, rank(&model.id), model.id.clone()), model)))
            .min_by(|(one, _), (other, _)| one.cmp(other))
            .map(|(_, model)| model))
    }

    /// Adds a model: fetches what is missing, reads every file, and writes its record last. Adding what is there again checks it
    /// again.
    ///
    /// # Errors
    /// Whatever stands between; then the model is not installed, and what was fetched is kept for the next time.
    pub fn add(&self, source: &Source, watch: Watch<'_>) -> Result<Installed> {
        let mut meter = Meter::new(watch);
        match source {
            Source::Folder(path) => self.register(recognise::recognise(path)?, &mut meter),
            Source::Found(candidate) => self.register(candidate.clone(), &mut meter),
            Source::Known(id) => {
                let known = known(id).ok_or_else(|| ModelsError::Unknown(id.clone()))?;
                match known.home {
                    Home::BringYourOwn(how) => Err(ModelsError::BringYourOwn { id: known.id, how }),
                    Home::Hub { repository, revision } => {
                        let files =
                            known.files.iter().map(|file| (file.part.to_owned(), file.name.to_owned())).collect();
                        let order = Order { repository, revision, wish: Wish::Files(known.form, files) };
                        self.fetch(&order, known.id, Some(known), &mut meter)
                    }
                }
            }
            Source::Hub { repository, revision } => {
                let revision = revision.as_deref().unwrap_or("main");
                if !is_repository(repository) || !is_revision(revision) {
                    return Err(ModelsError::Unknown(repository.clone()));
                }
                let order = Order { repository, revision, wish: Wish::Any };
                self.fetch(&order, &id_from(repository.rsplit('/').next().unwrap_or(repository)), None, &mut meter)
            }
        }
    }

    fn fetch(&self, order: &Order<'_>, id: &str, known: Option<&Known>, meter: &mut Meter<'_>) -> Result<Installed> {
        let fetched = self.hub.bring(order, meter)?;
        let origin = Origin::Hub {
            repository: order.repository.to_owned(),
            revision: order.revision.to_owned(),
            commit: fetched.commit,
        };
        let files = digested(fetched.files, meter)?;
        for (file, known) in files.iter().zip(known.map_or(&[][..], |known| known.files)) {
            if let Some(expected) = known.sha256.filter(|expected| *expected != file.sha256) {
                return Err(ModelsError::Mismatch {
                    file: file.path.display().to_string(),
                    expected: expected.to_owned(),
                    found: file.sha256.clone(),
                    cure: format!(
                        "remove that file and add the model again; to use the hub's file all the same, add {}@{}",
                        order.repository, order.revision
                    ),
                });
            }
            self.own_name(file)?;
        }
        let id = self.free(id, &origin, &files)?;
        self.install(Installed { id, form: fetched.form, origin, files })
    }

    /// A file in the cache whose blob is called by its SHA-256 must have it.
    fn own_name(&self, file: &File) -> Result<()> {
        let blob = fs::read_link(&file.path).ok().and_then(|to| Some(to.file_name()?.to_str()?.to_owned()));
        match blob.filter(|name| digest::is_sha256(name) && *name != file.sha256) {
            None => Ok(()),
            Some(expected) => Err(ModelsError::Mismatch {
                file: file.path.display().to_string(),
                expected,
                found: file.sha256.clone(),
                cure: "another program left it broken in the cache; remove it and add the model again".to_owned(),
            }),
        }
    }

    fn register(&self, candidate: Candidate, meter: &mut Meter<'_>) -> Result<Installed> {
        meter.stage(Doing::Checking, candidate.bytes);
        let pieces = candidate.pieces.into_iter().map(|piece| (piece.part, piece.path, false)).collect();
        let files = digested(pieces, meter)?;
        let exact = match &files[..] {
            [only] => known_digest(&only.sha256),
            _ => None,
        };
        let origin = Origin::Folder { path: candidate.folder };
        let name = exact.map_or_else(|| id_from(&candidate.name), |known| known.id.to_owned());
        let id = self.free(&name, &origin, &files)?;
        self.install(Installed { id, form: exact.map_or(candidate.form, |known| known.form), origin, files })
    }

    /// `name`, or the next free `name-2`, `name-3` when another model has it.
    fn free(&self, name: &str, origin: &Origin, files: &[File]) -> Result<String> {
        let main = files.first().map(|file| &file.path);
        let repository = |origin: &Origin| match origin {
            Origin::Hub { repository, .. } => Some(repository.clone()),
            Origin::Folder { .. } => None,
        };
        for number in 1.. {
            let id = if number == 1 { name.to_owned() } else { format!("{name}-{number}") };
            let same = match record::read(&self.folder.join(&id)) {
                Ok(None) => true,
                Ok(Some(there)) => {
                    there.files.first().map(|file| &file.path) == main
                        || repository(&there.origin).is_some_and(|there| Some(there) == repository(origin))
                }
                // A record that cannot be read gives its name to what is added now.
                Err(_) => true,
            };
            if same {
                return Ok(id);
            }
        }
        unreachable!("bug: numbers do not end")
    }

    /// Writes the record. What this store fetched for it earlier stays marked as fetched.
    fn install(&self, mut model: Installed) -> Result<Installed> {
        let folder = self.folder.join(&model.id);
        let before = record::read(&folder).ok().flatten().map(|before| before.files).unwrap_or_default();
        for file in &mut model.files {
            file.fetched |= before.iter().any(|old| old.fetched && old.path == file.path && old.sha256 == file.sha256);
        }
        record::write(&folder, &model)?;
        Ok(model)
    }

    /// Reads every file of the model `id` and compares it with what was recorded.
    ///
    /// # Errors
    /// [`ModelsError::Missing`] or [`ModelsError::Changed`] with the first file that is not what it was.
    pub fn verify(&self, id: &str, watch: Watch<'_>) -> Result<Installed> {
        let model = if is_id(id) { self.read(id)? } else { None };
        let model = model.ok_or_else(|| ModelsError::NotInstalled(id.to_owned()))?;
        let mut meter = Meter::new(watch);
        meter.stage(Doing::Checking, model.bytes());
        for file in &model.files {
            meter.file(&file.part);
            if digest::of_file(&file.path, &mut meter)? != (file.bytes, file.sha256.clone()) {
                return Err(ModelsError::Changed { id: id.to_owned(), path: file.path.clone() });
            }
        }
        Ok(model)
    }

    /// Forgets the model `id`. With `files`, also deletes what this store itself fetched for it and no other model of it uses;
    /// files of other programs always stay.
    ///
    /// # Errors
    /// [`ModelsError::NotInstalled`], or the file system's.
    pub fn remove(&self, id: &str, files: bool) -> Result<Removed> {
        let folder = self.folder.join(id);
        let path = folder.join(record::NAME);
        if !is_id(id) || fs::metadata(&path).is_err() {
            return Err(ModelsError::NotInstalled(id.to_owned()));
        }
        let model = record::read(&folder).ok().flatten();
        fs::remove_file(&path).map_err(|error| ModelsError::io("remove", &path, error))?;
        // Someone else's files may lie there.
        let _ = fs::remove_dir(&folder);
        let mut removed = Removed { left: Vec::new(), freed: 0 };
        let others: Vec<_> = self.ids()?.iter().filter_map(|id| record::read(&self.folder.join(id)).ok()?).collect();
        for file in model.map(|model| model.files).unwrap_or_default() {
            let used = others.iter().flat_map(|other| &other.files).any(|other| other.path == file.path);
            if files && file.fetched && !used {
                removed.freed += delete(&file.path)?;
            } else if fs::metadata(&file.path).is_ok() {
                removed.left.push(file.path);
            }
        }
        Ok(removed)
    }
}

/// Deletes a file of the cache, and the blob that it links to unless another snapshot does too; returns the bytes freed.
fn delete(path: &Path) -> Result<u64> {
    let blob = fs::read_link(path).ok().and_then(|to| Some(path.parent()?.join(to)));
    let mut freed = unlink(path)?;
    if let Some(blob) = blob.filter(|blob| !is_shown(blob)) {
        freed += unlink(&blob)?;
    }
    Ok(freed)
}

/// Deletes a file or link; returns the bytes of a file.
fn unlink(path: &Path) -> Result<u64> {
    let bytes = fs::symlink_metadata(path).map_or(0, |about| if about.is_file() { about.len() } else { 0 });
    match fs::remove_file(path) {
        Ok(()) => Ok(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(ModelsError::io("remove", path, error)),
    }
}

/// Reads every file for its size and digest.
fn digested(files: Vec<(String, PathBuf, bool)>, meter: &mut Meter<'_>) -> Result<Vec<File>> {
    let of = files.iter().filter_map(|(_, path, _)| fs::metadata(path).ok()).map(|about| about.len()).sum();
    meter.stage(Doing::Checking, of);
    let mut all = Vec::new();
    for (part, path, fetched) in files {
        meter.file(&part);
        let (bytes, sha256) = digest::of_file(&path, meter)?;
        all.push(File { part, path, bytes, sha256, fetched });
    }
    Ok(all)
}

/// Whether `text` names a folder of the store: lower-case letters, digits, `-`, `_`, `.`, not first.
fn is_id(text: &str) -> bool {
    (1..=80).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte))
}

/// A name from any text.
fn id_from(text: &str) -> String {
    let plain: String =
        text.chars()
            .map(|letter| {
                if letter.is_ascii_alphanumeric() || "-_.".contains(letter) { letter.to_ascii_lowercase() } else { '-' }
            })
            .collect();
    let plain: String = plain.trim_start_matches(['-', '_', '.']).chars().take(70).collect();
    let plain = plain.trim_end_matches(['-', '_', '.']);
    if is_id(plain) { plain.to_owned() } else { "model".to_owned() }
}
