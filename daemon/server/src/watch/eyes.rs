//! Hearing of changes from the system. Events only say where to look; a burst of them is one look.

use super::listing::{OURS, is_unfinished, mode_folder};
use notify::{Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::{
    collections::BTreeSet,
    mem,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::Notify;

/// What was heard since it was last asked.
#[derive(Debug, Default)]
pub struct Heard {
    /// Data sets in which something changed.
    pub sets: BTreeSet<String>,
    /// Everything is to be looked at.
    pub everything: bool,
    /// A job came to its end.
    pub jobs: bool,
}

/// Where changes are told.
#[derive(Default)]
pub struct Changes {
    heard: Mutex<Heard>,
    bell: Notify,
}

impl Changes {
    /// Tells.
    pub fn tell(&self, change: impl FnOnce(&mut Heard)) {
        change(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner));
        self.bell.notify_one();
    }

    /// Waits until something is told.
    pub async fn told(&self) {
        self.bell.notified().await;
    }

    /// What was told.
    pub fn take(&self) -> Heard {
        mem::take(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Listens to a folder and all that is in it, for as long as the returned value lives.
///
/// # Errors
/// Why it cannot, for people.
pub fn open(root: &Path, changes: Arc<Changes>) -> Result<RecommendedWatcher, String> {
    let below = root.to_owned();
    let hear = move |event: notify::Result<Event>| match event {
        // Reading is no change.
        Ok(event) if matches!(event.kind, EventKind::Access(_)) => {}
        Ok(event) if event.need_rescan() => changes.tell(|heard| heard.everything = true),
        Ok(event) => {
            let sets = event.paths.iter().filter_map(|path| path.strip_prefix(&below).ok().and_then(set_of));
            let sets: BTreeSet<String> = sets.collect();
            if !sets.is_empty() {
                changes.tell(|heard| heard.sets.extend(sets));
            }
        }
        Err(_) => changes.tell(|heard| heard.everything = true),
    };
    let watching = RecommendedWatcher::new(hear, Config::default().with_follow_symlinks(false))
        .and_then(|mut watcher| watcher.watch(root, RecursiveMode::Recursive).map(|()| watcher));
    watching.map_err(|error| match error.kind {
        notify::ErrorKind::MaxFilesWatch => {
            "the system lets programs watch too few folders (on Linux, raise fs.inotify.max_user_watches)".into()
        }
        _ => error.to_string(),
    })
}

/// The data set that a path inside the watched folder belongs to; none if nothing there counts.
fn set_of(inside: &Path) -> Option<String> {
    let parts: Vec<_> = inside.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    let (last, first) = (parts.last()?, parts.first()?);
    let written = ["RESULT.md", "ERROR.md", "RESULT.preview.png"];
    let ours = last.starts_with(OURS) || written.iter().any(|own| last.ends_with(own));
    if ours || (parts.iter().any(|part| part.starts_with('.')) && !is_unfinished(last)) {
        return None;
    }
    match parts.get(1) {
        Some(second) if mode_folder(first).is_some() => Some(format!("{first}/{second}")),
        _ => Some(first.clone().into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, time::Duration};

    #[test]
    fn paths_belong_to_data_sets() {
        for (path, set) in [
            ("fox", Some("fox")),
            ("fox/deep/a.png", Some("fox")),
            ("fox/a.png.part", Some("fox")),
            ("fox/.a.png.Xq3Zp1", Some("fox")),
            ("style", Some("style")),
            ("style/ink/a.png", Some("style/ink")),
            ("fox.zip", Some("fox.zip")),
            ("fox/RESULT.md", None),
            ("fox/.conceptd-RESULT.md", None),
            ("fox-ERROR.md", None),
            ("style/ink/RESULT.preview.png", None),
            (".stfolder/a.png", None),
            ("fox/.DS_Store", None),
            ("", None),
        ] {
            assert_eq!(set_of(Path::new(path)).as_deref(), set, "{path}");
        }
    }

    #[tokio::test]
    async fn what_changes_is_told_once_and_reading_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = fs::canonicalize(folder.path()).expect("real");
        fs::create_dir(root.join("fox")).expect("made");
        fs::write(root.join("fox/a.png"), "x").expect("written");
        let changes = Arc::new(Changes::default());
        let _eyes = open(&root, changes.clone()).expect("watching");
        fs::read(root.join("fox/a.png")).expect("read");
        fs::write(root.join("fox/RESULT.md"), "x").expect("written");
        for i in 0..200 {
            fs::write(root.join(format!("fox/{i}.png")), "x").expect("written");
        }
        let mut sets = BTreeSet::new();
        while sets.is_empty() {
            tokio::time::timeout(Duration::from_secs(20), changes.told()).await.expect("told");
            sets.extend(changes.take().sets);
        }
        assert_eq!(sets, BTreeSet::from(["fox".to_owned()]));
    }
}
