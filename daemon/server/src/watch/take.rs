//! From a data set that is complete to a job. Each step is found again by what it is of, so that a daemon that is
//! killed anywhere does none of them twice: contents have a digest, the data set is called by it, the job is queued
//! under it.

use super::{
    archive,
    listing::{Listing, SETTINGS, Set},
    naming::Wanted,
};
use crate::{
    App, Error, Result, intake,
    planning::{Refused, decide},
    store::{DatasetRecord, Job, Queue, Submitted, WATCH_KEY, Watch, Watched},
};
use protocol::JobState;
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::Path,
    sync::Arc,
};

/// What came of taking a data set.
pub enum Taken {
    /// This job trains it, or did so long ago.
    Job(Box<Job>),
    /// It changed while it was read.
    Changed,
    /// It cannot be trained; with whether time may mend that.
    Refused(String, bool),
    /// Not now, for this reason.
    Later(String),
}

/// Takes a data set in and queues its training, unless that was done before. What is found out is noted in `watched`.
///
/// # Errors
/// If the disk or the database refuses.
pub async fn take(
    app: &Arc<App>,
    watch: &Watch,
    root: &Path,
    set: &Set,
    listing: &Listing,
    watched: &mut Watched,
) -> Result<Taken> {
    let stamp = listing.stamp();
    if watched.stamp != stamp {
        (watched.stamp, watched.content) = (stamp, None);
    }
    let (look, wanting) = (set.clone(), listing.clone());
    let settings = match crate::blocking(move || Ok(settings(&look, &wanting))).await? {
        Ok(settings) => settings,
        Err(reason) => return Ok(Taken::Refused(reason, true)),
    };
    let wanted = match Wanted::of(&set.name, set.archive, settings.as_deref(), &watch.request) {
        Ok(wanted) => wanted,
        Err(reason) => return Ok(Taken::Refused(reason, false)),
    };
    let dataset = match dataset(app, watch, root, set, listing, watched).await? {
        Ok(dataset) => dataset,
        Err(taken) => return Ok(taken),
    };
    let (app, tries) = (app.clone(), watched.tries);
    crate::blocking(move || submit(&app, wanted, dataset, tries)).await
}

/// Queues the training of a data set, unless it was queued before; what failed is queued once for each try.
fn submit(app: &App, wanted: Wanted, dataset: String, tries: u64) -> Result<Taken> {
    let digest = wanted.digest()?;
    let key = |number: u64| format!("{WATCH_KEY}{dataset} {digest} {number}");
    // What was accepted once is not judged again.
    for number in 0..=tries {
        let Some((made, _)) = app.store.request(&key(number))? else { continue };
        let Some(job) = app.store.get::<Job>(&made)? else { continue };
        if number == tries || !matches!(job.work.state, JobState::Failed | JobState::Cancelled) {
            return Ok(Taken::Job(Box::new(job)));
        }
    }
    let key = key(tries);
    let decided = match decide(app, wanted.request(dataset)) {
        Ok(decided) => decided,
        Err(Refused::Field(_, _, reason)) => return Ok(Taken::Refused(reason, true)),
        Err(Refused::Parameter(error)) => return Ok(Taken::Refused(error.to_string(), true)),
        Err(Refused::Daemon(error)) => return Err(error),
    };
    if app.queue_is_full()? {
        return Ok(Taken::Later("as many jobs wait as may wait; it is queued when one of them is done".into()));
    }
    match app.store.submit(decided.job()?, Some((&key, &key)))? {
        Submitted::New(job) => {
            tracing::info!(job.id = job.id, concept.name = job.request.name, "queued from a watched folder");
            app.controls.ring();
            Ok(Taken::Job(Box::new(job)))
        }
        Submitted::Earlier(job) => Ok(Taken::Job(Box::new(job))),
        Submitted::Gone => Ok(Taken::Changed),
        Submitted::OtherBody => Err(Error::bug("a watched data set with two bodies")),
    }
}

/// The text of its `concept.toml`; an archive is found whole on the way.
fn settings(set: &Set, listing: &Listing) -> std::result::Result<Option<String>, String> {
    if set.archive {
        return archive::settings(&set.path);
    }
    if !listing.files.iter().any(|file| file.name() == SETTINGS) {
        return Ok(None);
    }
    let text = File::open(set.path.join(SETTINGS)).and_then(archive::read_settings);
    text.map(Some).map_err(|error| format!("{SETTINGS} cannot be read ({error})"))
}

/// The data set in the home folder that has these contents.
async fn dataset(
    app: &Arc<App>,
    watch: &Watch,
    root: &Path,
    set: &Set,
    listing: &Listing,
    watched: &mut Watched,
) -> Result<std::result::Result<String, Taken>> {
    // Unchanged files are not read again.
    if let Some(content) = &watched.content {
        let id = dataset_id(watch, set, content);
        if app.read::<DatasetRecord>(&id).await?.is_some() {
            return Ok(Ok(id));
        }
    }
    if let Err(reason) = within_limits(app, listing) {
        return Ok(Err(Taken::Refused(reason, false)));
    }
    let staged = app.home.staging()?;
    let kept = stage_and_keep(app, watch, root, set, listing, watched, &staged).await;
    // On success nothing is left there.
    let _ = fs::remove_dir_all(&staged);
    kept
}

async fn stage_and_keep(
    app: &Arc<App>,
    watch: &Watch,
    root: &Path,
    set: &Set,
    listing: &Listing,
    watched: &mut Watched,
    staged: &Path,
) -> Result<std::result::Result<String, Taken>> {
    let copied = {
        let (app, set, listing, staged) = (app.clone(), set.clone(), listing.clone(), staged.to_owned());
        let root = root.to_owned();
        crate::blocking(move || {
            let content = copy(&app, &set, &listing, &staged)?;
            // What changed while it was read is not what was read.
            let same = set.list(&root).is_ok_and(|now| now == listing);
            Ok(content.map(|content| content.filter(|_| same)))
        })
    };
    let content = match copied.await? {
        Ok(Some(content)) => content,
        Ok(None) => return Ok(Err(Taken::Changed)),
        Err(reason) => return Ok(Err(Taken::Refused(reason, true))),
    };
    let id = dataset_id(watch, set, &content);
    watched.content = Some(content);
    if app.read::<DatasetRecord>(&id).await?.is_some() {
        return Ok(Ok(id));
    }
    match intake::keep(app, staged, id.clone(), None, None).await? {
        Ok(_) => Ok(Ok(id)),
        Err(failure) => Ok(Err(Taken::Refused(failure.reason, false))),
    }
}

/// The same contents in the same place are the same data set.
fn dataset_id(watch: &Watch, set: &Set, content: &str) -> String {
    let digest = Sha256::digest(format!("{}\0{}\0{content}", watch.id, set.name));
    format!("dataset-{}", &concept::hex(&digest)[..32])
}

fn within_limits(app: &App, listing: &Listing) -> std::result::Result<(), String> {
    let limits = &app.config.limits;
    let (files, bytes) = (listing.files.len() as u64, listing.bytes());
    // A picture may have a prompt and a mask beside it.
    let most = limits.pictures.saturating_mul(3);
    if files > most {
        return Err(format!("there are {files} files; the limit is {most}. Make several folders of them"));
    }
    if bytes > limits.dataset_bytes {
        return Err(format!("the files have {bytes} bytes; the limit is {}", limits.dataset_bytes));
    }
    Ok(())
}

/// Copies the files and returns the digest of what was copied; `None` if a file is not as it was listed, or the daemon
/// stops. What cannot be read is said for people.
fn copy(app: &App, set: &Set, listing: &Listing, staged: &Path) -> Result<std::result::Result<Option<String>, String>> {
    let from = if set.archive { set.path.parent().unwrap_or(&set.path) } else { &set.path };
    let mut contents = Sha256::new();
    for file in listing.files.iter().filter(|file| file.name() != SETTINGS) {
        if app.stopping() {
            return Ok(Ok(None));
        }
        let (source, target) = (from.join(&file.inside), staged.join(&file.inside));
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).map_err(Error::disk(folder))?;
        }
        let mut reader = match File::open(&source) {
            Ok(reader) => reader,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Ok(None)),
            Err(error) => return Ok(Err(format!("{} cannot be read ({error})", file.name()))),
        };
        let mut writer = File::create(&target).map_err(Error::disk(&target))?;
        let (mut hasher, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 17]);
        loop {
            let count = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) => return Ok(Err(format!("{} cannot be read ({error})", file.name()))),
            };
            hasher.update(&buffer[..count]);
            bytes += count as u64;
            writer.write_all(&buffer[..count]).map_err(Error::disk(&target))?;
        }
        if bytes != file.bytes {
            return Ok(Ok(None));
        }
        writer.sync_all().map_err(Error::disk(&target))?;
        contents.update(format!("{}\0{bytes}\0", file.name()));
        contents.update(hasher.finalize());
    }
    Ok(Ok(Some(concept::hex(&contents.finalize()))))
}
