//! Models that other programs keep on this machine: looked for, never touched, nothing fetched.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::catalogue::{known, known_repository};
use crate::hub;
use crate::recognise::{Candidate, in_folder};

/// Folders visited below one place.
const MOST_FOLDERS: usize = 3000;
/// How deep models lie below the folder of a host's models.
const DEPTH: usize = 3;

/// A program's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Whose it is.
    pub kind: PlaceKind,
    /// Its root.
    pub path: PathBuf,
}

/// Whose folder it is, and so where models lie in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaceKind {
    /// ComfyUI: `models`, and `models` of each custom node (ComfyUI-WD14-Tagger keeps `<name>.onnx` and `<name>.csv` there).
    ComfyUi,
    /// A1111's web UI: `models` (`models/u2net` of the rembg extension), and `models` of each extension.
    A1111,
    /// kohya's sd-scripts or its GUI: `wd14_tagger_model/<owner>_<repository>`.
    Kohya,
    /// rembg: the folder itself.
    Rembg,
    /// OneTrainer: `external/models/rembg`.
    OneTrainer,
    /// The cache that hub clients share.
    HubCache,
    /// Any folder.
    Folder,
}

impl Place {
    /// The places that need no host's folder: rembg's (`$U2NET_HOME`, else `.u2net` in `$XDG_DATA_HOME` or the home folder) and
    /// the hub cache.
    pub fn usual(var: impl Fn(&str) -> Option<OsString>, home: Option<&Path>) -> Vec<Self> {
        let path = |name: &str| var(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let data = path("XDG_DATA_HOME").or_else(|| home.map(Path::to_owned));
        let rembg = path("U2NET_HOME").or_else(|| data.map(|data| data.join(".u2net")));
        let cache = hub::Hub::from_vars(&var, home).cache;
        let rembg = rembg.map(|path| Self { kind: PlaceKind::Rembg, path });
        rembg.into_iter().chain([Self { kind: PlaceKind::HubCache, path: cache }]).collect()
    }

    fn models(&self) -> Vec<Candidate> {
        let below = |steps: &[&str]| steps.iter().fold(self.path.clone(), |at, step| at.join(step));
        match self.kind {
            PlaceKind::ComfyUi => walk(add_ons(below(&["models"]), &below(&["custom_nodes"]))),
            PlaceKind::A1111 => walk(add_ons(below(&["models"]), &below(&["extensions"]))),
            PlaceKind::Kohya => walk(vec![below(&["wd14_tagger_model"]), below(&["sd-scripts", "wd14_tagger_model"])]),
            PlaceKind::OneTrainer => walk(vec![below(&["external", "models", "rembg"])]),
            PlaceKind::Rembg | PlaceKind::Folder => walk(vec![self.path.clone()]),
            PlaceKind::HubCache => cached(&self.path),
        }
    }
}

/// Every model in `places`, each once. Unreadable folders hold none; links are followed, but paths stay as they were found.
pub fn found_in(places: &[Place]) -> Vec<Candidate> {
    let mut seen = HashSet::new();
    let mut found: Vec<_> = places.iter().flat_map(Place::models).collect();
    found.retain(|candidate| {
        let main = &candidate.pieces[0].path;
        seen.insert(fs::canonicalize(main).unwrap_or_else(|_| main.clone()))
    });
    found
}

/// `models`, and the folder `models` of each add-on in `folder`.
fn add_ons(models: PathBuf, folder: &Path) -> Vec<PathBuf> {
    [models].into_iter().chain(folders(folder).into_iter().map(|add_on| add_on.join("models"))).collect()
}

/// The models in and below `roots`.
fn walk(roots: Vec<PathBuf>) -> Vec<Candidate> {
    let mut left: Vec<_> = roots.into_iter().rev().map(|root| (root, 0)).collect();
    let mut found = Vec::new();
    let mut visited = 0;
    while let Some((folder, depth)) = left.pop() {
        visited += 1;
        if visited > MOST_FOLDERS {
            break;
        }
        let models = in_folder(&folder);
        // What lies below a model of several files belongs to it.
        let filled = models.iter().any(|model| model.pieces.iter().any(|piece| piece.path.parent() != Some(&folder)));
        found.extend(models.into_iter().map(named_by_owner));
        if depth < DEPTH && !filled {
            left.extend(folders(&folder).into_iter().rev().map(|path| (path, depth + 1)));
        }
    }
    found
}

/// kohya calls a folder `SmilingWolf_wd-vit-tagger-v3`: the known model is meant.
fn named_by_owner(mut candidate: Candidate) -> Candidate {
    if let Some(known) = candidate.name.split_once('_').and_then(|(_, name)| known(name)) {
        candidate.name = known.id.to_owned();
    }
    candidate
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().take(MOST_FOLDERS).flatten().map(|entry| entry.path());
    let mut folders: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// The models in a hub cache, the newest commit of each repository.
fn cached(cache: &Path) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = Vec::new();
    let mut seen = HashSet::new();
    for (repository, _, folder) in hub::snapshots(cache) {
        let title = repository.rsplit('/').next().unwrap_or(&repository);
        for mut candidate in in_folder(&folder) {
            let known = known_repository(&repository).find(|known| {
                let has = |name: &str| candidate.pieces.iter().any(|piece| piece.path.ends_with(name));
                known.form == candidate.form && known.files.iter().all(|file| has(file.name))
            });
            if candidate.name == folder.file_name().and_then(|name| name.to_str()).unwrap_or_default() {
                candidate.name = title.to_owned();
            }
            if let Some(known) = known {
                candidate.name = known.id.to_owned();
            }
            if seen.insert((repository.clone(), candidate.name.clone())) {
                found.push(candidate);
            }
        }
    }
    found
}
