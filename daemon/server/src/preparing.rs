//! Looking at the pictures of a data set before they are learnt, in a worker: captions, examination, masks.

use crate::{
    App, Error, Home, Result,
    config::{Config, caption_key, library_in_environment},
    hosts::Host,
    jobs::{Heard, Worker},
    store::{DatasetRecord, Store},
};
use protocol::{Command, EndpointTask, ErrorCode, Eyes, JobFailure, PrepareTask, Prepared, Report, Task};
use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::Notify;

/// Where Python keeps its packages beside a host, on every system.
const PYTHONS: [&str; 6] =
    ["venv", ".venv", "python_embeded", "../python_embeded", "system/python", "../system/python"];
/// What a worker may be silent for: the largest captioner takes a while to load from a slow disk.
const PATIENCE: Duration = Duration::from_secs(300);

/// What workers look at pictures with.
pub fn eyes(home: &Home, config: &Config, hosts: &[PathBuf]) -> Eyes {
    let named = config.onnxruntime.clone().or_else(library_in_environment);
    let program = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.to_owned()));
    let beside = program.into_iter().chain([home.path().join("onnxruntime")]);
    let pythons = hosts.iter().flat_map(|folder| PYTHONS.map(|python| folder.join(python)));
    // Who names one wants that one, and to hear if it cannot be used.
    let onnxruntime = match named {
        Some(named) => vec![named],
        None => beside.chain(pythons).collect(),
    };
    let endpoint = config.caption_endpoint.clone().filter(|_| !config.offline);
    let endpoint = endpoint.map(|url| EndpointTask { url, model: config.caption_model.clone(), key: caption_key() });
    Eyes { models: home.eyes(), onnxruntime, endpoint }
}

/// The folders of the hosts that are known, in which a library may lie.
///
/// # Errors
/// If the database refuses.
pub fn host_folders(store: &Store) -> Result<Vec<PathBuf>> {
    Ok(store.all::<Host>()?.into_iter().map(|host| host.view.folder.into()).collect())
}

/// Why pictures were not looked at.
pub enum Refused {
    /// Somebody is at it already.
    Busy,
    /// It cannot be done.
    Failed(JobFailure),
}

/// Looks at a data set as `wish` says, with `again` also at what a captioner described before. It counts as going on until
/// the second of what is returned falls, so that whoever waits for its end finds what was seen.
///
/// # Errors
/// If no worker can be started, or the database refuses. What cannot be looked at is no error.
pub async fn prepare(
    app: &Arc<App>,
    dataset: &DatasetRecord,
    wish: PrepareTask,
    again: bool,
) -> Result<std::result::Result<(Prepared, Shown), Refused>> {
    let Some(shown) = Looking::begin(app, &dataset.id) else { return Ok(Err(Refused::Busy)) };
    let _turn = app.looks.acquire().await.map_err(Error::bug)?;
    let store = app.clone();
    let hosts = crate::blocking(move || host_folders(&store.store)).await?;
    let task = Task::Prepare(Box::new(PrepareTask {
        pictures: vec![app.home.dataset(&dataset.id)],
        limits: app.config.limits.clone(),
        left_out: dataset.left_out().union(&wish.left_out).cloned().collect(),
        focuses: dataset.focuses(),
        captions: if again { dataset.captions.clone() } else { dataset.overriding() },
        eyes: eyes(&app.home, &app.config, &hosts),
        out: Some(app.home.prepared(&dataset.id)),
        ..wish
    }));
    let mut worker = Worker::start(&app.program, &task, &log(&app.home)).await?;
    let died = |reason| Ok(Err(Refused::Failed(JobFailure { code: ErrorCode::WorkerDied, reason })));
    loop {
        let heard = tokio::select! {
            heard = worker.hear(PATIENCE) => heard,
            () = shown.cancel.notified() => {
                worker.tell(&Command::Stop).await?;
                continue;
            }
            () = app.stopped() => return died("the daemon stops; ask again when it runs".into()),
        };
        match heard {
            Heard::Report(Report::Prepared(prepared)) => return Ok(Ok((*prepared, shown))),
            Heard::Report(Report::Failed(failure)) => return Ok(Err(Refused::Failed(failure))),
            Heard::Report(Report::Looked { done }) => app.looking.set(&dataset.id, done),
            Heard::Report(_) => {}
            Heard::Silent => return died("looking at the pictures hangs; try a smaller model".into()),
            Heard::Gone(_) => {
                return died(format!("the process that looked at the pictures died: {}", worker.last_words()));
            }
        }
    }
}

fn log(home: &Home) -> PathBuf {
    home.path().join("logs").join("looking.txt")
}

/// Every captioning and examination that goes on.
#[derive(Default)]
pub struct Looking(Mutex<HashMap<String, Look>>);

/// One of them.
#[derive(Default)]
struct Look {
    done: u64,
    cancel: Arc<Notify>,
}

impl Looking {
    /// Begins one of a data set, unless one goes on already. It shows for as long as the answer is kept.
    fn begin(app: &Arc<App>, dataset: &str) -> Option<Shown> {
        let mut all = app.looking.0.lock().ok()?;
        if all.contains_key(dataset) {
            return None;
        }
        let look = Look::default();
        let cancel = look.cancel.clone();
        all.insert(dataset.to_owned(), look);
        Some(Shown { app: app.clone(), dataset: dataset.to_owned(), cancel })
    }

    fn set(&self, dataset: &str, done: u64) {
        if let Some(look) = self.0.lock().ok().as_mut().and_then(|all| all.get_mut(dataset)) {
            look.done = done;
        }
    }

    /// Pictures of a data set that were looked at, if somebody is at it.
    pub fn at(&self, dataset: &str) -> Option<u64> {
        Some(self.0.lock().ok()?.get(dataset)?.done)
    }

    /// Ends the one of a data set, if there is one; what it has seen so far is kept.
    pub fn cancel(&self, dataset: &str) {
        if let Some(look) = self.0.lock().ok().as_ref().and_then(|all| all.get(dataset)) {
            look.cancel.notify_one();
        }
    }
}

/// A look that goes on.
pub struct Shown {
    app: Arc<App>,
    dataset: String,
    cancel: Arc<Notify>,
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Ok(mut all) = self.app.looking.0.lock() {
            all.remove(&self.dataset);
        }
    }
}

/// The mask that the last examination made of a picture, by the digest of its pixels.
pub fn mask(home: &Home, dataset: &str, picture: &str) -> PathBuf {
    // As `preparation` names them.
    home.prepared(dataset).join("masks").join(format!("{}.png", picture.get(..32).unwrap_or(picture)))
}

/// Removes the masks of the last examination: a new one may make others, or none.
pub fn forget_masks(home: &Home, dataset: &str) {
    let _ = std::fs::remove_dir_all(home.prepared(dataset).join("masks"));
}

/// The preview sheet of the last examination.
pub fn sheet(home: &Home, dataset: &str) -> PathBuf {
    home.prepared(dataset).join("sheet.png")
}
