//! Checkpoints on this machine: found in configured folders, told apart by their tensors, hashed in the background.

use crate::{
    App, Config, Error, Home, Result,
    store::{Checkpoint, Store},
};
use concept::base_digest;
use diffusion::{Family, checkpoint::Overrides};
use protocol::{BaseFamily, ModelView};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

/// Folders in folders that are looked into.
const DEPTH: usize = 4;
/// How long the background waits between looking for files that have no digest.
const PAUSE: Duration = Duration::from_secs(60);

/// The folders with checkpoints.
pub struct Models {
    folders: Vec<PathBuf>,
}

impl Models {
    /// The configured folders and the home's own.
    pub fn new(home: &Home, config: &Config) -> Self {
        Self { folders: config.models.iter().cloned().chain([home.models()]).collect() }
    }

    /// Looks through the folders. What is known of an unchanged file is not found out again.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn list(&self, store: &Store) -> Result<Vec<Checkpoint>> {
        self.files().iter().filter_map(|path| examine(store, path).transpose()).collect()
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for folder in &self.folders {
            find(folder, DEPTH, &mut files);
        }
        files.sort();
        files.dedup();
        files
    }

    /// The checkpoint that a request means by its name or path.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn find(&self, store: &Store, wanted: &str) -> Result<Option<Checkpoint>> {
        let known = self.list(store)?;
        let path = fs::canonicalize(wanted).ok();
        let is_meant = |checkpoint: &&Checkpoint| {
            let own = Path::new(&checkpoint.path);
            let named = own.file_name().is_some_and(|name| name == wanted) || name(own) == wanted;
            named || checkpoint.path == wanted || (path.is_some() && fs::canonicalize(own).ok() == path)
        };
        Ok(known.iter().find(is_meant).cloned())
    }

    /// Whether a file lies below one of the folders, links followed.
    pub fn holds(&self, path: &Path) -> bool {
        let Ok(path) = fs::canonicalize(path) else { return false };
        self.folders.iter().filter_map(|folder| fs::canonicalize(folder).ok()).any(|folder| path.starts_with(folder))
    }

    /// The folders, for messages.
    pub fn folders(&self) -> String {
        self.folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ")
    }
}

/// A checkpoint's name in requests.
pub fn name(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// What clients see.
pub fn view(checkpoint: &Checkpoint) -> ModelView {
    ModelView {
        name: name(Path::new(&checkpoint.path)),
        path: checkpoint.path.clone(),
        bytes: checkpoint.bytes,
        family: checkpoint.family,
        problem: checkpoint.problem.clone(),
        nonstandard: checkpoint.nonstandard,
        sha256: checkpoint.sha256.clone(),
    }
}

fn find(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.filter_map(std::result::Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            if depth > 0 {
                find(&path, depth - 1, files);
            }
        } else if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("safetensors")) {
            files.push(path);
        }
    }
}

/// What a file is; `None` if it went away.
fn examine(store: &Store, path: &Path) -> Result<Option<Checkpoint>> {
    let Some((bytes, changed_ms)) = fingerprint(path) else { return Ok(None) };
    let key = path.display().to_string();
    if let Some(known) = store.get::<Checkpoint>(&key)? {
        if known.bytes == bytes && known.changed_ms == changed_ms {
            return Ok(Some(known));
        }
        store.remove::<Checkpoint>(&key)?;
    }
    let checkpoint = inspect(path, bytes, changed_ms);
    // Another request may have been faster.
    match store.insert(&checkpoint) {
        Ok(()) => Ok(Some(checkpoint)),
        Err(Error::Database(_)) => Ok(Some(checkpoint)),
        Err(error) => Err(error),
    }
}

/// Size and time of change; `None` if the file went away.
fn fingerprint(path: &Path) -> Option<(u64, i64)> {
    let metadata = fs::metadata(path).ok()?;
    let changed = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    Some((metadata.len(), changed.map_or(0, |time| time.as_millis() as i64)))
}

/// What the header of a file says that it is.
fn inspect(path: &Path, bytes: u64, changed_ms: i64) -> Checkpoint {
    let mut checkpoint = Checkpoint {
        path: path.display().to_string(),
        bytes,
        changed_ms,
        family: None,
        problem: None,
        nonstandard: false,
        sha256: None,
    };
    match diffusion::Checkpoint::open(path, Overrides::default()) {
        Ok(opened) => {
            let architecture = opened.architecture();
            checkpoint.nonstandard = !architecture.is_standard();
            checkpoint.family = Some(match architecture.family {
                Family::Sdxl => BaseFamily::Sdxl,
                Family::Sd15 => BaseFamily::Sd15,
            });
        }
        Err(error) => checkpoint.problem = Some(error.to_string()),
    }
    checkpoint
}

/// The checkpoints of a home as they lie there, without a daemon and its memory of their digests.
pub fn models_of(home: &Home, config: &Config) -> Vec<ModelView> {
    let files = Models::new(home, config).files();
    let look = |path: &PathBuf| {
        let (bytes, changed_ms) = fingerprint(path)?;
        Some(view(&inspect(path, bytes, changed_ms)))
    };
    files.iter().filter_map(look).collect()
}

/// Reads files that have no digest yet, one at a time, for as long as the daemon runs.
pub fn keep_hashed(app: Arc<App>) {
    tokio::task::spawn_local(async move {
        while !app.stopping() {
            let store = app.clone();
            let hashed = crate::blocking(move || hash_next(&store)).await;
            match hashed {
                Ok(true) => {}
                Ok(false) => tokio::select! {
                    () = tokio::time::sleep(PAUSE) => {}
                    () = app.stopped() => {}
                },
                Err(error) => {
                    tracing::warn!("hashing checkpoints: {error}");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    });
}

/// Hashes one file; `false` if all are.
fn hash_next(app: &App) -> Result<bool> {
    let next = app.models.list(&app.store)?.into_iter().find(|c| c.family.is_some() && c.sha256.is_none());
    let Some(checkpoint) = next else { return Ok(false) };
    let digest = base_digest(Path::new(&checkpoint.path)).map_err(|error| Error::Worker(error.to_string()))?;
    app.store.update::<Checkpoint, _>(&checkpoint.path, |known| {
        if (known.bytes, known.changed_ms) == (checkpoint.bytes, checkpoint.changed_ms) {
            known.sha256 = Some(digest);
        }
    })?;
    Ok(true)
}
