//! The cache that Python's `huggingface_hub`, `hf-hub` and others share: `blobs/<etag>`, `refs/<revision>` (a commit), and
//! `snapshots/<commit>/<file>`, links to blobs where links work.

use std::fs;
use std::path::{Path, PathBuf};

use hf_hub::{Cache, CacheRepo, Repo, RepoType};

use super::Hub;
use crate::error::{ModelsError, Result};
use crate::record;
use crate::source::{is_commit, is_repository};

/// Repositories and snapshots of a cache that are looked at.
const MOST: usize = 2000;

/// One repository in the cache.
pub(crate) struct Shelf {
    paths: CacheRepo,
    folder: PathBuf,
    locks: PathBuf,
    revision: String,
    links: bool,
}

impl Shelf {
    pub(crate) fn new(hub: &Hub, repository: &str, revision: &str) -> Self {
        let repo = Repo::with_revision(repository.to_owned(), RepoType::Model, revision.to_owned());
        Self {
            folder: hub.cache.join(repo.folder_name()),
            locks: hub.cache.join(".locks").join(repo.folder_name()),
            revision: revision.to_owned(),
            links: hub.links,
            paths: Cache::new(hub.cache.clone()).repo(repo),
        }
    }

    /// The commit that the revision was when it was last fetched, by whatever program.
    pub(crate) fn commit(&self) -> Option<String> {
        if is_commit(&self.revision) {
            return Some(self.revision.clone());
        }
        let text = fs::read_to_string(below(&self.folder.join("refs"), &self.revision)).ok()?;
        Some(text.trim().to_owned()).filter(|commit| is_commit(commit))
    }

    /// The folder of a commit's files.
    pub(crate) fn snapshot(&self, commit: &str) -> PathBuf {
        self.paths.pointer_path(commit)
    }

    /// Where `file` of `commit` is, when it is there.
    pub(crate) fn find(&self, commit: &str, file: &str) -> Option<PathBuf> {
        let path = below(&self.snapshot(commit), file);
        fs::metadata(&path).is_ok_and(|about| about.is_file()).then_some(path)
    }

    /// Where the content with this etag belongs.
    pub(crate) fn blob(&self, etag: &str) -> PathBuf {
        self.paths.blob_path(etag)
    }

    /// The lock of the content with this etag: the file that Python locks, with the same calls.
    pub(crate) fn lock(&self, etag: &str) -> PathBuf {
        self.locks.join(format!("{etag}.lock"))
    }

    /// Shows the content of `blob` as `file` of `commit`; returns where.
    ///
    /// Where links cannot be made the blob moves into the snapshot when it is `new`, and is copied when others may use it.
    pub(crate) fn show(&self, blob: &Path, commit: &str, file: &str, new: bool) -> Result<PathBuf> {
        let path = below(&self.snapshot(commit), file);
        let folder = path.parent().unwrap_or(&path);
        fs::create_dir_all(folder).map_err(|error| ModelsError::io("create", folder, error))?;
        // What stands there now is a link to a blob that is gone, or a file that was found wanting.
        if fs::symlink_metadata(&path).is_ok() {
            fs::remove_file(&path).map_err(|error| ModelsError::io("replace", &path, error))?;
        }
        let up = file.split('/').count() - 1;
        let target = ["..", ".."].into_iter().chain(std::iter::repeat_n("..", up)).collect::<PathBuf>();
        let target = target.join("blobs").join(blob.file_name().unwrap_or_default());
        if self.links && link(&target, &path).is_ok() {
            return Ok(path);
        }
        let placed = if new {
            fs::rename(blob, &path)
        } else {
            let beside = path.with_extension("incomplete");
            fs::copy(blob, &beside).and_then(|_| fs::rename(&beside, &path))
        };
        placed.map_err(|error| ModelsError::io("write", &path, error))?;
        Ok(path)
    }

    /// Notes that the revision is `commit`. A commit needs no note.
    pub(crate) fn remember(&self, commit: &str) -> Result<()> {
        if self.revision == commit || self.commit().as_deref() == Some(commit) {
            return Ok(());
        }
        let path = below(&self.folder.join("refs"), &self.revision);
        let folder = path.parent().unwrap_or(&path);
        fs::create_dir_all(folder).map_err(|error| ModelsError::io("create", folder, error))?;
        record::whole(&path, commit.as_bytes())
    }
}

/// The slash-separated `name` below `folder`.
fn below(folder: &Path, name: &str) -> PathBuf {
    name.split('/').fold(folder.to_owned(), |at, step| at.join(step))
}

#[cfg(unix)]
fn link(target: &Path, path: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

#[cfg(windows)]
fn link(target: &Path, path: &Path) -> std::io::Result<()> {
    std::os::windows::fs::symlink_file(target, path)
}

/// Every snapshot in the cache at `cache`: the repository, the commit, the folder. The commit of `main` comes first.
pub(crate) fn snapshots(cache: &Path) -> Vec<(String, String, PathBuf)> {
    let mut found = Vec::new();
    for folder in sorted(cache) {
        let name = folder.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix("models--"));
        let Some(repository) = name.map(|name| name.replacen("--", "/", 1)).filter(|name| is_repository(name)) else {
            continue;
        };
        let main = fs::read_to_string(folder.join("refs").join("main")).unwrap_or_default();
        let mut here: Vec<_> = sorted(&folder.join("snapshots"))
            .into_iter()
            .filter_map(|path| Some((path.file_name()?.to_str().filter(|name| is_commit(name))?.to_owned(), path)))
            .collect();
        here.sort_by_key(|(commit, _)| (commit != main.trim(), commit.clone()));
        found.extend(here.into_iter().map(|(commit, path)| (repository.clone(), commit, path)));
    }
    found
}

/// Whether any snapshot of its repository still links to `blob`.
pub(crate) fn is_shown(blob: &Path) -> bool {
    let Some(repository) = blob.parent().and_then(Path::parent) else { return false };
    let mut left = vec![(repository.join("snapshots"), 0)];
    while let Some((folder, depth)) = left.pop() {
        for path in sorted(&folder) {
            match fs::read_link(&path) {
                Ok(to) if to.file_name() == blob.file_name() => return true,
                Ok(_) => {}
                Err(_) if depth < 3 && path.is_dir() => left.push((path, depth + 1)),
                Err(_) => {}
            }
        }
    }
    false
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> =
        fs::read_dir(folder).into_iter().flatten().take(MOST).flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}
