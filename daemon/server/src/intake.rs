//! How pictures come into the home folder: names that are safe everywhere, paths that lead nowhere else, and a look at
//! what they hold, in a process of its own.

use crate::{
    App, Error, Home, Result,
    jobs::{Heard, Worker},
    store::{DatasetRecord, Submitted, now_ms},
};
use protocol::{ErrorCode, JobFailure, Limits, Report, Survey, Task};
use std::{
    fs,
    path::{Component, Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// What a survey may take for one picture.
const PATIENCE: Duration = Duration::from_secs(120);

/// Looks through files in a worker: decoding pictures of strangers is nothing for a process that must not die.
///
/// # Errors
/// If no worker can be started.
async fn survey(app: &Arc<App>, folder: &Path, thumbnails: &Path) -> Result<std::result::Result<Survey, JobFailure>> {
    let _turn = app.surveys.acquire().await.map_err(Error::bug)?;
    let task = Task::Survey {
        paths: vec![folder.to_owned()],
        limits: app.config.limits.clone(),
        thumbnails: Some(thumbnails.to_owned()),
    };
    let mut worker = Worker::start(&app.program, &task, &app.home.path().join("logs").join("surveys.txt")).await?;
    let died = |reason| JobFailure { code: ErrorCode::Dataset, reason };
    loop {
        match worker.hear(PATIENCE).await {
            Heard::Report(Report::Surveyed(survey)) => return Ok(Ok(survey)),
            Heard::Report(Report::Failed(failure)) => return Ok(Err(failure)),
            Heard::Report(_) => {}
            Heard::Silent => {
                return Ok(Err(died("reading the pictures takes too long; give fewer or smaller ones".into())));
            }
            Heard::Gone(_) => {
                return Ok(Err(died(format!("the pictures cannot be read: {}", worker.last_words()))));
            }
        }
    }
}

/// Uploads are not read again to compare bodies: the key alone counts.
const ANY_BODY: &str = "upload";

/// Looks through what was staged and makes the data set `id` of it, once for a key. What was written and decided about the
/// pictures of the data set `before` comes along, by what they show.
///
/// # Errors
/// If the disk or the database refuses. What cannot be used is no error.
pub async fn keep(
    app: &Arc<App>,
    staged: &Path,
    id: String,
    key: Option<String>,
    before: Option<String>,
) -> Result<std::result::Result<Submitted<DatasetRecord>, JobFailure>> {
    let thumbnails = app.home.thumbnails(&id);
    let most = app.config.limits.pictures;
    let surveyed = match survey(app, staged, &thumbnails).await? {
        Ok(survey) if survey.pictures.len() as u64 > most => {
            let reason = format!("there are {} pictures; the limit is {most}", survey.pictures.len());
            Err(JobFailure { code: ErrorCode::TooLarge, reason })
        }
        surveyed => surveyed,
    };
    let survey = match surveyed {
        Ok(survey) => survey,
        Err(failure) => {
            forget_what_was_made(&app.home, &id);
            return Ok(Err(failure));
        }
    };
    let (app, staged) = (app.clone(), staged.to_owned());
    let kept = crate::blocking(move || {
        let folder = app.home.dataset(&id);
        if let Some(parent) = folder.parent() {
            fs::create_dir_all(parent).map_err(Error::disk(parent))?;
        }
        let bytes = size(&staged);
        // A daemon that was killed in this place left files of which it told nobody.
        if folder.exists() && app.store.get::<DatasetRecord>(&id)?.is_none() {
            fs::remove_dir_all(&folder).map_err(Error::disk(&folder))?;
        }
        fs::rename(&staged, &folder).map_err(Error::disk(&staged))?;
        let mut record = DatasetRecord { bytes, created_at_ms: now_ms(), ..DatasetRecord::new(id.clone(), survey) };
        if let Some(before) = before.map(|before| app.store.get::<DatasetRecord>(&before)).transpose()?.flatten() {
            record.take_over(before);
        }
        let submitted = app.store.insert_once(record, key.as_deref().map(|key| (key, ANY_BODY)))?;
        // The same upload ran beside this one and was faster.
        if let Submitted::Earlier(_) = submitted {
            app.home.discard(&folder)?;
            forget_what_was_made(&app.home, &id);
        }
        Ok(submitted)
    });
    kept.await.map(Ok)
}

/// Removes what was made of a data set's pictures.
pub fn forget_what_was_made(home: &Home, id: &str) {
    for made in [home.thumbnails(id), home.prepared(id)] {
        let _ = fs::remove_dir_all(made);
    }
}

/// Removes what was made of data sets that are no more, or never came to be.
///
/// # Errors
/// If the database refuses.
pub fn tidy(app: &App) -> Result<()> {
    let Ok(entries) = fs::read_dir(app.home.thumbnails("")) else { return Ok(()) };
    for id in entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()) {
        if app.store.get::<DatasetRecord>(&id)?.is_none() {
            forget_what_was_made(&app.home, &id);
        }
    }
    Ok(())
}

/// Puts the files of two folders into the new folder `all`. Where a name is taken, all new ones go into a folder of their
/// own: prompts and masks stay beside their pictures.
///
/// # Errors
/// If the disk refuses.
pub fn together(old: &Path, new: &Path, all: &Path) -> Result<()> {
    copy_tree(old, all)?;
    // A prompt or a mask belongs to every picture of its stem.
    let stems = |folder: &Path| -> Result<Vec<String>> {
        let entries = fs::read_dir(folder).map_err(Error::disk(folder))?;
        let stem = |entry: fs::DirEntry| {
            let name = entry.file_name().to_string_lossy().to_lowercase();
            let stem = name.rsplit_once('.').filter(|_| !entry.path().is_dir()).map_or(name.as_str(), |(stem, _)| stem);
            stem.strip_suffix(".mask").unwrap_or(stem).to_owned()
        };
        Ok(entries.filter_map(std::result::Result::ok).map(stem).collect())
    };
    let taken = stems(all)?;
    let clash = stems(new)?.iter().any(|stem| taken.contains(stem));
    let mut free = (1..).map(|number| format!("added-{number}")).filter(|name| !taken.contains(name));
    let to = match free.next().filter(|_| clash) {
        Some(folder) => all.join(folder),
        None => all.to_owned(),
    };
    fs::create_dir_all(&to).map_err(Error::disk(&to))?;
    for entry in fs::read_dir(new).map_err(Error::disk(new))? {
        let entry = entry.map_err(Error::disk(new))?;
        fs::rename(entry.path(), to.join(entry.file_name())).map_err(Error::disk(&to))?;
    }
    Ok(())
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).map_err(Error::disk(to))?;
    for entry in fs::read_dir(from).map_err(Error::disk(from))? {
        let entry = entry.map_err(Error::disk(from))?;
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy_tree(&entry.path(), &target)?,
            false => drop(reflink_copy::reflink_or_copy(entry.path(), &target).map_err(Error::disk(&target))?),
        }
    }
    Ok(())
}

/// Names that Windows keeps for devices.
const RESERVED: [&str; 4] = ["con", "prn", "aux", "nul"];

/// A file's name from a form, with folders, if it is safe on every system.
///
/// # Errors
/// What is wrong with it.
pub fn safe_path(given: &str) -> std::result::Result<String, String> {
    let shown = given.escape_debug().to_string();
    let wrong = |what: &str| Err(format!("the file name `{shown}` {what}; rename it"));
    if given.is_empty() {
        return Err("a file has no name; send it with one".into());
    }
    if given.len() > 500 {
        return wrong("is too long");
    }
    // Marks that turn the direction of writing make `gnp.exe` look like `exe.png`.
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if given.chars().any(|c| c.is_control() || turns(c)) {
        return wrong("holds control characters");
    }
    if given.contains(['\\', ':', '*', '?', '"', '<', '>', '|']) {
        return wrong("holds one of \\ : * ? \" < > |");
    }
    for part in given.split('/') {
        let stem = part.split('.').next().unwrap_or_default().trim_end().to_lowercase();
        let port = stem.strip_prefix("com").or_else(|| stem.strip_prefix("lpt"));
        let device = RESERVED.contains(&stem.as_str())
            || port.is_some_and(|n| n.len() == 1 && n != "0" && n.parse::<u8>().is_ok());
        match part {
            "" | "." | ".." => return wrong("leads to another folder"),
            _ if device => return wrong("is one that Windows keeps for a device"),
            _ if part.ends_with(['.', ' ']) => return wrong("ends with a dot or a space"),
            _ => {}
        }
    }
    Ok(given.to_owned())
}

/// Whether a file holds further files.
pub fn is_archive(name: &str) -> bool {
    let name = name.to_lowercase();
    [".zip", ".tar", ".tar.gz", ".tgz"].iter().any(|ending| name.ends_with(ending))
}

/// Bytes of all files below a folder.
pub fn size(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let sizes = entries.filter_map(std::result::Result::ok).map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// Copies what a data set may use from a path below an allowed root. Links that lead out of the root are passed over.
///
/// # Errors
/// What is wrong, for the user.
pub fn copy(app: &App, from: &Path, to: &Path) -> std::result::Result<(), String> {
    let roots = &app.config.roots;
    let not_there = |_| format!("{}: there is no such file or folder below an allowed root", from.display());
    if !from.is_absolute() || from.components().any(|part| part == Component::ParentDir) {
        return Err(format!("{}: give a whole path without `..`", from.display()));
    }
    let allowed =
        |path: &Path| roots.iter().filter_map(|root| fs::canonicalize(root).ok()).find(|root| path.starts_with(root));
    let real = fs::canonicalize(from).map_err(not_there)?;
    let Some(root) = allowed(&real) else {
        return Err(format!(
            "{}: data sets may be made of folders below the configured `roots` only ({}); add it to config.toml, or upload the files",
            from.display(),
            if roots.is_empty() {
                "there are none".into()
            } else {
                roots.iter().map(|r| r.display().to_string()).collect::<Vec<_>>().join(", ")
            }
        ));
    };
    let mut copier = Copier { root, limits: &app.config.limits, files: 0, bytes: 0 };
    match real.is_dir() {
        true => copier.folder(&real, to),
        false => copier.file(&real, &to.join(real.file_name().unwrap_or_default())),
    }
}

struct Copier<'a> {
    root: PathBuf,
    limits: &'a Limits,
    files: u64,
    bytes: u64,
}

impl Copier<'_> {
    fn folder(&mut self, from: &Path, to: &Path) -> std::result::Result<(), String> {
        let unreadable = |error: std::io::Error| format!("{}: {error}", from.display());
        fs::create_dir_all(to).map_err(|error| format!("{}: {error}", to.display()))?;
        for entry in fs::read_dir(from).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let path = entry.path();
            let linked = entry.file_type().map_err(unreadable)?.is_symlink();
            let inside = fs::canonicalize(&path).is_ok_and(|real| real.starts_with(&self.root));
            // Linked folders may lead in circles.
            if !inside || (linked && path.is_dir()) {
                continue;
            }
            match path.is_dir() {
                true => self.folder(&path, &to.join(entry.file_name()))?,
                false => self.file(&path, &to.join(entry.file_name()))?,
            }
        }
        Ok(())
    }

    fn file(&mut self, from: &Path, to: &Path) -> std::result::Result<(), String> {
        if !concept::may_belong(&from.file_name().unwrap_or_default().to_string_lossy()) {
            return Ok(());
        }
        let failed = |error: std::io::Error| format!("{}: {error}", from.display());
        self.files += 1;
        self.bytes += fs::metadata(from).map_err(failed)?.len();
        if self.files > self.limits.pictures.saturating_mul(3) || self.bytes > self.limits.dataset_bytes {
            let Limits { pictures, dataset_bytes, .. } = self.limits;
            return Err(format!("the folder holds more than {pictures} pictures or {dataset_bytes} bytes"));
        }
        fs::copy(from, to).map_err(failed)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_are_safe_everywhere_pass() {
        for good in ["a.png", "folder/b c.jpg", "日本.png", "10_fox animal/1.txt", "comic.png", "com0.png"] {
            assert_eq!(safe_path(good), Ok(good.to_owned()));
        }
        for bad in [
            "",
            "../a.png",
            "a/../b",
            "/etc/passwd",
            "a//b",
            "C:\\a.png",
            "a\0.png",
            "a\n.png",
            "con.png",
            "x/LPT1.txt",
            "a.png.",
            "a.png ",
            "\u{202e}gnp.exe",
            "a:b",
            &"x".repeat(501),
        ] {
            assert!(safe_path(bad).is_err(), "{bad:?}");
        }
    }
}
